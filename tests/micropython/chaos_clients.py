"""Clients that command boards: as real ones do, and as broken ones do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import json
import random
import threading
import time
from typing import Any, NamedTuple

from paho.mqtt import client as paho
from tests.chaos.book import Book, Command, Heard

_ANSWER_WITHIN = 1.5  # s, after which a client takes the answer for lost and sends the same once more
_GIVE_UP = 30.0  # s
_EXPIRES_IN = (4, 15)  # s
_FLOOD = 100
_FLOOD_LASTS = 4.0  # s, in which commands may be dropped unanswered
_HUGE = 300_000  # bytes
# No command, each in its own way; the last can be answered.
_GARBAGE = (
    "",
    "{",
    "[1, 2]",
    "\x00\xff",
    '{"task": %(task)s, "request_id": %(id)s, "parameters": {"x": NaN}}',
    '{"task": %(task)s, "task": %(task)s, "request_id": %(id)s}',
    '{"task": %(task)s, "request_id": %(id)s, "parameters": ' + '{"a":' * 20 + "1" + "}" * 21,
    '{"task": 5, "request_id": %(id)s, "parameters": %(parameters)s}',
)
_KINDS = {
    "valid": 60,
    "twice": 8,
    "several": 8,
    "with_flood": 2,
    "flood": 1,
    "read": 6,
    "light": 5,
    "cancelled": 4,
    "expired": 4,
    "far_ahead": 2,
    "retained": 3,
    "garbage": 6,
    "huge": 2,
    "wrong": 6,
    "unknown": 2,
    "conflict": 3,
}
HARMLESS = frozenset({"expired", "far_ahead", "garbage", "huge", "wrong", "unknown", "conflict"})
NEVER_ANSWERED = frozenset({"huge", "garbage"})


@dataclass
class Order(Command):
    """A command to a board.

    Attributes:
        kind: What is the matter with it.
        has_twin: Whether something else was sent under its id; then some of its answers are the other's.
    """

    kind: str = "valid"
    has_twin: bool = False


class Actuator(NamedTuple):
    """What of a board moves, and how a motion tells whose it is.

    Attributes:
        output: In the journal.
        safe_after: s after which it is at rest without a sign of the broker.
        longest: s that it may be on for; None where it stays on.
        task: That moves it.
        wrong: Parameters which it must refuse.
        parameters: Gives those by which the journal shows a number, and that number.
        goals: How many there are.
    """

    output: str
    safe_after: float
    longest: float | None
    task: str
    wrong: tuple[dict[str, Any], ...]
    parameters: Callable[[int], tuple[dict[str, Any], int]]
    goals: int
    reads: tuple[tuple[str, dict[str, Any]], ...] = ()
    light: str = ""


def _servo(number: int) -> tuple[dict[str, Any], int]:
    angle = number * 0.018
    return {"pin": 15, "angle": angle}, round((1000 + 1000 * angle / 180) * 1000)


def _fan(number: int) -> tuple[dict[str, Any], int]:
    duty = number * 8
    return {"speed": duty * 100 / 65535}, duty * 1_000_000_000 // (65535 * 25000)


ACTUATORS = {
    "lab-sensor": Actuator(
        "pin_15",
        2,
        0.6,
        "move_servo",
        ({}, {"pin": 15}, {"pin": 15, "angle": 200}, {"pin": 3, "angle": 9}, {"pin": 15, "angle": "9"}),
        _servo,
        10_000,
        (("read_sensor", {"sensor_pin": 26}), ("read_environmental_sensors", {})),
        "pin_LED",
    ),
    "fan": Actuator(
        "pin_16",
        10,
        None,
        "set_speed",
        ({}, {"speed": 101}, {"speed": None}, {"speed": 5, "x": 1}),
        _fan,
        8_000,
    ),
    "coffin-jumper": Actuator("pin_25", 2, 0.4, "trigger", ({"x": 1},), lambda _: ({}, 1), 10_000),
}


class Ledger(Book):
    """The book of boards: it also hears whether they are there, and sends what is no command."""

    def __init__(self, port: int, base: str) -> None:
        self.statuses: dict[str, list[Heard]] = {}
        self.memory: dict[str, list[tuple[float, int, int]]] = {}  # when, bytes free, seconds up
        super().__init__(port, base)

    def _on_connect(self, client: paho.Client, *arguments: object) -> None:
        super()._on_connect(client, *arguments)
        client.subscribe(f"{self.base}/+/status", 1)

    def _note(self, topic: str, heard: Heard) -> None:
        super()._note(topic, heard)
        *_, device, kind = topic.split("/")
        if kind == "status":
            self.statuses.setdefault(device, []).append(heard)
        elif kind == "state":
            body = heard.body
            self.memory.setdefault(device, []).append((heard.at, body["free_memory"], body["uptime"]))

    def send_as(self, order: Order, payload: str | bytes | None = None, *, retain: bool = False) -> None:
        """Send an order in another way than others are."""
        with self.news:
            self.commands[order.request_id] = order
            order.sent.append(time.monotonic())
        if payload is None:
            payload = json.dumps(order.payload)
        self._client.publish(f"{self.base}/{order.device}/command", payload, 1, retain=retain)

    def send_twin(self, device: str, payload: dict[str, Any]) -> None:
        """Send something else under a known id: the answer is no answer to the first."""
        self._client.publish(f"{self.base}/{device}/command", json.dumps(payload), 1)

    def clear(self, device: str) -> None:
        """Clear what somebody retained."""
        self._client.publish(f"{self.base}/{device}/command", b"", 1, retain=True)

    @property
    def is_connected(self) -> bool:
        """Whether the clients have a link."""
        return self._client.is_connected()


class Client:
    """Commands one board until it is told to end."""

    def __init__(
        self, seed: str, device: str, actuator: Actuator, book: Ledger, ending: threading.Event
    ) -> None:
        self.device = device
        self.orders: list[Order] = []
        self.floods: list[tuple[float, float]] = []
        self._dice = random.Random(f"{seed}/{device}")  # noqa: S311 - a seed
        self._actuator = actuator
        self._book = book
        self._ending = ending
        self._numbers: Iterator[int] = iter(self._dice.sample(range(1, actuator.goals), actuator.goals - 1))
        self.thread = threading.Thread(target=self._run, name=f"client-{device}", daemon=True)

    def _run(self) -> None:
        while not self._ending.is_set():
            (kind,) = self._dice.choices(list(_KINDS), list(_KINDS.values()))
            getattr(self, f"_{kind}")()
            self._ending.wait(self._dice.choice([0, 0, 0.05, 0.3, 1.0]))

    # What a command can be.

    def _valid(self) -> None:
        order = self._order("valid")
        self._book.send(order)
        self._until_answered(order)
        if self._dice.random() < 0.3:
            # The answer is known; this is a client that did not hear it.
            known = [one for one in self.orders if one.kind == "valid"][-4:]
            late = self._dice.choice(known)
            # A refusal is remembered for less long than what was done.
            if late.outcome == "success" or late in self.orders[-6:]:
                self._book.send(late)

    def _twice(self) -> None:
        order = self._order("valid")
        for _ in range(self._dice.choice([2, 2, 5])):
            self._book.send(order)
        self._until_answered(order)

    def _several(self) -> None:
        orders = [self._order("valid") for _ in range(self._dice.randint(2, 7))]
        for order in orders:
            self._book.send(order)
        for order in orders:
            self._until_answered(order)

    def _flood(self) -> None:
        began = time.monotonic()
        for _ in range(_FLOOD):
            self._book.send(self._order("flood"))
        self._ending.wait(_FLOOD_LASTS)
        self.floods.append((began, time.monotonic()))

    def _with_flood(self) -> None:
        """A client that lost its answer in somebody else's flood."""
        order = self._order("valid")
        self._book.send(order)
        self._until_answered(order)
        self._flood()
        if order.outcome == "success":  # a refusal may be forgotten by now
            self._book.send(order)

    def _read(self) -> None:
        task, parameters = self._dice.choice([("get_device_status", {}), *self._actuator.reads])
        order = self._order("read", task, parameters)
        self._book.send(order)
        self._until_answered(order)

    def _light(self) -> None:
        if self._actuator.light:
            parameters = {"pin": 25, "state": self._dice.random() < 0.7}
            order = self._order("light", "control_led", parameters)
            self._book.send(order)
            self._until_answered(order)

    def _cancelled(self) -> None:
        order = self._order("valid")
        self._book.send(order)
        self._ending.wait(self._dice.uniform(0, 0.5))
        self._book.send(self._order("cancel", "cancel", {"request_id": order.request_id}))
        self._until_answered(order)

    def _expired(self) -> None:
        order = self._order("expired")
        order.payload["expires_at"] = order.payload["timestamp"] = int(time.time()) - self._dice.randint(
            2, 100
        )
        self._book.send(order)

    def _far_ahead(self) -> None:
        order = self._order("far_ahead")
        order.payload["expires_at"] = int(time.time()) + self._dice.choice([400, 10**7])
        self._book.send(order)

    def _retained(self) -> None:
        self._book.send_as(self._order("retained"), retain=True)
        self._ending.wait(self._dice.choice([0, 0.5, 3]))
        if self._dice.random() < 0.5:
            self._book.clear(self.device)

    def _garbage(self) -> None:
        order = self._order("garbage")
        words = {name: json.dumps(order.payload[name]) for name in ("task", "parameters")}
        words["id"] = json.dumps(order.request_id)
        shape = self._dice.choice(_GARBAGE)
        self._book.send_as(order, (shape % words if "%(" in shape else shape).encode("latin-1"))

    def _huge(self) -> None:
        order = self._order("huge")
        order.payload["pad"] = "x" * _HUGE
        self._book.send(order)
        order.payload.pop("pad")

    def _wrong(self) -> None:
        self._book.send(self._order("wrong", parameters=self._dice.choice(self._actuator.wrong)))

    def _unknown(self) -> None:
        self._book.send(self._order("unknown", self._dice.choice(["fly", "x" * 64, "get_history"])))

    def _conflict(self) -> None:
        known = [one for one in self.orders if one.kind == "valid"][-3:]
        if known:
            first = self._dice.choice(known)
            first.has_twin = True
            self._book.send_twin(self.device, {**first.payload, "parameters": {"pin": 15, "angle": -1}})

    # What all have in common.

    def _order(self, kind: str, task: str = "", parameters: dict[str, Any] | None = None) -> Order:
        goal = None
        number = next(self._numbers)
        if parameters is None:
            parameters, goal = self._actuator.parameters(number)
        now = int(time.time())
        payload = {
            "task": task or self._actuator.task,
            "parameters": parameters,
            "request_id": f"{self.device}-{kind}-{number}",
            "timestamp": now,
            "expires_at": now + self._dice.randint(*_EXPIRES_IN),
            "issued_by": f"chaos/{self.device}",
        }
        if self._dice.random() < 0.1:
            payload["timeout"] = self._dice.choice([0.3, 2, 5])
        order = Order(self.device, payload, goal, kind=kind)
        self.orders.append(order)
        return order

    def _until_answered(self, order: Order) -> None:
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline and not self._ending.is_set():
            within = _ANSWER_WITHIN * self._dice.uniform(0.5, 1)
            if self._book.wait(lambda: bool(order.answers), within):
                return
            self._book.send(order)
