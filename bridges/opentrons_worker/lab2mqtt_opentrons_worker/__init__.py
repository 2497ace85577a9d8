"""The Opentrons package in a process of its own, asked over a pipe."""

__version__ = "0.1.0"
