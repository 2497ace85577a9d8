"""Home Assistant's own schemas take what we announce, and what we announce is true on the broker."""

from collections.abc import Callable, Iterator
import json
from typing import Any
import uuid

import pytest
from tests.broker.observer import until
from tests.hub.lab import DEVICE, IDENTIFIER, Lab
from tests.unit import kitchen_sink

from lab2mqtt import wire
from lab2mqtt.core.description import describe
from lab2mqtt.discovery.announcement import announce
from lab2mqtt.discovery.platforms import PLATFORMS
from lab2mqtt.hub.process import HomeAssistant
from lab2mqtt.runtime import config

Problems = Callable[[dict[str, Any]], list[dict[str, str]]]

ANNOUNCEMENT = wire.discovery_topic(wire.DEFAULT_DISCOVERY, wire.DEFAULT_BASE, DEVICE)


def _announcements() -> dict[str, Any]:
    """What is announced of a device of every model with every part, and of one that has everything."""
    described = [kitchen_sink.description()]
    about = {"serial": "1", "sw_version": "2"}
    for model in config.known_models():
        made = config.make_device(
            model.replace("_", "-"), "bench", config.DeviceSettings(model, simulated=True)
        )
        parts = {
            one.part: {"name": one.part, "model": "P", **about} for one in made.device.entities if one.part
        }
        described.append(describe(made.device, made.tasks, made.instance, {**about, "parts": parts}))
    gone = {"old": "sensor", "on_old": "device_automation"}
    return {
        wire.discovery_topic(wire.DEFAULT_DISCOVERY, wire.DEFAULT_BASE, str(one["device_id"]), part): payload
        for one in described
        for part, payload in announce(one, version="1.0", gone={"": gone, "old_part": gone}).items()
    }


