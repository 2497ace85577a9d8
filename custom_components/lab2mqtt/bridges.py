"""Bridges come and go, and their entities with them."""

from collections.abc import Callable

from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .compat import device_id
from .const import DOMAIN
from .lab import Lab


@callback
def follow_bridges(
    lab: Lab, make: Callable[[str], list[Entity]], add: AddConfigEntryEntitiesCallback
) -> None:
    """Add the entities of each bridge now and when it comes; one whose status is cleared leaves the registry.

    Args:
        lab: Whose bridges.
        make: Makes the entities of a bridge, by its id.
        add: Adds them.
    """
    known: dict[str, object] = {}  # bridge → version

    @callback
    def look() -> None:
        # A bridge without a status is only what the broker still has of one that is gone.
        there = {name: bridge.status.get("version") for name, bridge in lab.bridges.items() if bridge.status}
        new = sorted(there.keys() - known.keys())
        gone = known.keys() - there.keys()
        updated = {name: there[name] for name in known.keys() & there.keys() if there[name] != known[name]}
        known.clear()
        known.update(there)
        registry = dr.async_get(lab.hass)
        for name in gone:
            if found := _registry_id(lab, name):
                registry.async_remove_device(found)
        for name, version in updated.items():
            if found := _registry_id(lab, name):
                registry.async_update_device(found, sw_version=str(version) if version else None)
        if new:
            add([entity for name in new for entity in make(name)])

    look()
    lab.entry.async_on_unload(lab.on_change(look))


def _registry_id(lab: Lab, bridge_id: str) -> str | None:
    return device_id(lab.hass, DOMAIN, f"{lab.entry.entry_id}_{bridge_id}")
