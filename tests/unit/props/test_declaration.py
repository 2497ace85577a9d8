"""A worker's class as a declaration: for Home Assistant, and for the protocol."""

from collections.abc import Callable
import json
from typing import Annotated, Any, Literal

import pytest
from tests.unit.props.recorded_ties import RecordedTies

from lab2mqtt import wire
from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.discovery.announcement import announce
from lab2mqtt.props import BaseWorker, Button, Number, Range, Sensor, Text, action
from lab2mqtt.props.actions import actions_of
from lab2mqtt.props.declaration import can_move, declare
from lab2mqtt.props.driver import PropDriver
from lab2mqtt.props.seen import Seen


class Plain(BaseWorker):
    """Reads and sets, and moves nothing."""

    async def do_ping(self, arg: str | None) -> None:
        """Answer."""

    async def do_set_volume(self, volume: Annotated[int, Range(0, 30)]) -> None:
        """Set how loud it is."""


class Full(BaseWorker):
    """All kinds of actions and entities."""

    name = "Full"
    states = ("armed", "firing")
    entities = (
        Sensor("pulse", "Pulse", unit="bpm"),
        Number("level", "Level", task="set_level", parameter="level"),
        Button("go", "Go", task="fire"),
    )

    async def do_fire(self) -> None:
        """Fire."""

    async def do_set_level(self, level: Annotated[int, Range(0, 9)]) -> None:
        """Set the level."""

    async def do_set_mode(self, mode: Literal["slow", "fast"]) -> None:
        """Set the mode."""

    async def do_set_lamp(self, on: bool) -> None:  # noqa: FBT001 - as workers write it
        """Switch the lamp."""

    async def do_set_text(self, text: Annotated[str, Text(20)]) -> None:
        """Show a text."""

    async def do_two(self, left: str, right: int) -> None:
        """Take two."""

    async def do_command(self, word: str, arg: str | None) -> None:
        """Take anything."""


def odd(*methods: str) -> type[BaseWorker]:
    """A worker with actions of odd names."""

    async def handler(self: BaseWorker) -> None:
        """Do something."""

    return type("Worker", (BaseWorker,), dict.fromkeys(methods, handler))


def described(worker: BaseWorker | type[BaseWorker], seen: Seen | None = None) -> dict[str, Any]:
    """The description of a prop."""
    kind = worker if isinstance(worker, type) else type(worker)
    device = declare("the_one", worker, actions_of(kind), seen or Seen())
    tasks = bind(device, PropDriver, None)
    return describe(device, tasks, Instance("the_one", device.name, "bench"))


@pytest.mark.parametrize("worker", [BaseWorker, Plain, Full])
async def test_a_class_is_described_as_its_instance(worker: type[BaseWorker]) -> None:
    """What is described before the worker runs stays as it is when it does."""
    assert described(worker) == described(worker("the_one", RecordedTies(), {}))


@pytest.mark.parametrize(
    "methods",
    [
        ("do_Ping",),
        ("do_größe",),
        ("do_Ping", "do_ping"),
        ("do_" + "x" * 64,),
        ("do__private",),
        ("do_cancel", "do_emergency_stop", "do_reserve", "do_restart_worker", "do_ping"),
        ("do_1", "do_2"),
    ],
)
def test_actions_of_odd_names(methods: tuple[str, ...]) -> None:
    """Each is a task, and what Home Assistant is told is right for it."""
    worker = odd(*methods)
    description = described(worker)
    assert {one.task for one in actions_of(worker).values()} <= description["tasks"].keys()
    assert announce(description)


@pytest.mark.parametrize("worker", [BaseWorker, Plain, Full, odd("do_x")])
def test_it_can_be_sent_and_announced(worker: type[BaseWorker]) -> None:
    """It fits the wire, and every component has what Home Assistant asks of its platform."""
    seen = Seen({"tick": "number", "door": "flag", "word": "text"}, ["waiting"])
    description = described(worker, seen)
    assert wire.decode(wire.encode(description).encode()) == json.loads(json.dumps(description))
    components = {
        key: one for told in announce(description).values() for key, one in told["components"].items()
    }
    assert {"tick", "door", "word", "state"} <= components.keys()
    assert components["door"]["platform"] == "binary_sensor"
    assert components["tick"]["state_class"] == "measurement"
    assert "state_class" not in components["word"]
    assert "waiting" in components["state"]["options"]
    for one in components.values():
        assert one["platform"] == "device_automation" or one["unique_id"].startswith("lab2mqtt_the_one_")


def test_the_fields_of_full() -> None:
    """The kind of the one argument is the kind of the field; what is declared takes its place."""
    entities = described(Full)["entities"]
    assert {key: entities[key]["platform"] for key in entities if key.startswith("do_")} == {
        "do_set_mode": "select",
        "do_set_lamp": "switch",
        "do_set_text": "text",
    }
    assert entities["level"]["platform"] == "number"
    config = next(iter(announce(described(Full)).values()))["components"]["level"]
    assert (config["min"], config["max"]) == (0, 9)
    assert "do_command" in described(Full)["tasks"]


@pytest.mark.parametrize(
    "entities",
    [
        ("rubbish",),
        None,
        (Sensor("readiness", "Readiness"),),
        (Button("go", "Go", task="nothing"),),
        (Number("level", "Level", task="ping", parameter="level"),),
    ],
)
def test_what_does_not_fit(entities: Any) -> None:  # noqa: ANN401 - what workers write
    """It raises, before anything of it is announced."""
    worker = type("Worker", (Plain,), {"entities": entities})
    with pytest.raises(Exception, match=r"key|task|iterable|readiness|takes|take"):
        described(worker)


async def _nothing(self: BaseWorker) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("kind", "moves"),
    [
        (BaseWorker, False),
        (Plain, False),
        (Full, True),
        (odd("do_stop"), True),
        (odd("do_get_level", "do_status"), False),
        (type("Bound", (BaseWorker,), {"boards": ("esp32",)}), True),
        (type("Stopped", (BaseWorker,), {"on_emergency_stop": _nothing}), True),
        (type("Declared", (BaseWorker,), {"do_x": action(effect="read")(_nothing)}), False),
    ],
)
async def test_what_can_move(kind: Callable[..., BaseWorker], moves: bool) -> None:  # noqa: FBT001
    """A worker with nothing to stop is not asked to stop."""
    worker = kind("the_one", RecordedTies(), {})
    assert can_move(worker, actions_of(type(worker))) is moves
