# ruff: noqa: FBT001, FBT002, N803
"""OT-2: Prefect flows and the functions that have them run.

Made by `lab2mqtt prefect module ot2` from what the device says of itself. The flows run on a worker,
and call the device over MQTT; the functions run anywhere, and need nothing but the Prefect API:

    from lab2mqtt.prefect.ot2 import home, identify, status
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from lab2mqtt.prefect.task_flow import Result, caller, task_flow

DEVICE = "ot2"

Well = Literal[
    "A1",
    "A2",
    "A3",
    "A4",
    "A5",
    "A6",
    "A7",
    "A8",
    "A9",
    "A10",
    "A11",
    "A12",
    "B1",
    "B2",
    "B3",
    "B4",
    "B5",
    "B6",
    "B7",
    "B8",
    "B9",
    "B10",
    "B11",
    "B12",
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "C6",
    "C7",
    "C8",
    "C9",
    "C10",
    "C11",
    "C12",
    "D1",
    "D2",
    "D3",
    "D4",
    "D5",
    "D6",
    "D7",
    "D8",
    "D9",
    "D10",
    "D11",
    "D12",
    "E1",
    "E2",
    "E3",
    "E4",
    "E5",
    "E6",
    "E7",
    "E8",
    "E9",
    "E10",
    "E11",
    "E12",
    "F1",
    "F2",
    "F3",
    "F4",
    "F5",
    "F6",
    "F7",
    "F8",
    "F9",
    "F10",
    "F11",
    "F12",
    "G1",
    "G2",
    "G3",
    "G4",
    "G5",
    "G6",
    "G7",
    "G8",
    "G9",
    "G10",
    "G11",
    "G12",
    "H1",
    "H2",
    "H3",
    "H4",
    "H5",
    "H6",
    "H7",
    "H8",
    "H9",
    "H10",
    "H11",
    "H12",
]


@task_flow(DEVICE, "status", effect="read")
def status_flow() -> Result:
    """Tell everything: robot, run, deck, and what stands in the way."""


status = caller(status_flow)
get_status = status


@task_flow(DEVICE, "home", effect="move")
def home_flow(mount: Literal["left", "right"] | None = None) -> Result:
    """Home everything, or one pipette.

    Args:
        mount: Which pipette; without it everything.
    """


home = caller(home_flow)


@task_flow(DEVICE, "identify", effect="set")
def identify_flow(seconds: Annotated[int, Field(ge=1, le=60)] = 5) -> Result:
    """Blink the robot's light.

    Args:
        seconds: In s. For how long.
    """


identify = caller(identify_flow)


@task_flow(DEVICE, "set_lights", effect="set")
def set_lights_flow(on: bool) -> Result:
    """Light the rails, or not.

    Args:
        on: Whether they are lit.
    """


set_lights = caller(set_lights_flow)


@task_flow(DEVICE, "take_picture", effect="set")
def take_picture_flow() -> Result:
    """Take a picture of the deck, for the camera and the topic ``picture/camera``."""


take_picture = caller(take_picture_flow)


@task_flow(DEVICE, "get_position", effect="read")
def get_position_flow() -> Result:
    """Tell where the pipettes are, in mm, whether the motors hold, and whether the position is known."""


get_position = caller(get_position_flow)


@task_flow(DEVICE, "get_instruments", effect="read")
def get_instruments_flow() -> Result:
    """Tell which pipettes are attached."""


get_instruments = caller(get_instruments_flow)


@task_flow(DEVICE, "get_modules", effect="read")
def get_modules_flow() -> Result:
    """Tell which modules are attached, and what they measure."""


get_modules = caller(get_modules_flow)


@task_flow(DEVICE, "get_calibration", effect="read")
def get_calibration_flow() -> Result:
    """Tell how the deck and the pipettes are calibrated."""


get_calibration = caller(get_calibration_flow)


@task_flow(DEVICE, "get_deck", effect="read")
def get_deck_flow() -> Result:
    """Tell what is known of tips, wells, vials and the sensor."""


get_deck = caller(get_deck_flow)


@task_flow(DEVICE, "list_protocols", effect="read")
def list_protocols_flow() -> Result:
    """List the protocols of the cell, by task, and those that are on the robot."""


list_protocols = caller(list_protocols_flow)


@task_flow(DEVICE, "upload_protocol", effect="set")
def upload_protocol_flow(
    name: Annotated[str, Field(min_length=4, max_length=128)],
    content: Annotated[str, Field(min_length=1, max_length=60000)],
    labware: dict[str, Any] | None = None,
) -> Result:
    """Upload a protocol; refused with the errors of the robot's analysis.

    Args:
        name: Of the file.
        content: Its text.
        labware: Definitions of labware that it needs, by file name; the cell's own are there already.
    """


upload_protocol = caller(upload_protocol_flow)


@task_flow(DEVICE, "run_protocol", effect="move")
def run_protocol_flow(
    name: Annotated[str, Field(min_length=1, max_length=128)], parameters: dict[str, Any] | None = None
) -> Result:
    """Run a protocol of the cell, or one that is on the robot.

    Args:
        name: Of its task, its file, or its id.
        parameters: Values of its run-time parameters.

    Returns:
        The final status of the run, with its id and how long it took.
    """


run_protocol = caller(run_protocol_flow)


@task_flow(DEVICE, "resume_run", effect="move")
def resume_run_flow() -> Result:
    """Go on with the run that was left paused, to its end."""


resume_run = caller(resume_run_flow)


@task_flow(DEVICE, "stop", effect="move")
def stop_flow(throw_away: bool = False) -> Result:
    """End the run that was left paused. The robot HOMES, and DROPS the tip that it holds into the trash.

    Args:
        throw_away: Also where that is the colour sensor.
    """


stop = caller(stop_flow)


@task_flow(DEVICE, "adjust_cooling", effect="set")
def adjust_cooling_flow(target: Annotated[float, Field(ge=4, le=95)]) -> Result:
    """Cool to a temperature: with the temperature module, or the fan that the configuration names.

    Args:
        target: In °C. Of the module; of a fan, full speed where it is below 25 °C, and off above.
    """


adjust_cooling = caller(adjust_cooling_flow)


@task_flow(DEVICE, "reset_tips", effect="set")
def reset_tips_flow(
    slot: Annotated[str, Field(max_length=2)] | None = None,
    wells: list[Annotated[str, Field(max_length=4)]] | None = None,
    there: bool = True,
) -> Result:
    """Say that new tips are in a rack, and that none of them hangs on the pipette.

    Args:
        slot: Of the rack; all racks without it.
        wells: Which places; all without them.
        there: Whether new tips are there, or none.
    """


reset_tips = caller(reset_tips_flow)


@task_flow(DEVICE, "reset_plate", effect="set")
def reset_plate_flow(
    slot: Annotated[str, Field(max_length=2)] | None = None,
    wells: list[Annotated[str, Field(max_length=4)]] | None = None,
) -> Result:
    """Say that wells of a plate are empty.

    Args:
        slot: Of the plate; the one that is mixed in without it.
        wells: Which; all without them.
    """


reset_plate = caller(reset_plate_flow)


@task_flow(DEVICE, "reset_vial", effect="set")
def reset_vial_flow(
    name: Annotated[str, Field(max_length=32)] | None = None,
    volume: Annotated[float, Field(ge=0)] | None = None,
) -> Result:
    """Say how much is in a vial.

    Args:
        name: As in the settings; all vials without it.
        volume: In µL. As the settings say without it.
    """


reset_vial = caller(reset_vial_flow)


@task_flow(DEVICE, "reset_sensor", effect="set")
def reset_sensor_flow() -> Result:
    """Say that the colour sensor is in its port, and not on the pipette."""


reset_sensor = caller(reset_sensor_flow)


@task_flow(DEVICE, "mix_and_measure", effect="move")
def mix_and_measure_flow(
    R: Annotated[float, Field(ge=0, le=300)],
    Y: Annotated[float, Field(ge=0, le=300)],
    B: Annotated[float, Field(ge=0, le=300)],
    well: Well,
    experiment_id: Annotated[str, Field(max_length=64)] | None = None,
    session_id: Annotated[str, Field(max_length=64)] | None = None,
) -> Result:
    """Mixes paint in one well, holds the colour sensor over it until resumed, puts it back.

    Args:
        R: In µL. Red paint: none, or at least 20 µL. All three together at most 300 µL.
        Y: In µL. Yellow paint: none, or at least 20 µL. All three together at most 300 µL.
        B: In µL. Blue paint: none, or at least 20 µL. All three together at most 300 µL.
        well: The well to mix in. It must be empty.
        experiment_id: Comes back in the result. What is dispensed for one is not dispensed for it again.
        session_id: Comes back in the result.

    Returns:
        status: in_place; run, commands, elapsed in s, experiment_id and session_id if given.
    """


mix_and_measure = caller(mix_and_measure_flow)


@task_flow(DEVICE, "mix_color", effect="move")
def mix_color_flow(
    R: Annotated[float, Field(ge=0, le=300)],
    Y: Annotated[float, Field(ge=0, le=300)],
    B: Annotated[float, Field(ge=0, le=300)],
    well: Well,
    experiment_id: Annotated[str, Field(max_length=64)] | None = None,
    session_id: Annotated[str, Field(max_length=64)] | None = None,
) -> Result:
    """Mixes up to 300 µL of red, yellow and blue paint in one well.

    Args:
        R: In µL. Red paint: none, or at least 20 µL. All three together at most 300 µL.
        Y: In µL. Yellow paint: none, or at least 20 µL. All three together at most 300 µL.
        B: In µL. Blue paint: none, or at least 20 µL. All three together at most 300 µL.
        well: The well to mix in. It must be empty.
        experiment_id: Comes back in the result. What is dispensed for one is not dispensed for it again.
        session_id: Comes back in the result.

    Returns:
        status: succeeded; run, commands, elapsed in s, experiment_id and session_id if given.
    """


mix_color = caller(mix_color_flow)


@task_flow(DEVICE, "move_sensor_to_measurement_position", effect="move")
def move_sensor_to_measurement_position_flow(
    well: Well,
    experiment_id: Annotated[str, Field(max_length=64)] | None = None,
    session_id: Annotated[str, Field(max_length=64)] | None = None,
) -> Result:
    """Holds the colour sensor over a well until the run is resumed, then puts it back.

    Args:
        well: The well to measure.
        experiment_id: Comes back in the result. What is dispensed for one is not dispensed for it again.
        session_id: Comes back in the result.

    Returns:
        status: in_place; run, commands, elapsed in s, experiment_id and session_id if given.
    """


move_sensor_to_measurement_position = caller(move_sensor_to_measurement_position_flow)


@task_flow(DEVICE, "fill_in_mix_color", effect="read")
def fill_in_mix_color_flow(
    R: Annotated[float, Field(ge=0, le=300)] | None = None,
    Y: Annotated[float, Field(ge=0, le=300)] | None = None,
    B: Annotated[float, Field(ge=0, le=300)] | None = None,
    well: Well | None = None,
) -> Result:
    """Fill in what the button Mix takes. Nothing moves.

    Args:
        R: In µL. Red paint: none, or at least 20 µL. All three together at most 300 µL.
        Y: In µL. Yellow paint: none, or at least 20 µL. All three together at most 300 µL.
        B: In µL. Blue paint: none, or at least 20 µL. All three together at most 300 µL.
        well: The well to mix in. It must be empty.

    Returns:
        What is filled in by now.
    """


fill_in_mix_color = caller(fill_in_mix_color_flow)


@task_flow(DEVICE, "mix_color_as_filled_in", effect="move")
def mix_color_as_filled_in_flow() -> Result:
    """Do mix_color with what is filled in.

    Returns:
        As mix_color.
    """


mix_color_as_filled_in = caller(mix_color_as_filled_in_flow)


@task_flow(DEVICE, "move_sensor_back", effect="move")
def move_sensor_back_flow() -> Result:
    """Go on with the run that holds, to its end: Mix and measure a colour, Measure a colour.

    Returns:
        status: charging; run, commands, elapsed in s, experiment_id and session_id if given.
    """


move_sensor_back = caller(move_sensor_back_flow)


@task_flow(DEVICE, "mix_colors", effect="move")
def mix_colors_flow(
    r: Annotated[int, Field(ge=0, le=255)],
    g: Annotated[int, Field(ge=0, le=255)],
    b: Annotated[int, Field(ge=0, le=255)],
    well: Well | None = None,
    experiment_id: Annotated[str, Field(max_length=64)] | None = None,
    session_id: Annotated[str, Field(max_length=64)] | None = None,
) -> Result:
    """Mix the paint that comes nearest to a colour of light; only its hue counts.

    Args:
        r: Red of the colour
        g: Green of the colour
        b: Blue of the colour
        well: The next empty one, row by row, where none is named.
        experiment_id: Comes back in the result. What is dispensed for one is not dispensed for it again.
        session_id: Comes back in the result.

    Returns:
        status: succeeded; run, commands, elapsed in s, experiment_id and session_id if given.
    """


mix_colors = caller(mix_colors_flow)


@task_flow(DEVICE, "set_temperature", effect="set")
def set_temperature_flow(
    target: Annotated[float, Field(ge=4, le=95)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Heat or cool the temperature module. Done when the target is set, not when it is reached.

    Args:
        target: In °C. What it holds from then on.
        module: Serial number, where several are attached.

    Returns:
        The module and its target.
    """


