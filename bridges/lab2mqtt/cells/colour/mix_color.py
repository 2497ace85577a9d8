"""Mix red, yellow and blue paint in one well of the plate.

Everything is checked before the first tip is touched, so that a robot's analysis with the same values refuses
what cannot work. The rest of the deck stands in every protocol of this cell, because a robot takes one file.

API level 2.18 because run-time parameters begin there (robot software 7.3); nothing else here needs more
than 2.16.
"""

from opentrons.protocol_api import InstrumentContext, Labware, ParameterContext, ProtocolContext

metadata = {
    "protocolName": "Mix colours",
    "description": "Mixes up to 300 µL of red, yellow and blue paint in one well.",
    "author": "lab2mqtt",
    "cell": "mix_color",
    "task": "mix_color",
    "required": "R Y B well",
    "form": "Mix",
    "icon": "mdi:palette",
}
requirements = {"robotType": "OT-2", "apiLevel": "2.18"}

MOST = 300.0  # µL in a well of 360 µL, and in a tip
VIALS = {"R": "B1", "Y": "B2", "B": "B3"}
TIPS = {"R": "B1", "Y": "B2", "B": "B3"}  # one per colour, put back and used again
RINSE = "A1"
FAST, SLOW = 400.0, 100.0  # mm/s of the gantry; slow while paint hangs on the tip


def add_parameters(parameters: ParameterContext) -> None:
    """The volumes and the well, as the robot asks for them."""
    for name, colour, volume in (("R", "Red", 100.0), ("Y", "Yellow", 50.0), ("B", "Blue", 80.0)):
        parameters.add_float(
            variable_name=name,
            display_name=colour,
            description=f"{colour} paint: none, or at least 20 µL. All three together at most 300 µL.",
            default=volume,
            minimum=0.0,
            maximum=MOST,
            unit="µL",
        )
    wells = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]
    parameters.add_str(
        variable_name="well",
        display_name="Well",
        description="The well to mix in. It must be empty.",
        default="A1",
        choices=[{"display_name": well, "value": well} for well in wells],
    )


def run(protocol: ProtocolContext) -> None:
    """Mix what the parameters say."""
    plate = protocol.load_labware("corning_96_wellplate_360ul_flat", 1)
    paints = protocol.load_labware("ac_6_tuberack_15000ul", 3)
    tips = protocol.load_labware("opentrons_96_tiprack_300ul", 9)
    pipette = protocol.load_instrument("p300_single_gen2", "right", tip_racks=[tips])
    pipette.well_bottom_clearance.dispense = 8

    volumes = {name: getattr(protocol.params, name) for name in VIALS}
    check(volumes, pipette)
    mix(volumes, pipette, paints, plate, protocol.params.well)


def check(volumes: dict[str, float], pipette: InstrumentContext) -> None:
    """Refuse volumes that the tip, the well or the pipette cannot take.

    Raises:
        ValueError: It says which, and what is allowed.
    """
    total = sum(volumes.values())
    if not 0 < total <= MOST:
        raise ValueError(f"R + Y + B is {total:g} µL: more than 0 and at most {MOST:g} µL fit the well.")
    for name, volume in volumes.items():
        if 0 < volume < pipette.min_volume:
            raise ValueError(
                f"{name} is {volume:g} µL: {pipette.name} takes 0 or at least {pipette.min_volume:g} µL."
            )


def mix(
    volumes: dict[str, float], pipette: InstrumentContext, paints: Labware, plate: Labware, well: str
) -> None:
    """Carry each colour from its vial to the well, with its own tip."""
    tips = pipette.tip_racks[0]
    for name, volume in volumes.items():
        if not volume:
            continue
        pipette.pick_up_tip(tips[TIPS[name]])
        pipette.aspirate(volume, paints[VIALS[name]])
        pipette.dispense(volume, plate[well])
        pipette.default_speed = SLOW
        pipette.blow_out(paints[RINSE].top(-5))
        pipette.default_speed = FAST
        pipette.return_tip()
