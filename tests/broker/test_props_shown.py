"""Props in Home Assistant: what their telemetry, states, messages and actions become."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.props_bench import PropsBench

TELLER = '''
from typing import Annotated, Literal

from lab2mqtt.props import BaseWorker, Number, Range, Sensor, Text, Unit, action


class Worker(BaseWorker):
    name = "The teller"
    area = "Cellar"
    manufacturer = "Ada"
    product = "Teller 2"
    icon = "mdi:skull"
    states = ("idle", "armed")
    entities = (Sensor("temp", "Temperature", unit="°C", device_class="temperature"),)

    async def do_say(self, key: str, value: str):
        self.telemetry(key, eval(value))

    async def do_state(self, word: str):
        self.publish_state(word)

    async def do_tell(self, key: str, text: str):
        self.status(key, text)

    async def do_many(self, count: int):
        for number in range(count):
            self.telemetry(f"many/{number}", number)

    async def do_set_volume(self, volume: Annotated[int, Range(0, 30)]):
        """Set how loud it is."""
        self.telemetry("volume", volume)

    async def do_set_mode(self, mode: Literal["slow", "fast"]):
        self.telemetry("mode", mode)

    async def do_set_lamp(self, on: bool):
        self.telemetry("lamp", on)

    async def do_set_text(self, text: Annotated[str, Text(20)]):
        self.telemetry("text", text)

    @action(name="Wave at them", icon="mdi:hand-wave", effect="set")
    async def do_wave(self):
        self.telemetry("waved", True)

    @action(entity=False)
    async def do_hidden(self):
        pass
'''


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """A host with a worker that says what it is told to say."""
    made = PropsBench(broker, tmp_path_factory.mktemp("shown"))
    made.worker("teller", TELLER)
    made.worker("crowd", TELLER)
    with made:
        made.until_ready("teller")
        yield made
    for words in ("never retrieved", "never awaited", "could not be passed on", "led to an error"):
        assert words not in made.host.said()


def say(bench: PropsBench, key: str, value: str) -> None:
    """Let the teller say a value of its telemetry."""
    assert bench.call("teller", "say", {"key": key, "value": value})["status"] == "success"


def entity(bench: PropsBench, key: str, device: str = "teller") -> dict[str, Any]:
    """What Home Assistant is told of an entity, once it is."""
    bench.until(device, "description", lambda told: key in told["entities"])
    config = bench.until_discovered(device, lambda told: key in told["components"])
    found: dict[str, Any] = config["components"][key]
    return found


@pytest.mark.parametrize(
    ("key", "value", "shown", "platform", "state"),
    [
        ("pulse", "3", "pulse", "sensor", 3),
        ("level", "0.5", "level", "sensor", 0.5),
        ("door", "True", "door", "binary_sensor", True),
        ("word", "'hello'", "word", "sensor", "hello"),
        ("tesla/Trunk Open", "'yes'", "tesla_trunk_open", "sensor", "yes"),
        ("sensor/error", "'none'", "sensor_error", "sensor", "none"),
        ("box", "{'lid': True, 'in': {'depth': 2}}", "box_in_depth", "sensor", 2),
        ("list", "[1, 2]", "list", "sensor", "[1, 2]"),
        ("task", "'mine'", "telemetry_task", "sensor", "mine"),
        ("state", "5", "telemetry_state", "sensor", 5),
        ("2nd", "5", "telemetry_2nd", "sensor", 5),
        ("long", "'x' * 300", "long", "sensor", "x" * 255),
    ],
)
def test_telemetry(bench: PropsBench, key: str, value: str, shown: str, platform: str, state: object) -> None:
    """Each key becomes a sensor of the kind that its values are of, when it is first seen."""
    say(bench, key, value)
    component = entity(bench, shown)
    assert component["platform"] == platform
    bench.until("teller", "state", lambda told: told.get(shown) == state)
    assert (component.get("state_class") == "measurement") == (type(state) in (int, float))


@pytest.mark.parametrize(
    "value",
    ["float('nan')", "float('inf')", "10 ** 400", "None", "object()", "b'x'", "'\\ud800'", "{}", "[]"],
)
def test_telemetry_that_is_no_value(bench: PropsBench, value: str) -> None:
    """Whatever it is, the prop goes on, and what it says after that is shown."""
    bench.call("teller", "say", {"key": "odd", "value": value})
    say(bench, "after", repr(f"odd {value}"))
    bench.until("teller", "state", lambda told: told.get("after") == f"odd {value}")


@pytest.mark.parametrize("key", ["a/#", "a/+/b", "", "/", "ä", "x" * 300, "a\0b"])
def test_odd_keys(bench: PropsBench, key: str) -> None:
    """Whatever the key is, the prop goes on, and the host has nothing to complain of but that."""
    bench.call("teller", "say", {"key": key, "value": "1"})
    say(bench, "after", repr(f"key {key[:9]}"))
    bench.until("teller", "state", lambda told: told.get("after") == f"key {key[:9]}")


def test_a_number_that_becomes_a_text(bench: PropsBench) -> None:
    """It is the same sensor, without statistics from then on; a flag stays a flag beside it."""
    say(bench, "changing", "1")
    assert entity(bench, "changing")["state_class"] == "measurement"
    since = bench.seen.mark()
    say(bench, "changing", "'open'")
    bench.until("teller", "state", lambda told: told.get("changing") == "open")
    bench.until_discovered("teller", lambda told: "state_class" not in told["components"]["changing"], since)
    say(bench, "changing", "2")
    bench.until("teller", "state", lambda told: told.get("changing") == "2")
    say(bench, "door", "True")
    say(bench, "door", "'ajar'")
    assert entity(bench, "door_value")["platform"] == "sensor"
    assert entity(bench, "door")["platform"] == "binary_sensor"


def test_too_many_keys(bench: PropsBench) -> None:
    """The first hundred are shown; the rest is published all the same, and that it is not shown is said."""
    assert bench.call("crowd", "many", {"count": 130})["status"] == "success"
    bench.until_text("crowd/telemetry/many/129", "129")
    entity(bench, "many_99", "crowd")
    until(lambda: "more than 100 values" in bench.host.said(), "it is said")
    shown = [key for key in bench.last("crowd", "description")["entities"] if key.startswith("many_")]
    assert len(shown) == 100


def test_the_state(bench: PropsBench) -> None:
    """It is an enum of what was declared, and of what it turns out to be."""
    assert entity(bench, "state")["device_class"] == "enum"
    assert {"idle", "armed"} <= set(entity(bench, "state")["options"])
    bench.call("teller", "state", {"word": "firing"})
    bench.until_text("teller/state", "firing")
    bench.until_discovered("teller", lambda told: "firing" in told["components"]["state"]["options"])
    bench.until("teller", "state", lambda told: told["state"] == "firing")


@pytest.mark.parametrize(
    ("key", "event_type"),
    [("warn", "status_warn"), ("error", "status_error"), ("hue/Status", "status_info")],
)
def test_a_message(bench: PropsBench, key: str, event_type: str) -> None:
    """It is an event for automations, and the last one is shown."""
    since = bench.seen.mark()
    bench.call("teller", "tell", {"key": key, "text": f"to {key}"})
    bench.until_text(f"teller/status/{key}", f"to {key}", since)
    event = bench.until("teller", "event", lambda told: told["event_type"] == event_type, since).json
    assert event["message"] == f"to {key}"
    assert event["key"] == key
    bench.until("teller", "state", lambda told: told["message"] == f"to {key}")
    assert event_type in entity(bench, "status_message")["event_types"]


def test_what_is_declared(bench: PropsBench) -> None:
    """Names, area, maker and better entities are those of the worker."""
    description = bench.last("teller", "description")
    assert description["name"] == "The teller"
    assert description["manufacturer"] == "Ada"
    assert description["area"] == "Cellar"
    temperature = entity(bench, "temp")
    assert temperature["unit_of_measurement"] == "°C"
    say(bench, "temp", "21.5")
    bench.until("teller", "state", lambda told: told["temp"] == 21.5)
    wave = entity(bench, "do_wave")
    assert (wave["platform"], wave["name"], wave["icon"]) == ("button", "Wave at them", "mdi:hand-wave")
    assert "do_hidden" not in description["entities"]
    assert "hidden" in description["tasks"]


@pytest.mark.parametrize(
    ("key", "platform", "more"),
    [
        ("do_set_volume", "number", {"min": 0, "max": 30}),
        ("do_set_mode", "select", {"options": ["slow", "fast"]}),
        ("do_set_lamp", "switch", {}),
        ("do_set_text", "text", {"max": 20}),
    ],
)
def test_a_field(bench: PropsBench, key: str, platform: str, more: dict[str, object]) -> None:
    """An action whose one argument is known becomes the field for it."""
    component = entity(bench, key)
    assert component["platform"] == platform
    assert {name: component[name] for name in more} == more


@pytest.mark.parametrize(
    ("task", "parameters", "cmd"),
    [
        ("set_volume", {"volume": 31}, "set_volume 31"),
        ("set_volume", {"volume": -1}, {"action": "set_volume", "params": {"volume": -1}}),
        ("set_mode", {"mode": "fsat"}, "set_mode fsat"),
        ("set_text", {"text": "x" * 21}, "set_text " + "x" * 21),
        ("set_lamp", {"on": "perhaps"}, "set_lamp perhaps"),
    ],
)
def test_a_limit(bench: PropsBench, task: str, parameters: dict[str, object], cmd: object) -> None:
    """It is refused on both ways, in words that tell what is allowed."""
    result = bench.call("teller", task, parameters)
    assert result["error_code"] == "invalid_parameters"
    since = bench.cmd("teller", cmd)
    bench.until_words("teller/status/warn", next(iter(parameters)), since)
    assert not bench.texts(f"teller/telemetry/{next(iter(parameters))}", since)


def test_it_is_remembered(bench: PropsBench) -> None:
    """A host that starts anew describes its props as before, before they have said anything."""
    say(bench, "kept", "1")
    entity(bench, "kept")
    before = bench.until("teller", "description", lambda told: "kept" in told["entities"]).json
    before = bench.last("teller", "description")
    bench.host.terminate()
    since = bench.seen.mark()
    bench.start()
    bench.until_ready("teller", since)
    bench.until_text("teller/availability", "online", since)
    told = [one.json for one in bench.seen.heard(bench.topic("teller", "description"), since) if one.payload]
    assert told
    for one in told:
        assert one == before


def test_what_was_kept_cannot_be_read(broker: Broker, tmp_path: Path) -> None:
    """That is said, and the host runs."""
    made = PropsBench(broker, tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "props.json").write_text('{"teller": {"values": 3')
    made.worker("teller", TELLER)
    with made:
        made.until_ready("teller")
        assert "What props said before is not known" in made.host.said()
