"""What a person does on the device's page, the servo does; and what the servo does, the page shows."""

from collections.abc import Callable, Iterator
from datetime import datetime
import json
import time
from typing import Any
import uuid

import pytest
from tests.broker.observer import Heard, until
from tests.hub.lab import (
    DEVICE,
    EVENT,
    MAINTENANCE,
    MOVING,
    POSITION,
    READINESS,
    RESERVED_BY,
    RESERVED_UNTIL,
    SELECT,
    TARGET,
    Lab,
    choose,
    near,
    press,
    set_number,
    shows,
)

from lab2mqtt.hub.api import Refusal, State
from lab2mqtt.hub.process import HomeAssistant

SLOW = 25  # 34 °/s
COMMAND = f"lab2mqtt/{DEVICE}/command"
RESULT = f"lab2mqtt/{DEVICE}/result"


def _event(event_type: str, task: str) -> Callable[[State], bool]:
    """Whether the event entity tells this of a task."""

    def test(state: State) -> bool:
        told = state["attributes"]
        return (told.get("event_type"), told.get("task")) == (event_type, task)

    return test


def _fetch(hub: HomeAssistant, plate: str) -> None:
    hub.call_service("text", "set_value", {"entity_id": "text.plate_resort_plate", "value": plate})


def _call(lab: Lab, task: str, **parameters: object) -> None:
    """Call a task, as a script does."""
    since = lab.seen.mark()
    request_id = uuid.uuid4().hex
    lab.seen.publish(COMMAND, {"request_id": request_id, "task": task, "parameters": parameters})
    answer = lab.seen.wait(RESULT, lambda told: told["request_id"] == request_id, since=since)
    assert answer.json["status"] == "success"


def _place(lab: Lab, hotel: str, room: int, plate: str) -> None:
    """Put a plate into a room."""
    _call(lab, "place_plate", hotel=hotel, room=room, plate=plate)


@pytest.fixture
def slow(hub: HomeAssistant, lab: Lab) -> Iterator[Lab]:
    """A lab at 0° whose carousel takes its time, so that one can do things while it turns."""
    press(hub, "home")
    until(lambda: abs((lab.servo.truth()["position"] + 180) % 360 - 180) < 1, "the carousel is at home")
    hub.wait_for(READINESS, shows("ready"))
    set_number(hub, "speed", SLOW)
    hub.wait_for("number.plate_resort_speed", near(SLOW))
    yield lab
    set_number(hub, "speed", 100)
    hub.wait_for("number.plate_resort_speed", near(100))


def _start_moving(hub: HomeAssistant, lab: Lab) -> None:
    """Send the slow carousel on a way of some 6 s."""
    set_number(hub, "target", 200)
    hub.wait_for(READINESS, shows("busy"))
    lab.until_turning()


def test_choosing_a_hotel_turns_the_carousel(hub: HomeAssistant, lab: Lab) -> None:
    """The whole way and back: select, command, servo, measurement, state."""
    choose(hub, "D")
    hub.wait_for(SELECT, shows("D"))
    choose(hub, "B")
    hub.wait_for(MOVING, shows("on"))
    hub.wait_for(SELECT, shows("B"))
    hub.wait_for(MOVING, shows("off"))
    hub.wait_for(POSITION, near(109))
    hub.wait_for(TARGET, near(109))
    assert abs(lab.servo.truth()["position"] - 109) <= 0.5


def test_the_select_shows_what_is_measured_and_not_what_was_asked(hub: HomeAssistant, slow: Lab) -> None:
    """While it turns no hotel is at the opening; one that it passes by is none."""
    choose(hub, "C")
    slow.until_turning()
    hub.wait_for(MOVING, shows("on"))
    hub.wait_for(SELECT, shows("unknown"))
    press(hub, "cancel")
    hub.wait_for(MOVING, shows("off"))
    state = hub.wait_for(SELECT, shows("unknown"))
    assert state["state"] != "C"


def test_a_target_is_a_number_to_set(hub: HomeAssistant, lab: Lab) -> None:
    """In degrees, to a tenth."""
    set_number(hub, "target", 45.5)
    hub.wait_for(POSITION, near(45.5))
    hub.wait_for(TARGET, near(45.5, 0.1))
    hub.wait_for(MOVING, shows("off"))
    assert abs(lab.servo.truth()["position"] - 45.5) <= 0.5


