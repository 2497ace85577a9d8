"""Balances at the end of a serial line: A&D FX-i, and U.S. Solid USS-DBS.

A&D after the manual of the FX-i and FZ-i (A&D standard format, commands, acknowledge and error codes); U.S.
Solid after records of a USS-DBS28: 15 characters and CR LF, again and again, without a word on stability,
``~`` over and ``_`` under its range.

The world's ``mass`` (g) lies on the pan. ``balance`` is what the balance is like: ``kind`` (``a_and_d``,
``us_solid``), ``unit`` (``g``, ``kg``), ``capacity`` (g), ``settles`` (s after a change), ``acknowledges``
(erCd 1), ``baudrate`` (else that of the board). ``uart`` is what is out of order: ``silent``, ``garbled``,
``unstable``, ``refuses`` (commands, with this error code), ``deaf`` (it does as if, and does nothing).
"""

import time

import world

_PERIOD = 100  # ms between two lines of one that sends by itself


class Balance:
    """One balance: asked by its line, as time goes by."""

    def __init__(self, baudrate):
        self._baudrate = baudrate
        self._zero = 0.0
        self._mass = None
        self._changed = self._sent = time.ticks_ms()
        self._heard = self._told = b""

    def hears(self, data):
        """Bytes that were sent to it."""
        self._heard += data
        while b"\r\n" in self._heard:
            command, self._heard = self._heard.split(b"\r\n", 1)
            if self._is("kind", "a_and_d") == "a_and_d" and not _fault("silent"):
                self._told += self._garbled(self._obey(command))

    def sends(self):
        """Bytes that it has sent since the last time."""
        if self._is("kind", "a_and_d") == "us_solid" and not _fault("silent"):
            now = time.ticks_ms()
            while time.ticks_diff(now, self._sent) >= _PERIOD:
                self._sent = time.ticks_add(self._sent, _PERIOD)
                self._told += self._garbled(self._shown())
        told, self._told = self._told, b""
        return told

    def _is(self, name, usual):
        return world.get("balance", {}).get(name, usual)

    def _garbled(self, line):
        """As it arrives: at another speed than the board's, nothing is what it was."""
        if _fault("garbled") or self._is("baudrate", self._baudrate) != self._baudrate:
            return bytes(0x80 | byte >> 1 for byte in line)
        return line

    def _obey(self, command):
        acknowledges = self._is("acknowledges", usual=False)
        if command in (b"Q", b"SI"):
            return self._weighed()
        if command not in (b"T", b"Z", b"R"):
            return b"EC,E01\r\n" if acknowledges else b""
        if _fault("refuses"):
            return b"EC,%s\r\n" % _fault("refuses").encode() if acknowledges else b""
        if not _fault("deaf"):
            self._zero = world.get("mass", 0.0)
        return b"\x06\r\n\x06\r\n" if acknowledges else b""

    def _settled(self):
        mass = world.get("mass", 0.0)
        if self._mass != mass:
            self._changed = (
                time.ticks_ms() if self._mass is not None else time.ticks_add(time.ticks_ms(), -60000)
            )
            self._mass = mass
        passed = time.ticks_diff(time.ticks_ms(), self._changed)
        return not _fault("unstable") and passed >= self._is("settles", 0.3) * 1000

    def _net(self):
        """Mass on the display, in g; what moves does not stand still."""
        steady = self._settled()
        return self._mass - self._zero + (0 if steady else 0.1 + time.ticks_ms() % 7 / 10)

    def _weighed(self):
        net = self._net()
        if abs(self._mass) > self._is("capacity", 122.0):
            return b"OL,%s9999999E+19\r\n" % (b"+" if net > 0 else b"-")
        header = "ST" if self._settled() else "US"
        sign = "-" if net < 0 else "+"
        if self._is("unit", "g") == "kg":
            return ("%s,%s%08.6f kg\r\n" % (header, sign, abs(net) / 1000)).encode()
        return ("%s,%s%09.3f  g\r\n" % (header, sign, abs(net))).encode()

    def _shown(self):
        net = self._net()
        unit = self._is("unit", "g")
        if abs(self._mass) > self._is("capacity", 5000.0):
            return (("~" if net > 0 else "_") * 12).encode() + b"%-3s\r\n" % unit.encode()
        sign = "-" if net < 0 else "+"
        return ("%s%11.2f%-3s\r\n" % (sign, abs(net), unit)).encode()


def _fault(name):
    return world.get("uart", {}).get(name)
