"""What each bridge tells of itself in its heartbeat."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfInformation

from .entity import LabEntity
from .lab import Lab
from .said_time import said_time

_LARGEST = 2**53  # what is more is no count
_SAME_START = timedelta(seconds=2)  # two whole seconds are subtracted


@dataclass(frozen=True, kw_only=True)
class _Description(SensorEntityDescription):
    value: Callable[[dict[str, Any]], float | datetime | None]
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


def _count(key: str) -> Callable[[dict[str, Any]], float | None]:
    return lambda health: _number(health.get(key))


def _waiting(health: dict[str, Any]) -> float | None:
    """Commands that wait on all devices; those without any are left out of the heartbeat."""
    queued = health.get("queued")
    if not isinstance(queued, dict):
        return None
    return sum(_number(count) or 0 for count in queued.values())


def _started_at(health: dict[str, Any]) -> datetime | None:
    said, uptime = _number(health.get("timestamp")), _number(health.get("uptime_s"))
    return said_time(said - uptime) if said and uptime is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        return None
    return value


_DESCRIPTIONS = (
    _Description(key="started_at", device_class=SensorDeviceClass.TIMESTAMP, value=_started_at),
    _Description(
        key="memory",
        device_class=SensorDeviceClass.DATA_SIZE,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEBIBYTES,
        suggested_display_precision=0,
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value=_count("rss_bytes"),
    ),
    _Description(
        key="commands_done", state_class=SensorStateClass.TOTAL_INCREASING, value=_count("commands_done")
    ),
    _Description(
        key="commands_failed", state_class=SensorStateClass.TOTAL_INCREASING, value=_count("commands_failed")
    ),
    _Description(key="commands_waiting", state_class=SensorStateClass.MEASUREMENT, value=_waiting),
    _Description(
        key="messages_dropped",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value=_count("messages_dropped"),
    ),
    _Description(
        key="reconnects",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_registry_enabled_default=False,
        value=_count("reconnects"),
    ),
)


def bridge_sensors(lab: Lab, bridge_id: str) -> list[SensorEntity]:
    """The sensors of a bridge."""
    return [BridgeSensor(lab, bridge_id, description) for description in _DESCRIPTIONS]


class BridgeSensor(LabEntity, SensorEntity):
    """One number of a bridge's heartbeat, or when it started."""

    entity_description: _Description

    def __init__(self, lab: Lab, bridge_id: str, description: _Description) -> None:
        """Prepare."""
        super().__init__(lab, description.key, bridge_id=bridge_id)
        self.entity_description = description
        self._bridge_id = bridge_id
        self._last: float | datetime | None = None

    @property
    @override
    def available(self) -> bool:
        bridge = self.lab.bridges.get(self._bridge_id)
        return super().available and bridge is not None and bridge.online

    @property
    @override
    def native_value(self) -> float | datetime | None:
        bridge = self.lab.bridges.get(self._bridge_id)
        value = self.entity_description.value(bridge.health) if bridge else None
        if (
            isinstance(value, datetime)
            and isinstance(self._last, datetime)
            and abs(value - self._last) < _SAME_START
        ):
            return self._last
        self._last = value
        return value
