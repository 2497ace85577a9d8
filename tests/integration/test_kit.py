"""The kit itself: a real broker, a real bridge and Home Assistant's own MQTT integration."""

from homeassistant.core import HomeAssistant, State
import pytest
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import Speaker
from tests.integration.waiting import until


@pytest.mark.usefixtures("mqtt_entry")
async def test_a_real_bridge_is_seen(hass: HomeAssistant, resort: Resort) -> None:
    """What a simulated plate resort measures reaches an entity of MQTT."""
    truth = await resort.truth()

    def position() -> State | None:
        state = hass.states.get("sensor.plate_resort_position")
        return None if state is None or state.state in ("unknown", "unavailable") else state

    shown = await until(hass, position, "the position is shown", more=resort.said)
    assert float(shown.state) == pytest.approx(truth["position"] % 360, abs=0.5)


async def test_what_is_said_is_heard(speaker: Speaker) -> None:
    """The speaker's own record holds what it said, and tests can answer commands by it."""
    await speaker.device(tasks={"wave": {"effect": "move"}})
    assert speaker.seen.last("lab2mqtt/gadget/description")["tasks"] == {"wave": {"effect": "move"}}
    assert speaker.seen.last("lab2mqtt/gadget/status")["status"] == "online"
    await speaker.say("lab2mqtt/gadget/command", {"request_id": "1", "task": "wave"}, retain=False)
    command = await speaker.command()
    await speaker.succeed(command, {"waved": True})
    assert speaker.seen.last("lab2mqtt/gadget/result")["result"] == {"waved": True}
