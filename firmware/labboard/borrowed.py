"""Modules that are needed for a moment only: read from the flash, used, and let go, as memory is scarce."""

import gc
import sys

import labboard


def borrow(name):
    """A module of this package, of which nothing stays but what the caller keeps."""
    gc.collect()
    __import__("labboard." + name)
    module = sys.modules.pop("labboard." + name)
    setattr(labboard, name, None)  # what is merely deleted stays in memory until its place is used again
    delattr(labboard, name)
    return module
