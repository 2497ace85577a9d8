"""Stands in for a board's ``machine`` on the unix port: the pins lead into the world of ``world.py``.

Of a pin, the world knows ``pin_<number>`` (true is high) or the name that ``/config.json`` gives it
(``motion``); of an analog one ``voltage_<number>`` (V); ``fan_rpm`` is the full speed of the fan whose pins
are called ``fan`` and ``tacho``, and ``fan_stalled`` holds it fast. What nobody says of the pin ``warm``
follows the pin ``heater``. What needs no loop of asyncio on a board
(interrupts, timers, a starved watchdog) happens in one here, so a program that blocks it delays them.
"""

import asyncio
import json
import os
import sys
import time

import world

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3

_RESET = 99  # the exit code that starts the board again
_CAUSE = "/sim/reset_cause"
_LOOK = 5  # ms between two looks at what interrupts

_wired = {}
_cause = PWRON_RESET


def _begin():
    global _cause  # noqa: PLW0603
    try:
        with open("/config.json") as file:
            _wired.update(json.load(file).get("pins", {}))
    except (OSError, ValueError):
        pass
    try:
        with open(_CAUSE) as file:
            _cause = int(file.read())
        os.remove(_CAUSE)
    except (OSError, ValueError):
        pass


def _restart(cause):
    try:
        with open(_CAUSE, "w") as file:
            file.write(str(cause))
    except OSError:
        pass
    world.note("reset", cause=cause)
    sys.exit(_RESET)


def unique_id():
    """Eight bytes, as of a Pico W; from the device id, so that boards differ."""
    try:
        with open("/config.json") as file:
            told = str(json.load(file).get("device_id"))
    except (OSError, ValueError):
        told = "simulated"
    return (told.encode() + bytes(8))[:8]


def reset():
    """Restart, as by the button: the process ends, and whoever runs it starts it anew."""
    _restart(HARD_RESET)


def reset_cause():
    """Why the board started."""
    return _cause


def freq(hertz=None):
    """Of the processor."""
    return 125_000_000 if hertz is None else None


