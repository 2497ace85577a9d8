"""The run queue: tasks in the words of the command line, done one after the other while it is switched on."""

from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.speaker import DEVICE, Speaker
from tests.integration.test_runs import act, entity_id, items, runs, update
from tests.integration.waiting import meanwhile

from lab2mqtt import wire

TASKS = {
    "wave": {
        "effect": "move",
        "parameters": {
            "times": {"type": "integer", "minimum": 1, "maximum": 5},
            "hand": {"type": "string", "enum": ["left", "right"]},
            "force": {"type": "number", "minimum": 0, "maximum": 10},
        },
        "required": ["times"],
    },
    "rest": {"effect": "set"},
}


@pytest.fixture
async def gadget(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> Speaker:
    """A device that does what the test says."""
    del hass
    lab = lab_entry.runtime_data
    await speaker.device(tasks=TASKS)
    await meanwhile(lambda: DEVICE in lab.devices and lab.devices[DEVICE].reachable, "the gadget is there")
    return speaker


async def add(hass: HomeAssistant, entry: MockConfigEntry, *texts: str) -> None:
    """Put tasks into the queue."""
    todo = entity_id(hass, entry, "todo", "run_queue")
    for text in texts:
        await hass.services.async_call("todo", "add_item", {"entity_id": todo, "item": text}, blocking=True)


async def turn(
    hass: HomeAssistant, entry: MockConfigEntry, word: str, context: Context | None = None
) -> None:
    """Turn the queue ``on`` or ``off``."""
    data = {"entity_id": entity_id(hass, entry, "switch", "run_queue")}
    await hass.services.async_call("switch", f"turn_{word}", data, blocking=True, context=context)


async def is_off(hass: HomeAssistant, entry: MockConfigEntry, reason: str) -> dict[str, Any]:
    """Wait until the switch is off for a reason; gives its attributes."""
    switch = entity_id(hass, entry, "switch", "run_queue")

    def test() -> Any:  # noqa: ANN401
        state = hass.states.get(switch)
        return state and state.state == "off" and state.attributes["reason"] == reason and state

    state = await meanwhile(test, f"off: {reason}", within=15, more=lambda: str(hass.states.get(switch)))
    return dict(state.attributes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gadget", "device, task and parameters"),
        ("gadget 'wave", "quotation mark"),
        ("gadgte wave times=1", "nearest is gadget"),
        ("gadget wvae times=1", "nearest is wave"),
        ("gadget reserve", "no task reserve"),
        ("gadget wave times", "not name=value"),
        ("gadget wave", "needs times"),
        ("gadget wave times=1 tims=2", "takes no tims; the nearest is times"),
        ("gadget wave times=6", "wave, times: "),
        ("gadget wave times=often", "wave, times: "),
        ("gadget wave times=1.5", "not a whole number"),
        ("gadget wave times=1 hand=third", "left, right"),
    ],
)
async def test_words_that_are_refused(
    hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker, text: str, told: str
) -> None:
    """At once, with what would be right; nothing waits, nothing was sent."""
    with pytest.raises(ServiceValidationError, match=told):
        await add(hass, lab_entry, text)
    assert runs(lab_entry) == []
    assert gadget.commands() == []


async def test_in_its_order(hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker) -> None:
    """One after the other, as they were put, under the name of who turned it on; then it is off."""
    person = await hass.auth.async_create_user("Anna")
    await add(
        hass, lab_entry, "gadget rest", "Gadget wave times=2 force=1.5 hand=left", "gadget wave times=1"
    )
    first, second, third = await items(hass, lab_entry)
    todo = entity_id(hass, lab_entry, "todo", "run_queue")
    move = lab_entry.runtime_data.runs
    assert hass.states.get(todo).state == "3"
    move.move(move.find(third["uid"]), move.find(first["uid"]))
    await update(hass, lab_entry, third["uid"], rename="gadget wave times=3")
    assert [each["summary"] for each in await items(hass, lab_entry)] == [
        "gadget rest",
        "gadget wave times=3",
        second["summary"],
    ]
    assert gadget.commands() == []
    await turn(hass, lab_entry, "on", Context(user_id=person.id))
    command = await gadget.command(test=lambda told: told["task"] == "rest")
    assert command["issued_by"] == "Anna"
    (running, *_) = await items(hass, lab_entry)
    assert running["description"] == "running"
    with pytest.raises(ServiceValidationError, match="is running"):
        await update(hass, lab_entry, first["uid"], status="completed")
    await gadget.progress(command, "progress", percent=40, message="resting")
    await meanwhile(lambda: runs(lab_entry)[0].percent == 40, "the progress is shown")
    assert (await items(hass, lab_entry))[0]["description"] == "running · 40 % · resting"
    assert len(gadget.commands()) == 1
    await gadget.succeed(command)
    command = await gadget.command(test=lambda told: told["parameters"] == {"times": 3})
    await gadget.succeed(command, {"waved": 3})
    command = await gadget.command(test=lambda told: told["parameters"].get("times") == 2)
    assert command["parameters"] == {"times": 2, "force": 1.5, "hand": "left"}
    await gadget.succeed(command)
    await is_off(hass, lab_entry, "done")
    assert {run.status for run in runs(lab_entry)} == {"succeeded"}
    assert [run.results for run in runs(lab_entry)] == [[], [{"waved": 3}], []]
    assert hass.states.get(todo).state == "0"
    with pytest.raises(ServiceValidationError, match="Nothing waits"):
        await turn(hass, lab_entry, "on")


