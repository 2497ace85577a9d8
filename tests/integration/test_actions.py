"""The actions, called as scripts and people do, with real devices that answer."""

import asyncio
from typing import Any

from homeassistant.components import mqtt
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.speaker import DEVICE, Speaker
from tests.integration.waiting import meanwhile, until
import voluptuous as vol

from lab2mqtt import wire

SLOW = 30  # degrees a second
COMMANDS = f"lab2mqtt/{DEVICE}/command"


async def act(hass: HomeAssistant, action: str, context: Context | None = None, /, **data: Any) -> Any:  # noqa: ANN401
    """Call an action of ours; gives its answer."""
    return await hass.services.async_call(
        "lab2mqtt", action, data, blocking=True, return_response=True, context=context
    )


async def user(hass: HomeAssistant, name: str) -> Context:
    """A person who acts."""
    made = await hass.auth.async_create_user(name)
    return Context(user_id=made.id)


def commands(speaker: Speaker) -> list[dict[str, Any]]:
    """What the gadget was asked to do."""
    return [wire.read_command(heard.payload) for heard in speaker.seen.heard(COMMANDS)]


@pytest.mark.usefixtures("ready")
class TestRunTask:
    """``run_task`` gives the result, or raises what the device said."""

    async def test_moves_and_answers(self, hass: HomeAssistant, ready: Resort) -> None:
        """The answer comes when the angle was measured."""
        answer = await act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "B"})
        assert answer["ok"]
        assert answer["device"] == RESORT
        assert answer["result"]["angle_deg"] == pytest.approx((await ready.truth())["position"] % 360, abs=1)
        assert answer["seconds"] > 0

    async def test_by_the_registry(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """The device may be told as the UI's list gives it."""
        device = lab_entry.runtime_data.devices[RESORT]
        registry_id = await until(hass, lambda: device.registry_id(hass), "MQTT has the device")
        answer = await act(hass, "run_task", device=registry_id, task="go_home")
        assert answer["device"] == RESORT

    async def test_refused_in_the_words_of_the_device(self, hass: HomeAssistant, ready: Resort) -> None:
        """Nothing moves, and the error says what would be right."""
        before = (await ready.truth())["position"]
        with pytest.raises(HomeAssistantError, match="A, B, C, D") as caught:
            await act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "Z"})
        assert caught.value.translation_key == wire.INVALID_PARAMETERS
        assert (await ready.truth())["position"] == before

    async def test_a_failure_as_an_answer(self, hass: HomeAssistant) -> None:
        """A script can go on by itself."""
        answer = await act(hass, "run_task", device=RESORT, task="fly", raise_errors=False)
        assert answer["ok"] is False
        assert answer["error_code"] == wire.UNKNOWN_TASK
        assert "activate_hotel" in answer["error"]

    async def test_unknown_device(self, hass: HomeAssistant) -> None:
        """The nearest one is named."""
        with pytest.raises(ServiceValidationError, match=RESORT):
            await act(hass, "run_task", device="plate-resrt", task="go_home")

    async def test_who_asks(self, hass: HomeAssistant) -> None:
        """The device's history tells the person, or the script."""
        anna = await user(hass, "Anna")
        await act(hass, "run_task", anna, device=RESORT, task="go_home")
        sequence = [
            {"action": "lab2mqtt.run_task", "data": {"device": RESORT, "task": "go_home"}},
        ]
        assert await async_setup_component(hass, "script", {"script": {"go_home": {"sequence": sequence}}})
        await hass.services.async_call("script", "go_home", blocking=True, context=await user(hass, "Ben"))
        answer = await act(hass, "get_history", device=RESORT, limit=2)
        assert [each["issued_by"] for each in answer["result"]["commands"]] == ["script.go_home", "Anna"]


