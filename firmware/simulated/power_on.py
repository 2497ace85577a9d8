"""Powers a simulated board: ``micropython power_on.py FLASH SIM SIMULATED``.

The folder FLASH becomes the board's flash, ``/``. SIM is the world around it, ``/sim``; SIMULATED holds the
modules that stand in for the board's own, ``/simulated``. Then boot.py and main.py run.
"""

import os
import sys

import vfs


def _mount():
    flash, sim, simulated = sys.argv[1:4]
    for folder, place in ((flash, "/"), (sim, "/sim"), (simulated, "/simulated")):
        vfs.mount(vfs.VfsPosix(folder), place)
    os.chdir("/")
    sys.argv[:] = []
    # As on a board, but that our modules come before the built-in ones.
    sys.path[:] = ["/simulated", "", ".frozen", "/lib"]


def _code(name):
    try:
        with open(name) as file:
            return compile(file.read(), name, "exec")
    except OSError:  # a board without it goes on, too
        return None


_mount()
for _name in ("/boot.py", "/main.py"):
    _found = _code(_name)
    if _found:
        exec(_found)  # noqa: S102 - what a board does
