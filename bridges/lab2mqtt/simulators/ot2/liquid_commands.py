"""Commands that move a pipette: tips and liquids.

Checked is what the real engine checks, and no more: a tip may be dropped when there is none, and used again;
the level of the liquid and the nozzle's least volume are nobody's business.
"""

from collections.abc import Mapping
from typing import Any

from lab2mqtt.simulators.ot2.commands import command
from lab2mqtt.simulators.ot2.failure import CommandFailed
from lab2mqtt.simulators.ot2.labware import DENSE, TRASH, TRASH_SLOT
from lab2mqtt.simulators.ot2.machine import FLOW_RATE
from lab2mqtt.simulators.ot2.session import TRASH_ID, Held, Loaded, OnDeck, Session, point

_WELL = ("pipetteId", "labwareId", "wellName")


async def _go(
    session: Session, params: Mapping[str, Any], default: str = "top"
) -> tuple[Loaded, OnDeck, str, dict[str, Any]]:
    """Move to the well that a command means."""
    pipette = session.pipette(params["pipetteId"])
    labware, name, well = session.well(params)
    to = point(labware, well, params.get("wellLocation"), default)
    speed = params.get("speed") or params.get("gantrySpeed")
    await session.machine.move(pipette.mount, to, f"{labware.slot}/{name}", speed)
    return pipette, labware, name, {"position": {"x": to.x, "y": to.y, "z": to.z}}


@command("moveToWell", *_WELL)
async def _move_to_well(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    return (await _go(session, params))[3]


@command("pickUpTip", *_WELL)
async def _pick_up_tip(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    pipette = session.pipette(params["pipetteId"])
    labware, name, well = session.well(params)
    if labware.kind.tip_length is None:
        raise CommandFailed("LabwareIsNotTipRackError", f"{labware.kind.display_name} is not a tip rack.")
    if session.dense and len(labware.kind.wells) < DENSE:
        raise CommandFailed(
            "UnsupportedTipRackError", f"{labware.kind.display_name} is less dense than SBS 96 format."
        )
    if pipette.pipette_id in session.tips:
        raise CommandFailed(
            "UnexpectedTipAttachError", "Cannot perform PICKUPTIP with a tip already attached.", "3012"
        )
    moved = (await _go(session, params))[3]
    await session.machine.pick_up(pipette.mount, f"{labware.slot}/{name}")
    session.tips[pipette.pipette_id] = Held(f"{labware.slot}/{name}", min(well.volume, pipette.kind.most))
    return {"tipVolume": well.volume, "tipLength": labware.kind.tip_length, "tipDiameter": 5.23, **moved}


@command("dropTip", *_WELL)
async def _drop_tip(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    pipette, labware, name, moved = await _go(session, params)
    await session.machine.drop(pipette.mount, f"{labware.slot}/{name}")
    session.tips.pop(pipette.pipette_id, None)
    return moved


@command("dropTipInPlace", "pipetteId")
async def _drop_in_place(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    pipette = session.pipette(params["pipetteId"])
    await session.machine.drop(pipette.mount, session.machine.truth.place or "nowhere")
    session.tips.pop(pipette.pipette_id, None)
    return {}


@command("moveToAddressableArea", "pipetteId", "addressableAreaName")
@command("moveToAddressableAreaForDropTip", "pipetteId", "addressableAreaName")
async def _move_to_area(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    if params["addressableAreaName"] != TRASH_ID:
        raise CommandFailed(
            "AreaNotInDeckConfigurationError", f"{params['addressableAreaName']} is not there."
        )
    return await _move_to_well(session, {**params, "labwareId": TRASH_ID, "wellName": "A1"})


@command("aspirate", *_WELL, "volume", "flowRate")
async def _aspirate(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    pipette = session.pipette(params["pipetteId"])
    labware, name, well = session.well(params)
    tip, volume = session.held(pipette), float(params["volume"])
    room = tip.capacity - tip.volume
    if volume > room:
        raise CommandFailed(
            "InvalidAspirateVolumeError",
            f"Cannot aspirate {volume} µL when only {room} is available in the tip.",
            info={
                "attempted_aspirate_volume": volume,
                "available_volume": room,
                "max_pipette_volume": pipette.kind.most,
                "max_tip_volume": tip.capacity,
            },
        )
    moved = (await _go(session, params))[3]
    place = f"{labware.slot}/{name}"
    level = session.machine.truth.volume(place) / well.volume * well.depth
    high = moved["position"]["z"] - well.z
    await session.machine.aspirate(pipette.mount, place, volume, float(params["flowRate"]), air=high > level)
    tip.volume += volume
    return {"volume": volume, **moved}


@command("dispense", *_WELL, "volume", "flowRate")
async def _dispense(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    pipette = session.pipette(params["pipetteId"])
    session.well(params)
    tip, volume = session.held(pipette), float(params["volume"])
    if volume > tip.volume:
        raise CommandFailed(
            "InvalidDispenseVolumeError", f"Cannot dispense {volume} µL when only {tip.volume} is in the tip."
        )
    _, labware, name, moved = await _go(session, params)
    await session.machine.dispense(pipette.mount, f"{labware.slot}/{name}", volume, float(params["flowRate"]))
    tip.volume -= volume
    return {"volume": volume, **moved}


@command("blowout", *_WELL, "flowRate")
async def _blow_out(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    tip = session.held(session.pipette(params["pipetteId"]))
    pipette, labware, name, moved = await _go(session, params)
    await session.machine.blow_out(pipette.mount, f"{labware.slot}/{name}")
    tip.volume = 0.0
    return moved


@command("touchTip", *_WELL)
async def _touch_tip(session: Session, params: Mapping[str, Any]) -> dict[str, Any]:
    session.held(session.pipette(params["pipetteId"]))
    return (await _go(session, params))[3]


async def drop_everything(session: Session) -> None:
    """Throw into the trash whatever the server believes to be attached, as after each run that was started.

    A colour sensor that is held as a tip goes there too.
    """
    for pipette_id in list(session.tips):
        mount = session.pipettes[pipette_id].mount
        await session.machine.home(("x", "y", "leftZ", "rightZ"))
        trash = session.labware[TRASH_ID]
        await session.machine.move(mount, point(trash, TRASH.wells["A1"], None), f"{TRASH_SLOT}/A1")
        await session.machine.drop(mount, f"{TRASH_SLOT}/A1")
        del session.tips[pipette_id]


__all__ = ["FLOW_RATE", "drop_everything"]