class TestLost:
    """No answer is lost, and none is waited for in vain."""

    async def test_the_result_was_lost(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
    ) -> None:
        """The same command is sent again with its id, and answered from the device's memory."""
        await speaker.device(tasks={"wave": {"effect": "move", "parameters": {}}})
        await until(hass, lambda: lab_entry.runtime_data.devices.get(DEVICE), "the gadget is known")
        asked = hass.async_create_task(act(hass, "run_task", device=DEVICE, task="wave"))
        await meanwhile(lambda: len(commands(speaker)) == 2, "it asks again", within=8)
        first, second = commands(speaker)
        assert first == second
        answer = wire.success(second["request_id"], "wave", {"waved": True}, 0)
        await speaker.say(f"lab2mqtt/{DEVICE}/result", answer, retain=False)
        assert (await asked)["result"] == {"waved": True}

    @pytest.mark.usefixtures("ready")
    async def test_the_link_was_lost(
        self,
        hass: HomeAssistant,
        lab_entry: MockConfigEntry,
        broker: Any,  # noqa: ANN401 - a Mosquitto
    ) -> None:
        """What was done while the broker was away is answered once it is back."""
        births: list[object] = []
        await mqtt.async_subscribe(hass, "homeassistant/status", births.append)
        # Home Assistant trips over that word of its own if the link ends before.
        await meanwhile(lambda: births, "it says that it is there", within=20)
        ready_speed = await act(hass, "run_task", device=RESORT, task="set_speed", parameters={"speed": SLOW})
        assert ready_speed["ok"]
        asked = hass.async_create_task(
            act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "C"})
        )
        device = lab_entry.runtime_data.devices[RESORT]
        await meanwhile(lambda: device.state.get("task"), "it moves")
        await asyncio.to_thread(broker.stop)
        await meanwhile(lambda: not lab_entry.runtime_data.connected, "the link is lost")
        with pytest.raises(HomeAssistantError, match="no link") as caught:
            await act(hass, "run_task", device=RESORT, task="go_home")
        assert caught.value.translation_key == "no_link"
        await asyncio.to_thread(broker.start)
        async with asyncio.timeout(40):
            assert (await asked)["ok"]

    async def test_nobody_is_there(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
    ) -> None:
        """Nothing is sent to a board that is off, nor to a device whose bridge is gone."""
        known = lab_entry.runtime_data.devices
        await speaker.device(tasks={"wave": {"effect": "move", "parameters": {}}})
        await speaker.status(wire.OFFLINE)
        await speaker.device("other", bridge="gone")
        await until(hass, lambda: {DEVICE, "other"} <= known.keys(), "both are known")
        await until(hass, lambda: not known[DEVICE].reachable, "the gadget is off")
        for device, why in ((DEVICE, "it is offline"), ("other", "bridge gone is offline")):
            with pytest.raises(HomeAssistantError, match=why) as caught:
                await act(hass, "run_task", device=device, task="wave")
            assert caught.value.translation_key == wire.DEVICE_UNAVAILABLE
        assert commands(speaker) == []


