"""What the modules on an OT-2's deck do, outside of runs: heat, cool, shake, lift magnets, turn lids.

The robot refuses each of these while a run is under way, also while that is paused.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from lab2mqtt.core.device import Task
from lab2mqtt.core.errors import Refused
from lab2mqtt.core.parameters import Range, Text, Unit
from lab2mqtt.drivers.ot2.runs import Runs
from lab2mqtt.drivers.ot2.snapshot import Module

NAMES: Final = {
    "temperature": "temperature module",
    "magnetic": "magnetic module",
    "heater_shaker": "heater-shaker",
    "thermocycler": "thermocycler",
}
# s that a command may take. The robot answers once a target is set, a magnet moved, a speed reached.
_AT_ONCE = 10.0
_MOVING = 30.0
_LID = 90.0
_MORE = 10.0  # what a task may take beyond its commands

TASKS: Final = (
    Task("set_temperature", timeout=_AT_ONCE + _MORE),
    Task("deactivate_temperature", timeout=_AT_ONCE + _MORE),
    Task("engage_magnet", effect="move", timeout=_MOVING + _MORE),
    Task("disengage_magnet", effect="move", timeout=_MOVING + _MORE),
    Task("set_shaker_temperature", timeout=_AT_ONCE + _MORE),
    Task("set_shaker_speed", effect="move", timeout=_MOVING + _MORE),
    # It ends motion, and so must not be refused as motion is, after an emergency stop for one.
    Task("deactivate_shaker", timeout=_MOVING + _AT_ONCE + _MORE),
    Task("open_latch", effect="move", timeout=_MOVING + _MORE),
    Task("close_latch", effect="move", timeout=_MOVING + _MORE),
    Task("open_lid", effect="move", timeout=_LID + _MORE),
    Task("close_lid", effect="move", timeout=_LID + _MORE),
    Task("set_block_temperature", timeout=_AT_ONCE + _MORE),
    Task("set_lid_temperature", timeout=_AT_ONCE + _MORE),
    Task("deactivate_thermocycler", timeout=2 * _AT_ONCE + _MORE),
)

Serial = Annotated[str, Text(64)]
Told = dict[str, object]


class ModuleTasks:
    """The tasks of modules, for a driver that has the robot's runs and knows what is attached.

    Each gives the serial number of its ``module``, and what was set. All of them raise ``Refused`` where
    there is no such module, where it is not said which of several, and while a run is under way; and
    ``CommandFailed`` where the module does not do it.
    """

    _runs: Runs

    def _modules(self) -> Sequence[Module]:
        """What is attached."""
        raise NotImplementedError

    # Temperature module.

    async def set_temperature(
        self, target: Annotated[float, Range(4, 95), Unit("°C")], module: Serial = ""
    ) -> Told:
        """Heat or cool the temperature module. Done when the target is set, not when it is reached.

        Args:
            target: What it holds from then on.
            module: Serial number, where several are attached.

        Returns:
            The module and its target.
        """
        there = self._one("temperature", module)
        await self._do(there, "temperatureModule/setTargetTemperature", celsius=target)
        return {"module": there.serial, "target": target}

    async def deactivate_temperature(self, module: Serial = "") -> Told:
        """Let the temperature module go back to the temperature of the room.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("temperature", module)
        await self._do(there, "temperatureModule/deactivate")
        return {"module": there.serial}

    # Magnetic module.

    async def engage_magnet(
        self, height: Annotated[float, Range(-2.5, 22.5), Unit("mm")], module: Serial = ""
    ) -> Told:
        """Lift the magnets.

        Args:
            height: Of their tops above the base of the labware; a first-generation module reaches less than
                a second-generation one.
            module: Serial number, where several are attached.

        Returns:
            The module and the height.
        """
        there = self._one("magnetic", module)
        await self._do(there, "magneticModule/engage", _MOVING, height=height)
        return {"module": there.serial, "height": height}

    async def disengage_magnet(self, module: Serial = "") -> Told:
        """Lower the magnets.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("magnetic", module)
        await self._do(there, "magneticModule/disengage", _MOVING)
        return {"module": there.serial}

    # Heater-shaker.

    async def set_shaker_temperature(
        self, target: Annotated[float, Range(37, 95), Unit("°C")], module: Serial = ""
    ) -> Told:
        """Heat the heater-shaker, which cannot cool. Done when the target is set, not when it is reached.

        Args:
            target: What it holds from then on.
            module: Serial number, where several are attached.

        Returns:
            The module and its target.
        """
        there = self._one("heater_shaker", module)
        await self._do(there, "heaterShaker/setTargetTemperature", celsius=target)
        return {"module": there.serial, "target": target}

    async def set_shaker_speed(
        self, rpm: Annotated[int, Range(200, 3000), Unit("rpm")], module: Serial = ""
    ) -> Told:
        """Shake, until it is deactivated. The latch must be closed; a pipette near it is lifted first.

        Args:
            rpm: How fast.
            module: Serial number, where several are attached.

        Returns:
            The module and its speed.
        """
        there = self._one("heater_shaker", module)
        await self._do(there, "heaterShaker/setAndWaitForShakeSpeed", _MOVING, rpm=rpm)
        return {"module": there.serial, "rpm": rpm}

    async def deactivate_shaker(self, module: Serial = "") -> Told:
        """End shaking and heating of the heater-shaker.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("heater_shaker", module)
        try:
            await self._do(there, "heaterShaker/deactivateShaker", _MOVING)
        finally:
            await self._do(there, "heaterShaker/deactivateHeater")
        return {"module": there.serial}

    async def open_latch(self, module: Serial = "") -> Told:
        """Open the latch of the heater-shaker, which must not shake; a pipette near it is lifted first.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("heater_shaker", module)
        await self._do(there, "heaterShaker/openLabwareLatch", _MOVING)
        return {"module": there.serial}

    async def close_latch(self, module: Serial = "") -> Told:
        """Close the latch of the heater-shaker.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("heater_shaker", module)
        await self._do(there, "heaterShaker/closeLabwareLatch", _MOVING)
        return {"module": there.serial}

    # Thermocycler.

    async def open_lid(self, module: Serial = "") -> Told:
        """Open the lid of the thermocycler; the pipettes are lifted first.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("thermocycler", module)
        await self._do(there, "thermocycler/openLid", _LID)
        return {"module": there.serial}

    async def close_lid(self, module: Serial = "") -> Told:
        """Close the lid of the thermocycler; the pipettes are lifted first.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("thermocycler", module)
        await self._do(there, "thermocycler/closeLid", _LID)
        return {"module": there.serial}

    async def set_block_temperature(
        self, target: Annotated[float, Range(4, 99), Unit("°C")], module: Serial = ""
    ) -> Told:
        """Heat or cool the thermocycler's block. Done when the target is set, not when it is reached.

        Args:
            target: What it holds from then on.
            module: Serial number, where several are attached.

        Returns:
            The module and its target.
        """
        there = self._one("thermocycler", module)
        await self._do(there, "thermocycler/setTargetBlockTemperature", celsius=target)
        return {"module": there.serial, "target": target}

    async def set_lid_temperature(
        self, target: Annotated[float, Range(37, 110), Unit("°C")], module: Serial = ""
    ) -> Told:
        """Heat the thermocycler's lid. Done when the target is set, not when it is reached.

        Args:
            target: What it holds from then on.
            module: Serial number, where several are attached.

        Returns:
            The module and its target.
        """
        there = self._one("thermocycler", module)
        await self._do(there, "thermocycler/setTargetLidTemperature", celsius=target)
        return {"module": there.serial, "target": target}

    async def deactivate_thermocycler(self, module: Serial = "") -> Told:
        """End heating and cooling of the thermocycler's block and lid.

        Args:
            module: Serial number, where several are attached.

        Returns:
            The module.
        """
        there = self._one("thermocycler", module)
        try:
            await self._do(there, "thermocycler/deactivateBlock")
        finally:
            await self._do(there, "thermocycler/deactivateLid")
        return {"module": there.serial}

    # Parts.

    def _one(self, kind: str, serial: str) -> Module:
        """The module that is meant.

        Raises:
            Refused: It is not there, or several are.
        """
        attached = self._modules()
        meant = [each for each in attached if each.kind == kind and serial in ("", each.serial)]
        if len(meant) > 1:
            serials = ", ".join(each.serial for each in meant)
            raise Refused(f"module is missing: it says which {NAMES[kind]}, one of {serials}")
        if meant:
            return meant[0]
        number = f" with the serial number {serial}" if serial else ""
        there = ", ".join(f"{NAMES[each.kind]} {each.serial}" for each in attached) or "no module at all"
        raise Refused(f"no {NAMES[kind]}{number} is attached: there is {there}", "not_allowed")

    async def _do(self, module: Module, kind: str, within: float = _AT_ONCE, /, **params: float) -> None:
        await self._runs.stateless(kind, {"moduleId": module.module_id, **params}, within)
