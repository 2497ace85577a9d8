"""A balance on a serial line: A&D, which is asked, and U.S. Solid, which sends by itself.

Sources: instruction manual of the A&D FX-i and FZ-i (A&D standard format, commands, acknowledge and error
codes); records of a U.S. Solid USS-DBS28, for which no commands are known: 15 characters and CR LF, over its
range ``~``, under it ``_``.
"""

import asyncio
import time

from labboard.part import Part
from labboard.tasks import Task
from micropython import const
import wire

# Asks for a reading, tares, zeroes; None: it sends by itself, or cannot be told.
_KINDS = {"a_and_d": (b"Q\r\n", b"T\r\n", b"Z\r\n"), "us_solid": (None, None, None)}
_STABLE = {"ST": True, "QT": True, "WT": True, "US": False}  # headers of A&D
_REFUSALS = {
    "E01": "it does not know the command",
    "E02": "it is not ready",
    "E11": "the weight does not stand still",
}
_GRAMS = {"g": 1, "kg": 1000, "mg": 0.001}

_ANSWERS = const(1000)  # ms for one reading
_LINE = const(64)  # bytes; longer is no line
_SOLID = const(15)  # characters of U.S. Solid
# What sends no sign of stability is stable when it has stood within two digits for this time, in ms.
_SETTLED = const(1500)
_NEAR = const(5)  # digits from zero that are still zero after a tare


def parse(line):
    """Read one line of a balance.

    Args:
        line: Bytes, without its end.

    Returns:
        Weight, unit, whether it is stable (None: the line does not say), and the size of the last digit. Over
        its range it is ``(None, "", False, 1)``, under it ``(None, "", False, -1)``.

    Raises:
        ValueError: It is no reading.
    """
    text = line.decode().strip()
    if text[:3] in ("~~~", "___"):
        return None, "", False, 1 if text[0] == "~" else -1
    sign = max(text.find("+"), text.find("-")) if text[:2] != "OL" else 3
    header = text[: max(sign, 0)]
    if sign < 0 or len(header) not in (0, 3) or header[2:] not in ("", ","):
        raise ValueError(text)
    if header == "OL,":
        return None, "", False, -1 if text[3:4] == "-" else 1
    # Of a stream bytes can be lost, and parts of two lines would make a third weight.
    if header[:2] not in _STABLE if header else len(line.rstrip(b"\r")) != _SOLID:
        raise ValueError(text)
    number = text[sign + 1 :].replace(",", " ").strip()
    end = 0
    while end < len(number) and number[end] in "0123456789.":
        end += 1
    unit = number[end:].strip()
    if not unit or len(unit) > 3 or not all(c == "%" or c.isalpha() for c in unit):
        raise ValueError(text)
    decimals = len(number[:end].split(".")[1]) if "." in number[:end] else 0
    weight = float(number[:end])
    unit = "kg" if unit == "Kg" else unit
    return -weight if text[sign] == "-" and weight else weight, unit, _STABLE.get(header[:2]), 10**-decimals


