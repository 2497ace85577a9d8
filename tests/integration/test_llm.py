"""What a language model is given: it reads and stops, and only a person's own words move anything."""

from typing import Any

from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import llm
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from tests.integration.lab_bridge import Resort
from tests.integration.waiting import until

pytestmark = pytest.mark.skipif(
    not hasattr(llm, "ToolAnnotations"), reason="Here nobody asks integrations for tools"
)
ENTITY = "sensor.plate_resort_position"


@pytest.fixture
async def ada(hass: HomeAssistant) -> MockUser:
    """Who speaks."""
    return MockUser(name="Ada").add_to_hass(hass)


@pytest.fixture
async def assist(
    hass: HomeAssistant, lab_entry: MockConfigEntry, resort: Resort, ada: MockUser
) -> llm.LLMContext:
    """A lab with a real plate resort, exposed to the assistant that Ada speaks with."""
    for name in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, name, {})
    lab = lab_entry.runtime_data
    await until(
        hass,
        lambda: (
            (found := lab.devices.get("plate-resort"))
            and found.readiness == "ready"
            and hass.states.get(ENTITY)
        ),
        "the resort is ready",
        10,
        more=resort.said,
    )
    async_expose_entity(hass, conversation.DOMAIN, ENTITY, True)  # noqa: FBT003 - as Home Assistant has it
    return llm.LLMContext("test", Context(user_id=ada.id), "en", conversation.DOMAIN, None)


async def _call(hass: HomeAssistant, context: llm.LLMContext, name: str, **args: Any) -> Any:  # noqa: ANN401
    api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, context)
    result = await api.async_call_tool(llm.ToolInput(f"lab2mqtt__{name}", args))
    return result.data | ({"failed": True} if result.error else {})


async def test_tools(hass: HomeAssistant, assist: llm.LLMContext) -> None:
    """What each of them does is told as Home Assistant asks for it."""
    api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, assist)
    tools = {tool.name: tool for tool in api.tools if tool.name.startswith("lab2mqtt__")}
    marks = {
        name.removeprefix("lab2mqtt__"): (tool.annotations.read_only, tool.annotations.destructive)
        for name, tool in tools.items()
    }
    assert marks == {
        "get_devices": (True, False),
        "get_history": (True, False),
        "run_task": (False, True),
        "emergency_stop": (False, False),
    }
    assert all(tool.integration == "lab2mqtt" and tool.title for tool in tools.values())
    assert "lab2mqtt__run_task does not move anything by itself" in api.api_prompt


async def test_reads(hass: HomeAssistant, assist: llm.LLMContext) -> None:
    """Devices with what they can do, and what became of commands; nothing of what is not exposed."""
    (device,) = (await _call(hass, assist, "get_devices"))["devices"]
    assert (device["device_id"], device["name"], device["readiness"]) == (
        "plate-resort",
        "Plate resort",
        "ready",
    )
    assert device["tasks"]["activate_hotel"]["effect"] == "move"
    history = await _call(hass, assist, "get_history", device="plate-resort")
    assert history["ok"] is True
    async_expose_entity(hass, conversation.DOMAIN, ENTITY, False)  # noqa: FBT003
    assert (await _call(hass, assist, "get_devices"))["devices"] == []
    answer = await _call(hass, assist, "get_history", device="plate-resort")
    assert answer["failed"]
    assert "no device plate-resort is exposed" in answer["error"]


async def test_only_a_person_says_yes(
    hass: HomeAssistant, assist: llm.LLMContext, resort: Resort, ada: MockUser
) -> None:
    """The model asks; the carousel turns when Ada says so."""
    hotel = {"hotel": "C"}
    for _ in range(2):  # to ask again is no yes
        answer = await _call(
            hass, assist, "run_task", device="plate-resort", task="activate_hotel", parameters=hotel
        )
        assert answer["answer"].startswith("Plate resort: activate hotel (hotel C).")
    before = await resort.truth()
    assert not before["moving"]
    result = await conversation.async_converse(hass, "Yes, do it.", None, Context(user_id=ada.id), "en")
    assert result.response.speech["plain"]["speech"].startswith("Plate resort: activate hotel (hotel C)")
    after = before
    for _ in range(100):
        after = await resort.truth()
        if after["position"] != before["position"] and not after["moving"]:
            break
    assert after["position"] != before["position"]


async def test_stops(hass: HomeAssistant, assist: llm.LLMContext, lab_entry: MockConfigEntry) -> None:
    """A stop is never asked back."""
    answer = await _call(hass, assist, "emergency_stop")
    assert answer == {"answer": "The lab is stopped."}
    assert lab_entry.runtime_data.stop.by == "Ada"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"task": "activate_hotel"}, "needs: hotel"),
        ({"task": "dance"}, "has no task dance"),
        ({}, "task"),
    ],
)
async def test_wrong(hass: HomeAssistant, assist: llm.LLMContext, args: dict[str, Any], why: str) -> None:
    """It is told what would be right."""
    answer = await _call(hass, assist, "run_task", device="plate-resort", **args)
    assert answer["failed"]
    assert why in answer["error"]


async def test_no_lab(hass: HomeAssistant, assist: llm.LLMContext, lab_entry: MockConfigEntry) -> None:
    """Without a lab there are no tools."""
    assert await hass.config_entries.async_unload(lab_entry.entry_id)
    api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, assist)
    assert [tool.name for tool in api.tools if tool.name.startswith("lab2mqtt")] == []
