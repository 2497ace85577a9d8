"""A lab of bridges with old cells, each bridge a process, and an observer of everything."""

import json
from pathlib import Path
from typing import Any
import uuid

from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained
from tests.broker.program import Program

READY_WITHIN = 15.0  # s


class OldLab:
    """One base on a broker. Bridges are added as a test needs them."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.base = f"old-{uuid.uuid4().hex[:6]}"
        self.bridges: dict[str, Program] = {}
        self._folder = folder
        if broker.pid is None:
            broker.start()
        self.seen = self._observe()

    def _observe(self) -> Observer:
        return Observer(self.broker.port, f"{self.base}/#", "command/ot2/#", "status/ot2/#")

    def add(self, bridge: str, **devices: dict[str, Any]) -> Program:
        """Start one more bridge with these devices, whose ids have _ here for - there."""
        told = {one.replace("_", "-"): settings for one, settings in devices.items()}
        folder = self._folder / bridge
        lab = json.dumps({"base": self.base, "bridge": bridge, "told": told})
        program = Program(
            [str(self.broker.port), str(folder), lab], self._folder / f"{bridge}.log", "tests.broker.old_cell"
        )
        self.bridges[bridge] = program
        program.start()
        self.until_online(bridge)
        for device_id in told:
            self.seen.wait(
                self.topic(device_id, "status"),
                lambda told: told and told["status"] == "online",
                within=READY_WITHIN,
            )
        return program

    def until_online(self, bridge: str, since: int = 0) -> None:
        """Wait until a bridge takes commands."""
        topic = f"{self.base}/bridge/{bridge}/status"
        self.seen.wait(
            topic, lambda told: told and told["status"] == "online", within=READY_WITHIN, since=since
        )

    def lose_broker(self) -> None:
        """End the broker, and bring it back empty; returns when all bridges are back."""
        self.seen.close()
        self.broker.kill()
        self.broker.start()
        self.seen = self._observe()
        for bridge in self.bridges:
            self.until_online(bridge)

    def topic(self, device: str, kind: str) -> str:
        """A topic of a device."""
        return f"{self.base}/{device}/{kind}"

    def send(self, device: str, task: str, /, **parameters: object) -> str:
        """Send a command; gives its id."""
        request_id = uuid.uuid4().hex
        command = {"request_id": request_id, "task": task, "parameters": parameters}
        self.seen.publish(self.topic(device, "command"), command)
        return request_id

    def result(self, device: str, request_id: str) -> dict[str, Any]:
        """The result of a command."""
        heard = self.seen.wait(
            self.topic(device, "result"), lambda told: told["request_id"] == request_id, within=READY_WITHIN
        )
        found: dict[str, Any] = heard.json
        return found

    def call(self, device: str, task: str, /, **parameters: object) -> dict[str, Any]:
        """Send a command and wait for its result."""
        return self.result(device, self.send(device, task, **parameters))

    def ask(
        self,
        asker: str,
        device: str,
        task: str,
        parameters: dict[str, Any] | None = None,
        within: float = 10.0,
    ) -> dict[str, Any]:
        """Let one device ask another; gives the result of the one that asks."""
        question = {"device": device, "task": task, "parameters": parameters or {}, "within": within}
        return self.call(asker, "ask", **question)

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        for bridge in self.bridges.values():
            if bridge.pid:
                bridge.terminate()
        self.seen.close()
        if self.broker.pid:
            filters = (f"{self.base}/#", f"{self.base}-hub/#")
            with Observer(self.broker.port) as seen:
                for topic in retained(self.broker.port, *filters):
                    seen.publish(topic, "", retain=True)
                seen.barrier()