@pytest.mark.usefixtures("ready")
class TestHouse:
    """What every device has."""

    async def test_reserved_for_somebody(self, hass: HomeAssistant) -> None:
        """Another is refused with the holder's name; the holder goes on, and gives it back."""
        anna, ben = await user(hass, "Anna"), await user(hass, "Ben")
        answer = await act(hass, "reserve", anna, device=RESORT, seconds=60)
        assert answer["result"]["holder"] == "Anna"
        with pytest.raises(HomeAssistantError, match="Anna") as caught:
            await act(hass, "run_task", ben, device=RESORT, task="go_home")
        assert caught.value.translation_key == wire.RESERVED
        assert (await act(hass, "run_task", anna, device=RESORT, task="go_home"))["ok"]
        assert (await act(hass, "release", anna, device=RESORT))["result"] == {"released": "Anna"}
        assert (await act(hass, "run_task", ben, device=RESORT, task="go_home"))["ok"]

    async def test_pause_resume_cancel(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """A running move holds, goes on, and ends."""
        device = lab_entry.runtime_data.devices[RESORT]
        await act(hass, "run_task", device=RESORT, task="set_speed", parameters={"speed": SLOW})
        moving = hass.async_create_task(
            act(hass, "run_task", device=RESORT, task="activate_hotel", parameters={"hotel": "C"})
        )
        await meanwhile(lambda: device.readiness == "busy", "it moves")
        await act(hass, "pause", device=RESORT)
        await meanwhile(lambda: device.readiness == "paused", "it is paused")
        await act(hass, "resume", device=RESORT)
        await meanwhile(lambda: device.readiness == "busy", "it goes on")
        await act(hass, "cancel_task", device=RESORT)
        with pytest.raises(HomeAssistantError) as caught:
            await moving
        assert caught.value.translation_key == wire.CANCELLED

    async def test_a_script_that_is_turned_off(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Its task ends too: nobody waits for it any more."""
        device = lab_entry.runtime_data.devices[RESORT]
        await act(hass, "run_task", device=RESORT, task="set_speed", parameters={"speed": SLOW})
        data = {"device": RESORT, "task": "activate_hotel", "parameters": {"hotel": "C"}}
        script = {"turn": {"sequence": [{"action": "lab2mqtt.run_task", "data": data}]}}
        assert await async_setup_component(hass, "script", {"script": script})
        await hass.services.async_call("script", "turn", blocking=False)
        await meanwhile(lambda: device.readiness == "busy", "it moves")
        await hass.services.async_call("script", "turn_off", {"entity_id": "script.turn"}, blocking=True)
        await until(hass, lambda: device.readiness == "ready", "it stands")
        answer = await act(hass, "get_history", device=RESORT, limit=10)
        moved = next(each for each in answer["result"]["commands"] if each["task"] == "activate_hotel")
        assert moved["error_code"] == wire.CANCELLED


@pytest.mark.usefixtures("ready")
class TestStop:
    """The stop of the lab, and of one device."""

    async def test_lab(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """It is engaged once for all, proven by the device, and released by its id."""
        lab = lab_entry.runtime_data
        assert lab.stop_word == "released"
        answer = await act(hass, "emergency_stop", await user(hass, "Anna"), reason="a plate fell")
        await until(hass, lambda: lab.stop_word == "stopped", "the resort has confirmed")
        assert (lab.stop.stop_id, lab.stop.by, lab.stop.reason) == (answer["stop_id"], "Anna", "a plate fell")
        with pytest.raises(HomeAssistantError, match="Anna") as caught:
            await act(hass, "run_task", device=RESORT, task="go_home")
        assert caught.value.translation_key == wire.EMERGENCY_STOPPED
        assert await act(hass, "reset_emergency_stop") == {"released": answer["stop_id"]}
        await until(hass, lambda: lab.stop_word == "released", "it is released")
        with pytest.raises(ServiceValidationError, match="nothing to reset"):
            await act(hass, "reset_emergency_stop")

    async def test_one_device(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """The lab's own stop stays as it was."""
        lab = lab_entry.runtime_data
        answer = await act(hass, "emergency_stop", device=RESORT, reason="noise")
        assert answer["devices"][RESORT]["confirmed"] is True
        await until(hass, lambda: lab.devices[RESORT].readiness == "emergency_stopped", "it is stopped")
        assert lab.stop is None
        answer = await act(hass, "reset_emergency_stop", device=[RESORT])
        assert answer["devices"][RESORT]["released"]


class TestTaskActions:
    """One action for each task."""

    @pytest.mark.usefixtures("ready")
    async def test_typed(self, hass: HomeAssistant) -> None:
        """It takes what the task takes, and refuses the rest before anything is sent."""
        answer = await act(hass, "plate_resort_activate_hotel", hotel="D")
        assert answer["result"]["hotel"] == "D"
        for wrong in ({"hotel": "Z"}, {}, {"hotel": "A", "floor": 3}):
            with pytest.raises(vol.Invalid):
                await act(hass, "plate_resort_activate_hotel", **wrong)

    @pytest.mark.usefixtures("ready")
    async def test_described(self, hass: HomeAssistant) -> None:
        """The UI shows fields, ranges and units as the device tells them."""
        told = (await async_get_all_descriptions(hass))["lab2mqtt"]
        hotel = told["plate_resort_activate_hotel"]["fields"]["hotel"]
        assert hotel["required"]
        assert [each["value"] for each in hotel["selector"]["select"]["options"]] == ["A", "B", "C", "D"]
        angle = told["plate_resort_move_to_angle"]["fields"]["angle"]["selector"]["number"]
        assert (angle["min"], angle["max"], angle["unit_of_measurement"]) == (0, 360, "°")
        assert told["plate_resort_activate_hotel"]["description"]
        assert not {"plate_resort_cancel", "plate_resort_reserve"} & told.keys()

    async def test_come_and_go(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker
    ) -> None:
        """With the device, and with each change of its tasks."""

        def has(name: str) -> bool:
            return hass.services.has_service("lab2mqtt", name)

        await speaker.device(tasks={"wave": {"effect": "move", "parameters": {}}})
        await until(hass, lambda: has("gadget_wave"), "the action is there")
        await speaker.device(tasks={"bow": {"effect": "move", "parameters": {}}})
        await until(hass, lambda: has("gadget_bow") and not has("gadget_wave"), "the other is there")
        hass.config_entries.async_update_entry(lab_entry, options={"task_actions": False})
        await until(hass, lambda: not has("gadget_bow"), "the option takes them away")
        hass.config_entries.async_update_entry(lab_entry, options={"task_actions": True})
        await until(hass, lambda: has("gadget_bow"), "the option brings them back")
        await speaker.describe(b"")
        await until(hass, lambda: not has("gadget_bow"), "it went with its device")
