"""Commands to modules. Temperatures in °C, heights in mm, speeds in rpm."""

from collections.abc import Mapping
from typing import Any, TypeVar

from lab2mqtt.simulators.ot2.commands import command
from lab2mqtt.simulators.ot2.failure import CommandFailed
from lab2mqtt.simulators.ot2.modules import (
    Approach,
    HeaterShaker,
    MagneticModule,
    Module,
    TemperatureModule,
    Thermocycler,
)
from lab2mqtt.simulators.ot2.session import Session

M = TypeVar("M", bound=Module)

_LATCHING = 1.0  # s
_LID_MOVING = 8.0  # s
_LOOK_EVERY = 0.5  # s


def _of(session: Session, params: Mapping[str, Any], kind: type[M]) -> M:
    module = session.module(params["moduleId"])
    if isinstance(module, kind):
        return module
    raise CommandFailed("WrongModuleTypeError", f"{params['moduleId']} is a {module.model}, no {kind.model}.")


def _in(value: float, least: float, most: float, error_type: str, unit: str) -> float:
    if least <= value <= most:
        return value
    raise CommandFailed(error_type, f"{value} {unit} is out of range: {least} to {most} {unit}.")


async def _reach(session: Session, module: Module, body: Approach) -> dict[str, Any]:
    while not body.reached():
        await session.machine.wait(_LOOK_EVERY)
        if not module.plugged:
            raise CommandFailed("ModuleNotAttachedError", f"{module.model} is not attached.", "3015")
    return {}


@command("temperatureModule/setTargetTemperature", "moduleId", "celsius")
async def _temperature(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, TemperatureModule)
    target = _in(float(params["celsius"]), -9, 99, "InvalidTargetTemperatureError", "°C")
    module.block.aim(target)
    return {"targetTemperature": target}


@command("temperatureModule/waitForTemperature", "moduleId")
async def _temperature_wait(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, TemperatureModule)
    if module.block.target is None:
        raise CommandFailed("NoTargetTemperatureSetError", "Module does not have a target temperature set.")
    return await _reach(session, module, module.block)


@command("temperatureModule/deactivate", "moduleId")
async def _temperature_off(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    _of(session, params, TemperatureModule).block.aim(None)
    return {}


@command("magneticModule/engage", "moduleId", "height")
async def _engage(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, MagneticModule)
    module.height = _in(float(params["height"]), -2.5, 22.5, "EngageHeightOutOfRangeError", "mm")
    module.engaged = True
    return {}


@command("magneticModule/disengage", "moduleId")
async def _disengage(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, MagneticModule)
    module.height, module.engaged = 0.0, False
    return {}


@command("heaterShaker/setTargetTemperature", "moduleId", "celsius")
async def _shaker_temperature(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    module.block.aim(_in(float(params["celsius"]), 37, 95, "InvalidTargetTemperatureError", "°C"))
    return {}


@command("heaterShaker/waitForTemperature", "moduleId")
async def _shaker_wait(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    return await _reach(session, module, module.block)


@command("heaterShaker/deactivateHeater", "moduleId")
async def _shaker_cool(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    _of(session, params, HeaterShaker).block.aim(None)
    return {}


@command("heaterShaker/setAndWaitForShakeSpeed", "moduleId", "rpm")
async def _shake(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    speed = _in(float(params["rpm"]), 200, 3000, "InvalidTargetSpeedError", "rpm")
    if module.latch != "idle_closed":
        raise CommandFailed(
            "CannotPerformModuleAction", "Heater-Shaker cannot start shaking while the latch is open."
        )
    module.speed = module.target_speed = int(speed)
    return {"pipetteRetracted": True}


@command("heaterShaker/deactivateShaker", "moduleId")
async def _shake_off(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    module.speed, module.target_speed = 0, None
    return {}


@command("heaterShaker/openLabwareLatch", "moduleId")
async def _open_latch(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    if module.speed:
        raise CommandFailed(
            "CannotPerformModuleAction", "Heater-Shaker cannot open its labware latch while shaking."
        )
    await session.machine.wait(_LATCHING)
    module.latch = "idle_open"
    return {"pipetteRetracted": True}


@command("heaterShaker/closeLabwareLatch", "moduleId")
async def _close_latch(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, HeaterShaker)
    await session.machine.wait(_LATCHING)
    module.latch = "idle_closed"
    return {}


@command("thermocycler/setTargetBlockTemperature", "moduleId", "celsius")
async def _block(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, Thermocycler)
    target = _in(float(params["celsius"]), 4, 99, "InvalidTargetTemperatureError", "°C")
    module.block.aim(target)
    return {"targetBlockTemperature": target}


@command("thermocycler/waitForBlockTemperature", "moduleId")
async def _block_wait(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, Thermocycler)
    return await _reach(session, module, module.block)


@command("thermocycler/setTargetLidTemperature", "moduleId", "celsius")
async def _lid(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, Thermocycler)
    target = _in(float(params["celsius"]), 37, 110, "InvalidTargetTemperatureError", "°C")
    module.cover.aim(target)
    return {"targetLidTemperature": target}


@command("thermocycler/waitForLidTemperature", "moduleId")
async def _lid_wait(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    module = _of(session, params, Thermocycler)
    return await _reach(session, module, module.cover)


@command("thermocycler/deactivateBlock", "moduleId")
async def _block_off(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    _of(session, params, Thermocycler).block.aim(None)
    return {}


@command("thermocycler/deactivateLid", "moduleId")
async def _lid_off(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    _of(session, params, Thermocycler).cover.aim(None)
    return {}


@command("thermocycler/openLid", "moduleId")
async def _open_lid(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    return await _turn_lid(session, params, "open")


@command("thermocycler/closeLid", "moduleId")
async def _close_lid(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    return await _turn_lid(session, params, "closed")


async def _turn_lid(session: Session, params: Mapping[str, Any], to: str) -> dict[str, Any]:
    module = _of(session, params, Thermocycler)
    module.lid = "in_between"
    await session.machine.wait(_LID_MOVING)
    module.lid = to
    return {}
