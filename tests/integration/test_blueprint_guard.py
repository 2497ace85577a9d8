"""It becomes too warm: the robot is held, the fan runs, and only its own pause it takes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from homeassistant.core import Context, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.our_blueprints import act, make_automation, show_to
from tests.integration.waiting import meanwhile, until

AIR = "sensor.air"
GUARD = "automation.environmental_guard"


@pytest.fixture
async def guarded(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, tmp_path: Path
) -> AsyncIterator[dict[str, Any]]:
    """A carousel that turns slowly, under a reservation; gives what the guard is made with."""
    await show_to(hass, tmp_path / "config")
    lab = lab_entry.runtime_data
    await until(
        hass,
        lambda: hass.states.is_state("sensor.plate_resort_readiness", "ready"),
        "the resort is known",
        more=resort.said,
    )
    hass.states.async_set(AIR, "22", {"friendly_name": "Air"})
    await act(hass, "run_task", device=RESORT, task="set_speed", parameters={"speed": 10})
    yield {
        "sensor": AIR,
        "limit_for": {"milliseconds": 0},
        "below_for": 0,
        "device": lab.devices[RESORT].registry_id(hass),
        "alert": [{"event": "alert", "event_data": {"message": "{{ message }}"}}],
    }
    await act(hass, "run_task", device=RESORT, task="cancel", raise_errors=False)


async def turn(hass: HomeAssistant, resort: Resort) -> asyncio.Task[Any]:
    """Let the carousel turn for long, for somebody who has reserved it."""
    await act(hass, "reserve", device=RESORT, seconds=600, holder="ada")
    moving = hass.async_create_task(
        act(
            hass,
            "run_task",
            device=RESORT,
            task="move_to_angle",
            parameters={"angle": 60},
            reservation="ada",
            raise_errors=False,
        )
    )
    await meanwhile(lambda: hass.states.is_state("binary_sensor.plate_resort_moving", "on"), "it turns")
    assert (await resort.truth())["moving"]
    return moving


async def warm(hass: HomeAssistant) -> None:
    """Let it become too warm, and wait until the carousel is held."""
    hass.states.async_set(AIR, "30", {"friendly_name": "Air"})
    await meanwhile(lambda: hass.states.is_state("sensor.plate_resort_readiness", "paused"), "it is held")


async def until_ended(hass: HomeAssistant) -> None:
    """Wait until the guard has done its work."""
    await meanwhile(
        lambda: (now := hass.states.get(GUARD)) and now.attributes["current"] == 0, "the guard has ended", 15
    )


async def commands(hass: HomeAssistant, task: str) -> list[dict[str, Any]]:
    """The commands of a kind that the carousel got."""
    answer = await act(hass, "get_history", device=RESORT, limit=50)
    return [each for each in answer["result"]["commands"] if each["task"] == task]


async def test_held_and_let_go_on(hass: HomeAssistant, resort: Resort, guarded: dict[str, Any]) -> None:
    """What somebody's reservation covers goes on under it, to its end."""
    await make_automation(hass, "environmental_guard", **guarded)
    moving = await turn(hass, resort)
    await warm(hass)
    hass.states.async_set(AIR, "26")  # not below the second limit
    await asyncio.sleep(0.3)
    assert await commands(hass, "resume") == []
    hass.states.async_set(AIR, "24")
    assert (await moving)["ok"]
    await until_ended(hass)
    (resumed,) = await commands(hass, "resume")
    assert (resumed["status"], resumed["issued_by"]) == ("success", GUARD)


async def test_a_persons_pause_is_left(hass: HomeAssistant, resort: Resort, guarded: dict[str, Any]) -> None:
    """Who had paused it before is the one to resume it."""
    await make_automation(hass, "environmental_guard", **guarded)
    moving = await turn(hass, resort)
    await act(hass, "pause", device=RESORT)
    await warm(hass)
    await meanwhile(lambda: hass.states.get(GUARD).attributes["current"] == 1, "the guard is at work")
    hass.states.async_set(AIR, "20")
    await until_ended(hass)
    assert await commands(hass, "resume") == []
    await act(hass, "resume", device=RESORT, reservation="ada")
    assert (await moving)["ok"]


@pytest.mark.parametrize("what", ["pause", "cancel_task", "emergency_stop"])
async def test_somebody_had_a_hand_in_it(
    hass: HomeAssistant, resort: Resort, guarded: dict[str, Any], what: str
) -> None:
    """Paused again, cancelled or stopped meanwhile, it is left as it is, and somebody is told."""
    alerts = async_capture_events(hass, "alert")
    await make_automation(hass, "environmental_guard", **guarded)
    moving = await turn(hass, resort)
    await warm(hass)
    ada = Context(user_id=(await hass.auth.async_create_user("Ada")).id)
    device = [RESORT] if what == "emergency_stop" else RESORT
    await act(hass, what, ada, device=device)
    stood = (await resort.truth())["position"]
    hass.states.async_set(AIR, "20")
    await until_ended(hass)
    assert await commands(hass, "resume") == []
    assert len(alerts) == 1
    assert "is left as it is" in alerts[0].data["message"]
    assert (await resort.truth())["position"] == pytest.approx(stood, abs=2)
    if what == "pause":
        await act(hass, "cancel_task", device=RESORT)
    assert not (await moving)["ok"]


async def test_too_long(hass: HomeAssistant, resort: Resort, guarded: dict[str, Any]) -> None:
    """Somebody is told, and what is held stays so, also when it is cool again."""
    alerts = async_capture_events(hass, "alert")
    await make_automation(hass, "environmental_guard", **guarded, alert_after=0)
    moving = await turn(hass, resort)
    await warm(hass)
    await meanwhile(lambda: alerts, "somebody is told")
    assert "is paused, and stays so" in alerts[0].data["message"]
    hass.states.async_set(AIR, "20")
    await until_ended(hass)
    assert await commands(hass, "resume") == []
    await act(hass, "cancel_task", device=RESORT)
    assert not (await moving)["ok"]


async def test_nothing_runs(hass: HomeAssistant, resort: Resort, guarded: dict[str, Any]) -> None:
    """Then nothing is paused, and nothing resumed; the fans run all the same."""
    del resort
    cooled = async_capture_events(hass, "fans")
    await make_automation(
        hass,
        "environmental_guard",
        **guarded,
        when_above=[{"event": "fans", "event_data": {"on": "yes"}}],
        when_below=[{"event": "fans", "event_data": {"on": "no"}}],
    )
    hass.states.async_set(AIR, "30")
    await meanwhile(lambda: cooled, "the fans run")
    hass.states.async_set(AIR, "20")
    await until_ended(hass)
    assert [each.data["on"] for each in cooled] == ["yes", "no"]
    assert await commands(hass, "pause") == []
