"""What a command of a run does, in words for people."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lab2mqtt.drivers.ot2.steps import slots_of

_MOVING: Final[Mapping[str, str]] = {
    "pickUpTip": "picks up {place}",
    "aspirate": "takes {volume:g} µL from {place}",
    "aspirateInPlace": "takes {volume:g} µL",
    "dispense": "gives {volume:g} µL into {place}",
    "dispenseInPlace": "gives {volume:g} µL",
    "blowout": "blows out at {place}",
    "blowOutInPlace": "blows out",
    "dropTip": "puts down at {place}",
    "dropTipInPlace": "drops the tip",
    "moveToWell": "moves to {place}",
    "touchTip": "touches off at {place}",
    "home": "homes",
    "moveToAddressableAreaForDropTip": "moves to the trash",
    "waitForDuration": "waits {seconds:g} s",
    "loadLabware": "looks up labware",
    "loadPipette": "looks up the pipette",
    "loadModule": "looks up a module",
}
PAUSES: Final = ("waitForResume", "pause")


class Words:
    """Tells the commands of one run."""

    def __init__(self, commands: Sequence[Mapping[str, Any]]) -> None:
        """Learn where its labware stands.

        Args:
            commands: Of its analysis.
        """
        self._slots = slots_of(commands)

    def of(self, command: Mapping[str, Any]) -> str:
        """One command, ``takes 100 µL from 3/B1``; of one that is not known its name."""
        kind, params = str(command.get("commandType", "")), command.get("params") or {}
        if kind in PAUSES or kind == "comment":
            return str(params.get("message") or "waits for a person")
        if kind not in _MOVING:
            return kind
        slot = self._slots.get(str(params.get("labwareId")), "?")
        known = (
            {"volume": 0.0, "seconds": 0.0}
            | dict(params)
            | {"place": f"{slot}/{params.get('wellName', '?')}"}
        )
        return _MOVING[kind].format_map(known)
