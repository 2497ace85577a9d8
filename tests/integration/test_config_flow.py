"""Set-up by a click, by hand, and changed later."""

from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from tests.integration.lab_bridge import Resort
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

from lab2mqtt import wire

STATUS = "lab2mqtt/bridge/bench-pi/status"


def found(hass: HomeAssistant) -> list[dict[str, Any]]:
    """The flows of ours that wait for somebody."""
    flows: list[dict[str, Any]] = hass.config_entries.flow.async_progress_by_handler("lab2mqtt")
    return flows


async def begin(hass: HomeAssistant) -> str:
    """Begin to add a lab by hand; gives the flow."""
    form = await hass.config_entries.flow.async_init("lab2mqtt", context={"source": SOURCE_USER})
    assert form["type"] is FlowResultType.FORM
    flow_id: str = form["flow_id"]
    return flow_id


@pytest.mark.usefixtures("mqtt_entry")
class TestFound:
    """A bridge on the broker is enough."""

    async def test_one_click(self, hass: HomeAssistant, resort: Resort) -> None:
        """Its bridge is found, and one click makes the lab."""
        [flow] = await until(hass, lambda: found(hass), "the lab is found", more=resort.said)
        assert flow["context"]["title_placeholders"] == {"name": "Lab"}
        made = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
        assert made["type"] is FlowResultType.CREATE_ENTRY
        assert (made["title"], made["data"]) == ("Lab", {"base": "lab2mqtt"})
        assert "plate-resort" in made["result"].runtime_data.devices

    async def test_once_for_all_its_bridges(self, hass: HomeAssistant, speaker: Speaker) -> None:
        """Two bridges of a lab are one thing to add."""
        for bridge in ("bench-pi", "other-pi"):
            status = wire.bridge_status(wire.ONLINE, "i", 0)
            await speaker.say(f"lab2mqtt/bridge/{bridge}/status", status)
        await until(hass, lambda: found(hass), "the lab is found")
        assert len(found(hass)) == 1

    @pytest.mark.parametrize("payload", [b"", b"online", b"[]", b'{"status":"offline","instance":"i"}'])
    async def test_what_is_no_bridge(self, hass: HomeAssistant, speaker: Speaker, payload: bytes) -> None:
        """Nobody is asked to add what is not there."""
        await speaker.say(STATUS, payload)
        await speaker.say("lab2mqtt/bridge/later/status", wire.bridge_status(wire.ONLINE, "i", 0))
        [flow] = await until(hass, lambda: found(hass), "the other is found")
        made = await hass.config_entries.flow.async_configure(flow["flow_id"])
        assert made["description_placeholders"]["bridge"] == "later"

    @pytest.mark.usefixtures("lab_entry")
    async def test_not_again(self, hass: HomeAssistant, resort: Resort, lab_entry: MockConfigEntry) -> None:
        """What is set up is not found again."""
        await until(hass, lambda: lab_entry.runtime_data.bridges.get(resort.name), "the bridge is known")
        assert found(hass) == []


@pytest.mark.usefixtures("mqtt_entry")
class TestByHand:
    """A base topic is told."""

    async def test_another_base(self, hass: HomeAssistant) -> None:
        """Without any bridge there yet."""
        made = await hass.config_entries.flow.async_configure(await begin(hass), {"base": " cellar/lab "})
        assert made["type"] is FlowResultType.CREATE_ENTRY
        assert (made["title"], made["data"]) == ("Lab cellar/lab", {"base": "cellar/lab"})

    @pytest.mark.parametrize("base", ["", "a//b", "a/#", "+", "$SYS", "a" * 129])
    async def test_wrong(self, hass: HomeAssistant, base: str) -> None:
        """It is said at the field, and can be mended there."""
        flow = await begin(hass)
        form = await hass.config_entries.flow.async_configure(flow, {"base": base})
        assert form["errors"] == {"base": "invalid_base"}
        made = await hass.config_entries.flow.async_configure(flow, {"base": "lab2mqtt"})
        assert made["type"] is FlowResultType.CREATE_ENTRY

    @pytest.mark.usefixtures("lab_entry")
    async def test_twice(self, hass: HomeAssistant) -> None:
        """One lab for each base topic."""
        made = await hass.config_entries.flow.async_configure(await begin(hass), {"base": "lab2mqtt"})
        assert (made["type"], made["reason"]) == (FlowResultType.ABORT, "already_configured")


class TestLater:
    """What is set up can be changed."""

    async def test_reconfigure(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Another base topic, and the lab listens there."""
        form = await lab_entry.start_reconfigure_flow(hass)
        form = await hass.config_entries.flow.async_configure(form["flow_id"], {"base": "a/+"})
        assert form["errors"] == {"base": "invalid_base"}
        done = await hass.config_entries.flow.async_configure(form["flow_id"], {"base": "attic"})
        assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
        await hass.async_block_till_done()
        assert (lab_entry.unique_id, lab_entry.title) == ("attic", "Lab attic")
        assert lab_entry.runtime_data.base == "attic"

    async def test_not_onto_another(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """Two labs of one base topic would be the same lab twice."""
        other = MockConfigEntry(domain="lab2mqtt", unique_id="attic", data={"base": "attic"})
        other.add_to_hass(hass)
        form = await lab_entry.start_reconfigure_flow(hass)
        done = await hass.config_entries.flow.async_configure(form["flow_id"], {"base": "attic"})
        assert done["reason"] == "already_configured"
        assert lab_entry.data == {"base": "lab2mqtt"}

    async def test_options(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """They are shown as they are, and taken."""
        form = await hass.config_entries.options.async_init(lab_entry.entry_id)
        done = await hass.config_entries.options.async_configure(form["flow_id"], {"task_actions": False})
        assert done["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert lab_entry.options == {"task_actions": False}
