"""Assist: what is said in English and German, with no file of sentences, and a yes for what moves."""

from datetime import timedelta
from typing import Any

from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser, async_fire_time_changed
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

TASKS: dict[str, Any] = {
    "mix_color": {
        "effect": "move",
        "parameters": {"red": {"type": "number", "maximum": 100}, "target_well": {"type": "string"}},
        "required": ["red"],
    },
    "park": {"effect": "move"},
    "set_lamp": {"effect": "set", "parameters": {"on": {"type": "boolean"}}, "required": ["on"]},
}


@pytest.fixture
async def ada(hass: HomeAssistant) -> MockUser:
    """Who speaks."""
    return MockUser(name="Ada").add_to_hass(hass)


@pytest.fixture
async def _assist(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Assist, and a lab with one device."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    await speaker.device("ot2", name="OT-2 (bench)", tasks=TASKS)
    lab = lab_entry.runtime_data
    await until(hass, lambda: "ot2" in lab.devices and lab.devices["ot2"].state, "the device is known")


async def _say(hass: HomeAssistant, text: str, user: MockUser | None = None, language: str = "en") -> str:
    context = Context(user_id=user.id if user else None)
    result = await conversation.async_converse(hass, text, None, context, language)
    return str(result.response.speech["plain"]["speech"])


@pytest.mark.usefixtures("_assist")
@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("Please stop the whole lab!", "en", "The lab is stopped."),
        ("emergency stop", "en", "The lab is stopped."),
        ("Stopp das Labor!", "de", "Das Labor ist angehalten."),
        ("Halte das Labor an", "de", "Das Labor ist angehalten."),
        ("Not-Aus", "de", "Das Labor ist angehalten."),
    ],
)
async def test_stop(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    speaker: Speaker,
    ada: MockUser,
    text: str,
    language: str,
    told: str,
) -> None:
    """It stops at once, in whatever language, and tells when all stand."""
    lab = lab_entry.runtime_data
    await speaker.state({"emergency_stop": True, "stop_confirmed": True}, "ot2")
    await until(hass, lambda: lab.devices["ot2"].stop_confirmed, "the device stands")
    assert await _say(hass, text, ada, language) == told
    assert lab.stop.by == "Ada"
    assert lab.stop.reason == text


