"""Stands in for ``os``: the unix port's own, but for a fault of it.

Of a folder that is mounted it puts two absolute names into one buffer, so that the old one is not found.
"""

from uos import *  # noqa: F403
from uos import chdir, getcwd, rename as _rename


def rename(old, new):
    """Rename a file; the old name is told from its own folder."""
    folder, _, name = old.rpartition("/")
    if not folder:
        folder = "/" if old.startswith("/") else "."
    here = getcwd()
    chdir(folder)
    try:
        _rename(name, new)
    finally:
        chdir(here)
