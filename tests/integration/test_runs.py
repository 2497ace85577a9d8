"""Runs of scripts: they have their devices for themselves, say what they do, and end whatever happens."""

import asyncio
from contextlib import suppress
from typing import Any

from homeassistant.components.todo import DOMAIN as TODO
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.conftest import StartBridge
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.speaker import DEVICE, RESERVABLE, Speaker
from tests.integration.waiting import meanwhile

from lab2mqtt import wire

TITLE = "Colour loop"
SHORT = 3  # s; the shortest reservation

BEGIN = {
    "action": "lab2mqtt.begin_run",
    "data": {"title": TITLE, "devices": [RESORT]},
    "response_variable": "begun",
}
GO_ON = {"wait_for_trigger": {"trigger": "event", "event_type": "go_on"}}
MOVE = {
    "action": "lab2mqtt.run_task",
    "data": {"device": RESORT, "task": "activate_hotel", "parameters": {"hotel": "B"}},
    "response_variable": "moved",
}
NOTE = {
    "action": "lab2mqtt.note_run",
    "data": {"run": "{{ begun.run }}", "step": "turned", "percent": 50, "result": "{{ moved.result }}"},
}
_STARTED: list[asyncio.Task[None]] = []
END = {"action": "lab2mqtt.end_run", "data": {"run": "{{ begun.run }}"}}


async def act(hass: HomeAssistant, action: str, /, **data: Any) -> Any:  # noqa: ANN401
    """Call an action of ours; gives its answer."""
    return await hass.services.async_call("lab2mqtt", action, data, blocking=True, return_response=True)


async def script(hass: HomeAssistant, *sequence: dict[str, Any], **more: Any) -> None:  # noqa: ANN401
    """Have a script of the name ``loop``."""
    told = {"script": {"loop": {"sequence": list(sequence), **more}}}
    assert await async_setup_component(hass, "script", told)


async def start(hass: HomeAssistant, **variables: Any) -> None:  # noqa: ANN401
    """Start it, and do not wait for its end."""

    async def work() -> None:
        with suppress(HomeAssistantError):  # as of a task in it
            await hass.services.async_call("script", "loop", variables, blocking=True)

    _STARTED.append(asyncio.create_task(work()))


async def go_on(hass: HomeAssistant, event: str = "go_on") -> None:
    """Let the script go on, as soon as it waits."""
    await meanwhile(lambda: hass.bus.async_listeners().get(event), f"the script waits for {event}")
    hass.bus.async_fire(event)


def runs(entry: MockConfigEntry) -> list[Any]:
    """All runs as they are listed."""
    return list(entry.runtime_data.runs.listed())


def entity_id(hass: HomeAssistant, entry: MockConfigEntry, platform: str, key: str) -> str:
    """The entity of a key."""
    found = er.async_get(hass).async_get_entity_id(platform, "lab2mqtt", f"{entry.entry_id}_{key}")
    assert found
    return found


async def items(hass: HomeAssistant, entry: MockConfigEntry) -> list[dict[str, str]]:
    """The run queue, as people see it."""
    todo = entity_id(hass, entry, TODO, "run_queue")
    told = await hass.services.async_call(
        TODO, "get_items", {"entity_id": todo}, blocking=True, return_response=True
    )
    found: list[dict[str, str]] = told[todo]["items"]
    return found


async def update(hass: HomeAssistant, entry: MockConfigEntry, item: str, **data: Any) -> None:  # noqa: ANN401
    """Change an item of it."""
    told = {"entity_id": entity_id(hass, entry, TODO, "run_queue"), "item": item, **data}
    await hass.services.async_call(TODO, "update_item", told, blocking=True)


async def running(entry: MockConfigEntry) -> Any:  # noqa: ANN401
    """The run that has just begun, with its device reserved."""
    return await meanwhile(
        lambda: next((run for run in runs(entry) if run.status == "running"), None), "a run has begun"
    )


