"""Says on the broker what a real bridge never would: broken descriptions, answers that come twice or late."""

import asyncio
from collections.abc import Callable
import time
from typing import Any, Self

from tests.broker.observer import Observer

from lab2mqtt import wire

WITHIN = 10.0  # s
BASE = "lab2mqtt"
DEVICE = "gadget"
# Of a device that can be kept for somebody.
RESERVABLE = {"wave": {"effect": "move"}, "reserve": {"effect": "set"}, "release": {"effect": "set"}}


class Speaker:
    """A client on the broker that plays devices and bridges, and notes all that is said there.

    Each method returns when the broker has taken what was said.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._observer: Observer | None = None

    async def __aenter__(self) -> Self:
        self._observer = await asyncio.to_thread(Observer, self._port, "#")
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.seen.close)

    @property
    def seen(self) -> Observer:
        """All that was said; what it does by itself blocks the loop, so only its record is for the tests."""
        assert self._observer
        return self._observer

    async def say(self, topic: str, payload: Any, *, retain: bool = True) -> None:  # noqa: ANN401
        """Publish bytes, text, or anything as JSON."""
        self.seen.publish(topic, payload, retain=retain)
        await asyncio.to_thread(self.seen.barrier)

    async def device(
        self,
        device_id: str = DEVICE,
        *,
        tasks: dict[str, Any] | None = None,
        state: dict[str, Any] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Be a device that is ready, with a link of its own; ``more`` is more of its description."""
        description = {
            "protocol": 1,
            "device_id": device_id,
            "name": "Gadget",
            "kind": "gadget",
            "bridge": None,
            "entities": {},
            "tasks": tasks or {},
            **more,
        }
        await self.describe(description, device_id)
        await self.status(wire.ONLINE, device_id, description["bridge"])
        await self.state(state, device_id)

    async def describe(self, description: object, device_id: str = DEVICE) -> None:
        """Say a description, or anything in its place; empty bytes take it away."""
        await self.say(wire.device_topic(BASE, device_id, "description"), description)

    async def status(self, status: str, device_id: str = DEVICE, bridge: str | None = None) -> None:
        """Say that a device is there, or not."""
        message = wire.status(device_id, status, int(time.time()), bridge, [])
        await self.say(wire.device_topic(BASE, device_id, "status"), message)

    async def state(self, state: dict[str, Any] | None = None, device_id: str = DEVICE) -> None:
        """Say a state: that of a device which is ready, with these changes."""
        ready = {
            "readiness": "ready",
            "readiness_reasons": [],
            "connected": True,
            "emergency_stop": False,
            "stop_confirmed": None,
            "task": None,
            "reserved_by": None,
            "reserved_until": None,
            "reservation_reason": None,
            "maintenance": False,
            "maintenance_by": None,
            "updated_at": int(time.time()),
        }
        await self.say(wire.device_topic(BASE, device_id, "state"), ready | (state or {}))

    async def event(self, event_type: str, device_id: str = DEVICE, **data: Any) -> None:  # noqa: ANN401
        """Say that something has happened."""
        message = wire.event(event_type, int(time.time()), **data)
        await self.say(wire.device_topic(BASE, device_id, "event"), message, retain=False)

    async def bridge(self, bridge_id: str, status: str = wire.ONLINE, **more: Any) -> None:  # noqa: ANN401
        """Be a bridge."""
        message = wire.bridge_status(status, f"instance of {bridge_id}", int(time.time()), **more)
        await self.say(wire.bridge_topic(BASE, bridge_id, "status"), message)

    async def stop(self, *, engaged: bool = True, stop_id: str = "1", by: str = "the test") -> None:
        """Stop the lab, or release that stop."""
        message = wire.stop_message(engaged, stop_id, by, "to see", int(time.time()))
        await self.say(wire.emergency_stop_topic(BASE), message)

    async def command(
        self,
        device_id: str = DEVICE,
        test: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        since: int = 0,
        within: float = WITHIN,
    ) -> dict[str, Any]:
        """The first command to a device that passes a test; ``since`` is a place in the record."""
        topic = wire.device_topic(BASE, device_id, "command")
        heard = await asyncio.to_thread(self.seen.wait, topic, test, since=since, within=within)
        found: dict[str, Any] = heard.json
        return found

    def commands(self, device_id: str = DEVICE, since: int = 0) -> list[dict[str, Any]]:
        """All commands to a device so far."""
        return [heard.json for heard in self.seen.heard(wire.device_topic(BASE, device_id, "command"), since)]

    async def succeed(self, command: dict[str, Any], result: object = None, device_id: str = DEVICE) -> None:
        """Answer a command."""
        message = wire.success(command["request_id"], command["task"], result, int(time.time()))
        await self.say(wire.device_topic(BASE, device_id, "result"), message, retain=False)

    async def fail(
        self, command: dict[str, Any], code: str, error: str = "because", device_id: str = DEVICE
    ) -> None:
        """Answer a command with an error."""
        message = wire.failure(command["request_id"], command["task"], code, error, int(time.time()))
        await self.say(wire.device_topic(BASE, device_id, "result"), message, retain=False)

    async def progress(
        self,
        command: dict[str, Any],
        status: str,
        device_id: str = DEVICE,
        *,
        percent: float | None = None,
        message: str | None = None,
    ) -> None:
        """Say how far a command is."""
        told = wire.progress(
            command["request_id"], command["task"], status, int(time.time()), percent, message
        )
        await self.say(wire.device_topic(BASE, device_id, "progress"), told, retain=False)