set_temperature = caller(set_temperature_flow)


@task_flow(DEVICE, "deactivate_temperature", effect="set")
def deactivate_temperature_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Let the temperature module go back to the temperature of the room.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


deactivate_temperature = caller(deactivate_temperature_flow)


@task_flow(DEVICE, "engage_magnet", effect="move")
def engage_magnet_flow(
    height: Annotated[float, Field(ge=-2.5, le=22.5)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Lift the magnets.

    Args:
        height: In mm. Of their tops above the base of the labware; a first-generation module reaches less
            than a second-generation one.
        module: Serial number, where several are attached.

    Returns:
        The module and the height.
    """


engage_magnet = caller(engage_magnet_flow)


@task_flow(DEVICE, "disengage_magnet", effect="move")
def disengage_magnet_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Lower the magnets.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


disengage_magnet = caller(disengage_magnet_flow)


@task_flow(DEVICE, "set_shaker_temperature", effect="set")
def set_shaker_temperature_flow(
    target: Annotated[float, Field(ge=37, le=95)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Heat the heater-shaker, which cannot cool. Done when the target is set, not when it is reached.

    Args:
        target: In °C. What it holds from then on.
        module: Serial number, where several are attached.

    Returns:
        The module and its target.
    """


set_shaker_temperature = caller(set_shaker_temperature_flow)


@task_flow(DEVICE, "set_shaker_speed", effect="move")
def set_shaker_speed_flow(
    rpm: Annotated[int, Field(ge=200, le=3000)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Shake, until it is deactivated. The latch must be closed; a pipette near it is lifted first.

    Args:
        rpm: In rpm. How fast.
        module: Serial number, where several are attached.

    Returns:
        The module and its speed.
    """


set_shaker_speed = caller(set_shaker_speed_flow)


@task_flow(DEVICE, "deactivate_shaker", effect="set")
def deactivate_shaker_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """End shaking and heating of the heater-shaker.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


deactivate_shaker = caller(deactivate_shaker_flow)


@task_flow(DEVICE, "open_latch", effect="move")
def open_latch_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Open the latch of the heater-shaker, which must not shake; a pipette near it is lifted first.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


open_latch = caller(open_latch_flow)


@task_flow(DEVICE, "close_latch", effect="move")
def close_latch_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Close the latch of the heater-shaker.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


close_latch = caller(close_latch_flow)


@task_flow(DEVICE, "open_lid", effect="move")
def open_lid_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Open the lid of the thermocycler; the pipettes are lifted first.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


open_lid = caller(open_lid_flow)


@task_flow(DEVICE, "close_lid", effect="move")
def close_lid_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """Close the lid of the thermocycler; the pipettes are lifted first.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


close_lid = caller(close_lid_flow)


@task_flow(DEVICE, "set_block_temperature", effect="set")
def set_block_temperature_flow(
    target: Annotated[float, Field(ge=4, le=99)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Heat or cool the thermocycler's block. Done when the target is set, not when it is reached.

    Args:
        target: In °C. What it holds from then on.
        module: Serial number, where several are attached.

    Returns:
        The module and its target.
    """


set_block_temperature = caller(set_block_temperature_flow)


@task_flow(DEVICE, "set_lid_temperature", effect="set")
def set_lid_temperature_flow(
    target: Annotated[float, Field(ge=37, le=110)], module: Annotated[str, Field(max_length=64)] = ""
) -> Result:
    """Heat the thermocycler's lid. Done when the target is set, not when it is reached.

    Args:
        target: In °C. What it holds from then on.
        module: Serial number, where several are attached.

    Returns:
        The module and its target.
    """


set_lid_temperature = caller(set_lid_temperature_flow)


@task_flow(DEVICE, "deactivate_thermocycler", effect="set")
def deactivate_thermocycler_flow(module: Annotated[str, Field(max_length=64)] = "") -> Result:
    """End heating and cooling of the thermocycler's block and lid.

    Args:
        module: Serial number, where several are attached.

    Returns:
        The module.
    """


deactivate_thermocycler = caller(deactivate_thermocycler_flow)


@task_flow(DEVICE, "emergency_stop", effect="stop")
def emergency_stop_flow(reason: Annotated[str, Field(max_length=255)] | None = None) -> Result:
    """Stop all motion of this device now, and refuse more until reset.

    Args:
        reason: Why, for the record.
    """


emergency_stop = caller(emergency_stop_flow)