def test_a_speed_is_a_number_to_set(hub: HomeAssistant, slow: Lab) -> None:
    """The servo is given it with the next move."""
    press(hub, "home")
    until(lambda: slow.servo.truth()["profile_velocity"] == SLOW, "the servo has the speed")


def test_a_number_out_of_range_is_not_even_sent(hub: HomeAssistant, lab: Lab) -> None:
    """The page knows the limits of the task's parameter."""
    since = lab.seen.mark()
    with pytest.raises(Refusal):
        set_number(hub, "target", 400)
    lab.seen.barrier()
    assert lab.seen.heard(COMMAND, since) == []


def test_home_is_a_button(hub: HomeAssistant, lab: Lab) -> None:
    """To 0°, from wherever it stands."""
    choose(hub, "A")
    hub.wait_for(SELECT, shows("A"))
    press(hub, "home")
    until(lambda: abs((lab.servo.truth()["position"] + 180) % 360 - 180) < 0.5, "the carousel is at home")
    hub.wait_for(SELECT, shows("unknown"))


def test_identify_blinks_the_servo(hub: HomeAssistant, lab: Lab) -> None:
    """A person who has several finds the right one."""
    press(hub, "identify")
    until(lambda: lab.servo.truth()["led"], "the light is on")
    until(lambda: not lab.servo.truth()["led"], "the light is off")
    hub.wait_for(EVENT, _event("task_succeeded", "identify"))


def test_stop_latches_until_it_is_released(hub: HomeAssistant, slow: Lab) -> None:
    """Torque off at once; no motion until somebody releases it; releasing moves nothing."""
    _start_moving(hub, slow)
    press(hub, "stop")
    until(lambda: not slow.servo.truth()["torque"], "the torque is off", within=1)
    hub.wait_for("binary_sensor.plate_resort_emergency_stop", shows("on"))
    stopped = hub.wait_for(READINESS, shows("emergency_stopped"))
    assert "emergency stop engaged by home-assistant" in stopped["attributes"]["readiness_reasons"][0]
    there = slow.servo.until_still()["position"]

    choose(hub, "B")
    refused = hub.wait_for(EVENT, _event("task_failed", "activate_hotel"))
    assert refused["attributes"]["error_code"] == "emergency_stopped"
    assert "reset it first" in refused["attributes"]["error"]

    press(hub, "reset_stop")
    hub.wait_for("binary_sensor.plate_resort_emergency_stop", shows("off"))
    hub.wait_for(READINESS, shows("ready"))
    hub.wait_for(EVENT, lambda now: "reset" in now["attributes"]["task"])
    now = slow.servo.truth()
    assert (now["torque"], now["position"]) == (False, there)


def test_cancel_ends_a_move_and_holds(hub: HomeAssistant, slow: Lab) -> None:
    """Orderly: the carousel stands where it is, under torque, and can be used at once."""
    _start_moving(hub, slow)
    press(hub, "cancel")
    failed = hub.wait_for(EVENT, _event("task_failed", "move_to_angle"))
    assert failed["attributes"]["error_code"] == "cancelled"
    hub.wait_for(READINESS, shows("ready"))
    now = slow.servo.until_still()
    assert now["torque"]
    assert now["position"] < 190


def test_a_paused_move_goes_on_to_its_end(hub: HomeAssistant, slow: Lab) -> None:
    """Pause holds it where it is, resume brings it to where it was going."""
    _start_moving(hub, slow)
    press(hub, "pause")
    hub.wait_for(READINESS, shows("paused"))
    slow.servo.until_still()
    hub.wait_for(MOVING, shows("off"))
    press(hub, "resume")
    hub.wait_for(READINESS, shows("busy"))
    hub.wait_for(POSITION, near(200), timeout=20)
    hub.wait_for(EVENT, _event("task_succeeded", "move_to_angle"))


def test_a_plate_is_fetched_by_its_name(hub: HomeAssistant, lab: Lab) -> None:
    """The hotel in which it stands comes to the opening."""
    _place(lab, "C", 7, "Aspirin 12")
    hub.wait_for("sensor.plate_resort_plates", near(1))
    _fetch(hub, "Aspirin 12")
    hub.wait_for(SELECT, shows("C"))
    hub.wait_for(EVENT, _event("task_succeeded", "activate_plate"))


