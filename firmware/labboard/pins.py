"""The pins that a board may use: those that its configuration names, and none that the board needs itself."""

import os
import sys

_RP2 = ((23, 24, 29), "the Pico W's Wi-Fi chip needs it", 28)
_ESP32 = ((1, 3, 6, 7, 8, 9, 10, 11), "the ESP32's flash or serial port needs it", 39)
_LED = 25  # of a plain Pico; on a Pico W that is the Wi-Fi chip's, and the LED is wired to that chip


class WrongPin(Exception):
    """The pin cannot be used; the text says why, and what could."""


class Pins:
    """The allow-list.

    Args:
        allowed: Name → number, as the configuration has them.
        chip: ``rp2`` or ``esp32``; by default what this is.
    """

    def __init__(self, allowed, chip=""):
        self._allowed = allowed
        chip = chip or (sys.platform if sys.platform in ("rp2", "esp32") else "rp2")
        # "Raspberry Pi Pico W with RP2040", "Raspberry Pi Pico 2 W with RP2350"
        self._led = chip == "rp2" and (sys.platform != "rp2" or " W " in os.uname().machine)
        self._taken, self._why, self._last = _RP2 if chip == "rp2" else _ESP32
        if chip == "rp2" and not self._led:
            self._taken = ()
        self._claimed = {}

    def number(self, name):
        """Claim a pin; gives its number, or ``LED``.

        Raises:
            WrongPin: It is not in the configuration, the board needs it, or it is in use.
        """
        if name not in self._allowed:
            known = ", ".join(sorted(self._allowed)) or "none"
            raise WrongPin("no pin %r in config.json; its pins are %s" % (name, known))
        number = self._allowed[name]
        if number in self._taken:
            raise WrongPin("pin %s for %r: %s" % (number, name, self._why))
        if not 0 <= number <= self._last:
            raise WrongPin("pin %s for %r: this board has 0 to %d" % (number, name, self._last))
        if number in self._claimed:
            raise WrongPin("pin %s for %r is in use as %r" % (number, name, self._claimed[number]))
        self._claimed[number] = name
        return "LED" if number == _LED and self._led else number

    def pin(self, name, *args, **named):
        """Claim a pin; gives the ``machine.Pin``, made with the other arguments.

        Raises:
            WrongPin: As ``number``.
        """
        from machine import Pin

        return Pin(self.number(name), *args, **named)
