"""The first and the last minutes of a day: what is not as it should be is told, and nothing moves unasked."""

from typing import Any

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_mock_service,
)
from tests.integration.our_blueprints import act, last_run, make_scripts, run_script
from tests.integration.waiting import meanwhile, until
from tests.integration.wet_cell import RESORT, ROBOT, WetCell

TOLD: list[dict[str, Any]] = [{"event": "told", "event_data": {"report": "{{ report }}", "ok": "{{ ok }}"}}]


async def from_home(hass: HomeAssistant) -> float:
    """How many degrees the carousel stands from 0°."""
    answer = await act(hass, "run_task", device=RESORT, task="status")
    position: float = answer["result"]["position"]
    return min(position % 360, -position % 360)


async def test_start_of_day(hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell) -> None:
    """All is well; then much is not, and each of it is named; and only what is asked to homes."""
    devices = lab_entry.runtime_data.devices
    robot, resort = devices[ROBOT].registry_id(hass), devices[RESORT].registry_id(hass)
    hass.states.async_set("sensor.disk", "60", {"unit_of_measurement": "%"})
    hass.states.async_set("binary_sensor.leak", "on", {"friendly_name": "Leak"})
    told = async_capture_events(hass, "told")
    await act(
        hass,
        "run_task",
        device=RESORT,
        task="place_plate",
        parameters={"hotel": "B", "room": 1, "plate": "P1"},
    )
    good = {
        "devices": [robot, resort],
        "ot2": robot,
        "plate_resort": resort,
        "plates": ["P1"],
        "disk": "sensor.disk",
        "identify": [robot, resort],
        "tell": TOLD,
    }
    bad = {
        "tips": 97,
        "paint": 11001,
        "plates": ["P1", "P2"],
        "disk_limit": 50,
        "problems": ["binary_sensor.leak", "binary_sensor.gone"],
        "home": [robot],
    }
    await make_scripts(
        hass,
        "start_of_day_check",
        {"good": good, "bad": {**good, **bad}, "home": {**good, "home": [robot, resort]}},
    )
    answer = await run_script(hass, "good")
    assert answer["ok"], answer
    assert [each["readiness"] for each in answer["devices"]] == ["ready", "ready"]
    assert "96 new tips, 1 plates" in answer["report"]
    assert await cell.moved() == []
    assert (await last_run(hass))["status"] == "succeeded"

    answer = await run_script(hass, "bad")
    assert answer["problems"] == [
        "96 new tips are left, 97 are wanted",
        "vial R has 11000 µL, 11001 are wanted",
        "vial Y has 11000 µL, 11001 are wanted",
        "vial B has 11000 µL, 11001 are wanted",
        "this plate is not in the hotel: P2",
        "the disk has 60 % in use",
        "Leak is on",
        "binary_sensor.gone is unknown",
    ]
    assert await cell.moved() == []
    assert (await last_run(hass))["status"] == "failed"
    await hass.async_block_till_done()
    assert [each.data["ok"] for each in told] == [True, False]
    assert "**8.** binary_sensor.gone is unknown." in told[-1].data["report"]

    await act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "C"})
    assert (await run_script(hass, "home"))["ok"]
    assert "home" in await cell.moved()
    assert await from_home(hass) < 1


async def test_start_of_day_with_devices_that_are_not_ready(
    hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell
) -> None:
    """Stopped, reserved, and none of ours: each is told, and nothing homes."""
    devices = lab_entry.runtime_data.devices
    robot, resort = devices[ROBOT].registry_id(hass), devices[RESORT].registry_id(hass)
    asked = {"devices": [robot, resort, "nothing"], "home": [robot], "tell": TOLD}
    await make_scripts(hass, "start_of_day_check", {"check": asked})
    await act(hass, "reserve", device=RESORT, seconds=60, holder="ada")
    await act(hass, "emergency_stop", device=[ROBOT])
    await until(
        hass, lambda: hass.states.is_state("sensor.ot2_readiness", "emergency_stopped"), "it is stopped"
    )
    await until(hass, lambda: hass.states.is_state("sensor.plate_resort_readiness", "reserved"), "reserved")
    answer = await run_script(hass, "check")
    stopped, reserved, unknown = answer["problems"]
    assert "is emergency stopped" in stopped
    assert "is reserved" in reserved
    assert "ada" in reserved
    assert unknown == "nothing is no device of the lab"
    assert await cell.moved("home") == []


async def test_end_of_day(hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell) -> None:
    """What runs is left alone; then all of it comes to rest; and under a stop only what heats and shines."""
    devices = lab_entry.runtime_data.devices
    robot, resort = devices[ROBOT].registry_id(hass), devices[RESORT].registry_id(hass)
    off = async_mock_service(hass, "homeassistant", "turn_off")
    asked = {
        "robots": [robot],
        "plate_resorts": [resort],
        "switched_off": {"entity_id": "light.bench"},
        "holder": "the lab",
        "more": [{"device": RESORT, "task": "identify"}, {"device": RESORT, "task": "dance"}],
        "tell": TOLD,
    }
    await make_scripts(hass, "end_of_day_park", {"park": asked, "all": {**asked, "cancel_running": True}})
    await act(hass, "run_task", device=ROBOT, task="set_lights", parameters={"on": True})
    await act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "C"})
    await act(hass, "reserve", device=RESORT, seconds=600, holder="the lab")
    await until(hass, lambda: hass.states.is_state("sensor.plate_resort_reserved_by", "the lab"), "reserved")

    mix = {"R": 100, "Y": 0, "B": 0, "well": "A1"}
    mixing = hass.async_create_task(
        act(hass, "run_task", device=ROBOT, task="mix_color", parameters=mix, raise_errors=False)
    )
    await meanwhile(lambda: hass.states.is_state("sensor.ot2_readiness", "busy"), "it mixes")
    answer = await run_script(hass, "park")
    assert (await mixing)["ok"]  # it was left alone
    left, refused = answer["problems"]
    assert left.endswith("was left alone: it is busy")
    assert "dance" in refused
    assert any(each.endswith("reservation given back") for each in answer["done"])
    assert any(each.endswith("go_home") for each in answer["done"])
    assert await from_home(hass) < 1
    assert devices[RESORT].reserved_by is None
    assert devices[ROBOT].state["lights"] is True
    assert [each.data["entity_id"] for each in off] == [["light.bench"]]

    answer = await run_script(hass, "all")
    assert len(answer["problems"]) == 1  # the dance
    await until(hass, lambda: devices[ROBOT].state["lights"] is False, "its lights are off")
    assert (await cell.moved())[-1] == "home"

    await act(hass, "run_task", device=ROBOT, task="set_lights", parameters={"on": True})
    await act(hass, "emergency_stop")
    await until(
        hass, lambda: hass.states.is_state("sensor.ot2_readiness", "emergency_stopped"), "it is stopped"
    )
    await until(
        hass,
        lambda: hass.states.is_state("sensor.plate_resort_readiness", "emergency_stopped"),
        "and it, too",
    )
    stood = await cell.moved()
    answer = await run_script(hass, "park")
    assert sum("emergency stopped" in each for each in answer["problems"]) == 2
    await until(hass, lambda: devices[ROBOT].state["lights"] is False, "its lights are off")
    assert await cell.moved() == stood
    assert (await last_run(hass))["status"] == "stopped"
