"""A Prefect flow of two devices: the OT-2 mixes in a well while the carousel turns a hotel to the opening.

Against the demo, with a Prefect server of which PREFECT_API_URL tells:

    LAB2MQTT_BROKER=mqtt://127.0.0.1:18830 python examples/prefect_two_devices.py

Both devices are kept for this run. If a worker runs it, and it is killed and run again (`prefect flow-run
retry`), nothing is done twice, and who cancels it in Prefect ends what runs on both devices.
"""

import sys

from prefect import flow

from lab2mqtt.client import TaskError
from lab2mqtt.prefect import FlowLab, cancel_calls

RECIPES = {"A1": (100, 50, 80, "A"), "A2": (60, 120, 40, "B")}  # well: red, yellow, blue in µL, hotel


@flow(on_cancellation=[cancel_calls])
def two_devices(wells: list[str]) -> dict[str, str]:
    """Mix in each well while its hotel comes to the opening; gives the hotels by well.

    Args:
        wells: Of the recipes; empty ones.
    """
    done = {}
    with FlowLab() as lab, lab["ot2"].reserved() as ot2, lab["plate-resort"].reserved() as resort:
        if ot2.state["readiness"] == "needs_homing":
            ot2.home()
        for well in wells:
            red, yellow, blue, hotel = RECIPES[well]
            mixing = ot2.submit("mix_color", R=red, Y=yellow, B=blue, well=well)
            arrived = resort.activate_hotel(hotel=hotel)
            mixed = mixing.result()
            done[well] = arrived["hotel"]
            print(
                f"{well}: mixed in {mixed['elapsed']:.0f} s, hotel {arrived['hotel']} at the opening",
                flush=True,
            )
    return done


if __name__ == "__main__":
    try:
        two_devices(sys.argv[1:] or list(RECIPES))
    except TaskError as error:
        sys.exit(f"{error.error_code}: {error}")
