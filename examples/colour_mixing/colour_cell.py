"""The tasks of a colour-mixing cell. The robot is simulated: your own code goes where `run.sleep` stands.

`mqtt_device.py` and `http_device.py` beside this file serve them.
"""

import re

from lab2mqtt.orchestration import Run, task

WELL = re.compile(r"[A-H]([1-9]|1[0-2])")
MOST = 300  # µL in a well
LEAST = 20  # µL that the pipette takes
STEP = 0.1  # s for each step of the simulated robot

wells: dict[str, dict[str, float]] = {}  # what is in them
sensor = {"over": ""}


@task
def mix_color(R: float, Y: float, B: float, well: str, run: Run) -> dict[str, object]:  # noqa: N803
    """Mix red, yellow and blue paint, in µL, in one well."""
    volumes = {"R": R, "Y": Y, "B": B}
    check_well(well)
    if well in wells:
        raise ValueError(f"well {well} is not empty: {wells[well]}")
    for colour, volume in volumes.items():
        if volume < 0 or 0 < volume < LEAST:
            raise ValueError(f"{colour} is {volume:g} µL; the pipette takes {LEAST} µL at least, or nothing")
    if not 0 < sum(volumes.values()) <= MOST:
        raise ValueError(
            f"{sum(volumes.values()):g} µL together; a well takes more than 0 and at most {MOST}"
        )
    if sensor["over"]:
        raise ValueError(f"the sensor hangs over {sensor['over']}: move_sensor_back first")
    wells[well] = {}
    for number, (colour, volume) in enumerate(volumes.items()):
        if volume:
            run.progress(percent=100 * number / len(volumes), message=f"{volume:g} µL of {colour}")
            run.sleep(STEP)  # pick up its tip, aspirate, dispense, blow out, put the tip back
            wells[well][colour] = volume
    return {"well": well, "volumes": wells[well]}


@task
def move_sensor_to_measurement_position(well: str, run: Run) -> dict[str, str]:
    """Hold the colour sensor over a well."""
    check_well(well)
    run.sleep(STEP)
    sensor["over"] = well
    return {"sensor_status": "in_place", "well": well}


@task
def move_sensor_back(run: Run) -> dict[str, str]:
    """Put the colour sensor back into its port."""
    run.sleep(STEP)
    sensor["over"] = ""
    return {"sensor_status": "charging"}


@task(effect="read")
def get_robot_status() -> dict[str, object]:
    """Tell what is in the wells, and where the sensor is; is answered while something is mixed, too."""
    return {"wells": wells, "sensor": sensor["over"] or "in its port"}


def check_well(well: str) -> None:
    """See that there is such a well."""
    if not WELL.fullmatch(well):
        raise ValueError(f"{well!r} is none of the wells A1 to H12")