class Pin:
    """A digital pin, by its number on the chip or as ``LED``. The same number is the same pin."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    _made = {}

    def __new__(cls, number, *args, **named):
        """The pin of this number."""
        del args, named
        if number in cls._made:
            return cls._made[number]
        pin = super().__new__(cls)
        cls._made[number] = pin
        pin.number = number
        pin._mode = cls.IN
        pin._high = 0
        pin._watch = None
        return pin

    def __init__(self, number, mode=None, pull=None, value=None):
        if number != "LED" and (not isinstance(number, int) or not 0 <= number <= 39):
            del Pin._made[number]
            raise ValueError("invalid pin")
        self.init(mode, pull, value)

    @property
    def name(self):
        """What ``/config.json`` calls it; None where it does not."""
        for name, known in _wired.items():
            if known == self.number:
                return name
        return None

    def __repr__(self):
        return "Pin(%s)" % self.number

    def init(self, mode=None, pull=None, value=None):
        """Set its direction; ``value`` is that of an output."""
        if pull is not None:
            self._high = 1 if pull == Pin.PULL_UP else 0
        if mode is not None:
            self._mode = mode
        if value is not None or (mode == Pin.OUT):
            self.value(self._high if value is None else value)

    def value(self, high=None):
        """Its level, or set it."""
        if high is not None:
            self._high = 1 if high else 0
            if self._mode != Pin.IN:
                world.put("pin_%s" % self.number, value=self._high)
            return None
        if self._mode != Pin.IN:
            return self._high
        found = world.get("pin_%s" % self.number)
        if found is None:
            found = world.get(self.name)
        if found is None and self.name == "warm":
            import thermostat

            found = thermostat.is_closed("pin_%s" % _wired.get("heater"))
        return self._high if found is None else 1 if found else 0

    __call__ = value

    def on(self):
        """High."""
        self.value(1)

    def off(self):
        """Low."""
        self.value(0)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, hard=False):
        """Call ``handler(pin)`` at an edge; without one, no more."""
        del hard
        if self._watch:
            self._watch.cancel()
            self._watch = None
        if handler:
            edges = _turns if self.name == "tacho" else _edges
            self._watch = asyncio.create_task(edges(self, handler, trigger))


async def _edges(pin, handler, trigger):
    before = pin.value()
    while True:
        await asyncio.sleep_ms(_LOOK)
        now = pin.value()
        if now != before and trigger & (Pin.IRQ_RISING if now else Pin.IRQ_FALLING):
            handler(pin)
        before = now


async def _turns(pin, handler, trigger):
    """A fan of three wires: two pulses a turn, as fast as its PWM drives it."""
    del trigger
    fan = "pin_%s" % _wired.get("fan")
    due = 0.0
    before = time.ticks_us()
    while True:
        await asyncio.sleep_ms(_LOOK)
        now = time.ticks_us()
        passed, before = time.ticks_diff(now, before), now
        driven = world.shown(fan)
        share = driven.get("duty_ns", 0) * driven.get("freq", 0) / 1e9
        rpm = 0 if world.get("fan_stalled") else world.get("fan_rpm", 3000) * share
        due += rpm * 2 / 60e6 * passed
        while due >= 1:
            due -= 1
            handler(pin)


class ADC:
    """An analog input: 16 bit of 3.3 V."""

    def __init__(self, pin):
        self._number = pin.number if isinstance(pin, Pin) else pin
        if self._number not in (26, 27, 28, 29) and not 32 <= self._number <= 39:
            raise ValueError("Pin doesn't have ADC capabilities")

    def read_u16(self):
        """0 to 65535."""
        volts = world.get("voltage_%s" % self._number, 0.0)
        return min(65535, max(0, round(volts / 3.3 * 65535)))


class PWM:
    """A pulsed output. Nothing comes out before both frequency and duty are set, as on the RP2040."""

    def __init__(self, pin, freq=None, duty_u16=None, duty_ns=None):
        self._output = "pin_%s" % (pin.number if isinstance(pin, Pin) else pin)
        if self._output == "pin_LED":
            raise ValueError("the LED of a Pico W has no PWM")
        self._freq = 0
        self._u16 = self._ns = None
        self.init(freq, duty_u16, duty_ns)

    def init(self, freq=None, duty_u16=None, duty_ns=None):
        """Set all that is given."""
        if freq is not None:
            self._freq = freq
        if duty_u16 is not None:
            self._u16, self._ns = duty_u16, None
        if duty_ns is not None:
            self._u16, self._ns = None, duty_ns
        self._say()

    def deinit(self):
        """No pulses any more."""
        self._u16 = self._ns = None
        world.put(self._output, freq=self._freq, duty_ns=0)

    def freq(self, hertz=None):
        """Pulses a second, or set them."""
        if hertz is None:
            return self._freq
        if not 8 <= hertz <= 62_500_000:
            raise ValueError("freq out of range")
        self._freq = hertz
        return self._say()

    def duty_u16(self, duty=None):
        """High time in 65535ths of a period, or set it."""
        if duty is not None:
            return self.init(duty_u16=duty)
        if self._u16 is None and self._freq:
            return (self._ns or 0) * self._freq * 65535 // 1_000_000_000
        return self._u16 or 0

    def duty_ns(self, duty=None):
        """High time in nanoseconds, or set it."""
        if duty is not None:
            return self.init(duty_ns=duty)
        if self._ns is None and self._freq:
            return (self._u16 or 0) * 1_000_000_000 // (65535 * self._freq)
        return self._ns or 0

    def _say(self):
        if self._freq and (self._u16 is not None or self._ns is not None):
            world.put(self._output, freq=self._freq, duty_ns=self.duty_ns())


class Timer:
    """Calls back after a time, once or again and again."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, number=-1, **named):
        del number
        self._runs = None
        if named:
            self.init(**named)

    def init(self, mode=PERIODIC, period=-1, callback=None, freq=None, hard=False):
        """Begin, in the place of what ran."""
        del hard
        self.deinit()
        if callback:
            every = period if freq is None else 1000 // freq
            self._runs = asyncio.create_task(self._run(mode, every, callback))

    def deinit(self):
        """End it."""
        if self._runs and self._runs is not asyncio.current_task():
            self._runs.cancel()
        self._runs = None

    async def _run(self, mode, every, callback):
        while True:
            await asyncio.sleep_ms(every)
            callback(self)
            if mode == Timer.ONE_SHOT:
                return


class RTC:
    """The clock of the board, which is that of this machine."""

    def datetime(self, moment=None):
        """Year, month, day, weekday, hour, minute, second, fraction; setting it has no effect."""
        if moment is not None:
            return None
        now = time.gmtime()
        return (now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0)


class WDT:
    """A watchdog: not fed for ``timeout`` ms, the board restarts. What it was fed stands in the outputs."""

    def __init__(self, id=0, timeout=5000):  # noqa: A002 - as the board calls it
        del id
        if not 1 <= timeout <= 8388:
            raise ValueError("the watchdog of this board takes 1 to 8388 ms")
        self._timeout = timeout
        self._fed = time.ticks_ms()
        self._feeds = 0
        asyncio.create_task(self._guard())

    def feed(self):
        """Say that all is well."""
        self._bite()
        self._fed = time.ticks_ms()
        self._feeds += 1
        world.show("watchdog", fed=self._feeds, timeout=self._timeout)

    def _bite(self):
        if time.ticks_diff(time.ticks_ms(), self._fed) > self._timeout:
            _restart(WDT_RESET)

    async def _guard(self):
        while True:
            await asyncio.sleep_ms(self._timeout // 4 + 1)
            self._bite()


def __getattr__(name):
    """Buses and their chips cost memory: only a board that has them loads them."""
    if name in ("I2C", "SoftI2C"):
        import i2c

        return getattr(i2c, name)
    if name == "UART":
        import uart

        return uart.UART
    raise AttributeError(name)


_begin()
