"""An ams AS7341 at 0x39, after its data sheet (DS000504 v3-00, section 10) and the SMUX application note.

The world's ``colours`` is the light by channel, ``{"f1": …, …, "f8", "clear", "nir"}``, in counts for gain 1
and 1 ms; ``led_colours`` the same for 1 mA through its LED. Of ``i2c``: ``as7341_deaf`` keeps it from ever
having data, ``as7341_id`` is another identity.
"""

import time

from i2c import fault
import world

# Photodiodes by their number: register 0x00 + number // 2 of the SMUX, its high half where the number is odd.
_DIODES = {
    "f1": (2, 32),
    "f2": (10, 25),
    "f3": (1, 31),
    "f4": (11, 26),
    "f5": (13, 19),
    "f6": (8, 29),
    "f7": (14, 20),
    "f8": (7, 28),
    "clear": (17, 35),
    "nir": (38,),
}
_NAMES = tuple(sorted(_DIODES))  # clear, f1 to f8, nir
_GREY = dict(zip(_NAMES, (0.4, 0.03, 0.08, 0.1, 0.12, 0.14, 0.15, 0.13, 0.09, 0.06)))
_LED = dict(zip(_NAMES, (0.06, 0.001, 0.02, 0.01, 0.015, 0.02, 0.02, 0.015, 0.01, 0.002)))

_CONFIG, _LED_SET, _ENABLE, _ATIME, _ID, _ASTATUS, _STATUS2 = 0x70, 0x74, 0x80, 0x81, 0x92, 0x94, 0xA3
_CFG0, _CFG1, _CFG6, _ASTEP = 0xA9, 0xAA, 0xAF, 0xCA
_AUTOZERO = 15000  # µs before the first integration


class As7341:
    """The chip."""

    def __init__(self):
        self._memory = bytearray(256)
        self._low = {_CONFIG: 0, _LED_SET: 0x04}  # the bank of REG_BANK = 1, 0x60 to 0x74
        self._memory[_CFG1] = 9
        self._memory[_ASTEP : _ASTEP + 2] = b"\xe7\x03"
        self._chain = bytes(20)
        self._pointer = 0
        self._busy_until = self._ready = None

    def write(self, data):
        """Set the pointer, and what follows from there on."""
        self._pointer = data[0]
        for byte in data[1:]:
            self._set(self._pointer, byte)
            self._pointer = self._pointer + 1 & 0xFF

    def read(self, count):
        """From the pointer on."""
        self._work()
        told = bytearray()
        for _ in range(count):
            at = self._pointer
            told.append(self._low.get(at, 0) if self._banked(at) else self._memory[at])
            self._pointer = at + 1 & 0xFF
        return bytes(told)

    def _banked(self, at):
        return self._memory[_CFG0] & 0x10 and 0x60 <= at <= 0x74

    def _set(self, at, byte):
        self._work()
        if self._banked(at):
            self._low[at] = byte
            world.put("as7341_led", current_ma=self._led())
            return
        before, self._memory[at] = self._memory[at], byte
        if at != _ENABLE:
            return
        now = time.ticks_us()
        if byte & 0x10 and not before & 0x10 and self._memory[_CFG6] >> 3 & 3 == 2:
            self._busy_until = time.ticks_add(now, 1000)
        if not byte & 0x02:
            self._ready = None
            self._memory[_STATUS2] = 0
        elif not before & 0x02 and byte & 0x01:
            self._ready = time.ticks_add(now, _AUTOZERO + round(self._steps() * 2.78))

    def _steps(self):
        astep = self._memory[_ASTEP] | self._memory[_ASTEP + 1] << 8
        return (self._memory[_ATIME] + 1) * (astep + 1)

    def _led(self):
        current = self._low[_LED_SET]
        return 4 + 2 * (current & 0x7F) if current & 0x80 and self._low[_CONFIG] & 0x08 else 0

    def _work(self):
        now = time.ticks_us()
        self._memory[_ID] = fault("as7341_id") or 0x24
        if self._busy_until is not None and time.ticks_diff(now, self._busy_until) >= 0:
            self._busy_until = None
            self._chain = bytes(self._memory[:20])
            self._memory[_ENABLE] &= 0xEF
        if self._ready is not None and time.ticks_diff(now, self._ready) >= 0 and not fault("as7341_deaf"):
            self._ready = None
            self._integrate()

    def _integrate(self):
        steps = self._steps()
        gain = 0.5 * (1 << self._memory[_CFG1])
        full = min(65535, steps)
        light, led = world.get("colours", _GREY), world.get("led_colours", _LED)
        counts = [0.0] * 7
        for name, diodes in _DIODES.items():
            basic = light.get(name, 0) + led.get(name, 0) * self._led()
            for number in diodes:
                half = self._chain[number // 2]
                to = (half >> 4 if number & 1 else half) & 7
                counts[to] += basic / len(diodes) * gain * steps * 2.78e-3
        saturated = 0
        for adc in range(6):
            count = round(counts[adc + 1])
            if count >= full:
                count, saturated = full, 1
            at = _ASTATUS + 1 + 2 * adc
            self._memory[at], self._memory[at + 1] = count & 0xFF, count >> 8
        self._memory[_ASTATUS] = saturated << 7 | self._memory[_CFG1]
        self._memory[_STATUS2] = 0x40 | saturated << 4
