"""Hold the colour sensor over a well until somebody resumes the run, then put it back.

Both ways are in one run, with a pause between, because a run must not end while the sensor hangs on the
pipette: at the end of every run, also of one that went well, the robot drops what the pipette holds into the
trash. Nor could a later run return the sensor: it would not know of it, and drive the bare nozzle to where
the end of the sensor belongs, 20 mm above the deck. So to have the sensor back, resume. Stop throws it away.
"""

from opentrons.protocol_api import InstrumentContext, Labware, ParameterContext, ProtocolContext

metadata = {
    "protocolName": "Measure a colour",
    "description": "Holds the colour sensor over a well until the run is resumed, then puts it back.",
    "author": "lab2mqtt",
    "cell": "measure",
    "task": "move_sensor_to_measurement_position",
    "required": "well",
    "pauses": "in_place",
    "holds": "sensor",
    "resumes": "move_sensor_back",
    "resumed": "charging",
}
requirements = {"robotType": "OT-2", "apiLevel": "2.18"}

PARKED = "A2"  # where the charging port holds the sensor


def add_parameters(parameters: ParameterContext) -> None:
    """The well, as the robot asks for it."""
    wells = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
    parameters.add_str(
        variable_name="well",
        display_name="Well",
        description="The well to measure.",
        default="A1",
        choices=[{"display_name": well, "value": well} for well in wells],
    )


def run(protocol: ProtocolContext) -> None:
    """Place the sensor, wait, return it."""
    plate = protocol.load_labware("corning_96_wellplate_360ul_flat", 1)
    port = protocol.load_labware("ac_color_sensor_charging_port", 10)
    pipette = protocol.load_instrument("p300_single_gen2", "right")
    measure(protocol, pipette, port, plate, protocol.params.well)


def measure(
    protocol: ProtocolContext, pipette: InstrumentContext, port: Labware, plate: Labware, well: str
) -> None:
    """Hold the sensor over the well while the run is paused."""
    pipette.pick_up_tip(port[PARKED])
    pipette.move_to(plate[well].top(-1.3))
    protocol.pause("The sensor is in place. Resume to put it back; stop would throw it into the trash.")
    pipette.drop_tip(port[PARKED].top(-80))
