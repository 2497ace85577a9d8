"""Props in Home Assistant: what a worker says and does becomes entities that work, and that stay."""

from collections.abc import Callable, Iterator
import json
import time
from typing import Any

import pytest
from tests.broker.observer import Observer, until
from tests.broker.props_bench import PropsBench
from tests.hub.lab import Lab, available, near, shows

from lab2mqtt.hub.api import State
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

pytestmark = pytest.mark.timeout(150)

WITHIN = 30.0  # s for a host or a hub that starts

# What it says is what the test tells it to say; everything else, it says of itself.
SPOOK = """
import asyncio
import json
from lab2mqtt.props import Annotated, BaseWorker, Literal, Range, Refused, Unit


class Worker(BaseWorker):
    name = "Spook"
    area = "Cellar"
    states = ("calm",)

    async def start(self):
        await super().start()
        self.publish_state("calm")

    def do_tell(self, arg):
        for key, value in json.loads(arg).items():
            self.telemetry(key, value)

    def do_become(self, arg):
        self.publish_state(arg)

    def do_warn(self, arg):
        self.status("warn", arg)

    def do_note(self, arg):
        self.status("mood", arg)

    async def do_howl(self):
        self.telemetry("howls", 1)

    async def do_wait(self):
        await asyncio.sleep(60)

    async def do_bite(self):
        raise Refused("it has no teeth; give it some", "not_allowed")

    async def do_break(self):
        raise ValueError("no such pin")

    async def do_set_speed(self, speed: Annotated[int, Range(0, 300), Unit("mm/s")]):
        if speed > 200:
            raise Refused("200 mm/s is the most today", "not_allowed")
        self.telemetry("speed", speed)

    async def do_set_mode(self, mode: Literal["slow", "fast"]):
        self.telemetry("mode", mode)

    async def do_set_lamp(self, on: bool):
        self.telemetry("lamp", on)

    async def do_greet(self, name: str):
        self.telemetry("name", name)

    async def on_emergency_stop(self):
        self.publish_state("frozen")

    async def on_emergency_stop_released(self):
        self.publish_state("calm")
"""

NUMBER = "number.spook_do_set_speed"
SELECT = "select.spook_do_set_mode"
SWITCH = "switch.spook_do_set_lamp"
TEXT = "text.spook_do_greet"
STATE = "sensor.spook_state"
READINESS = "sensor.spook_readiness"
STATUS = "event.spook_status_message"
EVENT = "event.spook_happening"


class Props(PropsBench):
    """A worker host that announces its props to the hub."""

    def tell(self, **values: object) -> None:
        """Let the spook say values, by key."""
        self.cmd("spook", {"action": "tell", "args": values})

    def withdraw(self) -> None:
        """Leave nothing of it on the broker."""
        with Observer(self.broker.port, "homeassistant/#") as seen:
            for one in seen.heard():
                if f"/{self.name}" in one.topic and one.payload:
                    seen.publish(one.topic, "", retain=True)
            seen.barrier()


@pytest.fixture(scope="module")
def bench(
    hub: HomeAssistant, hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Props]:
    """One host with one worker. Afterwards the hub has forgotten them."""
    made = Props(hub_broker, tmp_path_factory.mktemp("props"), "--discovery", "homeassistant")
    made.worker("spook", SPOOK)
    try:
        made.start()
        yield made
    finally:
        if made.host.pid:
            made.host.terminate()
        made.withdraw()
        # First, else it would read in vain what is cleared next.
        until(lambda: not _spooks(hub), "the props are forgotten", within=10)
        made.close()


@pytest.fixture
def props(hub: HomeAssistant, lab: Lab, bench: Props) -> Props:
    """The same, ready, as the hub sees it; ``lab`` looks for what the hub complains about."""
    del lab
    if bench.host.pid is None:
        bench.start()
    hub.wait_for(READINESS, shows("ready"), WITHIN)
    return bench


def _spooks(hub: HomeAssistant) -> dict[str, State]:
    """The states of the prop's entities, by entity id."""
    return {entity: state for entity, state in hub.states().items() if ".spook_" in entity}


def _press(hub: HomeAssistant, button: str) -> None:
    hub.call_service("button", "press", {"entity_id": f"button.spook_{button}"})


def _next_event(hub: HomeAssistant, entity: str, kind: str, do: Callable[[], object]) -> dict[str, Any]:
    """Do something, and wait for an event of a kind; gives its attributes."""
    before = hub.wait_for(entity)["state"]
    do()
    seen = hub.wait_for(
        entity, lambda now: now["state"] != before and now["attributes"].get("event_type") == kind
    )
    attributes: dict[str, Any] = seen["attributes"]
    return attributes


