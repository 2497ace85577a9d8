"""Install what tests need before they start, so that one sees it.

``mosquitto``, ``opentrons``, or versions of the hub.

What cannot be had is told and left to the tests, which skip or fail for it.
"""

import sys

from lab2mqtt.hub import environments, mosquitto, opentrons_package
from lab2mqtt.hub.errors import HubError


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


for part in sys.argv[1:]:
    try:
        if part == "mosquitto":
            mosquitto.find_or_unpack(say)
        elif part == "opentrons":
            opentrons_package.install(say)
        else:
            environments.install(part, say)
    except HubError as error:
        say(f"No {part}: {error}")
