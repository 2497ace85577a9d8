"""Whether a bridge is there, and whether the lab needs somebody."""

from typing import Any, override

from homeassistant.components.binary_sensor import BinarySensorDeviceClass, BinarySensorEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .bridges import follow_bridges
from .device import Bridge
from .entity import LabEntity
from .lab import Lab, LabConfigEntry

PARALLEL_UPDATES = 0

# A device that is like this stays so until somebody does something.
_NEEDS_SOMEBODY = ("unreachable", "emergency_stopped", "fault", "needs_homing")


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add those of the lab, and those of each bridge."""
    lab = entry.runtime_data
    async_add_entities([Problem(lab, "problem")])
    follow_bridges(lab, lambda bridge_id: [BridgeOnline(lab, bridge_id)], async_add_entities)


class BridgeOnline(LabEntity, BinarySensorEntity):
    """Whether a bridge is linked to the broker."""

    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, lab: Lab, bridge_id: str) -> None:
        """Prepare."""
        super().__init__(lab, "online", bridge_id=bridge_id)
        self._bridge_id = bridge_id

    @property
    @override
    def is_on(self) -> bool:
        bridge = self.lab.bridges.get(self._bridge_id)
        return bridge is not None and bridge.online


class Problem(LabEntity, BinarySensorEntity):
    """On while something in the lab stays as it is until somebody does something."""

    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _unrecorded_attributes = frozenset({"devices", "bridges"})

    @property
    @override
    def is_on(self) -> bool:
        return self.lab.stop is not None or bool(self._devices) or bool(self._bridges)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        return {
            "stopped": self.lab.stop is not None,
            "devices": self._devices,
            "bridges": self._bridges,
        }

    @property
    def _devices(self) -> dict[str, str]:
        """Device → why somebody is needed."""
        told = {
            device.device_id: device.readiness
            for device in self.lab.devices.values()
            if device.description and device.readiness in _NEEDS_SOMEBODY
        }
        return told | dict.fromkeys(self.lab.unreadable, "description_invalid")

    @property
    def _bridges(self) -> list[str]:
        return [
            bridge.bridge_id for bridge in self.lab.bridges.values() if bridge.status and _has_problem(bridge)
        ]


def _has_problem(bridge: Bridge) -> bool:
    """Whether it is offline, cannot write down what is done, or shares a device with another bridge."""
    health = bridge.health
    return not bridge.online or health.get("ledger", "ok") != "ok" or bool(health.get("rivals"))
