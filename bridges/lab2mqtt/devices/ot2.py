"""The Opentrons OT-2: a pipetting robot. Its cell, from the settings, adds more tasks and entities."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import BinarySensor, Button, Detail, Image, Light, Sensor, Update
from lab2mqtt.core.parameters import Setting

if TYPE_CHECKING:
    from lab2mqtt.drivers.ot2.snapshot import Snapshot

_RUN = Setting("task_timeout")
_HOMING = 90.0  # s
_ANALYSIS = 150.0  # s; a robot takes its time over a long protocol

DEVICE: "Device[Snapshot]" = Device(
    model="ot2",
    name="OT-2",
    manufacturer="Opentrons",
    product="OT-2",
    icon="mdi:robot-industrial",
    driver="lab2mqtt.drivers.ot2.robot:Ot2",
    grows="lab2mqtt.drivers.ot2.cell:grow",
    dialect="lab2mqtt.drivers.ot2.dialect:PipetteDialect",
    simulator="lab2mqtt.simulators.ot2",
    simulator_options=("--speed", "4", "--state", "{state}"),
    link_setting="address",
    stop="emergency_stop",
    pausable=True,
    poll=timedelta(seconds=0.25),  # the driver looks by itself, and tells what it saw
    faults=lambda now: now.faults,
    occupied=lambda now: now.occupied,
    needs_homing=lambda now: now.homing,
    after_stop="A run that was under way is paused where it was; a tip may hang on the pipette, with liquid "
    "in it. `stop` ends it: the robot homes, and drops the tip into the trash. `resume_run` goes on with it. "
    "Where the sensor is held, `move_sensor_back` puts it back.",
    entities=(
        Sensor(
            "run_status",
            "Run",
            icon="mdi:play-network-outline",
            none="none",
            read=lambda now: now.run and now.run.status,
            attributes=("run",),
        ),
        Detail("run", "Run", read=lambda now: now.run and _run(now.run)),
        Detail("plate", "Plate", read=lambda now: _plate(now.deck)),
        Detail("deck", "Deck", read=lambda now: now.deck.get("map")),
        Sensor(
            "step", "Step", icon="mdi:shoe-print", none="none", read=lambda now: now.run and now.run.command
        ),
        Sensor(
            "progress",
            "Progress",
            unit="%",
            precision=0,
            icon="mdi:progress-clock",
            read=lambda now: now.run and now.run.progress,
        ),
        Sensor(
            "elapsed",
            "Elapsed",
            unit="s",
            device_class="duration",
            enabled=False,
            read=lambda now: now.run and now.run.elapsed,
        ),
        Sensor(
            "last_result",
            "Last result",
            icon="mdi:flag-checkered",
            none="none",
            read=lambda now: now.last and now.last.status,
        ),
        Sensor(
            "last_error",
            "Last error",
            icon="mdi:alert-circle-outline",
            none="none",
            read=lambda now: now.refusal or (now.last and now.last.error),
        ),
        Sensor(
            "wells_used",
            "Wells used",
            icon="mdi:grid",
            state_class="measurement",
            read=lambda now: _wells_used(now.deck),
            attributes=("plate",),
        ),
        Sensor(
            "sensor",
            "Colour sensor",
            options=("parked", "held", "unknown", "none"),
            icon="mdi:eyedropper",
            read=lambda now: now.deck.get("sensor") or "none",
        ),
        Light("lights", "Rail lights", task="set_lights", parameter="on", read=lambda now: now.lights),
        Image("camera", "Deck camera", read=lambda now: now.picture),
        BinarySensor("door", "Door", device_class="door", read=lambda now: now.door),
        Sensor(
            "pipette_left",
            "Left pipette",
            icon="mdi:eyedropper-variant",
            category="diagnostic",
            none="none",
            read=lambda now: now.pipettes.get("left"),
        ),
        Sensor(
            "pipette_right",
            "Right pipette",
            icon="mdi:eyedropper-variant",
            category="diagnostic",
            none="none",
            read=lambda now: now.pipettes.get("right"),
        ),
        Sensor(
            "calibration",
            "Deck calibration",
            icon="mdi:ruler-square",
            category="diagnostic",
            read=lambda now: now.calibration,
        ),
        Sensor(
            "firmware",
            "Firmware",
            icon="mdi:chip",
            category="diagnostic",
            read=lambda now: now.firmware,
        ),
        Update(
            "software",
            "Software",
            category="diagnostic",
            read=lambda now: {"installed_version": now.software, "latest_version": now.latest},
        ),
        Button("home", "Home", icon="mdi:home-import-outline", task="home"),
        Button("picture", "Take picture", icon="mdi:camera", task="take_picture"),
        Button("stop_run", "End run (drops the tip)", icon="mdi:stop-circle-outline", task="stop"),
        Button("resume_run", "Go on with the run", icon="mdi:play-circle-outline", task="resume_run"),
        Button("identify", "Identify", device_class="identify", category="config", task="identify"),
        Button("new_tips", "New tips are in", icon="mdi:tray-plus", category="config", task="reset_tips"),
        Button("new_plate", "New plate is in", icon="mdi:grid-off", category="config", task="reset_plate"),
        Button("new_vials", "Vials are full", icon="mdi:test-tube", category="config", task="reset_vial"),
        Button(
            "sensor_parked",
            "Sensor is in its port",
            icon="mdi:ev-station",
            category="config",
            task="reset_sensor",
        ),
    ),
    tasks=(
        Task("status", effect="read"),
        Task("home", effect="move", timeout=_HOMING, homes=True),
        Task("identify"),
        Task("set_lights"),
        Task("take_picture", timeout=30.0),
        Task("get_position", effect="read", timeout=30.0),
        Task("get_instruments", effect="read"),
        Task("get_modules", effect="read"),
        Task("get_calibration", effect="read"),
        Task("get_deck", effect="read"),
        Task("list_protocols", effect="read"),
        Task("upload_protocol", timeout=_ANALYSIS),
        Task("run_protocol", effect="move", timeout=_RUN),
        Task("resume_run", effect="move", timeout=_RUN, homes=True),
        Task("stop", effect="move", timeout=_HOMING, homes=True),
        Task("adjust_cooling", timeout=40.0),
        Task("reset_tips"),
        Task("reset_plate"),
        Task("reset_vial"),
        Task("reset_sensor"),
    ),
)


def _run(run: Any) -> dict[str, object]:  # noqa: ANN401 - Playing
    return {"id": run.run_id, "task": run.task, "ours": run.ours, "index": run.index, "total": run.total}


def _plate(deck: Any) -> dict[str, dict[str, object]]:  # noqa: ANN401 - see drivers.ot2.deck_shown
    """The wells that are not empty, by slot/well: all 96 would be most of the state."""
    return {
        f"{slot}/{name}": {
            "volume": well["volume"],
            "contents": well["label"],
            "experiment": well["experiment"],
        }
        for slot, wells in deck.get("plates", {}).items()
        for name, well in wells.items()
        if well["used"]
    }


def _wells_used(deck: Any) -> int | None:  # noqa: ANN401 - see drivers.ot2.deck_shown
    wells = [well for plate in deck.get("plates", {}).values() for well in plate.values()]
    return sum(bool(well["used"]) for well in wells) if wells else None
