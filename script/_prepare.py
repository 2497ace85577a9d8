"""Install what tests need before they start, so that one sees it.

``mosquitto``, ``micropython``, ``micropython32``, ``opentrons``, or versions of the hub.

What cannot be had is told and left to the tests, which skip or fail for it.
"""

import sys

from lab2mqtt.hub import environments, micropython, mosquitto, opentrons_package
from lab2mqtt.hub.errors import HubError


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


PARTS = {
    "mosquitto": mosquitto.find_or_unpack,
    "micropython": micropython.find_or_unpack,
    "micropython32": micropython.find_or_unpack_32,
    "opentrons": opentrons_package.install,
}

for part in sys.argv[1:]:
    try:
        if part in PARTS:
            PARTS[part](say)
        else:
            environments.install(part, say)
    except HubError as error:
        say(f"No {part}: {error}")
