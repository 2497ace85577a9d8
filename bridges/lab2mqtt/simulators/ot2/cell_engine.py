"""The built-in engine: plays the colour cell, without the ``opentrons`` package, and says so.

It recognises a protocol of the cell by ``"cell"`` in its metadata, or by its run-time parameters, and plays
what systems.md tells of the cell, checks included. Any other protocol gets an analysis with an error.

    mix_color         R, Y, B, well: one tip per colour, put back; the rinse vial takes what is left
    measure           well: the sensor picked up and held over it, until somebody resumes, then put back
    mix_and_measure   both
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lab2mqtt.simulators.ot2 import (
    liquid_commands,  # noqa: F401 - for their commands
    module_commands,  # noqa: F401
    parameters,
    protocol_file,
)
from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.commands import execute
from lab2mqtt.simulators.ot2.engine import Analysis, Upload
from lab2mqtt.simulators.ot2.failure import CommandFailed, protocol_failed, raised
from lab2mqtt.simulators.ot2.labware import PLATE, SENSOR_PORT, TIP_RACK, VIALS, Labware
from lab2mqtt.simulators.ot2.machine import FLOW_RATE, Machine
from lab2mqtt.simulators.ot2.session import Session
from lab2mqtt.simulators.ot2.truth import Truth

KINDS: Final = ("mix_color", "measure", "mix_and_measure")
MOST: Final = 300.0  # µL in one well
LEAST: Final = 20.0  # µL of one colour; what the P300 can
_VIAL: Final = {"R": "B1", "Y": "B2", "B": "B3"}
_DECK: Final = {
    "plate": ("1", PLATE),
    "vials": ("3", VIALS),
    "tips": ("9", TIP_RACK),
    "sensor": ("10", SENSOR_PORT),
}
_NEEDED: Final = {
    "mix_color": ("plate", "vials", "tips"),
    "measure": ("plate", "sensor"),
    "mix_and_measure": tuple(_DECK),
}
_PIPETTE: Final = {"pipetteName": "p300_single_gen2", "mount": "right", "pipetteId": "p300"}
_KNOWN: Final[dict[str, dict[str, Any]]] = {
    name: {
        "variableName": name,
        "displayName": colour,
        "description": f"{colour} paint",
        "type": "float",
        "default": volume,
        "value": volume,
        "min": 0.0,
        "max": MOST,
        "suffix": "µL",
    }
    for name, colour, volume in (("R", "Red", 100.0), ("Y", "Yellow", 50.0), ("B", "Blue", 80.0))
} | {
    "well": {
        "variableName": "well",
        "displayName": "Well",
        "description": "Which well",
        "type": "str",
        "default": "A1",
        "value": "A1",
        "choices": [{"displayName": well, "value": well} for well in PLATE.wells],
    }
}
_RINSING_SPEED: Final = 100.0  # mm/s
Step = dict[str, Any]


class CellEngine:
    """See the module."""

    words = "built in: plays the colour cell only; this is not the real opentrons engine"
    real = False

    def __init__(self, *, dense: bool = False) -> None:
        """Prepare; ``dense`` refuses tip racks with fewer than 96 places, as newer software does."""
        self._dense = dense

    async def close(self) -> None:
        """Nothing runs."""

    async def analyze(self, upload: Upload, values: Mapping[str, Any]) -> Analysis:
        """Find out what a protocol would do, by doing it on a deck of its own."""
        clock = Clock(float("inf"))
        named = protocol_file.metadata(upload.source).get("cell")
        known = _parameters(str(named), parameters.defined(upload.source))
        try:
            filled = parameters.filled(known, values)
        except parameters.WrongValue as wrong:
            return self._refused("UnexpectedAnalysisError", str(wrong), clock)
        chosen = {each["variableName"]: each["value"] for each in filled}
        kind = _kind(named, chosen)
        if kind is None:
            return self._refused(
                "EngineNotInstalled",
                f"{upload.name} is no protocol of the colour cell, and without the opentrons package this"
                " simulator plays no other.",
                clock,
                filled,
            )
        session = Session(Machine(clock, Truth.of_the_cell()), dense=self._dense)
        for definition in upload.labware.values():
            session.define(Labware.read(definition))
        commands: list[Step] = []
        problem = None if kind == "measure" else _refusal(chosen)
        errors = [raised("ExceptionInProtocolError", problem, clock.stamp())] if problem else []
        try:
            for step in () if problem else _steps(kind, chosen, session):
                commands.append(step)
                step["result"] = await execute(session, step["commandType"], step["params"])
                step["status"] = "succeeded"
        except CommandFailed as failed:
            told = failed.told(clock.stamp())
            commands[-1] |= {"status": "failed", "error": told}
            errors = [protocol_failed(failed, told, clock.stamp())]
        loaded = session.told()
        return Analysis(
            "not-ok" if errors else "ok",
            commands,
            loaded["labware"],
            loaded["pipettes"],
            loaded["modules"],
            filled,
            errors,
        )

    def _refused(self, kind: str, detail: str, clock: Clock, known: Sequence[Step] = ()) -> Analysis:
        return Analysis("not-ok", parameters=known, errors=(raised(kind, detail, clock.stamp()),))


def _parameters(kind: str, read: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters of a protocol of the cell: as its file says, or as we know where it cannot be read."""
    if kind not in KINDS:
        return read
    names = ("well",) if kind == "measure" else (*_VIAL, "well")
    found = {each["variableName"]: each for each in read}
    return [*(found.pop(name, _KNOWN[name]) for name in names), *found.values()]


