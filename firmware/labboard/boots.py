"""Which application starts: boots are counted, so that a bad one does not start for ever."""

import asyncio
import hashlib
import io
import os
import sys

from micropython import const

from labboard import whole_file

_TRIALS = const(3)  # bad boots of a new application; then the old one is back
_PATIENCE = const(5)  # bad boots of any; then none is started
_GOOD_AFTER = const(60)  # s that a board has been connected without a gap
_LONGEST_CRASH = const(1000)  # characters

current = None  # set by start; None where a program makes its Board without it


class Boots:
    """The count in ``boots.json``, and the application that it chooses.

    Attributes:
        folder: The application's, ``/app_a``; None where there is none.
        safe_mode: Why no application is started; empty where one is.
        last_crash: What the last crash said, its last line first; empty without one.
    """

    def __init__(self, root="/"):
        self._root = root
        self._file = root + "boots.json"
        told = whole_file.read(self._file, {})
        self._app = told.get("app")
        self._bad = told.get("bad")
        self._trial = told.get("trial") is True
        self._why = str(told.get("why") or "")  # the last crash of this row of bad boots
        self.last_crash = self._read_crash()
        if not isinstance(self._bad, int):
            self._bad = 0
        self._choose(told.get("of"))
        self.folder = self._folder(self._app) if self._app else None
        self.safe_mode = ""
        if not self.folder:
            self.safe_mode = "there is no application"
        elif self._bad >= _PATIENCE:
            self.safe_mode = self._why or "%d boots in a row ended badly" % self._bad

    def _choose(self, of):
        """Find the application; what is not the one that was counted has a count of its own."""
        if self._trial and self._bad >= _TRIALS and self._there(self._other):
            self._app, self._trial, of = self._other, False, None
            if not self._why:
                self._keep_crash(
                    "the new application was not connected for long enough in %d boots" % _TRIALS
                )
        if not self._there(self._app):
            self._app = "a" if self._there("a") else "b" if self._there("b") else None
            self._trial = False
        self._of = self._identity()
        if of != self._of:
            self._bad, self._why = 0, ""

    @property
    def _other(self):
        return "b" if self._app == "a" else "a"

    @property
    def spare(self):
        """The folder that an update goes into."""
        return self._folder(self._other)

    def _folder(self, letter):
        return self._root + "app_" + letter

    def _there(self, letter):
        """Whether a folder holds a whole application: its manifest is written last."""
        if letter not in ("a", "b"):
            return False
        try:
            names = os.listdir(self._folder(letter))
        except OSError:
            return False
        return "manifest.json" in names and ("app.mpy" in names or "app.py" in names)

    def _identity(self):
        """What tells one application from another."""
        if not self._app:
            return None
        with open(self._folder(self._app) + "/manifest.json", "rb") as file:
            return hashlib.sha256(file.read()).digest()[:4].hex()

    def _keep(self):
        try:
            self._write()
        except OSError:  # a full flash must not keep the board from working
            pass

    def _write(self):
        told = {"app": self._app, "of": self._of, "trial": self._trial, "bad": self._bad, "why": self._why}
        whole_file.write(self._file, told)

    def began(self):
        """Count this boot as bad, until it proves good."""
        if not self.safe_mode:  # it may go on for days: each write wears the flash
            self._bad += 1
            self._keep()

    def good(self):
        """This boot is good. Out of safe mode the application gets one more try at the next boot."""
        self._bad, self._trial = 0, False
        if self.safe_mode and self.folder:
            self._bad = _PATIENCE - 1
        else:
            self._why = ""
        self._keep()

    def forgive(self):
        """The board is reset, or interrupted, by no fault of a proven application, as where no broker is.

        A new one has to connect to prove itself.
        """
        if not self._trial and not self.safe_mode:
            self._bad, self._why = 0, ""
            self._keep()

    def switch(self):
        """Start the application of the other folder from the next boot on.

        Raises:
            OSError: That could not be written; the next boot starts the present one.
        """
        self._app, self._trial, self._bad, self._why = self._other, True, 0, ""
        self._of = self._identity()
        self._write()

    def application(self):
        """Node and version of the application, as its manifest tells them."""
        told = whole_file.read(self.folder + "/manifest.json", {}) if self.folder else {}
        return str(told.get("node", "")), str(told.get("version", ""))

    def crashed(self, error):
        """Keep what an exception says."""
        text = io.StringIO()
        sys.print_exception(error, text)
        lines = text.getvalue().strip()[-_LONGEST_CRASH:].split("\n")
        why = lines[-1].strip()
        if why != self._why:
            self._why = why
            self._keep()
        self._keep_crash("\n".join([why] + lines))  # noqa: RUF005 - MicroPython has no [*lines]

    def _keep_crash(self, text):
        if text == self.last_crash:
            return
        self.last_crash = text
        try:
            whole_file.write_text(self._root + "crash.txt", text)
        except OSError:
            pass

    def _read_crash(self):
        try:
            with open(self._root + "crash.txt") as file:
                return file.read(2 * _LONGEST_CRASH)
        except (OSError, ValueError):
            return ""

    async def prove(self, is_up, seconds=_GOOD_AFTER):
        """Call the boot good once the board has been connected without a gap.

        Args:
            is_up: Gives whether it is connected.
            seconds: For how long.
        """
        left = seconds
        while left > 0:
            await asyncio.sleep(min(left, 1))
            left = left - 1 if is_up() else seconds
        self.good()
