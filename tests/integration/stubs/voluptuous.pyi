# What Home Assistant runs in its place since 2026.
from probatio import *  # noqa: F403