def test_a_plate_that_is_not_there_is_told(hub: HomeAssistant, lab: Lab) -> None:
    """With quotes in its name, which must come through the template unharmed."""
    before = lab.servo.truth()["position"]
    _fetch(hub, 'no "such" plate \\ {{ 1 }}')
    failed = hub.wait_for(EVENT, _event("task_failed", "activate_plate"))
    assert 'no "such" plate \\' in failed["attributes"]["error"].replace("\\\\", "\\")
    assert failed["attributes"]["error_code"] == "invalid_parameters"
    assert lab.servo.truth()["position"] == pytest.approx(before, abs=0.1)


def test_every_command_of_the_hub_has_an_id_and_an_end(hub: HomeAssistant, lab: Lab) -> None:
    """A command that a broken link delivers late moves nothing; one that comes twice is done once."""
    since = lab.seen.mark()
    began = int(time.time())
    for hotel in ("A", "B", "A"):
        choose(hub, hotel)
    press(hub, "home")
    set_number(hub, "target", 10)
    _fetch(hub, "Aspirin 12")
    until(lambda: len(lab.seen.heard(COMMAND, since)) == 6, "six commands were published")
    heard: list[Heard] = lab.seen.heard(COMMAND, since)
    commands: list[dict[str, Any]] = [json.loads(one.payload) for one in heard]
    assert {one.qos for one in heard} == {0}  # at 1 a hub without a link would keep it, and move things later
    assert {one.retain for one in heard} == {False}
    assert len({command["request_id"] for command in commands}) == 6
    for command in commands:
        assert set(command) == {"request_id", "task", "parameters", "timestamp", "expires_at", "issued_by"}
        assert command["expires_at"] == command["timestamp"] + 15
        assert began <= command["timestamp"] <= time.time()
        assert command["issued_by"] == "home-assistant"
    assert [command["parameters"] for command in commands[:5]] == [
        {"hotel": "A"},
        {"hotel": "B"},
        {"hotel": "A"},
        {},
        {"angle": 10.0},
    ]
    asked = {command["request_id"] for command in commands}
    until(
        lambda: asked <= {one.json["request_id"] for one in lab.seen.heard(RESULT, since)},
        "every command is answered",
        within=30,
    )


def test_maintenance_is_a_switch(hub: HomeAssistant, lab: Lab) -> None:
    """Nothing new begins, the page says why, and the instrument is still read."""
    hub.call_service("switch", "turn_on", {"entity_id": MAINTENANCE})
    switched = hub.wait_for(MAINTENANCE, shows("on"))
    assert switched["attributes"]["maintenance_by"] == "home-assistant"
    hub.wait_for(READINESS, shows("maintenance"))
    hub.wait_for(EVENT, _event("task_succeeded", "set_maintenance"))  # or it may come after what is refused
    before = lab.servo.truth()["position"]
    press(hub, "home")
    refused = hub.wait_for(EVENT, _event("task_failed", "go_home"))
    assert refused["attributes"]["error_code"] == "maintenance"
    assert lab.servo.truth()["position"] == before
    hub.call_service("switch", "turn_off", {"entity_id": MAINTENANCE})
    hub.wait_for(MAINTENANCE, shows("off"))
    hub.wait_for(READINESS, shows("ready"))


def test_a_reservation_is_shown_and_keeps_the_page_out(hub: HomeAssistant, lab: Lab) -> None:
    """By whom, and until when as a time that the hub understands."""
    until_then = time.time() + 60
    _call(lab, "reserve", holder="colour-loop", seconds=60)
    hub.wait_for(RESERVED_BY, shows("colour-loop"))
    shown = hub.wait_for(RESERVED_UNTIL, lambda now: now["state"] != "unknown")
    assert abs(datetime.fromisoformat(shown["state"]).timestamp() - until_then) < 5
    hub.wait_for(READINESS, shows("reserved"))
    press(hub, "home")
    refused = hub.wait_for(EVENT, _event("task_failed", "go_home"))
    assert refused["attributes"]["error_code"] == "reserved"
    assert "colour-loop" in refused["attributes"]["error"]
    _call(lab, "release", holder="colour-loop")
    hub.wait_for(RESERVED_BY, shows("nobody"))
    hub.wait_for(READINESS, shows("ready"))
