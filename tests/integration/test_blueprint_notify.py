"""A task fails, a phone is told, and what is pressed there is done: once, in time, and never after a stop."""

import asyncio
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.our_blueprints import act, make_automation, show_to
from tests.integration.waiting import meanwhile, until

PRESSED = "mobile_app_notification_action"


@pytest.fixture
async def phone(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, tmp_path: Path
) -> list[ServiceCall]:
    """What was sent to the phone; the resort is stalled, so that its moves fail."""
    await show_to(hass, tmp_path / "config")
    sent = async_mock_service(hass, "notify", "phone")
    lab = lab_entry.runtime_data

    def known() -> bool:
        return hass.states.is_state("sensor.plate_resort_readiness", "ready") and bool(
            lab.devices[RESORT].registry_id(hass)
        )

    await until(hass, known, "the resort is known", more=resort.said)
    await make_automation(hass, "notify_on_failure", notify="notify.phone")
    return sent


async def fail(hass: HomeAssistant, resort: Resort, phone: list[ServiceCall]) -> dict[str, str]:
    """Let a move fail; gives the buttons that the phone shows, by their titles."""
    before = len(phone)
    await resort.fault("stalled")
    with pytest.raises(HomeAssistantError):
        await act(
            hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "C"}, timeout=0.5
        )
    await meanwhile(lambda: len(phone) > before, "the phone is told")
    told = phone[-1].data
    assert "activate hotel failed" in told["title"]
    assert told["message"]
    buttons = {each["title"]: each["action"] for each in told["data"]["actions"]}
    running = "automation.notify_on_failure"
    await meanwhile(
        lambda: (now := hass.states.get(running)) and now.attributes["current"] == 1, "it waits for an answer"
    )
    await asyncio.sleep(0)
    return buttons


async def moves(hass: HomeAssistant) -> list[dict[str, Any]]:
    """The moves that the resort was asked for, newest first."""
    answer = await act(hass, "get_history", device=RESORT, limit=50)
    return [each for each in answer["result"]["commands"] if each["task"] == "activate_hotel"]


async def test_retry(hass: HomeAssistant, resort: Resort, phone: list[ServiceCall]) -> None:
    """The same task is sent once more, as a new command of the automation; not by a second press."""
    buttons = await fail(hass, resort, phone)
    assert list(buttons) == ["Retry", "Skip", "Stop the lab"]
    await resort.fault("stalled", on=False)
    hass.bus.async_fire(PRESSED, {"action": buttons["Retry"]})
    await hass.async_block_till_done()
    hass.bus.async_fire(PRESSED, {"action": buttons["Retry"]})
    await hass.async_block_till_done()
    again, first = await moves(hass)
    assert (again["status"], first["status"]) == ("success", "error")
    assert again["parameters"] == first["parameters"] == {"hotel": "C"}
    assert again["issued_by"] == "automation.notify_on_failure"
    assert again["request_id"] != first["request_id"]
    assert phone[-1].data["message"] == "clear_notification"


async def test_skip(hass: HomeAssistant, resort: Resort, phone: list[ServiceCall]) -> None:
    """Nothing is sent; a later press of another button does nothing."""
    buttons = await fail(hass, resort, phone)
    hass.bus.async_fire(PRESSED, {"action": buttons["Skip"]})
    await hass.async_block_till_done()
    hass.bus.async_fire(PRESSED, {"action": buttons["Retry"]})
    await hass.async_block_till_done()
    assert len(await moves(hass)) == 1
    assert phone[-1].data["message"] == "clear_notification"


async def test_stop_the_lab(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, phone: list[ServiceCall]
) -> None:
    """The whole lab is stopped; who pressed, and why, is known."""
    buttons = await fail(hass, resort, phone)
    hass.bus.async_fire(PRESSED, {"action": buttons["Stop the lab"]})
    lab = lab_entry.runtime_data
    stop = await until(hass, lambda: lab.stop, "the lab is stopped")
    assert (stop.by, stop.reason) == ("automation.notify_on_failure", "stopped from a notification")


async def test_no_retry_after_a_stop(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, phone: list[ServiceCall]
) -> None:
    """Not even when the stop was released meanwhile; the phone is told why."""
    buttons = await fail(hass, resort, phone)
    lab = lab_entry.runtime_data
    await act(hass, "emergency_stop")
    await meanwhile(lambda: lab.stop_word == "stopped", "the lab is stopped")
    await act(hass, "reset_emergency_stop")
    await meanwhile(lambda: not lab.devices[RESORT].state["emergency_stop"], "the stop is released")
    await resort.fault("stalled", on=False)
    hass.bus.async_fire(PRESSED, {"action": buttons["Retry"]})
    await hass.async_block_till_done()
    assert len(await moves(hass)) == 1
    assert [each.data["message"] for each in phone[-2:]] == ["A stop came in between.", "clear_notification"]


async def test_refusals_are_not_told(hass: HomeAssistant, resort: Resort, phone: list[ServiceCall]) -> None:
    """Who asks for nonsense is told, and no phone rings."""
    del resort
    for parameters in ({"hotel": "Z"}, {}):
        with pytest.raises(HomeAssistantError):
            await act(hass, "run_task", device=RESORT, task="activate_hotel", parameters=parameters)
    await hass.async_block_till_done()
    assert phone == []
