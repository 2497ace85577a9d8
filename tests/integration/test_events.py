"""What happens in the lab: for event entities, and on Home Assistant's own bus."""

from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

TASKS = "event.lab_tasks"
STOPS = "event.lab_stops"


async def happened(hass: HomeAssistant, entity_id: str, event_type: str, **attributes: object) -> None:
    """Wait until an event entity tells of an event with these attributes."""
    wanted = {"event_type": event_type, **attributes}
    await until(
        hass,
        lambda: (
            (found := hass.states.get(entity_id))
            and {key: found.attributes.get(key) for key in wanted} == wanted
        ),
        f"{entity_id} tells {wanted}",
        more=lambda: hass.states.get(entity_id),
    )


async def run(hass: HomeAssistant, task: str, **parameters: object) -> Any:  # noqa: ANN401
    """Run a task of the plate resort."""
    return await hass.services.async_call(
        "lab2mqtt",
        "run_task",
        {"device": "plate-resort", "task": task, "parameters": parameters, "raise_errors": False},
        blocking=True,
        return_response=True,
    )


async def test_tasks_of_a_real_device(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort
) -> None:
    """A task that is done, and one that is refused, with who asked and on which device's page."""
    device = await until(
        hass,
        lambda: (
            (found := lab_entry.runtime_data.devices.get("plate-resort"))
            and found.readiness == "ready"
            and found.registry_id(hass)
            and found
        ),
        "the resort is announced",
        more=resort.said,
    )
    fired = async_capture_events(hass, "lab2mqtt_task")
    answer = await run(hass, "activate_hotel", hotel="B")
    about = {"device": "plate-resort", "device_name": "Plate resort", "request_id": answer["request_id"]}
    await happened(hass, TASKS, "task_succeeded", task="activate_hotel", error_code=None, **about)
    refused = await run(hass, "activate_hotel", hotel="Z")
    about["request_id"] = refused["request_id"]
    wrong = {"error_code": "invalid_parameters", "error": refused["error"]}
    await happened(hass, TASKS, "task_failed", task="activate_hotel", **about, **wrong)
    assert [event.data for event in fired] == [
        {
            "type": "task_succeeded",
            "task": "activate_hotel",
            "issued_by": "Home Assistant",
            "device_id": device.registry_id(hass),
            **about,
            "request_id": answer["request_id"],
        },
        {
            "type": "task_failed",
            "task": "activate_hotel",
            "issued_by": "Home Assistant",
            "device_id": device.registry_id(hass),
            **about,
            **wrong,
        },
    ]


@pytest.mark.usefixtures("lab_entry")
async def test_what_others_ask_for(hass: HomeAssistant, speaker: Speaker) -> None:
    """Who asked is known of whoever tells it, and left out of whoever does not."""
    await speaker.device(tasks={"wave": {"effect": "move"}})
    fired = async_capture_events(hass, "lab2mqtt_task")
    for request_id, more in (("1", {"issued_by": "notebook"}), ("2", {})):
        await speaker.say(
            "lab2mqtt/gadget/command", {"request_id": request_id, "task": "wave", **more}, retain=False
        )
        await speaker.event("task_succeeded", task="wave", request_id=request_id)
        await happened(hass, TASKS, "task_succeeded", task="wave", request_id=request_id)
    await speaker.say("lab2mqtt/gadget/command", b"{", retain=False)
    await speaker.event("reservation_ended", holder="Anna")
    await speaker.event("task_failed", task="wave", error_code="timeout")
    await happened(hass, TASKS, "task_failed", task="wave", error_code="timeout")
    assert [event.data.get("issued_by") for event in fired] == ["notebook", None, None]
    assert "device_id" not in fired[0].data  # MQTT has no such device


@pytest.mark.usefixtures("lab_entry")
async def test_who_asked_is_forgotten(hass: HomeAssistant, speaker: Speaker) -> None:
    """Of the commands without an end only the newest are remembered."""
    await speaker.device(tasks={"wave": {"effect": "move"}})
    fired = async_capture_events(hass, "lab2mqtt_task")
    for number in range(501):
        command = {"request_id": str(number), "task": "wave", "issued_by": "flood"}
        speaker.seen.publish("lab2mqtt/gadget/command", command)
    await speaker.event("task_succeeded", task="wave", request_id="0")
    await speaker.event("task_succeeded", task="wave", request_id="500")
    await happened(hass, TASKS, "task_succeeded", request_id="500")
    assert [event.data.get("issued_by") for event in fired] == [None, "flood"]


async def test_stops(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Each stop and each release is told once; what was engaged before is no event."""
    states = async_capture_events(hass, "state_changed")
    await speaker.stop(stop_id="7f3a", by="Anna")
    await happened(hass, STOPS, "engaged", stop_id="7f3a", by="Anna", reason="to see")
    await speaker.stop(stop_id="7f3a", by="Bob")
    await speaker.stop(stop_id="8b00", by="Bob")
    await happened(hass, STOPS, "engaged", stop_id="8b00", by="Bob")
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await until(hass, lambda: hass.states.get("sensor.lab_stop").state == "stopped", "the stop is known")
    await happened(hass, STOPS, "engaged", stop_id="8b00")
    await speaker.stop(engaged=False, stop_id="8b00", by="Bob")
    await happened(hass, STOPS, "released", stop_id="8b00")
    moments = [
        event.data["new_state"].state
        for event in states
        if event.data["entity_id"] == STOPS
        and event.data["new_state"].state not in ("unknown", "unavailable")
    ]
    assert len(set(moments)) == 3
