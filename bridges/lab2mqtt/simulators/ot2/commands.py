"""The commands of the robot's engine that this server knows, each a coroutine over a session."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
import uuid

from lab2mqtt.simulators.ot2.failure import CommandFailed, InvalidParameters
from lab2mqtt.simulators.ot2.machine import MustHome
from lab2mqtt.simulators.ot2.session import PIPETTES, Loaded, Session

Command = Callable[[Session, Mapping[str, Any]], Awaitable[dict[str, Any]]]

_COMMANDS: Final[dict[str, tuple[Command, tuple[str, ...]]]] = {}
_NUMBERS: Final = {"volume", "flowRate", "seconds", "celsius", "height", "rpm", "speed"}
_ABOVE_ZERO: Final = {"flowRate"}
_UNKNOWN: Final = 0.2  # s


def command(name: str, *required: str) -> Callable[[Command], Command]:
    """Make a coroutine a command of the engine; ``required`` are its parameters that have no default."""

    def add(function: Command) -> Command:
        _COMMANDS[name] = function, required
        return function

    return add


def known() -> list[str]:
    """All commands, as the 422 for an unknown one lists them."""
    return sorted(_COMMANDS)


def check(request: object) -> tuple[str, dict[str, Any]]:
    """Look at a command as it came; gives its type and its parameters.

    Raises:
        InvalidParameters: The server would answer 422.
    """
    if not isinstance(request, dict):
        raise InvalidParameters({"body.data": "value is not a valid dict"})
    kind = request.get("commandType")
    if kind not in _COMMANDS:
        allowed = ", ".join(repr(name) for name in known())
        raise InvalidParameters({
            "body.data": f"Input tag {kind!r} found using 'commandType' does not match any of the expected"
            f" tags: {allowed}"
        })  # fmt: skip
    params = request.get("params")
    if not isinstance(params, dict):
        raise InvalidParameters({f"body.data.{kind}.params": "field required"})
    where = f"body.data.{kind}.params"
    problems = {
        f"{where}.{name}": "field required" for name in _COMMANDS[kind][1] if params.get(name) is None
    }
    for name in _NUMBERS & params.keys():
        value = params[name]
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            problems[f"{where}.{name}"] = "value is not a valid float"
        elif name in _ABOVE_ZERO and value <= 0:
            problems[f"{where}.{name}"] = "ensure this value is greater than 0"
    if problems:
        raise InvalidParameters(problems)
    return kind, params


async def execute(session: Session, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Do one command; gives its result.

    Raises:
        CommandFailed: It did not work.
    """
    if kind not in _COMMANDS:  # of a protocol that the real engine analysed
        await session.machine.wait(_UNKNOWN)
        return {}
    try:
        return await _COMMANDS[kind][0](session, params)
    except MustHome:
        raise CommandFailed("MustHomeError", "Make sure all axes are homed before moving.") from None


@command("home")
async def _home(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    axes = params.get("axes")
    await session.machine.home(tuple(axes) if axes else None)
    return {}


@command("loadPipette", "pipetteName", "mount")
async def _load_pipette(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    name, mount = str(params["pipetteName"]), str(params["mount"])
    there = PIPETTES.get(name) if session.mounts is None else session.mounts.get(mount)
    if there is None or there.name != name:
        found = there.name if there else "none"
        raise CommandFailed(
            "FailedToLoadPipetteError", f"Expected {name} on the {mount} mount, found {found}.", "3010"
        )
    pipette_id = str(params.get("pipetteId") or uuid.uuid4())
    session.pipettes[pipette_id] = Loaded(pipette_id, there, mount)
    return {"pipetteId": pipette_id}


@command("loadLabware", "location", "loadName", "namespace", "version")
async def _load_labware(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    uri = f"{params['namespace']}/{params['loadName']}/{params['version']}"
    if (kind := session.definitions.get(uri)) is None:
        raise CommandFailed(
            "LabwareDefinitionDoesNotExistError", f"Labware definition for matching {uri} not found."
        )
    location = params["location"]
    slot = location.get("slotName") if isinstance(location, dict) else None
    if isinstance(location, dict) and "moduleId" in location:
        session.module(location["moduleId"])
        slot = session.loaded_modules[location["moduleId"]][1]
    if slot is None:
        raise CommandFailed("LabwareNotOnDeckError", f"{location!r} is no place on the deck.")
    loaded = session.put(params.get("labwareId"), str(slot), kind)
    definition = {
        "namespace": kind.namespace,
        "version": kind.version,
        "metadata": {"displayName": kind.display_name},
        "parameters": {"loadName": kind.load_name, "isTiprack": kind.tip_length is not None},
    }
    return {"labwareId": loaded.labware_id, "definition": definition}


@command("loadModule", "model", "location")
async def _load_module(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    for module in session.modules:
        taken = any(module is other for other, _ in session.loaded_modules.values())
        if module.model == params["model"] and module.plugged and not taken:
            module_id = str(params.get("moduleId") or uuid.uuid4())
            session.loaded_modules[module_id] = module, str(params["location"]["slotName"])
            return {
                "moduleId": module_id,
                "serialNumber": module.serial,
                "model": module.model,
                "definition": {},
            }
    raise CommandFailed("ModuleNotAttachedError", f"No available {params['model']} found.", "3015")


@command("savePosition", "pipetteId")
async def _save_position(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    session.pipette(params["pipetteId"])
    if (there := session.machine.truth.position) is None:
        raise MustHome
    return {
        "positionId": str(params.get("positionId") or uuid.uuid4()),
        "position": {"x": there.x, "y": there.y, "z": there.z},
    }


@command("comment", "message")
async def _comment(_session: Session, _params: Mapping[str, Any]) -> dict[str, Any]:
    return {}


@command("waitForDuration", "seconds")
async def _wait(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    await session.machine.wait(float(params["seconds"]))
    return {}


@command("waitForResume")
async def _hold(session: Session, _params: Mapping[str, Any]) -> dict[str, Any]:
    await session.hold()
    return {}


@command("setRailLights", "on")
async def _lights(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    session.machine.truth.lights = bool(params["on"])
    return {}


@command("setStatusBar", "animation")
async def _status_bar(_session: Session, _params: Mapping[str, Any]) -> dict[str, Any]:
    return {}  # an OT-2 has none, and says nothing
