"""What a lab keeps on the disk, and how nothing of it is left."""

from collections.abc import Callable, Iterable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store

from .const import DOMAIN

_VERSION = 1


def store(hass: HomeAssistant, entry_id: str, what: str) -> Store[dict[str, Any]]:
    """Where a lab keeps something, by its name."""
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}.{what}")


async def forget(
    hass: HomeAssistant, entry_id: str, what: str, issues: Callable[[dict[str, Any]], Iterable[str]]
) -> None:
    """Leave nothing of a lab that is removed, nor of the issues that came of what it kept.

    Args:
        hass: Home Assistant.
        entry_id: Of the config entry.
        what: Its name.
        issues: The ids of its issues, from what was kept.
    """
    kept = store(hass, entry_id, what)
    for issue_id in issues(await kept.async_load() or {}):
        ir.async_delete_issue(hass, DOMAIN, issue_id)
    await kept.async_remove()
