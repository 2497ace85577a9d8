"""The two buttons of a lab: stop, and reset."""

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from tests.integration.lab_bridge import Resort
from tests.integration.shown import shows
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

from lab2mqtt.hub.mosquitto import Mosquitto

STOP = "button.lab_emergency_stop"
RESET = "button.lab_reset_emergency_stop"
SENSOR = "sensor.lab_stop"


async def press(hass: HomeAssistant, entity_id: str, context: Context | None = None) -> None:
    """Press a button, as the page of a dashboard does."""
    await hass.services.async_call(
        "button", "press", {"entity_id": entity_id}, blocking=True, context=context
    )


async def test_stop_and_reset(hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort) -> None:
    """What moves stands, says so, and may move again only after the reset."""
    device = await until(
        hass,
        lambda: (found := lab_entry.runtime_data.devices.get("plate-resort")) and found.reachable and found,
        "the resort is known",
    )
    anna = MockUser(name="Anna", is_owner=True).add_to_hass(hass)
    await press(hass, STOP, Context(user_id=anna.id))
    await shows(hass, SENSOR, "stopped")
    attributes = hass.states.get(SENSOR).attributes
    assert attributes["by"] == "Anna"
    assert attributes["unconfirmed"] == attributes["unreachable"] == []
    assert attributes["since"].tzinfo is not None
    assert device.readiness == "emergency_stopped"
    assert abs((await resort.truth())["velocity"]) < 1  # it may still roll a little
    await press(hass, RESET)
    await shows(hass, SENSOR, "released")
    await until(hass, lambda: device.readiness == "ready", "the resort may move again")
    assert hass.states.get(SENSOR).attributes["by"] is None


@pytest.mark.usefixtures("lab_entry")
async def test_second_tap(hass: HomeAssistant, speaker: Speaker) -> None:
    """The stop button never releases, and the newest stop is the one to release."""
    await press(hass, STOP)
    await shows(hass, SENSOR, "stopped")
    await press(hass, STOP)
    await hass.async_block_till_done()
    told = speaker.seen.last("lab2mqtt/emergency_stop")
    assert told["engaged"] is True
    await until(
        hass,
        lambda: len(speaker.seen.heard("lab2mqtt/emergency_stop")) == 2,
        "both stops were said",
    )
    assert hass.states.get(SENSOR).state == "stopped"


@pytest.mark.usefixtures("lab_entry")
async def test_nothing_to_reset(hass: HomeAssistant, speaker: Speaker) -> None:
    """A reset of what is not stopped is refused in words, and says nothing to anybody."""
    with pytest.raises(ServiceValidationError) as refused:
        await press(hass, RESET)
    assert refused.value.translation_key == "not_stopped"
    assert refused.value.translation_placeholders == {"lab": "Lab"}
    assert str(refused.value) == "Lab is not stopped, so there is nothing to reset"
    assert speaker.seen.heard("lab2mqtt/emergency_stop") == []


@pytest.mark.usefixtures("lab_entry")
async def test_without_a_broker(
    hass: HomeAssistant, broker: Mosquitto, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a link nothing is available; with it, all is again."""
    await shows(hass, SENSOR, "released")
    assert hass.states.get(STOP).state == "unknown"  # available, and never pressed
    await _birth(hass, speaker)
    await hass.async_add_executor_job(broker.stop)
    await shows(hass, STOP, "unavailable")
    told = hass.states.async_all(("binary_sensor", "button", "event", "sensor"))
    ours = {state.entity_id: state.state for state in told if ".lab_" in state.entity_id}
    assert ours == dict.fromkeys(ours, "unavailable")
    assert len(ours) > 5
    since = speaker.seen.mark()
    await hass.async_add_executor_job(broker.start)
    await shows(hass, STOP, "unknown", within=30)
    await shows(hass, SENSOR, "released")
    await _birth(hass, speaker, since)
    assert [one for one in caplog.records if one.name.startswith("custom_components.lab2mqtt")] == []


async def _birth(hass: HomeAssistant, speaker: Speaker, since: int = 0) -> None:
    """Wait for the last that Home Assistant does for a new link; in the middle of it, an end is an error."""

    def wait() -> None:
        topic = "homeassistant/status"
        speaker.seen.wait(topic, b"online".__eq__, since=since, within=20, read=lambda heard: heard.payload)

    await hass.async_add_executor_job(wait)
