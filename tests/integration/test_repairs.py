"""Repairs: they come when something has been wrong for long enough, and go by themselves."""

from datetime import timedelta
from http import HTTPStatus
import logging
import time
from typing import Any

from custom_components.lab2mqtt.lab import Lab
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import DEVICE, Speaker
from tests.integration.waiting import until

from lab2mqtt import wire

DAY = 24 * 3600.0
WAVE = {"wave": {"effect": "move"}}


def _issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Ours, by what they tell."""
    found = ir.async_get(hass).issues.values()
    return {str(each.translation_key): each for each in found if each.domain == "lab2mqtt"}


async def _later(hass: HomeAssistant, seconds: float) -> None:
    """Let time pass; what is just being heard is looked at before, and at the end."""
    for moment in (1, seconds, seconds):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=moment))
        await hass.async_block_till_done()


async def _known(hass: HomeAssistant, lab: Lab) -> None:
    """Wait until all is heard that the device has said; the state is the last of it."""
    await until(hass, lambda: DEVICE in lab.devices and lab.devices[DEVICE].state, "the device is known")


async def _health(speaker: Speaker, bridge: str, **more: Any) -> None:  # noqa: ANN401
    await speaker.bridge(bridge)
    health = {"version": "1", "timestamp": int(time.time()), "ledger": "ok", **more}
    await speaker.say(f"lab2mqtt/bridge/{bridge}/health", health)


async def test_bridge_gone(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, caplog: pytest.LogCaptureFixture
) -> None:
    """A bridge that is killed is told after two minutes, with its devices, until it is back."""
    lab = lab_entry.runtime_data
    await until(hass, lambda: "plate-resort" in lab.devices and lab.bridges["bench"].online, "all is known")
    await _later(hass, 3600)
    assert _issues(hass) == {}
    await resort.kill()
    await until(hass, lambda: not lab.bridges["bench"].online, "it is gone", 10)
    await _later(hass, 100)
    assert _issues(hass) == {}
    await _later(hass, 140)
    issue = _issues(hass)["bridge_gone"]
    assert issue.translation_placeholders
    assert issue.translation_placeholders["devices"] == "Plate resort"
    assert issue.translation_placeholders["bridge"] == "bench"
    assert not issue.is_fixable
    await resort.start()
    await until(hass, lambda: not _issues(hass), "the repair is gone")
    ours = [each for each in caplog.records if each.name.startswith("custom_components.lab2mqtt")]
    assert [each for each in ours if each.levelno >= logging.WARNING] == []


async def test_bridge_without_devices(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """Nobody misses a bridge that speaks for no device."""
    await speaker.bridge("bench", wire.OFFLINE)
    await until(hass, lambda: "bench" in lab_entry.runtime_data.bridges, "the bridge is known")
    await _later(hass, DAY)
    assert _issues(hass) == {}


@pytest.mark.parametrize(("protocol", "key"), [(2, "protocol_too_new"), (0, "protocol_too_old")])
async def test_protocol(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, protocol: int, key: str
) -> None:
    """A device of another protocol says which side is to be updated; removing the entry takes that away."""
    await speaker.device(protocol=protocol)
    await _known(hass, lab_entry.runtime_data)
    await _later(hass, 60)
    assert list(_issues(hass)) == [key]
    assert await hass.config_entries.async_remove(lab_entry.entry_id)
    await hass.async_block_till_done()
    assert _issues(hass) == {}


@pytest.mark.parametrize(
    ("description", "why"),
    [
        (b"{", "JSON"),
        ({"protocol": 1, "tasks": []}, "tasks is not an object"),
        ({"protocol": 1, "tasks": {"wave": "move"}}, "tasks.wave is not an object"),
    ],
)
async def test_description_unreadable(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, description: object, why: str
) -> None:
    """What cannot be read is told, with the reason; what it said before stays."""
    lab = lab_entry.runtime_data
    await speaker.device(tasks=WAVE)
    await _known(hass, lab)
    await speaker.describe(description)
    await until(hass, lambda: lab.unreadable, "it is seen")
    assert lab.devices[DEVICE].tasks == WAVE
    await _later(hass, 60)
    said = _issues(hass)["description_invalid"].translation_placeholders
    assert said
    assert said["device"] == DEVICE
    assert why in said["error"]
    await speaker.device(tasks=WAVE)
    await until(hass, lambda: not _issues(hass), "the repair is gone")


async def test_what_the_health_tells(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """A full disk, a refused description, and a device of two bridges, told once whoever tells it."""
    bridges = lab_entry.runtime_data.bridges
    await _health(
        speaker,
        "bench",
        ledger="no space left on device",
        refused={"pico-7": "entities.lamp.platform 'knob' is not one of …"},
        rivals={"plate-resort": "other"},
    )
    await _health(speaker, "other", silent={"plate-resort": "bench"})
    await until(hass, lambda: len(bridges) == 2 and all(each.health for each in bridges.values()), "both")
    await _later(hass, 60)
    issues = _issues(hass)
    assert set(issues) == {"disk_full", "description_invalid", "announced_by_two"}
    told = {key: issue.translation_placeholders or {} for key, issue in issues.items()}
    assert told["disk_full"]["error"] == "no space left on device"
    assert told["description_invalid"]["device"] == "pico-7"
    assert (told["announced_by_two"]["one"], told["announced_by_two"]["other"]) == ("bench", "other")
    await _health(speaker, "bench")
    await _health(speaker, "other")
    await until(hass, lambda: not _issues(hass), "all is well")


@pytest.mark.parametrize(("off", "key"), [(78, "clock_ahead"), (-200, "clock_behind")])
async def test_clock(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, off: int, key: str
) -> None:
    """A clock that differs is told by what is said just now, and never by what the broker remembers."""
    await speaker.device()
    await speaker.state({"updated_at": int(time.time()) - 5000})
    before = lab_entry.runtime_data.devices
    await until(hass, lambda: DEVICE in before and (before[DEVICE].clock or 0) < -1000, "it is heard")
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    lab = lab_entry.runtime_data
    await _known(hass, lab)
    await _later(hass, 600)
    assert _issues(hass) == {}
    await speaker.state({"updated_at": int(time.time()) + off})
    await until(hass, lambda: lab.devices[DEVICE].clock, "the clock is known")
    await _later(hass, 120)
    said = _issues(hass)[key].translation_placeholders
    assert said
    assert (said["name"], said["seconds"]) == ("Gadget", str(round(abs(off) / 10) * 10))
    await speaker.state({"updated_at": None})
    await until(hass, lambda: not _issues(hass), "who has no clock cannot be wrong")


async def test_clock_of_a_bridge(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """It is told once, and not of each of its devices."""
    lab = lab_entry.runtime_data
    await _health(speaker, "bench", timestamp=int(time.time()) + 90)
    await speaker.device(bridge="bench")
    await speaker.state({"updated_at": int(time.time()) + 90})
    await until(hass, lambda: DEVICE in lab.devices and lab.devices[DEVICE].clock, "the clock is known")
    await _later(hass, 120)
    found = [each for each in ir.async_get(hass).issues.values() if each.domain == "lab2mqtt"]
    assert [(each.translation_placeholders or {})["name"] for each in found] == ["bench"]


async def _fix(client: Any, issue_id: str, *, confirm: bool = True) -> dict[str, Any]:  # noqa: ANN401
    """Click through a repair; gives what the last step answered."""
    answer = await client.post("/api/repairs/issues/fix", json={"handler": "lab2mqtt", "issue_id": issue_id})
    assert answer.status == HTTPStatus.OK
    form: dict[str, Any] = await answer.json()
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    if not confirm:
        return form
    answer = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    assert answer.status == HTTPStatus.OK
    last: dict[str, Any] = await answer.json()
    return last


@pytest.fixture
async def _repairs(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    del lab_entry
    assert await async_setup_component(hass, "repairs", {})
    await hass.async_block_till_done()


async def _stopped_yesterday(speaker: Speaker, stop_id: str = "1") -> None:
    message = wire.stop_message(True, stop_id, "Ada", "a plate fell", int(time.time() - 13 * 3600))  # noqa: FBT003
    await speaker.say("lab2mqtt/emergency_stop", message)


@pytest.mark.usefixtures("_repairs")
async def test_lab_stop_latched(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_client: ClientSessionGenerator,
) -> None:
    """A stop of yesterday is shown with who and why; nothing is released before it is confirmed."""
    lab = lab_entry.runtime_data
    await speaker.stop()
    await until(hass, lambda: lab.stop, "the stop is known")
    await _later(hass, 11 * 3600)
    assert _issues(hass) == {}
    await _stopped_yesterday(speaker, "2")
    await until(hass, lambda: _issues(hass), "it is told at once, because it is old")
    issue = _issues(hass)["lab_stop_latched"]
    client = await hass_client()
    form = await _fix(client, issue.issue_id, confirm=False)
    said = form["description_placeholders"]
    assert (said["by"], said["reason"], said["lab"]) == ("Ada", "a plate fell", "Lab")
    assert lab.stop
    assert (await _fix(client, issue.issue_id))["type"] == "create_entry"
    await until(hass, lambda: lab.stop is None, "the stop is released")
    await until(hass, lambda: not _issues(hass), "the repair is gone")


@pytest.mark.usefixtures("_repairs")
async def test_another_stop_came(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_client: ClientSessionGenerator,
) -> None:
    """Who has looked at why one stop came releases no other."""
    lab = lab_entry.runtime_data
    await _stopped_yesterday(speaker)
    await until(hass, lambda: _issues(hass), "it is told")
    client = await hass_client()
    issue_id = _issues(hass)["lab_stop_latched"].issue_id
    form = await _fix(client, issue_id, confirm=False)
    await speaker.stop(stop_id="2")
    await until(hass, lambda: lab.stop.stop_id == "2", "the other stop is known")
    answer = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    assert (await answer.json())["reason"] == "another_stop"
    assert lab.stop


@pytest.mark.usefixtures("_repairs")
async def test_device_stop_latched(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_client: ClientSessionGenerator,
) -> None:
    """A device's own stop is reset by its task; when it refuses, the repair stays."""
    lab = lab_entry.runtime_data
    await speaker.device(tasks={"reset_emergency_stop": {"effect": "stop"}})
    held = {"readiness": "emergency_stopped", "readiness_reasons": ["by Ada"], "emergency_stop": True}
    await speaker.state(held)
    await until(hass, lambda: DEVICE in lab.devices and lab.devices[DEVICE].reasons, "the stop is known")
    await _later(hass, 13 * 3600)
    issue_id = _issues(hass)["device_stop_latched"].issue_id
    client = await hass_client()
    fix = hass.async_create_task(_fix(client, issue_id))
    first = await speaker.command()
    await speaker.fail(first, "device_error", "the arm is stuck")
    refused = await fix
    assert refused["reason"] == "not_released"
    assert "the arm is stuck" in refused["description_placeholders"]["error"]
    assert "device_stop_latched" in _issues(hass)
    fix = hass.async_create_task(_fix(client, issue_id))
    second = await speaker.command(test=lambda command: command["request_id"] != first["request_id"])
    await speaker.succeed(second)
    assert (await fix)["type"] == "create_entry"
    await speaker.state()
    await until(hass, lambda: not _issues(hass), "the repair is gone")


@pytest.mark.usefixtures("_repairs")
async def test_nothing_is_there_any_more(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_client: ClientSessionGenerator,
) -> None:
    """A repair that is open while its lab is unloaded says so."""
    await _stopped_yesterday(speaker)
    await until(hass, lambda: _issues(hass), "it is told")
    client = await hass_client()
    form = await _fix(client, _issues(hass)["lab_stop_latched"].issue_id, confirm=False)
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    answer = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})
    assert (await answer.json())["reason"] == "gone"
