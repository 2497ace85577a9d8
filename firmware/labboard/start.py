"""Starts the application that ``boots`` chooses, and what runs in its place where that is bad."""

import os
import sys
import time

from micropython import const

from labboard import boots

_HOLD = "/hold"  # while this file is there nothing is started: somebody installs
_PAUSE = const(2)  # s before a reset after a crash: a person at the prompt gets a chance to stop it


def run():
    """Run for ever: it ends only by a reset, or at the prompt."""
    if _exists(_HOLD):
        print("held: an installation has not ended; remove %s to start" % _HOLD)
        return
    boots.current = this = boots.Boots()
    if this.folder:
        sys.path.insert(0, this.folder)
    this.began()
    try:
        if this.safe_mode:
            _safe_mode(this)
        else:
            __import__("app")
            raise RuntimeError("the application ended")
    except KeyboardInterrupt:
        this.forgive()
        raise
    except SystemExit:  # a reset, on a simulated board
        raise
    except BaseException as error:
        this.crashed(error)
        sys.print_exception(error)
    import machine

    time.sleep(_PAUSE)
    machine.reset()


def _safe_mode(this):
    """Run a board without parts, that can be asked how it is, and be updated."""
    from labboard import Board

    board = Board()
    board.faults["safe mode"] = "safe mode: " + this.safe_mode
    board.run()


def _exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
