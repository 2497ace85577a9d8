"""How the lab is: its stop, its last failure, its devices; and how each bridge is."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoredExtraData, RestoreEntity
from homeassistant.util import dt as dt_util

from .bridge_sensor import bridge_sensors
from .bridges import follow_bridges
from .device import Device
from .entity import LabEntity
from .lab import Lab, LabConfigEntry
from .said_time import said_time
from .task_events import FAILED, task_data

PARALLEL_UPDATES = 0

_LONGEST_STATE = 255  # characters


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add those of the lab, and those of each bridge."""
    lab = entry.runtime_data
    async_add_entities(
        [StopSensor(lab, "stop"), LastFailure(lab, "last_failure"), ReadyDevices(lab, "devices_ready")]
    )
    follow_bridges(lab, lambda bridge_id: [*bridge_sensors(lab, bridge_id)], async_add_entities)


class StopSensor(LabEntity, SensorEntity):
    """Whether the lab is stopped, and who has not confirmed it."""

    _attr_device_class = SensorDeviceClass.ENUM
    _attr_options = ["released", "stopping", "stopped"]  # noqa: RUF012 - as Home Assistant has it

    @property
    @override
    def native_value(self) -> str:
        return self.lab.stop_word

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        stop = self.lab.stop
        return {
            "by": stop.by if stop else None,
            "reason": stop.reason if stop else None,
            "since": said_time(stop.timestamp) if stop else None,
            "unconfirmed": [device.name for device in self.lab.unconfirmed],
            # The stop has not come to them, as far as anybody knows.
            "unreachable": [device.name for device in self.lab.devices.values() if _is_out_of_reach(device)]
            if stop
            else [],
        }


class LastFailure(LabEntity, SensorEntity, RestoreEntity):
    """The last task that was refused or failed, also across a restart of Home Assistant."""

    _unrecorded_attributes = frozenset({"error"})

    def __init__(self, lab: Lab, key: str) -> None:
        """Prepare."""
        super().__init__(lab, key)
        self._failure: dict[str, Any] = {}

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        if last := await self.async_get_last_extra_data():
            self._failure = last.as_dict()
        self.async_on_remove(self.lab.on_event(self._happened))

    @property
    @override
    def extra_restore_state_data(self) -> RestoredExtraData:
        return RestoredExtraData(self._failure)

    @property
    @override
    def native_value(self) -> str | None:
        if not self._failure:
            return None
        parts = (self._failure.get(key) for key in ("device_name", "task", "error_code"))
        return ": ".join(part for part in parts if part)[:_LONGEST_STATE]

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        return self._failure

    @callback
    def _happened(self, device: Device, message: dict[str, Any]) -> None:
        if message["event_type"] == FAILED:
            at = said_time(message.get("timestamp")) or dt_util.utcnow()
            self._failure = {**task_data(device, message), "at": at.isoformat()}
            self.async_write_ha_state()


class ReadyDevices(LabEntity, SensorEntity):
    """How many devices are ready, and why the others are not."""

    _attr_state_class = SensorStateClass.MEASUREMENT
    _unrecorded_attributes = frozenset({"not_ready"})

    @property
    @override
    def native_value(self) -> int:
        return sum(device.readiness == "ready" for device in self._devices)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        return {
            "total": len(self._devices),
            "not_ready": {
                device.device_id: {
                    "name": device.name,
                    "readiness": device.readiness,
                    "reasons": device.reasons,
                }
                for device in self._devices
                if device.readiness != "ready"
            },
        }

    @property
    def _devices(self) -> list[Device]:
        return [device for device in self.lab.devices.values() if device.description]


def _is_out_of_reach(device: Device) -> bool:
    return device.moves and not device.reachable and not device.stop_confirmed
