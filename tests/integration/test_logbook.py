"""The logbook, as the page of a device asks for it."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import Speaker
from tests.integration.waiting import until


@pytest.fixture(autouse=True)
def _our_integration(recorder_mock: object, enable_custom_integrations: None) -> None:
    """As for all tests, but with a recorder, which must be there before Home Assistant is."""


@pytest.fixture
async def log(hass: HomeAssistant, mock_hass_config: None) -> None:
    """A logbook, which must be there before our entry is."""
    del mock_hass_config
    assert await async_setup_component(hass, "logbook", {})


async def told(
    hass: HomeAssistant, client: WebSocketGenerator, device_id: str, since: str
) -> list[tuple[str, str]]:
    """What the logbook tells of a device: names and messages."""
    await async_wait_recording_done(hass)
    entities = er.async_entries_for_device(er.async_get(hass), device_id)
    socket = await client(hass)
    await socket.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": since,
            "device_ids": [device_id],
            "entity_ids": [entity.entity_id for entity in entities],
        }
    )
    answer: dict[str, Any] = await socket.receive_json()
    assert answer["success"], answer
    return [(line["name"], line["message"]) for line in answer["result"] if "message" in line]


@pytest.mark.usefixtures("log")
async def test_the_page_of_a_device(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    resort: Resort,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """A real device: what it did, for whom, and why it refused somebody."""
    since = dt_util.utcnow().isoformat()
    lab = lab_entry.runtime_data
    device_id = await until(
        hass,
        lambda: (
            (device := lab.devices.get("plate-resort"))
            and device.readiness == "ready"
            and device.registry_id(hass)
        ),
        "the resort is announced",
        more=resort.said,
    )
    device = lab.devices["plate-resort"]
    fired = async_capture_events(hass, "lab2mqtt_task")
    await lab.calls.run(device, "activate_hotel", {"hotel": "B"}, issued_by="Anna")
    await lab.calls.run(device, "reserve", {"holder": "Anna", "seconds": 60}, issued_by="Anna")
    for parameters in ({"hotel": "A"}, {"hotel": "Z"}):
        with pytest.raises(Exception, match="activate_hotel"):
            await lab.calls.run(device, "activate_hotel", parameters, issued_by="Bob")
    await until(hass, lambda: len(fired) == 4, "all four are told")
    lines = await told(hass, hass_ws_client, device_id, since)
    assert lines[0] == ("Plate resort", "did activate_hotel (asked by Anna)")
    assert lines[1] == ("Plate resort", "did reserve (asked by Anna)")
    assert lines[2][1].startswith("refused activate_hotel (asked by Bob): reserved by 'Anna' until ")
    assert lines[3][1].startswith("refused activate_hotel (asked by Bob): hotel 'Z' is not one of")
    assert len(lines) == 4
    # A name that somebody gave it is the one to use.
    dr.async_get(hass).async_update_device(device_id, name_by_user="Carousel")
    assert (await told(hass, hass_ws_client, device_id, since))[0][0] == "Carousel"


@pytest.mark.usefixtures("log")
async def test_words_for_odd_events(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """An event with hardly anything in it is told all the same."""
    del lab_entry
    since = dt_util.utcnow().isoformat()
    await speaker.device(name="Gadget")
    fired = async_capture_events(hass, "lab2mqtt_task")
    await speaker.event("task_failed", task="wave", error_code="timeout", error="not within 5 s")
    await speaker.event("task_failed", task="wave", error_code="device_error")
    await speaker.event("task_failed")
    await speaker.event("task_succeeded")
    await until(hass, lambda: len(fired) == 4, "all four are told")
    await async_wait_recording_done(hass)
    socket = await hass_ws_client(hass)
    await socket.send_json_auto_id({"type": "logbook/get_events", "start_time": since})
    answer = await socket.receive_json()
    assert [line["message"] for line in answer["result"] if line.get("name") == "Gadget"] == [
        "failed at wave: not within 5 s",
        "failed at wave: device_error",
        "failed at a task: no reason was told",
        "did a task",
    ]
