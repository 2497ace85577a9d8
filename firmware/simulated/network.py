"""A Wi-Fi of a PC: what the board wishes is one thing, what is in the air another (``"wifi"`` of the world).

While there is none, nothing arrives and nothing leaves, and no connection says so: the sockets stay open, as
on a board.
"""

import asyncio

import world

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 0, 1, 3
STAT_WRONG_PASSWORD, STAT_NO_AP_FOUND, STAT_CONNECT_FAIL = -3, -2, -1
_LOOK = 20  # ms


def country(code=None):
    """Where the board is; nobody minds."""


def hostname(name=None):
    """How the board is called in the network; nobody minds."""


class WLAN:
    """The one radio of the board."""

    IF_STA, IF_AP = STA_IF, AP_IF
    PM_NONE = 0
    _active = _wished = False

    def __init__(self, interface=STA_IF):
        self._interface = interface

    def active(self, on=None):
        """Switch it on or off, or say whether it is on."""
        if on is None:
            return WLAN._active
        WLAN._active = bool(on)
        WLAN._wished = WLAN._wished and WLAN._active
        return None

    def connect(self, *_):
        """Wish to be in the network.

        Raises:
            OSError: The radio is off.
        """
        if not WLAN._active:
            raise OSError("the radio is off")
        WLAN._wished = True

    def disconnect(self):
        """Wish it no more."""
        WLAN._wished = False

    def isconnected(self):
        """Whether we are in the network."""
        return WLAN._wished and _in_the_air()

    def status(self, what=None):
        """The state of the radio, or one figure of it."""
        if what == "rssi":
            return world.get("rssi", -50)
        if not WLAN._wished:
            return STAT_IDLE
        return STAT_GOT_IP if _in_the_air() else STAT_NO_AP_FOUND

    def config(self, *names, **_):
        """What can be asked for, or set: the mode of saving power is all that anybody sets."""
        return world.get("rssi", -50) if names == ("rssi",) else None

    def ifconfig(self, *_):
        """Address, mask, gateway, name server."""
        return ("127.0.0.1",) * 4


def _in_the_air():
    return bool(world.get("wifi", True))


class _Air(asyncio.StreamReader):
    """A connection that holds its breath while there is no Wi-Fi."""

    async def readinto(self, buffer):
        count = await super().readinto(buffer)
        await _breath()
        return count

    def write(self, buffer):
        if _in_the_air():
            super().write(buffer)
        else:
            self.out_buf += buffer

    async def drain(self):
        await _breath()
        await super().drain()


async def _breath():
    while not _in_the_air():
        await asyncio.sleep_ms(_LOOK)


asyncio.StreamReader = asyncio.StreamWriter = _Air
