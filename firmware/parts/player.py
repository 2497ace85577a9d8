"""A player of sound files (DFPlayer Mini) on a serial line, 9600 baud."""

import asyncio
import time

from labboard.part import Part
from labboard.tasks import Task
from micropython import const

_BEGIN = const(0x7E)
_VERSION = const(0xFF)
_LENGTH = const(6)
_END = const(0xEF)

_TRACK = const(0x03)
_VOLUME = const(0x06)
_RESUME = const(0x0D)
_PAUSE = const(0x0E)
_STOP = const(0x16)
_STATUS = const(0x42)
_IS_VOLUME = const(0x43)
_DONE = const(0x41)
_FAULT = const(0x40)

_ANSWERS = const(500)  # ms; it is slow while it looks at its card
_MUSIC = ("stopped", "playing", "paused")
# What it says with a fault, by number.
_FAULTS = (
    "",
    "it is busy",
    "it sleeps",
    "a byte was lost",
    "a sum is wrong",
    "no such track",
    "no such track",
    "it cannot read its card",
    "it sleeps",
)


def frame(command, value=0, answer=True):
    """What is sent: ten bytes with a sum, as the player's data sheet has them."""
    told = bytes((_VERSION, _LENGTH, command, 1 if answer else 0, value >> 8 & 255, value & 255))
    total = -sum(told) & 0xFFFF
    return bytes((_BEGIN,)) + told + bytes((total >> 8, total & 255, _END))


class Player(Part):
    """Plays the tracks of its memory card, at a volume of 0 to 30."""

    every = 2000
    safe_after = 10
    safe_words = "the sound stops"

    def __init__(self, uart, key="music", tracks=1, track=1):
        """Take a serial line.

        Args:
            uart: The ``machine.UART``, 9600 baud.
            key: The state says ``<key>`` and ``<key>_volume``.
            tracks: How many are on the card; 1 to 2999.
            track: The usual one.

        Raises:
            ValueError: No such number of tracks, or no such track.
        """
        if not 1 <= track <= tracks <= 2999:
            raise ValueError("track %s of %s tracks: it takes 1 to 2999" % (track, tracks))
        self._track = track
        self._uart = uart
        self._keys = (key, key + "_volume")
        self._busy = asyncio.Lock()
        volume = {"type": "integer", "minimum": 0, "maximum": 30}
        tracks = {"type": "integer", "minimum": 1, "maximum": tracks, "default": track}
        self.entities = {
            key: {"platform": "sensor", "name": "Music", "icon": "mdi:music", "options": list(_MUSIC)},
            self._keys[1]: {
                "platform": "number", "name": "Volume", "icon": "mdi:volume-high", "task": "set_volume",
                "parameter": "volume", "minimum": 0, "maximum": 30, "step": 1, "mode": "slider",
            },
            key + "_play": {
                "platform": "button", "name": "Play music", "icon": "mdi:play", "task": "play_music",
            },
            key + "_stop": {
                "platform": "button", "name": "Stop music", "icon": "mdi:stop", "task": "stop_music",
            },
        }  # fmt: skip
        self.tasks = (
            Task("set_volume", self.set_volume, {"volume": volume}, description="How loud."),
            Task(
                "play_music", self.play, {"track": tracks, "volume": volume}, required=[],
                description="Play a track once.",
            ),
            Task("pause_music", self.pause, {}, description="Hold on to what plays."),
            Task("resume_music", self.resume, {}, description="Go on with it."),
            Task("stop_music", self.silence, {}, description="Silence."),
        )  # fmt: skip

    async def set_volume(self, volume):
        """Set how loud it is, 0 to 30.

        Raises:
            ValueError: No such volume.
            OSError: The player does not answer, or refuses.
        """
        if not 0 <= volume <= 30:
            raise ValueError("volume %s is not 0 to 30" % volume)
        await self._ask(_VOLUME, volume, _DONE)
        return {"volume": await self._ask(_IS_VOLUME, 0, _IS_VOLUME)}

    async def play(self, track, volume=None):
        """Play a track once, as loud as said, else as loud as it is.

        Raises:
            ValueError: No such volume.
            OSError: The player does not answer, or refuses.
        """
        if volume is not None:
            await self.set_volume(volume)
        await self._ask(_TRACK, track, _DONE)
        return {"track": track}

    async def pause(self):
        """Hold on to what plays.

        Raises:
            OSError: The player does not answer, or refuses.
        """
        await self._ask(_PAUSE, 0, _DONE)
        return {}

    async def resume(self):
        """Go on with what was paused.

        Raises:
            OSError: The player does not answer, or refuses.
        """
        await self._ask(_RESUME, 0, _DONE)
        return {}

    async def silence(self):
        """Stop what plays.

        Raises:
            OSError: The player does not answer, or refuses.
        """
        await self._ask(_STOP, 0, _DONE)
        return {}

    def begin(self):
        """Play the usual track, without a wait for the answer."""
        self._uart.write(frame(_TRACK, self._track, answer=False))

    async def read(self):
        """What it does and how loud, as it says itself."""
        status = await self._ask(_STATUS, 0, _STATUS) & 255
        volume = await self._ask(_IS_VOLUME, 0, _IS_VOLUME)
        return dict(zip(self._keys, (_MUSIC[status] if status < 3 else None, volume)))

    def safe(self):
        """Silence, without a wait for the answer."""
        self._uart.write(frame(_STOP, answer=False))

    async def _ask(self, command, value, wanted):
        """Send a command; the value of the answer that is wanted."""
        async with self._busy:
            while self._uart.any():
                self._uart.read()  # of a track that ended, or of an answer that came too late
            self._uart.write(frame(command, value, answer=wanted == _DONE))
            began = time.ticks_ms()
            heard = b""
            while time.ticks_diff(time.ticks_ms(), began) < _ANSWERS:
                await asyncio.sleep_ms(10)
                if self._uart.any():
                    heard += self._uart.read()
                while len(heard) >= 10:
                    if heard[0] != _BEGIN or heard[9] != _END or _wrong(heard):
                        heard = heard[1:]
                        continue
                    told, number = heard[3], heard[5] << 8 | heard[6]
                    heard = heard[10:]
                    if told == wanted:
                        return number
                    if told == _FAULT:
                        fault = _FAULTS[number] if number < len(_FAULTS) else "fault %d" % number
                        raise OSError("the player refuses: %s" % fault)
        raise OSError("the player does not answer")


def _wrong(heard):
    return (sum(heard[1:7]) + (heard[7] << 8 | heard[8])) & 0xFFFF
