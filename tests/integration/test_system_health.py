"""The page of the system's health."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info
from tests.integration.shown import shows
from tests.integration.speaker import Speaker


async def told(hass: HomeAssistant) -> dict[str, Any]:
    """What our part of the page tells."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info: dict[str, Any] = await get_system_health_info(hass, "lab2mqtt")
    return {key: await one if asyncio.iscoroutine(one) else one for key, one in info.items()}


@pytest.mark.usefixtures("lab_entry")
async def test_an_empty_lab(hass: HomeAssistant) -> None:
    """There is nothing to tell but that it is there."""
    assert await told(hass) == {
        "broker_linked": True,
        "labs": 1,
        "bridges_online": "0/0",
        "devices_reachable": "0/0",
        "protocols": "none",
    }


@pytest.mark.usefixtures("lab_entry", "resort")
async def test_a_lab(hass: HomeAssistant, speaker: Speaker) -> None:
    """Who is there of whom there could be."""
    await speaker.bridge("pi", "offline")
    await speaker.device("board", bridge="pi")
    await shows(hass, "sensor.lab_devices_ready", "1", total=2)
    assert await told(hass) == {
        "broker_linked": True,
        "labs": 1,
        "bridges_online": "1/2",
        "devices_reachable": "1/2",
        "protocols": "1",
    }
