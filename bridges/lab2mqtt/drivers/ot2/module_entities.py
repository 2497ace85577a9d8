"""What Home Assistant shows of the modules on an OT-2's deck: each kind is a part, a device of its own.

Where several of a kind are attached, the first is shown.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from lab2mqtt.core.entities import BinarySensor, Button, Entity, Number, Sensor
from lab2mqtt.drivers.ot2.snapshot import Snapshot

_TEMPERATURE: Final = "temperature"
_MAGNETIC: Final = "magnetic"
_SHAKER: Final = "heater_shaker"
_CYCLER: Final = "thermocycler"

_HEAT: Final = ("idle", "heating", "cooling", "holding_at_target", "error")
_SPEED: Final = ("idle", "speeding_up", "slowing_down", "holding_at_target", "error")
_LATCH: Final = ("opening", "idle_open", "closing", "idle_closed", "idle_unknown", "unknown")
_LID: Final = ("open", "in_between", "closed", "max", "unknown")


def _value(part: str, name: str) -> Callable[[Snapshot], Any]:
    def read(now: Snapshot) -> Any:  # noqa: ANN401 - whatever the module measures
        return next((module.data.get(name) for module in now.modules if module.kind == part), None)

    return read


def _word(part: str, name: str, options: Sequence[str]) -> Callable[[Snapshot], str | None]:
    """One of the robot's words, as Home Assistant writes them; a word that nobody expects is unknown."""
    value = _value(part, name)

    def read(now: Snapshot) -> str | None:
        word = str(value(now)).replace(" ", "_")
        return word if word in options else None

    return read


def _shaker_error(now: Snapshot) -> str | None:
    for module in now.modules:
        if module.kind == _SHAKER and "errorDetails" in module.data:
            return str(module.data["errorDetails"] or "none")
    return None


def _temperature(part: str, key: str, name: str, field: str) -> Sensor[Snapshot]:
    return Sensor(
        key,
        name,
        part=part,
        unit="°C",
        device_class="temperature",
        precision=1,
        read=_value(part, field),
    )


def _target(part: str, key: str, name: str, field: str, task: str) -> Number[Snapshot]:
    return Number(
        key,
        name,
        part=part,
        icon="mdi:thermometer-chevron-up",
        task=task,
        parameter="target",
        step=0.5,
        mode="box",
        read=_value(part, field),
    )


def _status(
    part: str, key: str, name: str, field: str, options: Sequence[str], icon: str = "mdi:state-machine"
) -> Sensor[Snapshot]:
    return Sensor(key, name, part=part, icon=icon, options=options, read=_word(part, field, options))


def _button(part: str, key: str, name: str, icon: str) -> Button[Snapshot]:
    return Button(key, name, part=part, icon=icon, task=key)


ENTITIES: Final[tuple[Entity[Snapshot], ...]] = (
    _temperature(_TEMPERATURE, "temperature", "Temperature", "currentTemperature"),
    _target(_TEMPERATURE, "temperature_target", "Target", "targetTemperature", "set_temperature"),
    _status(_TEMPERATURE, "temperature_status", "Status", "status", _HEAT),
    _button(_TEMPERATURE, "deactivate_temperature", "Deactivate", "mdi:power"),
    BinarySensor(
        "magnet_engaged", "Engaged", part=_MAGNETIC, icon="mdi:magnet", read=_value(_MAGNETIC, "engaged")
    ),
    Sensor(
        "magnet_height",
        "Height",
        part=_MAGNETIC,
        unit="mm",
        device_class="distance",
        precision=1,
        read=_value(_MAGNETIC, "height"),
    ),
    _button(_MAGNETIC, "disengage_magnet", "Disengage", "mdi:magnet-on"),
    _temperature(_SHAKER, "shaker_temperature", "Temperature", "currentTemperature"),
    _target(_SHAKER, "shaker_target", "Target", "targetTemperature", "set_shaker_temperature"),
    _status(_SHAKER, "shaker_heating", "Heating", "temperatureStatus", _HEAT),
    Sensor(
        "shaker_speed",
        "Speed",
        part=_SHAKER,
        unit="rpm",
        icon="mdi:rotate-orbit",
        read=_value(_SHAKER, "currentSpeed"),
    ),
    Sensor(
        "shaker_target_speed",
        "Target speed",
        part=_SHAKER,
        unit="rpm",
        icon="mdi:rotate-orbit",
        read=_value(_SHAKER, "targetSpeed"),
    ),
    _status(_SHAKER, "shaker_shaking", "Shaking", "speedStatus", _SPEED),
    _status(_SHAKER, "latch", "Latch", "labwareLatchStatus", _LATCH, "mdi:lock"),
    Sensor(
        "shaker_error",
        "Error",
        part=_SHAKER,
        icon="mdi:alert-circle-outline",
        category="diagnostic",
        read=_shaker_error,
    ),
    _button(_SHAKER, "open_latch", "Open latch", "mdi:lock-open-variant"),
    _button(_SHAKER, "close_latch", "Close latch", "mdi:lock"),
    _button(_SHAKER, "deactivate_shaker", "Deactivate", "mdi:power"),
    _temperature(_CYCLER, "block_temperature", "Block temperature", "currentTemperature"),
    _target(_CYCLER, "block_target", "Block target", "targetTemperature", "set_block_temperature"),
    _status(_CYCLER, "block_status", "Block", "status", _HEAT),
    _temperature(_CYCLER, "lid_temperature", "Lid temperature", "lidTemperature"),
    _target(_CYCLER, "lid_target", "Lid target", "lidTargetTemperature", "set_lid_temperature"),
    _status(_CYCLER, "lid_status", "Lid heating", "lidTemperatureStatus", _HEAT),
    _status(_CYCLER, "lid", "Lid", "lidStatus", _LID, "mdi:window-shutter"),
    _button(_CYCLER, "open_lid", "Open lid", "mdi:window-shutter-open"),
    _button(_CYCLER, "close_lid", "Close lid", "mdi:window-shutter"),
    _button(_CYCLER, "deactivate_thermocycler", "Deactivate", "mdi:power"),
)