class Balance(Part):
    """A balance. Its weight is a number with the unit that it shows; in the state it is in g.

    Balance and UART need the same speed and format. A&D leaves the works with 2400 baud, 7 bits and even
    parity; U.S. Solid with 9600 baud, 8 bits and no parity, and must be set to send continuously. Both speak
    RS-232: put a converter to 3.3 V between.

    In a node::

        line = UART(1, 9600, tx=board.pins.pin("tx"), rx=board.pins.pin("rx"), timeout=0)
        board.add(Balance(line, **board.settings.get("balance", {})))
    """

    def __init__(self, uart, kind="a_and_d", precision=3):
        """Take a serial line.

        Args:
            uart: The ``machine.UART``, which must not wait (``timeout=0``).
            kind: ``a_and_d`` or ``us_solid``; the latter has no ``tare`` and no ``zero``: press its keys.
            precision: Decimals of g that are shown.

        Raises:
            ValueError: No such kind.
        """
        if kind not in _KINDS:
            raise ValueError("balance %r is not one of %s" % (kind, ", ".join(sorted(_KINDS))))
        self._uart = uart
        self._ask, self._tare, self._zero = _KINDS[kind]
        self.every = 1000 if self._ask else 500  # its lines must not fill the UART's 256 bytes
        self._one = asyncio.Lock()
        self._kept = b""
        self._refused = None
        self._stood = None  # (weight, unit, since when it stands there)
        self.entities = {
            "weight": {
                "platform": "sensor",
                "name": "Weight",
                "device_class": "weight",
                "unit": "g",
                "state_class": "measurement",
                "precision": precision,
            },
            "stable": {"platform": "binary_sensor", "name": "Stable", "icon": "mdi:scale-balance"},
            "out_of_range": {"platform": "binary_sensor", "name": "Out of range", "device_class": "problem"},
        }
        wait = {"type": "number", "minimum": 0, "maximum": 60, "default": 10, "unit": "s"}
        returns = "weight as a number, unit as the balance shows it, stable"
        self.tasks = [
            Task(
                "read_weight",
                self.read_weight,
                {
                    "stable": {
                        "type": "boolean",
                        "default": True,
                        "description": "wait until it stands still",
                    },
                    "wait": wait,
                },
                effect="read",
                timeout=65,
                description="Weigh.",
                returns=returns,
            )
        ]
        if self._ask:
            for name, run in (("tare", self.tare), ("zero", self.zero)):
                words = name[0].upper() + name[1:]
                self.entities[name] = {"platform": "button", "name": words, "icon": "mdi:scale", "task": name}
                self.tasks.append(
                    Task(
                        name,
                        run,
                        {"wait": wait},
                        timeout=65,
                        description=words + " the balance.",
                        returns=returns,
                    )
                )

    async def read(self):
        """Weight in g, whether it is stable, and whether it is out of its range; then there is none.

        Raises:
            OSError: It is silent, what it says is no weight, or one in a unit that is no multiple of g.
        """
        weight, unit, stable, _ = await self._reading()
        if weight is None:
            return {"weight": None, "stable": False, "out_of_range": True}
        if unit not in _GRAMS:
            raise OSError("the balance shows %s, not a weight in g: change its unit" % unit)
        return {"weight": round(weight * _GRAMS[unit], 6), "stable": stable, "out_of_range": False}

    async def read_weight(self, stable=True, wait=10):
        """Weigh.

        Args:
            stable: Wait until it stands still.
            wait: For how long, in s.

        Returns:
            ``{"weight", "unit", "stable"}``, as the balance shows it.

        Raises:
            OSError: It is silent, or what it says is no weight.
            wire.WireError: It is out of its range, or did not stand still.
        """
        began = time.ticks_ms()
        while True:
            weight, unit, stands, digit = await self._reading()
            if weight is None:
                how = "overloaded" if digit > 0 else "under its range: is its pan there?"
                raise _failed("the balance is " + how)
            if stands or not stable:
                return {"weight": weight, "unit": unit, "stable": stands}
            if time.ticks_diff(time.ticks_ms(), began) >= wait * 1000:
                raise _failed("not stable within %g s: the balance shows %s %s" % (wait, weight, unit))
            await asyncio.sleep_ms(100)

    async def tare(self, wait=10):
        """Let it show zero with what lies on it; done when it does.

        Args:
            wait: For how long, in s.

        Returns:
            What it shows then.

        Raises:
            OSError: It is silent, or what it says is no weight.
            wire.WireError: It refused, or does not show zero.
        """
        return await self._to_zero(self._tare, wait)

    async def zero(self, wait=10):
        """Set its zero point; it refuses far from it. Otherwise as ``tare``."""
        return await self._to_zero(self._zero, wait)

    async def _to_zero(self, command, wait):
        began = time.ticks_ms()
        async with self._one:
            self._refused = None
            self._uart.write(command)
        # It acknowledges only where it was set to (erCd 1), so what it shows decides.
        while True:
            try:
                weight, unit, stands, digit = await self._reading()
                if stands and abs(weight) <= _NEAR * digit:
                    return {"weight": weight, "unit": unit, "stable": True}
                shows = "out of range" if weight is None else "%s %s" % (weight, unit)
            except OSError:
                if not self._refused:
                    raise
                shows = "an error"
            if self._refused and self._refused != "E02":
                why = _REFUSALS.get(self._refused, "see its manual")
                raise _failed("the balance refused with %s: %s" % (self._refused, why))
            if time.ticks_diff(time.ticks_ms(), began) >= wait * 1000:
                raise _failed("the balance did not go to zero within %g s: it shows %s" % (wait, shows))
            await asyncio.sleep_ms(200)

    async def _reading(self):
        """The newest reading, as of ``parse``; whether it is stable is known or found out."""
        async with self._one:
            if self._ask:
                self._lines()  # what came late to an earlier question, or to a command
                self._kept = b""
                self._uart.write(self._ask)
            began = time.ticks_ms()
            heard = b""
            while True:
                found = None
                for line in self._lines():
                    heard = line
                    if not line.strip(b"\x06\r\n "):
                        continue  # an acknowledgement, or nothing
                    try:
                        found = self._seen(parse(line))
                    except ValueError:  # the first one of a stream may be the end of one
                        pass
                if found:
                    return found
                if time.ticks_diff(time.ticks_ms(), began) >= _ANSWERS:
                    raise self._fault(heard or self._kept)
                await asyncio.sleep_ms(20)

    def _lines(self):
        """The lines that have come, without their ends."""
        waiting = self._uart.any()
        if waiting:
            self._kept += self._uart.read(waiting) or b""
        *lines, self._kept = self._kept.split(b"\n")
        self._kept = self._kept[-_LINE:]
        for line in lines:
            if line[:3] == b"EC,":
                self._refused = line[3:6].decode()
        return lines

    def _seen(self, reading):
        weight, unit, stable, digit = reading
        if weight is None:
            self._stood = None
        elif stable is None:
            now = time.ticks_ms()
            stood = self._stood
            if not stood or stood[1] != unit or abs(weight - stood[0]) > 2.5 * digit:
                stood = self._stood = (weight, unit, now)
            stable = time.ticks_diff(now, stood[2]) >= _SETTLED
        return weight, unit, stable, digit

    def _fault(self, heard):
        if not heard:
            return OSError("the balance is silent: look at its cable, and whether it is on")
        if heard[:3] == b"EC,":
            return OSError("the balance answers %s" % heard.decode().strip())
        return OSError("%r is no weight: give balance and UART the same speed, bits and parity" % heard[:20])


def _failed(text):
    return wire.WireError(wire.DEVICE_ERROR, text)
