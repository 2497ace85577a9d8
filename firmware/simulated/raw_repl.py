"""MicroPython's raw prompt on stdin and stdout, as on a board's serial port, for mpremote.

``micropython raw_repl.py FLASH SIM SIMULATED`` powers a board as ``power_on.py`` does; where its program
ends, or is interrupted by SIGINT, the prompt is there. A reset ends the process.
"""

import sys

_RAW = "raw REPL; CTRL-B to exit\r\n>"
_FRIENDLY = "\r\nMicroPython on a simulated board\r\n>>> "


def _say(text):
    sys.stdout.write(text)


def _run(program, names):
    """Run a program; its output, then the traceback of what it raised, each with its end."""
    _say("OK")
    error = None
    try:
        exec(program, names)  # noqa: S102 - what a prompt does
    except SystemExit:
        raise
    except BaseException as raised:
        error = raised
    _say("\x04")
    if error:
        sys.print_exception(error)
    _say("\x04>")


class _Prompt:
    def __init__(self):
        self._names = {"__name__": "__main__"}
        self._raw = False
        self._taken = b""

    def take(self, byte):
        """Take one byte that was typed."""
        if byte == b"\x01":
            self._raw, self._taken = True, b""
            _say("\r\n" + _RAW)
        elif byte == b"\x02":
            self._raw, self._taken = False, b""
            _say(_FRIENDLY)
        elif byte == b"\x04" and self._taken:
            program, self._taken = self._taken, b""
            _run(program, self._names)
        elif byte == b"\x04":
            self._names = {"__name__": "__main__"}
            _say("OK\r\nMPY: soft reboot\r\n" + (_RAW if self._raw else _FRIENDLY))
        elif self._raw:
            self._taken += byte
            if self._taken == b"\x05A\x01":  # raw paste, which we do not know
                self._taken = b""
                _say("R\x00")

    def interrupt(self):
        """Forget what was typed."""
        self._taken = b""


def _serve():
    prompt = _Prompt()
    _say(_FRIENDLY)
    while True:
        try:
            byte = sys.stdin.buffer.read(1)
            if not byte:
                return
            prompt.take(byte)
        except KeyboardInterrupt:
            prompt.interrupt()


_say("\r\n")  # from now on it can be interrupted
try:
    import power_on  # noqa: F401 - runs what a board runs
except SystemExit:
    raise
except BaseException as _error:
    sys.print_exception(_error)
_serve()
