"""The worker of a board that has none: it shows what the board says, and passes on what it is told."""

import asyncio
import json
from typing import Annotated

from lab2mqtt.core.errors import CannotStop
from lab2mqtt.core.parameters import Text
from lab2mqtt.props.actions import action
from lab2mqtt.props.base import ONLINE, RELEASE, BaseWorker

STANDS_WITHIN = 1.0  # s in which a board shows by its state that it stands
STANDS = ("stopped", "blocked")


class Worker(BaseWorker):
    """Speaks for nobody: all that it publishes are commands, on the board's own topic."""

    product = "Board without a worker"
    icon = "mdi:chip"

    async def start(self) -> None:
        """Hear all that the board says."""
        self._word = ""
        self._heard = asyncio.Event()
        self.problem("the board has not been heard of yet")
        front = f"{self.mqtt.prefix}/{self.prop_id}"
        for topic in ("availability", "status/availability"):
            self.listen(f"{front}/{topic}", self._hear_availability)
        self.listen(f"{front}/state", self._hear_state)
        self.listen(f"{front}/telemetry/#", self._hear_telemetry)
        self.listen(f"{front}/status/+", self._hear_status)

    async def stop(self) -> None:
        """Say nothing: the board goes on."""

    @action(effect="move", timeout=10.0)
    async def do_send(
        self, action: Annotated[str, Text(64, 1)], args: Annotated[str, Text(1000)] = ""
    ) -> dict[str, object]:
        """Send the board a command; it does not answer.

        Args:
            action: Any word that the board knows.
            args: What stands behind it.
        """
        self.command(self.prop_id, action, args or None)
        return {"sent": action}

    @action(effect="stop", name="Stop action")
    async def do_stop_action(self) -> None:
        """Tell the board to end what it does."""
        self.command(self.prop_id, "stop_action")

    async def on_emergency_stop(self) -> None:
        """Tell the board to stop, and look at its state.

        Raises:
            CannotStop: It does not tell that it stands.
        """
        self._heard.clear()
        for word in self.mqtt.stop_actions:
            self.command(self.prop_id, word)
        try:
            async with asyncio.timeout(STANDS_WITHIN):
                while self._word not in STANDS:
                    await self._heard.wait()
                    self._heard.clear()
        except TimeoutError:
            raise CannotStop("it was told to stop; whether it stands, its state does not tell") from None

    async def on_emergency_stop_released(self) -> None:
        """Tell the board that it may move again."""
        self.command(self.prop_id, RELEASE)

    def _hear_availability(self, _: str, payload: str) -> None:
        self.problem("" if payload == ONLINE else "the board is offline")

    def _hear_state(self, _: str, payload: str) -> None:
        self._word = payload
        self._heard.set()
        self.mqtt.state(payload)

    def _hear_telemetry(self, topic: str, payload: str) -> None:
        front, _, key = topic.partition("/telemetry")
        del front
        value = _read(payload)
        if key:
            self.mqtt.value(key[1:], value)
        elif isinstance(value, dict):
            for name, one in value.items():
                self.mqtt.value(name, one)

    def _hear_status(self, topic: str, payload: str) -> None:
        key = topic.rpartition("/")[2]
        if key != "availability":
            self.mqtt.message(key, payload)


def _read(payload: str) -> object:
    """A payload as a value: a number, true or false, an object; else the text that it is."""
    try:
        found: object = json.loads(payload)
    except ValueError:
        return payload
    return found
