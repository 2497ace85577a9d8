"""What a maintainer is told, and what is nobody's business."""

import json
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from tests.integration.lab_bridge import Resort
from tests.integration.shown import shows
from tests.integration.speaker import Speaker
from tests.integration.waiting import until

SECRETS = (
    "Anna",
    "Bob Smith",
    "Bob",
    "hunter2",
    "192.168.7.21",
    "ot2.local",
    "SN-0042",
    "aa:bb:cc:dd:ee:ff",
    "operator:pass",
    "her birthday",
)


async def test_nothing_private(
    hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker, hass_client: ClientSessionGenerator
) -> None:
    """Persons, secrets, addresses and serial numbers are left out, wherever they stand."""
    assert await async_setup_component(hass, "diagnostics", {})
    await speaker.device(
        "ot2",
        name="OT-2",
        serial="SN-0042",
        host="192.168.7.21",
        password="hunter2",  # noqa: S106 - nobody's
        tasks={"reserve": {"effect": "set", "parameters": {"reason": {"type": "string"}}}},
        state={
            "readiness": "reserved",
            "readiness_reasons": ["reserved by Anna until 12:00", "http://operator:pass@ot2.local:31950/x"],
            "reserved_by": "Anna",
            "reservation_reason": "her birthday",
            "maintenance_by": "Bob Smith",
            "network": {"mac": "aa:bb:cc:dd:ee:ff", "addresses": ["192.168.7.21"]},
            "note": "Bob Smith and Bob; Annabel is a pump",
        },
    )
    await speaker.stop(by="Bob")
    await shows(hass, "sensor.lab_stop", "stopped")
    told = await get_diagnostics_for_config_entry(hass, hass_client, lab_entry)
    text = json.dumps(told)
    assert [secret for secret in SECRETS if secret in text.replace("Annabel", "")] == []
    assert told["stop"]["by"] == told["stop"]["reason"] == REDACTED
    device = told["devices"]["ot2"]
    assert device["state"]["readiness_reasons"] == [
        f"reserved by {REDACTED} until 12:00",
        f"http://{REDACTED}/x",
    ]
    assert device["state"]["note"] == f"{REDACTED} and {REDACTED}; Annabel is a pump"
    assert device["description"]["tasks"]["reserve"]["parameters"]["reason"] == {"type": "string"}
    assert device["description"]["name"] == "OT-2"


async def test_a_real_lab(
    hass: HomeAssistant,
    lab_entry: MockConfigEntry,
    resort: Resort,
    speaker: Speaker,
    hass_client: ClientSessionGenerator,
) -> None:
    """Of the lab everything, of a bridge what is its own."""
    assert await async_setup_component(hass, "diagnostics", {})
    await speaker.device("board")
    await speaker.describe({"tasks": ["a"]}, "odd")
    await until(
        hass,
        lambda: (
            (device := lab_entry.runtime_data.devices.get("plate-resort"))
            and device.registry_id(hass)
            and "board" in lab_entry.runtime_data.devices
        ),
        "both devices are known",
        more=resort.said,
    )
    told: dict[str, Any] = await get_diagnostics_for_config_entry(hass, hass_client, lab_entry)
    assert told["base"] == "lab2mqtt"
    assert told["broker_linked"] is True
    assert told["stop"]["word"] == "released"
    assert told["bridges"]["bench"]["online"] is True
    assert told["bridges"]["bench"]["health"]["version"]
    assert told["devices"]["plate-resort"]["announced"] is True
    assert told["devices"]["plate-resort"]["description"]["tasks"]["activate_hotel"]["effect"] == "move"
    assert told["devices"]["board"]["announced"] is False
    assert set(told["unreadable"]) == {"odd"}
    registry = dr.async_get(hass)
    devices = {one.name: one for one in dr.async_entries_for_config_entry(registry, lab_entry.entry_id)}
    of_bridge = await get_diagnostics_for_device(hass, hass_client, lab_entry, devices["bench"])
    assert set(of_bridge["devices"]) == {"plate-resort"}
    assert set(of_bridge["bridges"]) == {"bench"}
    of_lab = await get_diagnostics_for_device(hass, hass_client, lab_entry, devices["Lab"])
    assert set(of_lab["devices"]) == {"plate-resort", "board"}
