"""How the lab is: its stop, its last failure, its devices, and whether it needs somebody."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.conftest import StartBridge
from tests.integration.lab_bridge import Resort
from tests.integration.shown import shows
from tests.integration.speaker import Speaker

STOP = "sensor.lab_stop"
FAILURE = "sensor.lab_last_failure"
READY = "sensor.lab_devices_ready"
PROBLEM = "binary_sensor.lab_problem"
WAVE = {"wave": {"effect": "move"}}
STOPPED = {"readiness": "emergency_stopped", "emergency_stop": True}


@pytest.mark.usefixtures("lab_entry")
async def test_a_lab_without_devices(hass: HomeAssistant) -> None:
    """It has all its entities, and nothing is wrong with it."""
    await shows(hass, STOP, "released", by=None, reason=None, since=None, unconfirmed=[], unreachable=[])
    await shows(hass, READY, "0", total=0, not_ready={})
    await shows(hass, FAILURE, "unknown")
    await shows(hass, PROBLEM, "off", stopped=False, devices={}, bridges=[])


@pytest.mark.usefixtures("lab_entry")
async def test_a_stop_that_is_not_confirmed(hass: HomeAssistant, speaker: Speaker) -> None:
    """The lab is stopping until all that could be reached have confirmed."""
    await speaker.device("arm", name="Arm", tasks=WAVE)
    await speaker.device("lamp", name="Lamp", tasks={"light": {"effect": "set"}})
    await speaker.device("far", name="Far", tasks=WAVE)
    await speaker.status("offline", "far")
    await shows(hass, READY, "2", total=3)
    await speaker.stop(stop_id="7f3a", by="Anna")
    await shows(hass, STOP, "stopping", by="Anna", reason="to see", unconfirmed=["Arm"], unreachable=["Far"])
    await speaker.state(STOPPED | {"stop_confirmed": False}, "arm")
    await shows(hass, PROBLEM, "on", stopped=True, devices={"arm": "emergency_stopped", "far": "unreachable"})
    await shows(hass, STOP, "stopping", unconfirmed=["Arm"])
    # Gone meanwhile, it is still one that may move.
    await speaker.status("offline", "arm")
    await shows(hass, STOP, "stopping", unconfirmed=["Arm"], unreachable=["Arm", "Far"])
    await speaker.status("online", "arm")
    await speaker.state(STOPPED | {"stop_confirmed": True}, "arm")
    await shows(hass, STOP, "stopped", unconfirmed=[], unreachable=["Far"])
    await speaker.stop(engaged=False, stop_id="older")
    await speaker.stop(engaged=False, stop_id="7f3a")
    await shows(hass, STOP, "released", unconfirmed=[], unreachable=[])


async def test_a_failure_is_remembered(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """The last one is told in short, and is still known after a reload."""
    await speaker.device(tasks=WAVE)
    await speaker.event("task_succeeded", task="wave", request_id="1")
    told = {"task": "wave", "request_id": "2", "error": "Anna has it", "error_code": "reserved"}
    await speaker.event("task_failed", **told)
    await shows(hass, FAILURE, "Gadget: wave: reserved", device="gadget", device_name="Gadget", **told)
    at = hass.states.get(FAILURE).attributes["at"]
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await shows(hass, FAILURE, "Gadget: wave: reserved", device="gadget", at=at, **told)
    await speaker.event("task_failed", task="wave", error_code="timeout")
    await shows(hass, FAILURE, "Gadget: wave: timeout", error=None, request_id=None)


async def test_a_failure_is_remembered_without_a_link(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
) -> None:
    """Also when Home Assistant ended while nothing was available."""
    await speaker.device(tasks=WAVE)
    await speaker.event("task_failed", task="wave", error_code="busy")
    await shows(hass, FAILURE, "Gadget: wave: busy")
    lab = lab_entry.runtime_data
    lab.connected = False
    lab.changed()
    await shows(hass, FAILURE, "unavailable")
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await shows(hass, FAILURE, "Gadget: wave: busy", task="wave")


@pytest.mark.usefixtures("lab_entry")
async def test_devices_that_are_not_ready(hass: HomeAssistant, speaker: Speaker) -> None:
    """Each of them is told with the reason."""
    await speaker.device("arm", name="Arm")
    await speaker.device("lamp", name="Lamp")
    await shows(hass, READY, "2", total=2, not_ready={})
    fault = {"readiness": "fault", "readiness_reasons": ["the lamp is broken"]}
    await speaker.state(fault, "lamp")
    await shows(
        hass,
        READY,
        "1",
        not_ready={"lamp": {"name": "Lamp", "readiness": "fault", "reasons": ["the lamp is broken"]}},
    )
    await shows(hass, PROBLEM, "on", devices={"lamp": "fault"})
    # Who works on it knows that.
    await speaker.state({"readiness": "maintenance"}, "lamp")
    await shows(hass, PROBLEM, "off", devices={})
    await speaker.describe(b"", "lamp")
    await shows(hass, READY, "1", total=1, not_ready={})


@pytest.mark.usefixtures("lab_entry")
async def test_what_makes_no_sense(
    hass: HomeAssistant, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    """Odd descriptions, states and events neither raise nor hide the others."""
    await speaker.device("arm", name="Arm", tasks=WAVE)
    await speaker.describe({"name": ["?"], "kind": {}, "tasks": {"a": "b", "c": None}, "bridge": 7}, "odd")
    await speaker.status("online", "odd")
    await speaker.state({"readiness": ["?"], "readiness_reasons": 3, "reserved_until": "soon"}, "odd")
    await speaker.describe({"tasks": ["a"], "protocol": {"a": 1}}, "odder")
    await speaker.say("lab2mqtt/arm/event", {"event_type": ["task_failed"]}, retain=False)
    odd = {"event_type": "task_failed", "task": 7, "timestamp": 10**14}
    await speaker.say("lab2mqtt/arm/event", odd, retain=False)
    await shows(hass, FAILURE, "Arm", task=None)
    await speaker.event("task_failed", "arm", task="x" * 400, error="y" * 5000)
    await speaker.stop()
    await shows(hass, STOP, "stopping", unconfirmed=["Arm"])
    assert len(hass.states.get(FAILURE).state) == 255
    assert len(hass.states.get(FAILURE).attributes["error"]) == 2000
    await shows(hass, READY, "1", total=1)
    await shows(
        hass,
        PROBLEM,
        "on",
        devices=dict.fromkeys(("odd", "odder"), "description_invalid"),
    )
    assert [
        one for one in caplog.records if one.levelname in ("WARNING", "ERROR") and "lab2mqtt" in one.name
    ] == []


async def test_two_labs(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Each has its own entities and its own stop."""
    other = MockConfigEntry(
        domain="lab2mqtt", title="Cellar", unique_id="cellar", data={"base": "cellar"}, options={}
    )
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    assert lab_entry.state is other.state is ConfigEntryState.LOADED
    await hass.services.async_call(
        "button", "press", {"entity_id": "button.cellar_emergency_stop"}, blocking=True
    )
    await shows(hass, "sensor.cellar_stop", "stopped", by="Home Assistant")
    await shows(hass, STOP, "released")
    assert speaker.seen.last("cellar/emergency_stop")["engaged"] is True
    assert speaker.seen.last("lab2mqtt/emergency_stop") is None


@pytest.mark.usefixtures("lab_entry")
async def test_real_devices(hass: HomeAssistant, resort: Resort, start_bridge: StartBridge) -> None:
    """A bridge that dies takes its devices out of the ready ones, and no others."""
    cell = await start_bridge({"prop": {"model": "plate_resort", "simulated": True}}, "cell")
    await shows(hass, READY, "2", total=2)
    await shows(hass, PROBLEM, "off")
    await cell.kill()
    await shows(hass, READY, "1", total=2)
    await shows(hass, PROBLEM, "on", devices={"prop": "unreachable"}, bridges=["cell"])
    assert resort.program.pid
