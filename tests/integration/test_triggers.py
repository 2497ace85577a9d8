"""The triggers and conditions of a lab, in automations."""

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import condition, config_validation as cv, trigger
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from tests.integration.speaker import Speaker
from tests.integration.waiting import until
import voluptuous as vol

try:
    from homeassistant.helpers.trigger import TriggerActionRunner as _New  # noqa: F401
except ImportError:
    BY_PURPOSE = False
else:
    BY_PURPOSE = True

TELL = {
    "seen": "{{ {'device': trigger.device | default, 'task': trigger.task | default,"
    " 'request_id': trigger.request_id | default, 'code': trigger.error_code | default,"
    " 'was': trigger.was | default, 'by': trigger.by | default, 'name': trigger.device_name | default} }}"
}


async def _automation(hass: HomeAssistant, name: str, **options: object) -> list[ServiceCall]:
    """An automation that tells what it was triggered by."""
    calls = async_mock_service(hass, "test", "told")
    config = {
        "alias": "Test",
        "triggers": {"trigger": f"lab2mqtt.{name}", "options": options},
        "actions": {"action": "test.told", "data": TELL},
    }
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    assert hass.states.get("automation.test").state == "on"
    return calls


async def _known(hass: HomeAssistant, entry: MockConfigEntry, speaker: Speaker, **more: Any) -> None:  # noqa: ANN401
    await speaker.device(tasks={"wave": {"effect": "move"}}, **more)
    lab = entry.runtime_data
    await until(hass, lambda: "gadget" in lab.devices and lab.devices["gadget"].state, "the gadget is known")


async def test_task_finished(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """It tells device, task and request; tasks that every device has are nobody's business."""
    calls = await _automation(hass, "task_finished")
    await _known(hass, lab_entry, speaker)
    await speaker.event("task_succeeded", task="reserve", request_id="0")
    await speaker.event("task_failed", task="wave", request_id="1", error="no", error_code="busy")
    await speaker.event("task_succeeded", task="wave", request_id="2")
    await until(hass, lambda: calls, "it has fired")
    assert [call.data["seen"]["request_id"] for call in calls] == ["2"]
    assert calls[0].data["seen"]["device"] == "gadget"
    assert calls[0].data["seen"]["name"] == "Gadget"
    assert calls[0].data["seen"]["task"] == "wave"
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test", "stop_actions": False}, blocking=True
    )
    heard: list[str] = []
    lab_entry.runtime_data.on_event(lambda _, message: heard.append(message["request_id"]))
    await speaker.event("task_succeeded", task="wave", request_id="3")
    await until(hass, lambda: heard == ["3"], "the event is known")
    assert len(calls) == 1