async def ended(run: Any) -> None:  # noqa: ANN401
    """Wait until a run is over."""
    await meanwhile(lambda: run.is_over, f"{run.title} is over", within=10, more=lambda: str(run))


async def free(entry: MockConfigEntry, device_id: str = RESORT) -> None:
    """Wait until nobody has a device."""
    device = entry.runtime_data.devices[device_id]
    await meanwhile(lambda: device.state.get("reserved_by") is None, f"{device_id} is free", within=10)


@pytest.mark.usefixtures("ready")
class TestScript:
    """A script that begins a run has its devices until it ends."""

    async def test_begin_note_end(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort
    ) -> None:
        """Its own commands are done, those of others are refused with its name, and its results stay."""
        told: list[str] = []
        lab_entry.runtime_data.runs.on_event(lambda event_type, _: told.append(event_type))
        await script(hass, BEGIN, GO_ON, MOVE, NOTE, GO_ON, END)
        await start(hass)
        run = await running(lab_entry)
        device = lab_entry.runtime_data.devices[RESORT]
        assert run.entity_id == "script.loop"
        assert device.reserved_by == run.holder == f"{TITLE} ({run.run_id[:4]})"
        with pytest.raises(HomeAssistantError, match=TITLE) as caught:
            await act(hass, "run_task", device=RESORT, task="go_home")
        assert caught.value.translation_key == wire.RESERVED
        await go_on(hass)
        await meanwhile(lambda: run.results, "the result was noted", within=10)
        assert (run.step, run.percent) == ("turned", 50)
        assert run.results[0]["angle_deg"] == pytest.approx((await ready.truth())["position"] % 360, abs=1)
        (item,) = await items(hass, lab_entry)
        assert item["summary"] == TITLE
        assert item["status"] == "needs_action"
        assert item["description"] == "running · 50 % · turned · script.loop"
        assert lab_entry.runtime_data.runs.shown()[0]["results"] == 1
        await go_on(hass)
        await ended(run)
        assert run.status == "succeeded"
        await free(lab_entry)
        assert told == ["run_started", "run_succeeded"]
        event = hass.states.get(entity_id(hass, lab_entry, "event", "runs"))
        assert event
        assert event.attributes["event_type"] == "run_succeeded"
        assert (await items(hass, lab_entry))[0]["status"] == "completed"
        (got,) = (await act(hass, "get_runs"))["runs"]
        assert got["run"] == run.run_id
        assert got["results"] == run.results

    async def test_renewed(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """It keeps its device for as long as the script runs."""
        device = lab_entry.runtime_data.devices[RESORT]
        ends: set[float] = set()
        lab_entry.runtime_data.on_change(lambda: ends.add(device.reserved_until))
        begin = {**BEGIN, "data": {**BEGIN["data"], "seconds": SHORT}}
        await script(hass, begin, GO_ON, END)
        await start(hass)
        run = await running(lab_entry)
        first = device.reserved_until
        await meanwhile(lambda: device.reserved_until > first + SHORT, "renewed past its end", within=10)
        assert device.reserved_by == run.holder
        assert run.status == "running"
        await go_on(hass)
        await ended(run)
        assert run.status == "succeeded"

    async def test_ended_without_end_run(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """A script that is turned off says nothing more; its device is free."""
        await script(hass, BEGIN, GO_ON, END)
        await start(hass)
        run = await running(lab_entry)
        await hass.services.async_call("script", "turn_off", {"entity_id": "script.loop"}, blocking=True)
        await ended(run)
        assert run.status == "failed"
        assert run.error == "Its script ended without saying how."
        await free(lab_entry)

    async def test_fails_with_its_reason(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Where a task has failed and nobody caught it, the run tells which."""
        wrong = {"device": RESORT, "task": "activate_hotel", "parameters": {"hotel": "Z"}}
        await script(hass, BEGIN, GO_ON, {"action": "lab2mqtt.run_task", "data": wrong}, END)
        await start(hass)
        run = await running(lab_entry)
        await go_on(hass)
        await ended(run)
        assert run.status == "failed"
        assert "activate_hotel" in run.error
        assert "A, B, C, D" in run.error

    async def test_one_of_several(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Of a script that runs several times at once, the one that ended is known."""
        begin = {
            "action": "lab2mqtt.begin_run",
            "data": {"title": "{{ title }}"},
            "response_variable": "begun",
        }
        own = {"wait_for_trigger": {"trigger": "event", "event_type": "{{ title }}"}}
        await script(hass, begin, own, mode="parallel")
        await start(hass, title="first")
        await start(hass, title="second")
        await meanwhile(lambda: len(runs(lab_entry)) == 2, "both have begun")
        second, first = runs(lab_entry)
        await go_on(hass, "first")
        await ended(first)
        assert (first.title, first.status) == ("first", "failed")
        assert (second.title, second.status) == ("second", "running")
        await go_on(hass, "second")
        await ended(second)

    async def test_an_automation_and_its_script(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry
    ) -> None:
        """A run that a called script began lasts until its automation is over."""
        await script(hass, BEGIN)
        automation = {
            "alias": "loop",
            "triggers": {"trigger": "event", "event_type": "begin"},
            "actions": [{"action": "script.loop"}, GO_ON],
        }
        assert await async_setup_component(hass, "automation", {"automation": automation})
        hass.bus.async_fire("begin")
        run = await running(lab_entry)
        state = hass.states.get("script.loop")
        assert state
        assert state.state == "off"
        assert run.entity_id == "automation.loop"
        await go_on(hass)
        await ended(run)
        assert run.status == "failed"

    async def test_taken_over(self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort) -> None:
        """Who takes the device ends the run with words; what the script wants then is refused."""
        await script(hass, BEGIN, GO_ON, MOVE, END)
        await start(hass)
        run = await running(lab_entry)
        await act(hass, "reserve", device=RESORT, seconds=60, holder="Bob", reason="mine is urgent")
        await ended(run)
        assert run.status == "failed"
        assert run.error == "Plate resort was taken over by Bob."
        before = (await ready.truth())["position"]
        with pytest.raises(ServiceValidationError, match="taken over by Bob"):
            await act(hass, "end_run", run=run.run_id)
        await go_on(hass)
        await meanwhile(lambda: hass.states.get("script.loop").state == "off", "the script is over")
        assert (await ready.truth())["position"] == before
        assert lab_entry.runtime_data.devices[RESORT].reserved_by == "Bob"

    async def test_stop(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """A stop of the lab in its middle lets the next command fail, and the run is stopped."""
        await script(hass, BEGIN, GO_ON, MOVE, END)
        await start(hass)
        run = await running(lab_entry)
        await act(hass, "emergency_stop", reason="to see")
        lab = lab_entry.runtime_data
        await meanwhile(lambda: lab.stop_word == "stopped", "the lab is stopped", within=10)
        assert run.status == "running"
        await go_on(hass)
        await ended(run)
        assert run.status == "stopped"

    async def test_a_stop_that_was_released(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort
    ) -> None:
        """A script that was in the middle of something else moves nothing afterwards."""
        await script(hass, BEGIN, GO_ON, MOVE, END)
        await start(hass)
        run = await running(lab_entry)
        lab = lab_entry.runtime_data
        await act(hass, "emergency_stop")
        await meanwhile(lambda: lab.stop_word == "stopped", "the lab is stopped", within=10)
        await act(hass, "reset_emergency_stop")
        await meanwhile(lambda: lab.devices[RESORT].readiness == "reserved", "it could be used", within=10)
        before = (await ready.truth())["position"]
        await go_on(hass)
        await ended(run)
        assert run.status == "stopped"
        assert (await ready.truth())["position"] == before


class TestAllOrNone:
    """A run that cannot have all its devices has none."""

    async def test_refused(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort, start_bridge: StartBridge
    ) -> None:
        """The refusal names who has it; what was reserved before is free again."""
        del ready
        await start_bridge({"ot2": {"model": "ot2", "simulated": True}}, "cell")
        lab = lab_entry.runtime_data
        await meanwhile(
            lambda: (found := lab.devices.get("ot2")) and found.reachable and found, "the OT-2 is there"
        )
        await act(hass, "reserve", device=RESORT, seconds=60, holder="Anna")
        with pytest.raises(HomeAssistantError, match="Anna") as caught:
            await act(hass, "begin_run", title=TITLE, devices=[RESORT, "ot2"])
        assert caught.value.translation_key == wire.RESERVED
        await free(lab_entry, "ot2")
        told = await act(hass, "get_history", device="ot2", limit=2)
        released, reserved = told["result"]["commands"]
        assert (reserved["task"], released["task"]) == ("reserve", "release")
        assert reserved["parameters"]["holder"].startswith(TITLE)
        assert lab.devices[RESORT].reserved_by == "Anna"
        assert runs(lab_entry) == []


class TestPerson:
    """Who begins a run without a script has to give signs of life."""

    async def test_lives_by_notes(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort
    ) -> None:
        """Notes renew the reservation; then nothing is heard, and the device is free."""
        del ready
        begun = await act(hass, "begin_run", title=TITLE, devices=[RESORT], seconds=SHORT)
        device = lab_entry.runtime_data.devices[RESORT]
        run = lab_entry.runtime_data.runs.find(begun["run"])
        first = device.reserved_until
        while device.reserved_until < first + SHORT:
            assert run.status == "running"
            await hass.services.async_call("lab2mqtt", "note_run", {"run": begun["run"]}, blocking=True)
            await asyncio.sleep(0.1)
        await ended(run)
        assert run.error == f"Nothing was heard of it for {SHORT} s."
        await free(lab_entry)
        with pytest.raises(ServiceValidationError, match="over"):
            await hass.services.async_call("lab2mqtt", "note_run", {"run": begun["run"]}, blocking=True)

    async def test_ended_with_an_error(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort
    ) -> None:
        """Its words stay."""
        del ready
        begun = await act(hass, "begin_run", title=TITLE, devices=[RESORT])
        told = await act(hass, "end_run", run=begun["run"], error="the plate was not there")
        assert told["status"] == "failed"
        await free(lab_entry)
        (item,) = await items(hass, lab_entry)
        assert item["description"].startswith("failed · the plate was not there")

    async def test_what_is_wrong(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Unknown runs and results that are too long are refused with what would be right."""
        del lab_entry
        with pytest.raises(ServiceValidationError, match="begin_run"):
            await act(hass, "end_run", run="nonsense")
        begun = await act(hass, "begin_run", title=TITLE)
        with pytest.raises(ServiceValidationError, match="2048"):
            await hass.services.async_call(
                "lab2mqtt", "note_run", {"run": begun["run"], "result": "x" * 3000}, blocking=True
            )


class TestRestart:
    """What ran when Home Assistant ended was interrupted. Nothing is done again."""

    async def test_reload(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort, speaker: Speaker
    ) -> None:
        """The run says so, an issue does, too, and both go when somebody has looked at it."""
        del ready
        begun = await act(hass, "begin_run", title=TITLE, devices=[RESORT])
        await hass.services.async_call(
            "lab2mqtt", "note_run", {"run": begun["run"], "step": "well B2"}, blocking=True
        )
        said = len(speaker.commands(RESORT))
        assert await hass.config_entries.async_reload(lab_entry.entry_id)
        await hass.async_block_till_done()
        (run,) = runs(lab_entry)
        assert (run.run_id, run.status, run.step) == (begun["run"], "interrupted", "well B2")
        assert len(speaker.commands(RESORT)) == said
        device = lab_entry.runtime_data.devices[RESORT]
        assert device.reserved_by == begun["holder"]
        issue_id = f"run_interrupted_{run.run_id}"
        issue = ir.async_get(hass).async_get_issue("lab2mqtt", issue_id)
        assert issue
        assert issue.translation_placeholders
        assert issue.translation_placeholders["step"] == "well B2"
        event = hass.states.get(entity_id(hass, lab_entry, "event", "runs"))
        assert event
        assert event.attributes["event_type"] == "run_interrupted"
        (item,) = await items(hass, lab_entry)
        assert item["status"] == "needs_action"
        await update(hass, lab_entry, item["uid"], status="completed")
        assert ir.async_get(hass).async_get_issue("lab2mqtt", issue_id) is None
        with pytest.raises(ServiceValidationError, match="no task of the queue"):
            await update(hass, lab_entry, item["uid"], status="needs_action")
        assert await hass.config_entries.async_reload(lab_entry.entry_id)
        assert ir.async_get(hass).async_get_issue("lab2mqtt", issue_id) is None

    async def test_a_power_cut(
        self, hass: HomeAssistant, hass_storage: dict[str, Any], mqtt_entry: MockConfigEntry
    ) -> None:
        """What the disk knows as running was interrupted as well; what is removed leaves no file."""
        del mqtt_entry
        entry = MockConfigEntry(
            domain="lab2mqtt", title="Lab", unique_id="lab2mqtt", data={"base": "lab2mqtt"}
        )
        key = f"lab2mqtt.{entry.entry_id}.runs"
        kept = {"title": TITLE, "kind": "script", "begun_by": "script.loop", "status": "running"}
        hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": {"runs": [kept]}}
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        (run,) = runs(entry)
        assert run.status == "interrupted"
        issue_id = f"run_interrupted_{run.run_id}"
        assert ir.async_get(hass).async_get_issue("lab2mqtt", issue_id)
        assert await hass.config_entries.async_remove(entry.entry_id)
        assert key not in hass_storage
        assert ir.async_get(hass).async_get_issue("lab2mqtt", issue_id) is None

    async def test_home_assistant_ends(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort, hass_storage: dict[str, Any]
    ) -> None:
        """The script that Home Assistant ends has not failed by itself."""
        del ready
        await script(hass, BEGIN, GO_ON, END)
        await start(hass)
        run = await running(lab_entry)
        hass.set_state(type(hass.state).stopping)
        hass.bus.async_fire("homeassistant_stop")
        await meanwhile(lambda: hass.states.get("script.loop").state == "off", "the script is over")
        assert run.status == "running"
        hass.bus.async_fire("homeassistant_final_write")
        await hass.async_block_till_done()
        stored = hass_storage[f"lab2mqtt.{lab_entry.entry_id}.runs"]["data"]["runs"]
        assert [each["status"] for each in stored] == ["running"]


async def test_lost_without_link(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """A device that cannot be asked to renew is lost when its time is over."""
    await speaker.device(tasks=RESERVABLE)
    lab = lab_entry.runtime_data
    await meanwhile(lambda: DEVICE in lab.devices and lab.devices[DEVICE].reachable, "the gadget is there")
    beginning = hass.async_create_task(act(hass, "begin_run", title=TITLE, devices=[DEVICE], seconds=SHORT))
    command = await speaker.command(test=lambda told: told["task"] == "reserve")
    holder = command["parameters"]["holder"]
    await speaker.state({"reserved_by": holder})
    await speaker.succeed(command, {"holder": holder})
    begun = await beginning
    run = lab.runs.find(begun["run"])
    await speaker.status(wire.OFFLINE)
    await hass.services.async_call("lab2mqtt", "note_run", {"run": begun["run"]}, blocking=True)
    while not run.is_over:  # it lives, and is not heard
        lab.runs.note(run, "on")
        await asyncio.sleep(0.1)
    assert run.status == "failed"
    assert run.error.startswith(f"It could not be kept reserved for {SHORT} s")
