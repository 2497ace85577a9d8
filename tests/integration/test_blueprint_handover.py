"""A plate is handed over: both devices are kept for it, and it ends in order whatever happens."""

import asyncio
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from tests.integration.conftest import StartBridge
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.our_blueprints import act, last_run, make_script, run_script, show_to
from tests.integration.waiting import meanwhile, until

ARM = "arm"
DONE = "input_button.done"
DOOR = "binary_sensor.door"
READINESS = ("sensor.plate_resort_readiness", "sensor.arm_readiness")


@pytest.fixture
async def inputs(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    resort: Resort,
    start_bridge: StartBridge,
    tmp_path: Path,
) -> dict[str, Any]:
    """A hotel with a plate, an arm that is a second carousel, a door that is closed, and a button."""
    await show_to(hass, tmp_path / "config")
    await start_bridge({ARM: {"model": "plate_resort", "name": "Arm", "simulated": True}}, "arm")
    lab = lab_entry.runtime_data

    def known() -> bool:
        shown = [hass.states.get(each) for each in READINESS]
        return all(each and each.state == "ready" for each in shown)

    await until(hass, known, "both are known", 20, resort.said)
    await act(
        hass,
        "run_task",
        device=RESORT,
        task="place_plate",
        parameters={"hotel": "B", "room": 3, "plate": "P1"},
    )
    hass.states.async_set(DONE, "unknown")
    hass.states.async_set(DOOR, "off")
    return {
        "plate_resort": lab.devices[RESORT].registry_id(hass),
        "robot": lab.devices[ARM].registry_id(hass),
        "clear": [DOOR],
        "plate": "P1",
        "confirm": DONE,
        "at_opening": [{"event": "at_opening"}],
    }


async def plates(hass: HomeAssistant) -> dict[str, Any]:
    """The plates that are noted, by hotel."""
    answer = await act(hass, "run_task", device=RESORT, task="get_hotels")
    found: dict[str, Any] = answer["result"]["plates"]
    return {hotel: each for hotel, each in found.items() if each}


async def start(hass: HomeAssistant, lab_entry: MockConfigEntry) -> asyncio.Task[dict[str, Any]]:
    """Run it, until it waits for somebody."""
    opened = async_capture_events(hass, "at_opening")
    running = hass.async_create_task(run_script(hass, "plate_handover"))
    await meanwhile(lambda: opened or running.done(), "the hotel is at the opening")
    assert not running.done(), running.result()
    runs = lab_entry.runtime_data.runs
    await meanwhile(
        lambda: [each for each in runs.listed() if each.step == "Waits for the hand-over"], "it waits"
    )
    return running


async def test_out_of_the_hotel(
    hass: HomeAssistant, lab_entry: MockConfigEntry, inputs: dict[str, Any]
) -> None:
    """The hotel turns, nobody else may move either device until it is confirmed, and the plate is out."""
    await make_script(hass, "plate_handover", **inputs)
    running = await start(hass, lab_entry)
    hotel = await act(hass, "run_task", device=RESORT, task="status")
    assert hotel["result"]["active_hotel"] == "B"
    for device in (RESORT, ARM):
        with pytest.raises(HomeAssistantError) as error:
            await act(hass, "run_task", device=device, task="go_home")
        assert "Plate P1 out" in str(error.value.translation_placeholders)
    assert "P1" in str((await plates(hass))["B"])
    hass.states.async_set(DONE, "2026-11-22T00:00:00+00:00")
    assert (await running)["ok"]
    assert await plates(hass) == {}
    assert (await last_run(hass))["status"] == "succeeded"
    await act(hass, "run_task", device=ARM, task="go_home")  # it is free again


async def test_into_the_hotel(
    hass: HomeAssistant, lab_entry: MockConfigEntry, inputs: dict[str, Any]
) -> None:
    """An empty room turns to the opening, and what was put into it is noted."""
    await make_script(
        hass, "plate_handover", **{**inputs, "direction": "in", "plate": "P2", "hotel": "C", "room": 2.0}
    )
    running = await start(hass, lab_entry)
    hass.states.async_set(DONE, "2026-11-22T00:00:00+00:00")
    assert (await running)["ok"]
    assert "P2" in str((await plates(hass))["C"])


async def test_nobody_confirms(hass: HomeAssistant, inputs: dict[str, Any]) -> None:
    """It fails, the plate stays where it was noted, and the devices are free."""
    await make_script(hass, "plate_handover", **inputs, confirm_within={"milliseconds": 100})
    answer = await run_script(hass, "plate_handover")
    assert (answer["ok"], answer["error"]) == (False, "nobody confirmed the hand-over in time")
    assert (await last_run(hass))["error"] == answer["error"]
    assert "P1" in str(await plates(hass))
    await act(hass, "run_task", device=ARM, task="go_home")


async def test_the_lab_is_stopped_meanwhile(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, inputs: dict[str, Any]
) -> None:
    """It ends at once; a button that is pressed later changes nothing."""
    await make_script(hass, "plate_handover", **inputs)
    running = await start(hass, lab_entry)
    await act(hass, "emergency_stop")
    answer = await asyncio.wait_for(running, 10)
    assert answer["error"] == "stopped before the hand-over was confirmed"
    assert (await last_run(hass))["status"] == "stopped"
    hass.states.async_set(DONE, "2026-11-22T00:00:00+00:00")
    stood = (await resort.truth())["position"]
    await act(hass, "reset_emergency_stop")
    await until(hass, lambda: not lab_entry.runtime_data.devices[RESORT].state["emergency_stop"], "released")
    assert "P1" in str(await plates(hass))
    assert (await resort.truth())["position"] == pytest.approx(stood, abs=0.2)


async def test_it_is_turned_off_meanwhile(
    hass: HomeAssistant, lab_entry: MockConfigEntry, inputs: dict[str, Any]
) -> None:
    """The devices are given back."""
    script = await make_script(hass, "plate_handover", **inputs)
    running = await start(hass, lab_entry)
    await hass.services.async_call("script", "turn_off", {"entity_id": script}, blocking=True)
    await asyncio.wait([running], timeout=10)
    devices = lab_entry.runtime_data.devices
    await until(
        hass, lambda: not devices[RESORT].reserved_by and not devices[ARM].reserved_by, "both are free"
    )
    assert (await last_run(hass))["status"] == "failed"


async def test_not_while_something_is_in_the_way(
    hass: HomeAssistant, resort: Resort, inputs: dict[str, Any]
) -> None:
    """It says what, and nothing turns."""
    await make_script(hass, "plate_handover", **inputs)
    stood = (await resort.truth())["position"]
    hass.states.async_set(DOOR, "on", {"friendly_name": "Door"})
    assert (await run_script(hass, "plate_handover"))["error"] == "Door is on, not off"
    hass.states.async_remove(DOOR)
    assert (await run_script(hass, "plate_handover"))["error"] == f"{DOOR} is unknown, not off"
    hass.states.async_set(DOOR, "off")
    await act(hass, "run_task", device=ARM, task="set_maintenance", parameters={"on": True})
    await until(hass, lambda: hass.states.is_state(READINESS[1], "maintenance"), "it shows")
    assert (await run_script(hass, "plate_handover"))["error"] == "the robot is maintenance"
    assert (await resort.truth())["position"] == pytest.approx(stood, abs=0.2)
    assert (await last_run(hass))["status"] == "failed"