async def test_a_failure(hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker) -> None:
    """It goes off and tells why; what waits waits; what failed waits again when somebody unticks it."""
    await add(hass, lab_entry, "gadget wave times=1", "gadget rest")
    await turn(hass, lab_entry, "on")
    command = await gadget.command()
    await gadget.fail(command, wire.DEVICE_ERROR, "the hand is stuck")
    told = await is_off(hass, lab_entry, "failed")
    assert "the hand is stuck" in told["error"]
    waiting, failed = await items(hass, lab_entry)
    assert (waiting["summary"], waiting["description"]) == ("gadget rest", "waiting")
    assert failed["status"] == "completed"
    assert failed["description"].startswith("failed · Gadget: wave")
    assert len(gadget.commands()) == 1
    await update(hass, lab_entry, failed["uid"], status="needs_action")
    assert [run.title for run in lab_entry.runtime_data.runs.waiting()] == ["gadget rest", failed["summary"]]
    todo = entity_id(hass, lab_entry, "todo", "run_queue")
    await update(hass, lab_entry, waiting["uid"], status="completed")
    data = {"entity_id": todo}
    await hass.services.async_call("todo", "remove_completed_items", data, blocking=True)
    (left,) = await items(hass, lab_entry)
    assert (left["summary"], left["description"]) == (failed["summary"], "waiting")
    assert len(gadget.commands()) == 1


async def test_busy_and_gone(hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker) -> None:
    """A device that does something else, or is not there any more, is not waited for."""
    lab = lab_entry.runtime_data
    await add(hass, lab_entry, "gadget rest", "gadget rest")
    await gadget.state({"task": "wave"})
    await meanwhile(lambda: lab.devices[DEVICE].state.get("task"), "the gadget is busy")
    await turn(hass, lab_entry, "on")
    assert "busy with wave" in (await is_off(hass, lab_entry, "failed"))["error"]
    await gadget.describe(b"")
    await meanwhile(lambda: DEVICE not in lab.devices, "the gadget is gone")
    await turn(hass, lab_entry, "on")
    assert "no device gadget" in (await is_off(hass, lab_entry, "failed"))["error"]
    assert gadget.commands() == []


async def test_turned_off(hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker) -> None:
    """What runs goes on to its end, and the next one waits."""
    await add(hass, lab_entry, "gadget wave times=1", "gadget rest")
    await turn(hass, lab_entry, "on")
    command = await gadget.command()
    await turn(hass, lab_entry, "off")
    await gadget.succeed(command)
    await meanwhile(lambda: runs(lab_entry)[-1].status == "succeeded", "the first is done")
    await is_off(hass, lab_entry, "turned_off")
    assert [run.title for run in lab_entry.runtime_data.runs.waiting()] == ["gadget rest"]
    assert len(gadget.commands()) == 1


async def test_a_stop_in_its_middle(hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort) -> None:
    """The real device stands, the queue is off, and cannot be turned on before the stop is reset."""
    lab = lab_entry.runtime_data
    await meanwhile(
        lambda: (device := lab.devices.get(RESORT)) and device.readiness == "ready",
        "the resort is ready",
        within=10,
    )
    await add(hass, lab_entry, f"{RESORT} activate_hotel hotel=C", "'Plate resort' activate_hotel hotel=A")
    await turn(hass, lab_entry, "on")
    await meanwhile(lambda: lab.devices[RESORT].state.get("task"), "it moves")
    await act(hass, "emergency_stop", reason="to see")
    await is_off(hass, lab_entry, "stopped")
    waiting, stopped = runs(lab_entry)
    assert (waiting.status, stopped.status) == ("waiting", "stopped")
    await meanwhile(lambda: lab.stop_word == "stopped", "the stop is confirmed", within=10)
    at = (await resort.truth())["position"]
    with pytest.raises(ServiceValidationError, match="reset the stop"):
        await turn(hass, lab_entry, "on")
    assert abs((await resort.truth())["velocity"]) < 1  # it may still roll a little
    assert (await resort.truth())["position"] == pytest.approx(at, abs=0.5)


async def test_after_a_reload(hass: HomeAssistant, lab_entry: MockConfigEntry, gadget: Speaker) -> None:
    """What was under way was interrupted, the queue is off, and nothing is sent again."""
    await add(hass, lab_entry, "gadget wave times=1", "gadget rest")
    await turn(hass, lab_entry, "on")
    await gadget.command()
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    await is_off(hass, lab_entry, "started")
    waiting, interrupted = runs(lab_entry)
    assert (waiting.status, interrupted.status) == ("waiting", "interrupted")
    assert [each["task"] for each in gadget.commands()] == ["wave"]