def _topics(payload: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every topic in a payload, with the path of the key that names it."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            if isinstance(value, str) and (key == "topic" or key.endswith("_topic")):
                yield f"{path}.{key}", value
            else:
                yield from _topics(value, f"{path}.{key}")
    elif isinstance(payload, list):
        for value in payload:
            yield from _topics(value, path)


def test_the_hub_accepts_the_announcement_of_every_model(discovery_problems: Problems) -> None:
    """Nothing is refused, and no key of ours is dropped without a word."""
    messages = _announcements()
    announced = {one["platform"] for message in messages.values() for one in message["components"].values()}
    assert announced >= set(PLATFORMS)
    assert discovery_problems(messages) == []


@pytest.mark.parametrize(
    ("component", "change", "complaint"),
    [
        ("flow", {"mode": "knob"}, "mode"),
        ("rinse", {"command_topic": "lab2mqtt/#"}, "command_topic"),
        ("light", {"invented_key": 1}, "'invented_key' is silently dropped"),
        ("temperature", {"value_template": "{{ value_json["}, "template"),
    ],
)
def test_what_the_hub_would_refuse_is_noticed(
    discovery_problems: Problems, component: str, change: dict[str, Any], complaint: str
) -> None:
    """Else the test above would say nothing."""
    topic = "homeassistant/device/lab2mqtt_sink/config"
    messages = {topic: announce(kitchen_sink.description())[""]}
    messages[topic]["components"][component].update(change)
    problems = discovery_problems(messages)
    assert [problem["component"] for problem in problems] == [component]
    assert complaint in problems[0]["error"]


def test_what_the_hub_complains_about_is_noticed(hub: HomeAssistant, lab: Lab) -> None:
    """Every test fails on such a line in the hub's log; this one brings two about."""
    topic = "homeassistant/sensor/lab2mqtt_wrong/config"
    told = {
        "unique_id": "lab2mqtt_wrong",
        "state_topic": "lab2mqtt/wrong/state",
        "value_template": "{{ value_json['absent'] }}",
    }
    assert lab.complaints(hub) == []
    heard = ""

    def complaint(word: str) -> bool:
        nonlocal heard
        heard += "".join(lab.complaints(hub))
        return word in heard

    lab.seen.publish("lab2mqtt/wrong/state", {"present": 1}, retain=True)
    lab.seen.publish(topic, {**told, "state_class": "invented"})
    try:
        until(lambda: complaint("invented"), "the hub complains about the class")
        lab.seen.publish(topic, told)
        until(lambda: complaint("absent"), "the hub complains about the value")
    finally:
        lab.seen.publish(topic, "")
        until(lambda: not any("wrong" in entity for entity in hub.states()), "the entity is gone")
        lab.seen.publish("lab2mqtt/wrong/state", "", retain=True)
        lab.complaints(hub)


def test_every_announced_state_is_published(lab: Lab) -> None:
    """A topic that nobody publishes on would leave its entity unknown for ever."""
    kept = lab.retained()
    topics = {topic for path, topic in _topics(json.loads(kept[ANNOUNCEMENT])) if "command" not in path}
    event = f"lab2mqtt/{DEVICE}/event"
    assert topics == {
        f"lab2mqtt/{DEVICE}/state",
        f"lab2mqtt/{DEVICE}/status",
        "lab2mqtt/bridge/bench/status",
        event,
    }
    assert topics - {event} <= kept.keys()
    assert event not in kept  # what happened once must not happen again to whoever comes
    since = lab.seen.mark()
    lab.seen.publish(f"lab2mqtt/{DEVICE}/command", {"task": "set_speed", "parameters": {"speed": 100}})
    lab.seen.wait(event, since=since)


def test_every_value_that_a_template_reads_is_in_the_state(lab: Lab) -> None:
    """A key that the state lacks would be an error in the hub's log with every message."""
    kept = lab.retained()
    description = json.loads(kept[f"lab2mqtt/{DEVICE}/description"])
    state = json.loads(kept[f"lab2mqtt/{DEVICE}/state"])
    shown = {
        key
        for key, entity in description["entities"].items()
        if entity["platform"] not in ("button", "event") and not entity.get("stateless")
    }
    assert shown <= state.keys()


def test_every_announced_command_is_heard(lab: Lab) -> None:
    """A command that is published there gets its answer."""
    payload = json.loads(lab.retained()[ANNOUNCEMENT])
    topics = {topic for path, topic in _topics(payload) if "command" in path}
    assert topics == {f"lab2mqtt/{DEVICE}/command"}
    request_id = uuid.uuid4().hex
    lab.seen.publish(topics.pop(), {"task": "get_position", "request_id": request_id})
    answer = lab.seen.wait(f"lab2mqtt/{DEVICE}/result", lambda told: told["request_id"] == request_id)
    assert answer.json["status"] == "success"


def test_every_entity_commands_a_task_that_exists(lab: Lab) -> None:
    """A command template writes the name of the task itself; the description says which there are."""
    description = json.loads(lab.retained()[f"lab2mqtt/{DEVICE}/description"])
    commanded = {entity["task"] for entity in description["entities"].values() if "task" in entity}
    assert commanded
    assert commanded <= description["tasks"].keys()


def test_the_device_is_known_by_what_it_tells_of_itself(hub: HomeAssistant, lab: Lab) -> None:
    """A person sees at a glance that it is simulated, which servo it has and where it stands."""
    # Which servo it is, the bridge knows once it has answered.
    until(lambda: hub.wait_for_device(IDENTIFIER)["model"] == "XC330-T288 (simulated)", "the model is known")
    device = hub.wait_for_device(IDENTIFIER)
    areas = {area["area_id"]: area["name"] for area in hub.ws("config/area_registry/list")}
    assert device["name"] == "Plate resort (simulated)"
    assert device["manufacturer"] == "ROBOTIS"
    assert device["sw_version"] == json.loads(lab.retained()[f"lab2mqtt/{DEVICE}/description"])["sw_version"]
    assert areas[device["area_id"]] == "Cold room"
