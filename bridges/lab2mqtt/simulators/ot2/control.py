"""What the simulated OT-2 takes past its own interface, see ``simulators.control``.

Besides faults and hands: ``{"journal": 12.5}`` gives everything that moved since that second, too, and
``{"fill": {"3/B1": {"3/B1": 15000}}}`` says what is in wells, in µL.
"""

from typing import Any, Final

from lab2mqtt.simulators.control import Controls
from lab2mqtt.simulators.ot2.robot import FAULTS, Robot

HANDS: Final = {
    "reboot": "the power goes off and on again; it is back after 90 s of its own time",
    "new_tips": "a new rack; the sensor is back in its port, and nothing hangs on the pipettes",
    "new_plate": "a new plate in slot 1",
    "full_vials": "paint and rinse are as at the first start",
}


def controls(robot: Robot) -> Controls:
    """The controls of a robot."""
    return Controls(FAULTS, HANDS, lambda asked: _obey(robot, asked))


def _obey(robot: Robot, request: dict[str, Any]) -> dict[str, Any]:
    asked = dict(request)
    if fault := asked.pop("fault", None):
        robot.fault(fault, on=asked.pop("on", True), options=asked)
    if asked.get("reboot"):
        robot.reboot()
    for place, contents in asked.get("fill", {}).items():
        robot.truth.wells[place] = {name: float(amount) for name, amount in contents.items()}
    if asked.get("new_tips"):
        robot.truth.away.clear()
        robot.truth.tips.clear()
        robot.truth.trash.clear()
    if asked.get("new_plate"):
        for place in [each for each in robot.truth.wells if each.startswith("1/")]:
            del robot.truth.wells[place]
    if asked.get("full_vials"):
        robot.truth.wells |= type(robot.truth).of_the_cell().wells
    return _truth(robot, asked.get("journal"))


def _truth(robot: Robot, since: float | None = None) -> dict[str, Any]:
    """What is so, whatever the server says."""
    told = robot.truth.told() | {
        "at": robot.clock.seconds(),
        "phase": robot.phase,
        "faults": sorted(robot.faults),
        "blinking": robot.clock.seconds() < robot.blinks_until,
        "run": robot.runs.current_id,
    }
    if since is not None:
        told["journal"] = [each for each in list(robot.truth.journal) if each["at"] >= since]
    return told
