"""Keep a device for oneself while a loop runs: nobody else can move it in between, everybody can look.

Against the demo: `python examples/reserved_loop.py mqtt://127.0.0.1:18830`
"""

import asyncio
import sys

from lab2mqtt.client import Lab, TaskError


async def main(broker: str) -> None:
    """Bring each hotel to the opening, twice, as one piece of work."""
    async with Lab(broker) as lab, lab["plate-resort"].reserved("colour-loop") as resort:
        print(f"reserved by {resort.state['reserved_by']}", flush=True)
        for number in (1, 2):
            for hotel in ("A", "B", "C"):
                arrival = await resort.activate_hotel(hotel=hotel)
                print(f"round {number}: hotel {arrival['hotel']} at {arrival['angle_deg']}°", flush=True)
    # Here it is free again; had the script been killed, it would be within a minute.


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "mqtt://127.0.0.1:18830"))
    except TaskError as error:
        sys.exit(f"{error.error_code}: {error}")
