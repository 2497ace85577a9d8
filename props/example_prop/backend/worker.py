"""The example of the original's documentation: a file for the original worker host loads unchanged."""

from __future__ import annotations

import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    """Example prop backend demonstrating telemetry and commands."""

    async def start(self) -> None:
        """Say that it is there, and begin to count."""
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self) -> None:
        """Publish a counter every few seconds."""
        i = 0
        interval = int(self.config.get("tick_interval", 5))
        try:
            while True:
                self.telemetry("tick", i)
                i += 1
                await asyncio.sleep(interval)
        except asyncio.CancelledError:  # noqa: TRY203 - the place for it
            # Optional: cleanup hardware, close files, etc.
            raise

    async def do_ping(self, arg: str | None) -> None:
        """Respond to 'ping' command."""
        self.telemetry("pong", arg or "ok")

    async def do_set_mode(self, arg: str | None) -> None:
        """Remember a mode, and tell all targets of it."""
        mode = (arg or "").strip() or "idle"
        self.telemetry("mode", mode)
        self.broadcast(self.config.get("targets", []), "set_mode", mode)

    async def do_fire(self, arg: str | None) -> None:
        """Command another prop: so many seconds of fog."""
        self.command("fogger", "fog", arg or "1")

    def on_emergency_stop(self) -> None:
        """Nothing: nothing of it moves. Not in the original; without it a stop could not be confirmed."""
