"""The heartbeat: a worker that counts, and answers, to see that the host works."""

import asyncio
import math
from typing import Annotated

from lab2mqtt.props import BaseWorker, Button, Number, Range, Sensor, TextInput, Unit, action

INTERVAL = 5.0  # s, as documented for the original
SHORTEST = 0.05  # s
LONGEST_FIRE = 3_600_000  # ms


class Worker(BaseWorker):
    """Counts every few seconds, and shows that commands arrive. ``tick_interval`` sets the seconds."""

    name = "Heartbeat"
    icon = "mdi:heart-pulse"
    entities = (
        Sensor("tick", "Ticks", icon="mdi:counter", state_class="total_increasing"),
        Sensor("pong", "Last pong", icon="mdi:table-tennis"),
        Sensor("event", "Last event", icon="mdi:fire"),
        TextInput("mode", "Mode", task="set_mode", parameter="arg", icon="mdi:state-machine"),
        Button("fire", "Fire", task="fire", icon="mdi:fire"),
        Number("fire_for", "Fire for", task="fire", parameter="ms", mode="box", icon="mdi:fire"),
    )

    async def start(self) -> None:
        """Begin to count, from 0."""
        await super().start()
        self.spawn(self._tick())

    async def _tick(self) -> None:
        interval = self._interval()
        count = 0
        while True:
            self.telemetry("tick", count)
            count += 1
            await asyncio.sleep(interval)

    def _interval(self) -> float:
        told = self.config.get("tick_interval", INTERVAL)
        is_number = isinstance(told, (int, float)) and not isinstance(told, bool)
        if is_number and math.isfinite(told) and told >= SHORTEST:
            return float(told)
        self.status(
            "warn",
            f"tick_interval {told!r} is not a number of seconds, {SHORTEST} or more; {INTERVAL:g} is used",
        )
        return INTERVAL

    @action(icon="mdi:table-tennis")
    async def do_ping(self, arg: str | None) -> str:
        """Answer with the text, or with ok.

        Returns:
            The same.
        """
        pong = arg or "ok"
        self.telemetry("pong", pong)
        return pong

    async def do_set_mode(self, arg: str | None) -> None:
        """Take a mode, a text; without one idle."""
        self.telemetry("mode", (arg or "").strip() or "idle")

    @action(timeout=LONGEST_FIRE / 1000 + 60)
    async def do_fire(self, ms: Annotated[int, Range(0, LONGEST_FIRE), Unit("ms")] = 500) -> None:
        """Say that it fires, and some time later that it does not.

        Args:
            ms: How long.
        """
        self.telemetry("event", f"fire start {ms}ms")
        await asyncio.sleep(ms / 1000)
        self.telemetry("event", "fire end")

    async def on_emergency_stop(self) -> None:
        """Nothing of it moves."""
