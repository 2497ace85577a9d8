"""The example props, each in this loop, with ties to played boards: these say what comes by MQTT."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import inspect
import json
from pathlib import Path
from typing import Any, Protocol

from tests.unit.props.recorded_ties import RecordedTies

from lab2mqtt.props.actions import effect_of
from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import load
from lab2mqtt.props.ties import Handler

PROPS = Path(__file__).parents[3] / "props"


@dataclass
class PlayedTies(RecordedTies):
    """Ties over which something answers."""

    hears: dict[str, Handler] = field(default_factory=dict)
    on_command: Callable[[str, str, Mapping[str, Any]], None] | None = None
    sent: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def publish(self, topic: str, payload: str, *, qos: int = 0, retain: bool = False) -> None:
        """Keep a message; a command reaches its board."""
        super().publish(topic, payload, qos=qos, retain=retain)
        _, target, *rest = topic.split("/")
        if rest == ["cmd"]:
            told = json.loads(payload)
            self._send(target, told["action"], told["params"])

    def subscribe(self, topic: str, handler: Handler | None = None) -> None:
        """Hear a topic."""
        assert handler
        self.hears[topic] = handler

    def problem(self, text: str) -> None:
        """Keep a problem."""
        self.problems.append(text)
        self._news.set()

    def command(self, target: str, action: str, args: object, qos: int) -> bool:
        """Send a command; while stopped only what stops."""
        assert qos == 1
        sent = not self.stopped or effect_of(action) == "stop"
        if sent:
            assert args is None
            self._send(target, action, {})
        return sent

    def say(self, topic: str, payload: object) -> None:
        """Say something to the worker, at the next turn of its loop."""
        handler = self.hears.get(f"{self.prefix}/{topic}")
        text = payload if isinstance(payload, str) else json.dumps(payload)
        if handler:
            self.loop.call_soon_threadsafe(lambda: _plainly(handler(f"{self.prefix}/{topic}", text)))

    def _send(self, target: str, action: str, params: Mapping[str, Any]) -> None:
        self.sent.append((target, action, params))
        self._news.set()
        if self.on_command:
            self.on_command(target, action, params)

    @property
    def actions(self) -> list[str]:
        """What was sent, in words."""
        return [action for _, action, _ in self.sent]


class Line(Protocol):
    """What leads from a board to its worker."""

    on_command: Callable[[str, str, Mapping[str, Any]], None] | None

    def say(self, topic: str, payload: object) -> None:
        """Say something on a topic below the prefix, a text or JSON."""


class PlayedBoard:
    """What all boards have: they say what they are, and obey a stop where they know one."""

    board_id = ""
    state = ""

    def __init__(self, ties: Line) -> None:
        """Answer what comes for it."""
        self.ties = ties
        self.silent = False
        self.values: dict[str, Any] = {"rssi": -60}
        ties.on_command = self.take

    def come(self) -> None:
        """Be there."""
        self.ties.say(f"{self.board_id}/availability", "online")
        self.become(self.state)

    def go(self) -> None:
        """Be gone: the will."""
        self.ties.say(f"{self.board_id}/availability", "offline")

    def become(self, state: str, **values: object) -> None:
        """Be in another state."""
        self.state = state
        self.values |= values
        self.ties.say(f"{self.board_id}/state", state)
        self.ties.say(f"{self.board_id}/telemetry", self.values)

    def warn(self, text: str) -> None:
        """Say why not."""
        self.ties.say(f"{self.board_id}/status/warn", text)

    def take(self, target: str, action: str, params: Mapping[str, Any]) -> None:
        """Take a command."""
        if target == self.board_id and not self.silent:
            self.do(action, params)

    def do(self, action: str, params: Mapping[str, Any]) -> None:
        """Do a command."""
        raise NotImplementedError


class OldCoffin(PlayedBoard):
    """The original firmware: silent when it refuses, telemetry only now and then, no stop, no lockout."""

    board_id = "esp32-coffin-jumper-01"
    state = "idle"
    locked = False

    def do(self, action: str, params: Mapping[str, Any]) -> None:
        """Do what it knows."""
        if action == "block":
            self._say("blocked")
        elif (action, self.state) in (("arm", "idle"), ("stop_action", "action")) or action == "unblock":
            self._say("armed")
        elif action == "trigger" and self.state in ("idle", "armed") and not self.locked:
            self._say("action")
        elif action == "set_volume":
            self.values["vol"] = params["volume"]

    def tell(self, **values: object) -> None:
        """Its telemetry, which it says every 5 s."""
        self.values |= values
        self.ties.say(f"{self.board_id}/telemetry", self.values)

    def _say(self, state: str) -> None:
        self.state = state
        self.ties.say(f"{self.board_id}/state", state)


class NewCoffin(PlayedBoard):
    """Our firmware."""

    board_id = "esp32-coffin-jumper-01"
    state = "armed"

    def do(self, action: str, params: Mapping[str, Any]) -> None:
        """Do what it knows."""
        triggers = self.values.get("triggers", 0)
        if action == "emergency_stop":
            self.become("stopped", solenoid_power=False)
        elif action == "reset_emergency_stop":
            self.become("armed")
        elif action == "block":
            self.become("blocked", solenoid_power=False)
        elif action == "trigger" and self.state == "armed":
            self.become("action", triggers=triggers + 1, solenoid_power=True, pir=False)
        elif action == "trigger":
            self.warn(f"trigger refused: it is not armed: it is {self.state}")
        elif action == "set_volume":
            self.become(self.state, vol=params["volume"])
        elif action == "reset":
            self.become("armed", triggers=0)
        elif action == "stop_action" and self.state == "action":
            self.become("lockout", solenoid_power=False)


class PlayedFogger(PlayedBoard):
    """Our firmware of the fogger; ``warm`` follows the heater when ``warms``."""

    board_id = "esp32-fogger-01"
    state = "cold"
    warms = True
    ends = True

    def do(self, action: str, params: Mapping[str, Any]) -> None:
        """Do what it knows."""
        if action == "emergency_stop":
            self.become("stopped", heater=False, fog=False)
        elif action == "reset_emergency_stop":
            self.become("cold")
        elif action == "heat_on":
            self.become("ready" if self.warms else "heating", heater=True, warm=self.warms)
        elif action in ("heat_off", "stop_action") and self.state != "stopped":
            self.become("cold", heater=False, warm=False, fog=False)
        elif action == "fog":
            self.become("fogging", fog=True)
            if self.ends:
                asyncio.get_running_loop().call_later(params["seconds"], self._end)

    def _end(self) -> None:
        if self.state == "fogging":
            self.become("ready", fog=False)


class PlayedShaker(PlayedBoard):
    """Our firmware of the grave shaker."""

    board_id = "esp32-grave-shaker-01"
    state = "idle"

    def do(self, action: str, params: Mapping[str, Any]) -> None:
        """Do what it knows."""
        if action == "emergency_stop":
            self.become("stopped", shaking=False, intensity=0)
        elif action == "reset_emergency_stop":
            self.become("idle")
        elif action == "shake":
            self.become("shaking", shaking=True, intensity=params["intensity"])
            asyncio.get_running_loop().call_later(params["seconds"], self._end)
        elif action == "stop_action":
            self._end()

    def _end(self) -> None:
        if self.state == "shaking":
            self.become("resting", shaking=False, intensity=0)


async def begin(prop: str, ties: PlayedTies, **config: object) -> Any:  # noqa: ANN401 - a class of a file
    """Load and start a worker as its host does, with something of its configuration changed."""
    loaded = load(Found(prop, PROPS / prop / "backend" / "worker.py", "prop"))
    assert not loaded.warnings
    assert isinstance(loaded.config, dict)
    worker = loaded.worker(loaded.prop_id, ties, loaded.config | config)
    await worker.start()
    return worker


async def end(worker: Any) -> None:  # noqa: ANN401
    """End a worker, and wait for what it cancels."""
    tasks = list(worker._tasks)
    await worker.stop()
    await asyncio.gather(*tasks, return_exceptions=True)


def _plainly(done: object) -> None:
    assert not inspect.isawaitable(done)
