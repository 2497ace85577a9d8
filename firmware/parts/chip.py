"""A chip on I2C: who is spoken to, one measurement at a time, and the words where it does not answer."""

import asyncio

from labboard.part import Part


class Chip(Part):
    """A part on I2C. It may be absent at boot and lost later: each measurement begins anew."""

    def __init__(self, i2c, address, chip):
        """Take a bus.

        Args:
            i2c: The ``machine.I2C`` or ``machine.SoftI2C``.
            address: Of the chip, 7 bits.
            chip: What people call it.

        Raises:
            ValueError: No such address.
        """
        if not 0x08 <= address <= 0x77:
            raise ValueError("I2C address %s is not 0x08 to 0x77" % address)
        self._i2c = i2c
        self._address = address
        self._chip = chip
        self._one = asyncio.Lock()

    def _named(self):
        return "%s at 0x%02x on I2C" % (self._chip, self._address)

    def _lost(self):
        return OSError("no answer from the %s: look at its supply, its wires and its address" % self._named())

    def _write(self, data):
        try:
            self._i2c.writeto(self._address, data)
        except OSError:
            raise self._lost()

    def _read(self, count):
        try:
            return self._i2c.readfrom(self._address, count)
        except OSError:
            raise self._lost()
