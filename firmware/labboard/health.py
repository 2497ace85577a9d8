"""How a board is: memory, radio, uptime, why it started, how it crashed last."""

import gc
import sys
from time import ticks_diff, ticks_ms

import machine

KEYS = ("free_memory", "rssi", "uptime", "reset_cause", "last_crash", "reconnects", "messages_dropped")
_CAUSES = (
    ("PWRON_RESET", "power on"),
    ("HARD_RESET", "hard reset"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep sleep"),
    ("SOFT_RESET", "soft reset"),
)
_LONGEST = 255  # characters of a state in Home Assistant


class Health:
    """What the board tells of itself.

    Attributes:
        malformed: Messages that could not be read, or were not looked at in a flood: nobody was answered.
    """

    def __init__(self, last_crash):
        self._last_crash = last_crash.split("\n")[0][:_LONGEST] or None
        cause = machine.reset_cause()
        self._cause = "unknown"
        for name, words in _CAUSES:
            if getattr(machine, name, None) == cause:
                self._cause = words
        self._uptime = 0  # ms
        self._ticked = ticks_ms()
        self.malformed = 0

    def tick(self, now):
        """Count the time: ticks_ms begins anew after some days."""
        self._uptime += ticks_diff(now, self._ticked)
        self._ticked = now

    @property
    def uptime_ms(self):
        """Since when the board runs."""
        return self._uptime + ticks_diff(ticks_ms(), self._ticked)

    def state(self, told, link, network, dropped):
        """Add the keys of the state."""
        gc.collect()
        told["free_memory"] = gc.mem_free()
        told["rssi"] = network.rssi()
        told["uptime"] = self.uptime_ms // 1000
        told["reset_cause"] = self._cause
        told["last_crash"] = self._last_crash
        told["reconnects"] = link.reconnects
        told["messages_dropped"] = self.malformed + link.oversized + dropped

    def status(self, device_id, tasks):
        """What the task get_device_status gives."""
        gc.collect()
        return {
            "device_id": device_id,
            "free_memory": gc.mem_free(),
            "platform": sys.implementation.name,
            "tasks_available": tasks,
            "uptime_ms": self.uptime_ms,
        }
