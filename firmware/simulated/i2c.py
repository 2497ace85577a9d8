"""Stands in for ``machine.I2C`` and ``machine.SoftI2C``: a bus with a chip at each address that we know.

Of the world, ``i2c`` holds what is out of order: ``{"gone": true}`` (no chip answers) or ``{"gone":
["sht4x"]}``, and what a chip's own file names. A chip that was gone has lost its registers. All buses lead to
the same chips.
"""

import errno

import world

# Address → its name in ``gone``, its file, its class; loaded when it is first spoken to.
_KNOWN = {
    0x18: ("mlx90393", "mlx90393_chip", "Mlx90393"),
    0x39: ("as7341", "as7341_chip", "As7341"),
    0x44: ("sht4x", "sht4x", "Sht"),
}

_powered = {}


def fault(name):
    """What ``i2c`` of the world says of a fault; None where it says nothing."""
    return world.get("i2c", {}).get(name)


def no_answer():
    """What a bus raises when nobody acknowledges: SoftI2C's word, where the hardware of a Pico W says EIO."""
    return OSError(errno.ENODEV)


def _chip(address):
    if address not in _KNOWN:
        raise no_answer()
    name, module, kind = _KNOWN[address]
    gone = fault("gone")
    if gone is True or (gone and name in gone):
        _powered.pop(address, None)
        raise no_answer()
    if address not in _powered:
        _powered[address] = getattr(__import__(module), kind)()
    return _powered[address]


class I2C:
    """A bus, as of MicroPython's ``machine``."""

    def __init__(self, id=-1, *, scl=None, sda=None, freq=400000, timeout=50000):  # noqa: A002 - as the board calls it
        del id, timeout
        self.init(scl, sda, freq=freq)

    def init(self, scl=None, sda=None, *, freq=400000):
        """Set it up."""
        del scl, sda
        if not 0 < freq <= 1_000_000:
            raise ValueError("invalid freq")

    def deinit(self):
        """Turn it off."""

    def scan(self):
        """The addresses that answer."""
        found = []
        for address in sorted(_KNOWN):
            try:
                _chip(address)
                found.append(address)
            except OSError:
                pass
        return found

    def writeto(self, addr, buf, stop=True):
        """Send bytes; how many were acknowledged."""
        del stop
        _chip(addr).write(bytes(buf))
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        """Send several buffers as one."""
        return self.writeto(addr, b"".join(vector), stop)

    def readfrom(self, addr, nbytes, stop=True):
        """Receive bytes."""
        del stop
        return _chip(addr).read(nbytes)

    def readfrom_into(self, addr, buf, stop=True):
        """Receive bytes into a buffer."""
        buf[:] = self.readfrom(addr, len(buf), stop)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        """Write a chip's memory from an address on."""
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        """Read a chip's memory from an address on."""
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big"), stop=False)
        return self.readfrom(addr, nbytes)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        """Read a chip's memory into a buffer."""
        buf[:] = self.readfrom_mem(addr, memaddr, len(buf), addrsize=addrsize)


class SoftI2C(I2C):
    """A bus on any two pins."""

    def __init__(self, scl, sda, *, freq=400000, timeout=50000):
        super().__init__(-1, scl=scl, sda=sda, freq=freq, timeout=timeout)
