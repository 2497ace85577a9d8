"""The colour loop with a real bridge and a simulated robot, hotel and sensor: wells, refusals, stops."""

import asyncio
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.our_blueprints import act, last_run, make_script, make_scripts, run_script
from tests.integration.waiting import meanwhile, until
from tests.integration.wet_cell import RESORT, ROBOT, SENSOR, WetCell

RED, BLUE = {"R": 100, "Y": 0, "B": 0}, {"R": 0, "Y": 0, "B": 100}


def loop_inputs(hass: HomeAssistant, entry: MockConfigEntry, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """What the loop is made with: devices as a person picks them."""
    devices = entry.runtime_data.devices
    return {
        "ot2": devices[ROBOT].registry_id(hass),
        "plate_resort": devices[RESORT].registry_id(hass),
        "color_sensor": SENSOR,
        "plate": "P1",
        "wells": "A1-A2",
        "first": RED,
        "last": BLUE,
        **more,
    }


async def place_plate(hass: HomeAssistant) -> None:
    """Note the plate of the loop in the hotel."""
    await act(
        hass,
        "run_task",
        device=RESORT,
        task="place_plate",
        parameters={"hotel": "B", "room": 1, "plate": "P1"},
    )


async def mixes(hass: HomeAssistant) -> list[dict[str, Any]]:
    """The mixes that the robot was asked for, newest first."""
    answer = await act(hass, "get_history", device=ROBOT, limit=100)
    return [each for each in answer["result"]["commands"] if each["task"] == "mix_color"]


async def test_a_row_while_others_are_refused(
    hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell
) -> None:
    """Plate, mix, measure, next well; who else wants something moved is told who has the devices."""
    await place_plate(hass)
    await make_script(hass, "colour_loop", **loop_inputs(hass, lab_entry))
    running = hass.async_create_task(run_script(hass, "colour_loop"))
    robot = lab_entry.runtime_data.devices[ROBOT]
    await meanwhile(lambda: robot.state.get("task") == "mix_color", "it mixes", more=cell.said)

    ada = await hass.auth.async_create_user("Ada")
    refused = []
    for device, task in ((ROBOT, "home"), (RESORT, "go_home")):
        with pytest.raises(HomeAssistantError) as error:
            await act(hass, "run_task", Context(user_id=ada.id), device=device, task=task)
        refused.append(str(error.value.translation_placeholders))
    assert all("Colour loop A1-A2" in each for each in refused)

    answer = await running
    assert answer["ok"], answer
    assert [each["well"] for each in answer["done"]] == ["A1", "A2"]
    assert [(each["R"], each["B"]) for each in answer["done"]] == [(100, 0), (0, 100)]
    assert all(each["color"]["clear"] > 0 for each in answer["done"])
    assert [each["parameters"]["well"] for each in await mixes(hass)] == ["A2", "A1"]
    hotel = await act(hass, "run_task", device=RESORT, task="status")
    assert hotel["result"]["active_hotel"] == "B"
    run = await last_run(hass)
    assert run["status"] == "succeeded"
    assert [each["well"] for each in run["results"]] == ["A1", "A2"]
    await until(hass, lambda: robot.reserved_by is None, "the robot is free again")
    assert (await cell.truth())["faults"] == []


async def test_the_lab_is_stopped_in_the_middle(
    hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell
) -> None:
    """The loop ends, its run was stopped, and nothing moves by itself once the stop is released."""
    await make_script(hass, "colour_loop", **loop_inputs(hass, lab_entry, plate_resort="", plate=""))
    running = hass.async_create_task(run_script(hass, "colour_loop"))
    lab = lab_entry.runtime_data
    robot = lab.devices[ROBOT]
    await meanwhile(lambda: robot.state.get("step"), "the robot plays", more=cell.said)
    await act(hass, "emergency_stop", reason="to see")
    answer = await running
    assert not answer["ok"]
    assert answer["error"].startswith("A1: mix_color: ")
    assert [each["error_code"] for each in answer["failed"]] == ["emergency_stopped"]
    run = await last_run(hass)
    assert (run["status"], run["error"]) == ("stopped", answer["error"])

    await until(hass, lambda: lab.stop_word == "stopped", "all have confirmed", more=cell.said)
    stood = await cell.moved()
    await act(hass, "reset_emergency_stop")
    await until(hass, lambda: not robot.state["emergency_stop"], "the stop is released")
    await act(hass, "run_task", device=ROBOT, task="get_deck")
    assert await cell.moved() == stood
    assert len(await mixes(hass)) == 1
    assert robot.reserved_by is None


async def test_it_is_turned_off_in_the_middle(
    hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell
) -> None:
    """What runs is cancelled, and no other well is begun; the run says that it did not end as it should."""
    script = await make_script(hass, "colour_loop", **loop_inputs(hass, lab_entry, plate_resort="", plate=""))
    running = hass.async_create_task(run_script(hass, "colour_loop"))
    robot = lab_entry.runtime_data.devices[ROBOT]
    await meanwhile(lambda: robot.state.get("step"), "the robot plays", more=cell.said)
    await hass.services.async_call("script", "turn_off", {"entity_id": script}, blocking=True)
    await asyncio.wait([running], timeout=10)
    assert running.done()
    await until(hass, lambda: robot.state.get("task") is None, "nothing runs", 20, cell.said)
    assert [each["error_code"] for each in await mixes(hass)] == ["cancelled"]
    assert (await last_run(hass))["status"] == "failed"
    await until(hass, lambda: robot.reserved_by is None, "the robot is free again")


async def test_a_well_that_fails(hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell) -> None:
    """It says which well and why; the others are mixed where that is asked for, and where it is not, none."""
    del cell
    await act(hass, "run_task", device=ROBOT, task="mix_color", parameters={**RED, "well": "A1"})
    told = loop_inputs(hass, lab_entry, plate_resort="", plate="", measure=False)
    failures: list[str] = []
    hass.bus.async_listen("loop_failed", lambda event: failures.append(event.data["error"]))
    on_failure = [{"event": "loop_failed", "event_data": {"error": "{{ error }}"}}]
    await make_script(hass, "colour_loop", **told, go_on=True, on_failure=on_failure)
    answer = await run_script(hass, "colour_loop")
    await hass.async_block_till_done()
    assert not answer["ok"]
    assert [each["well"] for each in answer["failed"]] == ["A1"]
    assert [each["well"] for each in answer["done"]] == ["A2"]
    assert answer["error"].startswith("1 of 2 wells failed; A1: mix_color: ")
    assert failures == [answer["error"]]
    assert (await last_run(hass))["status"] == "failed"


async def test_wrong_inputs(hass: HomeAssistant, lab_entry: MockConfigEntry, cell: WetCell) -> None:
    """What is wrong is told before anything moves."""
    wrong: dict[str, dict[str, Any]] = {
        "HELLO is no well": {"wells": "A1, hello"},
        "no wells": {"wells": ""},
        "named twice": {"wells": "A1, A1"},
        "1 colours for 3 wells": {"wells": "A1-A3", "recipe": [RED]},
        "0 or more": {"recipe": [{"R": -5, "well": "A1"}]},
        "no wells:": {"recipe": ["red"]},
        "name a plate or a hotel": {"plate_resort": RESORT},
    }
    told = loop_inputs(hass, lab_entry, plate_resort="", plate="")
    await make_scripts(
        hass, "colour_loop", {f"loop_{at}": {**told, **each} for at, each in enumerate(wrong.values())}
    )
    for at, words in enumerate(wrong):
        answer = await run_script(hass, f"loop_{at}")
        assert not answer["ok"]
        assert words in answer["error"]
        assert (await last_run(hass))["error"] == answer["error"]
    assert await mixes(hass) == []
    assert await cell.moved() == []
