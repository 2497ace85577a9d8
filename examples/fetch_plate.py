"""Fetch plates one after the other: a script as a lab writes it.

Against the demo: `python examples/fetch_plate.py mqtt://127.0.0.1:18830`
"""

import asyncio
import sys

from lab2mqtt.client import InvalidParameters, Lab, TaskError

PLATES = {"ELISA-7": ("A", 3), "cell-culture-2": ("C", 11)}


async def main(broker: str) -> None:
    """Note where two plates stand, then bring the hotel of each to the opening."""
    async with Lab(broker) as lab:
        resort = lab["plate-resort"]
        for plate, (hotel, room) in PLATES.items():
            try:
                await resort.place_plate(plate=plate, hotel=hotel, room=room)
            except InvalidParameters as error:
                print(error)  # it stands there from the last time
        for plate in PLATES:
            arrival = await resort.activate_plate(plate=plate)
            print(f"{plate}: hotel {arrival['hotel']} room {arrival['room']} at {arrival['angle_deg']}°")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "mqtt://127.0.0.1:18830"))
    except TaskError as error:
        sys.exit(f"{error.error_code}: {error}")