@pytest.mark.usefixtures("_assist")
async def test_stop_is_not_confirmed(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """It never says that all stand while one has not confirmed."""
    told = await _say(hass, "stop the lab")
    assert told == "The stop was sent. These have not confirmed it yet: OT-2 (bench)."
    assert lab_entry.runtime_data.stop.reason == "stop the lab"
    told = await _say(hass, "what is the lab doing?")
    assert told.startswith("The lab is being stopped, by Home Assistant. Reason: stop the lab.")


@pytest.mark.usefixtures("_assist")
async def test_status(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """What the lab is doing, and how far it is."""
    assert (
        await _say(hass, "Was macht das Labor?", None, "de")
        == "Es läuft nichts. 1 von 1 Geräten sind bereit."
    )
    await speaker.state({"readiness": "busy", "task": "mix_color"}, "ot2")
    lab = lab_entry.runtime_data
    await until(hass, lambda: lab.devices["ot2"].readiness == "busy", "the task is known")
    command = {"request_id": "1", "task": "mix_color"}
    await speaker.progress(command, "progress", "ot2", percent=40)
    await until(hass, lambda: lab.devices["ot2"].progress, "the progress is known")
    assert await _say(hass, "what is the lab doing") == (
        "OT-2 (bench): mix color (40 %) is running. 0 of 1 devices are ready."
    )


@pytest.mark.usefixtures("_assist")
async def test_ready(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Whether a device is ready, by any of its names, and why not."""
    for name in ("OT-2 bench", "the ot 2 bench", "ot2"):
        assert await _say(hass, f"Is {name} ready?") == "OT-2 (bench) is ready."
    await speaker.state({"readiness": "fault", "readiness_reasons": ["the door is open"]}, "ot2")
    lab = lab_entry.runtime_data
    await until(hass, lambda: lab.devices["ot2"].readiness == "fault", "the fault is known")
    assert await _say(hass, "ist der ot2 bereit?", None, "de") == (
        "OT-2 (bench) ist nicht bereit: the door is open."
    )
    await speaker.state({"readiness": "fault"}, "ot2")
    await until(hass, lambda: not lab.devices["ot2"].reasons, "the reason is gone")
    assert await _say(hass, "is ot2 ready") == "OT-2 (bench) is not ready: it has a fault."


@pytest.mark.usefixtures("_assist")
async def test_of_others_nothing_is_taken(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """What is said of other things, or before anything was asked, or with no lab, is not ours."""
    for text in ("is the oven ready", "yes do it", "run the washing on the balcony"):
        assert "lab" not in await _say(hass, text)
        assert "waits" not in await _say(hass, text)
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    assert "set up" not in await _say(hass, "stop the lab")


@pytest.mark.usefixtures("_assist")
async def test_what_moves_is_asked_back(hass: HomeAssistant, speaker: Speaker, ada: MockUser) -> None:
    """It runs once the same person says yes, with the parameters as they were said."""
    asked = await _say(hass, "Run mix color on OT-2 bench with red 30.5 and target well B1", ada)
    assert asked.startswith("OT-2 (bench): mix color (red 30.5, target well B1).")
    other = MockUser(name="Bob").add_to_hass(hass)
    assert await _say(hass, "yes, do it", other) == "There is nothing that waits for your yes."
    assert speaker.commands("ot2") == []
    answer = hass.async_create_task(_say(hass, "Yes, do it!", ada))
    command = await speaker.command("ot2")
    await speaker.succeed(command, {}, "ot2")
    assert await answer == "OT-2 (bench): mix color (red 30.5, target well B1) is done."
    assert command["parameters"] == {"red": 30.5, "target_well": "B1"}
    assert command["issued_by"] == "Ada"
    assert "is done" not in await _say(hass, "yes, do it", ada)
    assert len(speaker.commands("ot2")) == 1


@pytest.mark.usefixtures("_assist")
async def test_german_refused(hass: HomeAssistant, speaker: Speaker, ada: MockUser) -> None:
    """In German, too; how it failed is told in German."""
    asked = await _say(hass, "Führe park am OT2 aus", ada, "de")
    assert asked.startswith("OT-2 (bench): park. Ist niemand im Weg?")
    answer = hass.async_create_task(_say(hass, "Ja, mach das", ada, "de"))
    await speaker.fail(await speaker.command("ot2"), "reserved", "Bob has it", "ot2")
    assert await answer == "OT-2 (bench): park \N{EN DASH} jemand anderes hat das Gerät: Bob has it"


@pytest.mark.usefixtures("_assist")
async def test_yes_came_too_late(hass: HomeAssistant, speaker: Speaker, ada: MockUser) -> None:
    """After half a minute nothing waits any more."""
    assert "park" in await _say(hass, "run park on ot2", ada)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await hass.async_block_till_done()
    assert "done" not in await _say(hass, "yes, do it", ada)
    assert speaker.commands("ot2") == []


@pytest.mark.usefixtures("_assist")
async def test_what_moves_nothing_is_done_at_once(
    hass: HomeAssistant, speaker: Speaker, ada: MockUser
) -> None:
    """A lamp needs no yes, unless its task was not quite said."""
    answer = hass.async_create_task(_say(hass, "start set lamp on ot2 with on yes", ada))
    command = await speaker.command("ot2")
    await speaker.succeed(command, None, "ot2")
    assert await answer == "OT-2 (bench): set lamp (on True) is done."
    assert command["parameters"] == {"on": True}
    assert "say: yes, do it" in (await _say(hass, "start set lamps on ot2 with on no", ada)).lower()


@pytest.mark.usefixtures("_assist")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("run mix color on ot2", "mix color needs: red. Say it with"),
        ("run mix color on ot2 with red 300", "mix color cannot be run so: "),
        ("run mix color on ot2 with blue 3", "mix color needs: red."),
        ("run tango on ot2", "OT-2 (bench) has no task tango. It has: mix color, park, set lamp."),
        ("run park on ot2", "I do not know who is speaking, so nothing moves."),
    ],
)
async def test_cannot_be_done(hass: HomeAssistant, speaker: Speaker, text: str, told: str) -> None:
    """It tells what would be right; and of nobody a yes is taken."""
    assert (await _say(hass, text)).startswith(told)
    assert speaker.commands("ot2") == []


@pytest.mark.usefixtures("_assist")
async def test_two_of_one_name(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """Which of two is meant is never guessed."""
    await speaker.device("ot3", name="OT-2 (bench)", tasks=TASKS)
    await until(hass, lambda: "ot3" in lab_entry.runtime_data.devices, "the other is known")
    assert await _say(hass, "is ot-2 bench ready") == "There are several devices called ot-2 bench."
    assert await _say(hass, "is ot3 ready") == "OT-2 (bench) is ready."


@pytest.mark.usefixtures("_assist")
async def test_no_link(hass: HomeAssistant, mqtt_entry: MockConfigEntry) -> None:
    """A stop that could not be sent says so, loudly."""
    assert await hass.config_entries.async_unload(mqtt_entry.entry_id)
    assert (await _say(hass, "stop the lab")).startswith("The lab was not stopped! Use the hardware stop.")