def test_a_prop_is_a_device_with_its_controls(hub: HomeAssistant, props: Props) -> None:
    """In its area; every control is available, and tells limits, options and unit of the handler's hints."""
    device = hub.wait_for_device(f"{props.name}_spook")
    assert (device["name"], device["model"]) == ("Spook", "Prop")
    states = _spooks(hub)
    buttons = {f"button.spook_do_{word}" for word in ("howl", "wait", "bite", "break")}
    always = {f"button.spook_{word}" for word in ("stop", "reset_stop", "cancel")}
    assert {NUMBER, SELECT, SWITCH, TEXT, STATE, READINESS, STATUS, EVENT, *buttons, *always} <= states.keys()
    assert available(states) == states.keys()
    speed = states[NUMBER]["attributes"]
    assert (speed["min"], speed["max"], speed["step"]) == (0, 300, 1)
    assert speed["unit_of_measurement"] == "mm/s"
    assert states[SELECT]["attributes"]["options"] == ["slow", "fast"]
    assert states["button.spook_do_howl"]["attributes"]["friendly_name"] == "Spook Howl"


def test_telemetry_makes_sensors_that_stay(hub: HomeAssistant, lab: Lab, props: Props) -> None:
    """When first seen, of the kind of its values; also after a restart of the host, and of the hub."""
    shown = {
        "sensor.spook_depth": ("4.5", "3.25"),
        "binary_sensor.spook_door_open": ("on", "off"),
        "sensor.spook_bone": ("femur", "skull"),
        "sensor.spook_box_left": ("1.0", "2.0"),
    }
    first = {"depth": 4.5, "door/open": True, "bone": "femur", "box": {"left": 1}}
    second = {"depth": 3.25, "door/open": False, "bone": "skull", "box": {"left": 2}}
    assert not shown.keys() & hub.states().keys()
    props.tell(**first)
    for entity, (value, _) in shown.items():
        hub.wait_for(entity, _is(value))
    assert hub.wait_for("sensor.spook_depth")["attributes"]["state_class"] == "measurement"
    assert "state_class" not in hub.wait_for("sensor.spook_bone")["attributes"]

    props.host.terminate()
    for entity in shown:
        hub.wait_for(entity, shows("unavailable"))
    props.start()
    for entity in shown:
        hub.wait_for(entity, shows("unknown"), WITHIN)  # nothing of it is true any more
    props.tell(**second)
    for entity, (_, value) in shown.items():
        hub.wait_for(entity, _is(value))

    hub.stop()
    complaints = lab.complaints(hub)
    assert not complaints, complaints
    hub.start()
    for entity, (_, value) in shown.items():
        hub.wait_for(entity, _is(value), WITHIN)
    props.tell(**first)
    for entity, (value, _) in shown.items():
        hub.wait_for(entity, _is(value))


def _is(value: str) -> Callable[[State], bool]:
    """Whether a state is this word, or this number."""
    return near(float(value), 0.01) if value[0].isdecimal() else shows(value)


def test_a_value_that_becomes_something_else(hub: HomeAssistant, props: Props) -> None:
    """A number that is a text one day is one from then on; what a control cannot show is unknown there."""
    props.tell(weight=3, speed=40, mode="fast")
    hub.wait_for("sensor.spook_weight", near(3))
    props.tell(weight="heavy", speed=400, mode="sideways")
    hub.wait_for("sensor.spook_weight", shows("heavy"))
    assert "state_class" not in hub.wait_for("sensor.spook_weight")["attributes"]
    for control in (NUMBER, SELECT):
        hub.wait_for(control, shows("unknown"))
    props.tell(speed="fast")
    hub.wait_for("sensor.spook_speed", shows("fast"))
    hub.wait_for(NUMBER, shows("unknown"))


def test_the_state_is_one_of_words_that_may_become_more(hub: HomeAssistant, props: Props) -> None:
    """A word that was never said before is shown, and is an option from then on."""
    now = hub.wait_for(STATE, shows("calm"))
    assert now["attributes"]["device_class"] == "enum"
    assert {"calm", "started", "stopped"} <= set(now["attributes"]["options"])
    assert "furious" not in now["attributes"]["options"]
    props.cmd("spook", "become furious")
    now = hub.wait_for(STATE, shows("furious"))
    assert "furious" in now["attributes"]["options"]
    props.cmd("spook", "become calm")
    hub.wait_for(STATE, shows("calm"))