async def test_task_failed_of_some(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Only the task and the device that it names, and what went wrong; also after a reload of the lab."""
    calls = await _automation(hass, "task_failed", device="gadget", task="wave")
    await _known(hass, lab_entry, speaker)
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await _known(hass, lab_entry, speaker)
    await speaker.device("other", tasks={"wave": {"effect": "move"}})
    await speaker.event("task_failed", "other", task="wave", request_id="1", error="no", error_code="busy")
    await speaker.event("task_failed", task="bow", request_id="2", error="no", error_code="busy")
    await speaker.event("task_failed", task="wave", request_id="3", error="no", error_code="timeout")
    await until(hass, lambda: calls, "it has fired")
    assert [call.data["seen"]["code"] for call in calls] == ["timeout"]


async def test_device_ready(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """It fires when the device becomes ready, and not because it is."""
    await _known(hass, lab_entry, speaker)
    calls = await _automation(hass, "device_ready", device=["gadget"])
    lab = lab_entry.runtime_data
    await speaker.state({"maintenance": True})
    await until(hass, lambda: lab.devices["gadget"].state["maintenance"], "the change is known")
    assert calls == []
    await speaker.state({"readiness": "fault", "readiness_reasons": ["stuck"]})
    changes: list[str] = []
    lab.on_change(lambda: changes.append(lab.devices["gadget"].readiness))
    await until(hass, lambda: "fault" in changes, "the fault is told")
    await speaker.state()
    await until(hass, lambda: calls, "it has fired")
    assert [call.data["seen"]["was"] for call in calls] == ["fault"]


@pytest.mark.parametrize("engaged", [True, False])
async def test_stop(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, *, engaged: bool
) -> None:
    """The stop of the lab comes, and goes."""
    lab = lab_entry.runtime_data
    calls = await _automation(hass, "stop_engaged" if engaged else "stop_released")
    words: list[str] = []
    lab.on_change(lambda: words.append(lab.stop_word))
    await speaker.stop()
    await until(hass, lambda: "stopped" in words, "the stop is told")
    assert len(calls) == int(engaged)
    await speaker.stop(engaged=False)
    await until(hass, lambda: words[-1] == "released", "the release is told")
    await until(hass, lambda: len(calls) == 1, "it has fired once")
    assert calls[0].data["seen"]["by"] == "the test"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"trigger": "lab2mqtt.task_failed", "options": {"taks": "wave"}}, "taks"),
        ({"trigger": "lab2mqtt.dance"}, "dance"),
    ],
)
@pytest.mark.usefixtures("lab_entry")
async def test_wrong_trigger(hass: HomeAssistant, wrong: dict[str, Any], told: str) -> None:
    """A trigger or an option that is not there is refused, by name."""
    with pytest.raises(vol.Invalid, match=told):
        await trigger.async_validate_trigger_config(hass, cv.TRIGGER_SCHEMA([wrong]))


@pytest.mark.skipif(not BY_PURPOSE, reason="Conditions by purpose are newer")
async def test_conditions(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """They tell whether a device is ready, and whether the lab is stopped."""
    await _known(hass, lab_entry, speaker)
    lab = lab_entry.runtime_data

    async def check(name: str, **options: object) -> bool | None:
        config = {"condition": f"lab2mqtt.{name}", "options": options}
        valid = await condition.async_validate_condition_config(hass, config)
        checker = await condition.async_from_config(hass, valid)
        result = checker(hass)
        checker.async_unload()
        return result

    assert await check("device_is_ready", device="gadget") is True
    assert await check("lab_is_stopped") is False
    assert await check("lab_is_stopped", lab=lab_entry.entry_id) is False
    await speaker.stop()
    await until(hass, lambda: lab.stop, "the lab is stopped")
    assert await check("lab_is_stopped") is True
    await speaker.state({"readiness": "busy"})
    await until(hass, lambda: lab.devices["gadget"].readiness == "busy", "the gadget is busy")
    assert await check("device_is_ready", device=["gadget"]) is False
    with pytest.raises(condition.ConditionError, match="gadgte"):
        await check("device_is_ready", device="gadgte")
    with pytest.raises(condition.ConditionError, match="not set up"):
        await check("lab_is_stopped", lab="nowhere")
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    assert await check("device_is_ready", device="gadget") is False


@pytest.mark.skipif(not BY_PURPOSE, reason="Triggers by purpose are newer")
async def test_descriptions(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """The editor is told of every trigger and condition, with its fields."""
    del lab_entry
    assert await async_setup_component(hass, "automation", {})
    await hass.async_block_till_done()
    described = await trigger.async_get_all_descriptions(hass)
    ours = {name: text for name, text in described.items() if name.startswith("lab2mqtt")}
    assert set(ours) == {
        f"lab2mqtt.{name}"
        for name in ("device_ready", "stop_engaged", "stop_released", "task_failed", "task_finished")
    }
    assert set(ours["lab2mqtt.task_failed"]["fields"]) == {"device", "task"}
    conditions = await condition.async_get_all_descriptions(hass)
    assert {name for name in conditions if name.startswith("lab2mqtt")} == {
        "lab2mqtt.device_is_ready",
        "lab2mqtt.lab_is_stopped",
    }
