"""What the entities of a lab share: its device, and when they are told anew."""

from typing import override

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity

from .const import DOMAIN
from .lab import Lab


class LabEntity(Entity):
    """An entity of the lab itself, or of one of its bridges."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, lab: Lab, key: str, *, bridge_id: str | None = None) -> None:
        """Prepare.

        Args:
            lab: Whose it is.
            key: Its key, by which it is translated.
            bridge_id: The bridge that it belongs to; None for the lab itself.
        """
        self.lab = lab
        entry_id = lab.entry.entry_id
        self._attr_translation_key = key
        if bridge_id is None:
            self._attr_unique_id = f"{entry_id}_{key}"
            self._attr_device_info = DeviceInfo(
                identifiers={(DOMAIN, entry_id)},
                entry_type=DeviceEntryType.SERVICE,
                name=lab.title,
                manufacturer="lab2mqtt",
                model="Lab",
            )
        else:
            self._attr_unique_id = f"{entry_id}_bridge_{bridge_id}_{key}"
            version = lab.bridges[bridge_id].status.get("version") if bridge_id in lab.bridges else None
            self._attr_device_info = DeviceInfo(
                identifiers={(DOMAIN, f"{entry_id}_{bridge_id}")},
                entry_type=DeviceEntryType.SERVICE,
                name=bridge_id,
                manufacturer="lab2mqtt",
                model="Bridge",
                sw_version=str(version) if version else None,
            )

    @override
    async def async_added_to_hass(self) -> None:
        self.async_on_remove(self.lab.on_change(self.async_write_ha_state))

    @property
    @override
    def available(self) -> bool:
        return self.lab.connected
