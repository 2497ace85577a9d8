"""The cards are served, and dashboards load them."""

from pathlib import Path
from typing import Any

from homeassistant.components.lovelace.const import LOVELACE_DATA
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

CARDS = Path(__file__).parents[2] / "custom_components" / "lab2mqtt" / "cards"
ISSUE = ("lab2mqtt", "cards_not_loaded")
STABLE = "/lab2mqtt_static/lab2mqtt.js"


async def _resources(hass: HomeAssistant) -> list[dict[str, Any]]:
    resources = hass.data[LOVELACE_DATA].resources
    await resources.async_get_info()
    return list(resources.async_items())


async def test_a_dashboard_loads_the_cards(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    hass_client_no_auth: Any,  # noqa: ANN401
) -> None:
    """One resource, whose address tells the version; each of its modules is there, and may be kept."""
    del lab_entry
    [resource] = await _resources(hass)
    assert resource["type"] == "module"
    assert resource["url"].startswith("/lab2mqtt_static/0.")
    client = await hass_client_no_auth()
    for file in CARDS.glob("*.js"):
        answer = await client.get(resource["url"].replace("lab2mqtt.js", file.name))
        assert answer.status == 200, file
        assert "javascript" in answer.headers["Content-Type"]
        assert "max-age" in answer.headers["Cache-Control"]
        assert await answer.text() == file.read_text()
    answer = await client.get(STABLE, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, resource["url"])


async def test_set_up_again_changes_nothing(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """There is still one, the same."""
    before = await _resources(hass)
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    assert await _resources(hass) == before


async def test_an_older_version_is_replaced(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """And what is there twice; what others have put there stays."""
    [ours] = await _resources(hass)
    resources = hass.data[LOVELACE_DATA].resources
    await resources.async_update_item(ours["id"], {"url": "/lab2mqtt_static/0.0.1/lab2mqtt.js"})
    await resources.async_create_item({"res_type": "module", "url": "/lab2mqtt_static/0.0.2/lab2mqtt.js"})
    other = await resources.async_create_item({"res_type": "css", "url": "/local/lab2mqtt_static.css"})
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    assert await _resources(hass) == [ours, other]


async def test_with_the_last_lab_they_go(hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
    """Not with the first of two."""
    other = MockConfigEntry(domain="lab2mqtt", title="Other", unique_id="other", data={"base": "other"})
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(other.entry_id)
    await hass.config_entries.async_remove(lab_entry.entry_id)
    assert len(await _resources(hass)) == 1
    await hass.config_entries.async_remove(other.entry_id)
    assert await _resources(hass) == []


@pytest.mark.usefixtures("mqtt_entry")
async def test_who_keeps_resources_in_yaml_is_told_the_line(hass: HomeAssistant) -> None:
    """And is not told once it is there, in whatever version."""
    await async_setup_component(hass, "lovelace", {"lovelace": {"mode": "yaml", "resources": []}})
    resources = hass.data[LOVELACE_DATA].resources
    entry = MockConfigEntry(domain="lab2mqtt", title="Lab", unique_id="lab2mqtt", data={"base": "lab2mqtt"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    issue = ir.async_get(hass).async_get_issue(*ISSUE)
    assert issue
    assert issue.translation_placeholders == {"url": STABLE}
    resources.data.append({"type": "module", "url": STABLE})
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(*ISSUE) is None
    resources.data.clear()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(*ISSUE)
    await hass.config_entries.async_remove(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(*ISSUE) is None