def _kind(named: object, chosen: Mapping[str, Any]) -> str | None:
    if named in KINDS:
        return str(named)
    if {*_VIAL, "well"} <= chosen.keys():
        return "mix_color"
    return None


def _refusal(chosen: Mapping[str, Any]) -> str | None:
    total = sum(float(chosen.get(colour, 0)) for colour in _VIAL)
    if not 0 < total <= MOST:
        return f"ValueError: R + Y + B is {total:g} µL: more than 0 and at most {MOST:g} µL fit the well."
    for colour in _VIAL:
        if 0 < (volume := float(chosen.get(colour, 0))) < LEAST:
            return f"ValueError: {colour} is {volume:g} µL: the pipette takes 0 or at least {LEAST:g} µL."
    return None


def _steps(kind: str, chosen: Mapping[str, Any], session: Session) -> Iterator[Step]:
    yield _step("home")
    for name in _NEEDED[kind]:
        slot, usual = _DECK[name]
        same = (each for each in session.definitions.values() if each.load_name == usual.load_name)
        labware = max(same, key=lambda each: len(each.wells))  # one that came with the upload may be padded
        where = {"location": {"slotName": slot}, "namespace": labware.namespace, "version": labware.version}
        yield _step("loadLabware", labwareId=name, loadName=labware.load_name, **where)
    yield _step("loadPipette", **_PIPETTE)
    well = str(chosen.get("well", "A1"))
    if kind != "measure":
        yield from _mix(chosen, well)
    if kind != "mix_color":
        yield from _measure(well)


def _mix(chosen: Mapping[str, Any], well: str) -> Iterator[Step]:
    for colour, vial in _VIAL.items():
        volume = float(chosen.get(colour, 0))
        if not volume:
            continue
        flow = {"volume": volume, "flowRate": FLOW_RATE}
        yield _step("pickUpTip", labwareId="tips", wellName=vial, **_USING)
        yield _step(
            "aspirate", labwareId="vials", wellName=vial, wellLocation=_from("bottom", 1), **flow, **_USING
        )
        yield _step(
            "dispense", labwareId="plate", wellName=well, wellLocation=_from("bottom", 8), **flow, **_USING
        )
        yield _step(
            "blowout", labwareId="vials", wellName="A1", wellLocation=_from("top", -5), flowRate=FLOW_RATE,
            gantrySpeed=_RINSING_SPEED, **_USING,
        )  # fmt: skip
        yield _step("dropTip", labwareId="tips", wellName=vial, **_USING)


def _measure(well: str) -> Iterator[Step]:
    yield _step("pickUpTip", labwareId="sensor", wellName="A2", **_USING)
    yield _step("moveToWell", labwareId="plate", wellName=well, wellLocation=_from("top", -1.3), **_USING)
    yield _step("waitForResume", message="in_place")
    yield _step("dropTip", labwareId="sensor", wellName="A2", wellLocation=_from("top", -80), **_USING)


_USING: Final = {"pipetteId": "p300"}


def _from(where: str, z: float) -> dict[str, Any]:
    return {"origin": where, "offset": {"x": 0, "y": 0, "z": z}}


def _step(kind: str, **params: Any) -> Step:  # noqa: ANN401 - whatever JSON holds
    return {"commandType": kind, "params": params}