@pytest.mark.parametrize(
    ("word", "key", "kind"), [("warn", "warn", "status_warn"), ("note", "mood", "status_info")]
)
def test_what_it_says_is_an_event(hub: HomeAssistant, props: Props, word: str, key: str, kind: str) -> None:
    """With its words, also as the last message."""
    words = f'low "battery" {time.time():.3f}'
    told = _next_event(hub, STATUS, kind, lambda: props.cmd("spook", f"{word} {words}"))
    assert (told["key"], told["message"]) == (key, words)
    hub.wait_for("sensor.spook_message", shows(words))


@pytest.mark.parametrize(
    ("service", "entity", "value", "shown", "said"),
    [
        ("number.set_value", NUMBER, {"value": 120}, near(120), ("speed", 120)),
        ("number.set_value", NUMBER, {"value": 0}, near(0), ("speed", 0)),
        ("select.select_option", SELECT, {"option": "fast"}, shows("fast"), ("mode", "fast")),
        ("switch.turn_on", SWITCH, {}, shows("on"), ("lamp", True)),
        ("switch.turn_off", SWITCH, {}, shows("off"), ("lamp", False)),
        ("text.set_value", TEXT, {"value": 'The "Count"'}, shows('The "Count"'), ("name", 'The "Count"')),
        ("button.press", "button.spook_do_howl", {}, shows("1"), ("howls", 1)),
    ],
)
def test_controls_do_what_they_say(
    hub: HomeAssistant,
    props: Props,
    service: str,
    entity: str,
    value: dict[str, object],
    shown: Callable[[State], bool],
    said: tuple[str, object],
) -> None:
    """The handler is given the value, and what it then tells is shown by the control."""
    since = props.seen.mark()
    domain, name = service.split(".")
    hub.call_service(domain, name, {"entity_id": entity, **value})
    key, told = said
    heard = props.until_words(f"spook/telemetry/{key}", "", since)
    assert heard == str(told)
    hub.wait_for("sensor.spook_howls" if domain == "button" else entity, shown)


@pytest.mark.usefixtures("props")
@pytest.mark.parametrize(
    ("button", "code", "words"),
    [("do_bite", "not_allowed", "no teeth"), ("do_break", "device_error", "ValueError: no such pin")],
)
def test_what_fails_is_an_event(hub: HomeAssistant, button: str, code: str, words: str) -> None:
    """That says why: refused, or broken."""
    told = _next_event(hub, EVENT, "task_failed", lambda: _press(hub, button))
    assert told["task"] == button.removeprefix("do_")
    assert told["error_code"] == code
    assert words in told["error"]


@pytest.mark.usefixtures("props")
def test_a_refused_value_is_not_shown(hub: HomeAssistant) -> None:
    """The control keeps what holds."""
    hub.call_service("number", "set_value", {"entity_id": NUMBER, "value": 50})
    hub.wait_for(NUMBER, near(50))
    told = _next_event(
        hub,
        EVENT,
        "task_failed",
        lambda: hub.call_service("number", "set_value", {"entity_id": NUMBER, "value": 250}),
    )
    assert (told["task"], told["error_code"]) == ("set_speed", "not_allowed")
    assert "200 mm/s is the most" in told["error"]
    hub.wait_for(NUMBER, near(50))


def test_its_button_stops_it(hub: HomeAssistant, props: Props) -> None:
    """What runs ends, nothing moves while it is stopped, and it can be released."""
    since = props.seen.mark()
    _press(hub, "do_wait")
    hub.wait_for(READINESS, shows("busy"))
    _press(hub, "stop")
    hub.wait_for(STATE, shows("frozen"))
    hub.wait_for(READINESS, shows("emergency_stopped"))
    hub.wait_for("binary_sensor.spook_emergency_stop", shows("on"))
    ended = props.until("spook", "result", lambda told: told["task"] == "wait", since)
    assert ended.json["error_code"] == "emergency_stopped", ended.json

    told = _next_event(hub, EVENT, "task_failed", lambda: _press(hub, "do_howl"))
    assert (told["task"], told["error_code"]) == ("howl", "emergency_stopped")
    _press(hub, "reset_stop")
    hub.wait_for(READINESS, shows("ready"))
    hub.wait_for(STATE, shows("calm"))


def test_a_host_that_is_killed_takes_its_props_with_it(hub: HomeAssistant, props: Props) -> None:
    """Everything of them is unavailable, and back when it is started again."""
    before = _spooks(hub).keys()
    props.host.kill()
    until(lambda: not available(_spooks(hub)), "nothing is available", within=10)
    assert _spooks(hub).keys() == before
    props.start()
    until(
        lambda: available(_spooks(hub)) == before,
        "everything is available",
        within=WITHIN,
        more=lambda: json.dumps(_spooks(hub), indent=1),
    )
