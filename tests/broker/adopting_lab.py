"""A lab with bridges that adopt boards, on a base of its own."""

import contextlib
from pathlib import Path
from typing import Any
import uuid

from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained, until
from tests.broker.played_board import PlayedBoard
from tests.broker.program import Program, Said, run
import yaml

WITHIN = 15.0  # s


class AdoptingLab:
    """Bridges that adopt, on a base of their own, and the boards that they may find."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.base = f"lab-{uuid.uuid4().hex[:6]}"
        self.prefix = f"old-{self.base}"
        self.discovery = f"{self.base}-hub"
        self._stack = contextlib.ExitStack()
        self.seen = self._observer()

    def _observer(self) -> Observer:
        topics = [f"{base}/#" for base in (self.base, self.prefix, self.discovery)]
        return self._stack.enter_context(Observer(self.broker.port, *topics))

    def observe_anew(self) -> None:
        """After the broker was away."""
        self.seen = self._observer()

    def config(self, bridge: str) -> Path:
        """The configuration of a bridge."""
        file = self.folder / f"{bridge}.yaml"
        told = {
            "bridge": bridge,
            "broker": {"port": self.broker.port},
            "base": self.base,
            "discovery": self.discovery,
            "state": f"{bridge}-kept",
            "adopt": True,
            "adopt_prefixes": [self.prefix],
            "devices": {},
        }
        file.write_text(yaml.safe_dump(told))
        return file

    def bridge(self, bridge: str = "adopter") -> Program:
        """A bridge that runs and is online; ended with the lab."""
        program = Program(["run", str(self.config(bridge))], self.folder / f"{bridge}.log")
        self._stack.callback(program.kill)
        self.start(program, bridge)
        return program

    def start(self, program: Program, bridge: str = "adopter") -> None:
        """Start a bridge, and wait until it is online."""
        since = self.seen.mark()
        program.start()

        def online(told: Any) -> bool:  # noqa: ANN401 - JSON
            return bool(told) and told["status"] == "online"

        self.seen.wait(self.status(bridge), online, since=since, within=WITHIN)

    def board(self, device_id: str = "pico-1", **changed: Any) -> PlayedBoard:  # noqa: ANN401
        """A board that is not started."""
        base = changed.pop("base", self.base)
        made = PlayedBoard(self.broker.port, base, device_id, f"{self.base}/emergency_stop", **changed)
        self._stack.callback(made.close)
        return made

    def status(self, bridge: str) -> str:
        """Where a bridge says that it lives, and since when it adopts."""
        return f"{self.base}/bridge/{bridge}/status"

    def until_health(self, bridge: str = "adopter", **expected: Any) -> dict[str, Any]:  # noqa: ANN401
        """Wait until a bridge tells this in its health."""
        topic = f"{self.base}/bridge/{bridge}/health"
        said: dict[str, Any] = {}

        def told() -> bool:
            said.clear()
            said.update(self.seen.last(topic) or {})
            return all(said.get(key) == value for key, value in expected.items())

        until(told, f"{bridge} tells {expected}", within=WITHIN, more=lambda: str(said))
        return said

    def announcement(self, device_id: str = "pico-1", base: str = "") -> str:
        """Where a board is announced."""
        return f"{self.discovery}/device/{base or self.base}_{device_id}/config"

    def until_announced(self, device_id: str = "pico-1", since: int = 0, base: str = "") -> dict[str, Any]:
        """Wait for the announcement of a board."""
        topic = self.announcement(device_id, base)
        found: dict[str, Any] = self.seen.wait(topic, bool, since=since, within=WITHIN).json
        return found

    def kept(self) -> dict[str, bytes]:
        """What the broker keeps of this lab."""
        return retained(self.broker.port, *(f"{one}/#" for one in (self.base, self.prefix, self.discovery)))

    def run(self, *words: str) -> Said:
        """Run a command that talks to this lab."""
        where = ["--broker", f"mqtt://127.0.0.1:{self.broker.port}", "--base", self.base]
        return run(words[0], *where, *words[1:])

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        if self.broker.pid:
            for topic in self.kept():
                self.seen.publish(topic, "", retain=True)
            self.seen.barrier()
        self._stack.close()
