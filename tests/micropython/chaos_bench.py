"""One simulated board of the chaos bench, and its way to the broker."""

import json
from pathlib import Path
import time
from typing import Any

from tests.chaos.book import LAB_STOP
from tests.chaos.mqtt_framing import PUBLISH, kind
from tests.chaos.proxy import Network, Proxy, Side
from tests.micropython.chaos_accounting import Change, Life, Span
from tests.micropython.chaos_clients import ACTUATORS, Client
from tests.micropython.rig import Board

_QUICK = {
    "jumper": {"solenoid": 0.4, "action": 0.5, "lockout": 0.2},
    "relay": {"max_on": 3, "min_off": 0.2},
    "motion": {"hold": 1, "warm_up": 0},
}
_SETTINGS: dict[str, Any] = {"coffin-jumper": _QUICK}


class Way(Proxy):
    """The way of a board to its broker; it notes what gets through."""

    def __init__(self, network: Network, broker_port: int, seed: str) -> None:
        self.signs: list[float] = []
        self.online_at: float | None = None  # it said so on the connection that there is
        super().__init__(network, broker_port, seed)

    def passed(self, to: Side, packet: bytes) -> None:
        """A packet got through."""
        if to == "bridge":
            self.signs.append(time.monotonic())
        elif kind(packet) == PUBLISH and b"/status" in packet[:100] and b'"online"' in packet:
            self.online_at = time.monotonic()

    def ended(self) -> None:
        """A connection is over."""
        if not self._calls:
            self.online_at = None

    @property
    def is_used(self) -> bool:
        """Whether there is a connection."""
        return bool(self._calls)

    def shut(self) -> None:
        """Refuse connections, as the port of a broker that is not there."""
        self._network.do(self._network.servers[self._number].close)

    def open(self) -> None:
        """Take connections again."""
        self._network.wait(self._listen())

    async def _listen(self) -> None:
        await super()._listen()
        self._number = len(self._network.servers) - 1


class Bench:
    """One board, its way to the broker, and what was done to it."""

    def __init__(self, interpreter: Path, folder: Path, way: Way, node: str, base: str) -> None:
        folder.mkdir(parents=True)
        self.device, self.node, self.way = folder.name, node, way
        config = {"base": base, "stop_topic": LAB_STOP, "settings": _SETTINGS.get(node, {})}
        config["good_after"] = 1  # or five power cuts in a few minutes would be a boot loop
        self.board = Board(interpreter, folder, way.port, node, device_id=self.device, config=config)
        self.faults: list[Span] = []
        self.hangs: list[Span] = []
        self.client: Client

    @property
    def is_immortal(self) -> bool:
        """Whether it is never without power: its memory is looked at."""
        return self.device.startswith("immortal")

    def is_back(self, since: float) -> bool:
        """Whether it said that it is online after a moment, and has still that link."""
        at = self.way.online_at
        return at is not None and at > since

    def life(self) -> Life:
        """Everything that happened to it."""
        offset = time.time() - time.monotonic()
        actuator = ACTUATORS[self.node]
        changes: dict[str, list[Change]] = {}
        for line in self.board.journal():
            value = line.get("duty_ns", line.get("value"))
            if value is not None:
                changes.setdefault(line["output"], []).append(Change(line["at_us"] / 1e6 - offset, value))
        powered, on = [], 0.0
        for line in map(json.loads, (self.board.sim / "power.jsonl").read_text().splitlines()):
            at = line["at_us"] / 1e6 - offset
            if line["power"] == "on":
                on = at
            else:
                powered.append(Span(on, at))
        if not powered or powered[-1].since != on:
            powered.append(Span(on, time.monotonic()))
        return Life(
            self.device,
            actuator,
            changes.get(actuator.output, []),
            changes.get(actuator.light, []),
            powered,
            self.way.signs,
            self.hangs,
            self.faults,
            [Span(*one) for one in self.client.floods],
            self.client.orders,
            self.board.said(),
        )
