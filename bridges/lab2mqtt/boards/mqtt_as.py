"""mqtt_as, the other transport of a board: which one, and whether what is there is that.

It is no part of this repository. ``mip`` gets it at the commit that is named here, and compares nothing, so
we do.
"""

import hashlib
from pathlib import Path

NAME = "mqtt_as"
COMMIT = "7b6a11dd7910f7bb8275341fdc24b89ed1dfbc47"  # its VERSION is (0, 8, 3)
PACKAGE = f"github:peterhinch/micropython-mqtt@{COMMIT}"  # as mip takes it
# Its path below /lib → its SHA-256.
FILES = {
    "mqtt_as/__init__.py": "010df008248ecbc8cde5b653a1c5579f8e0bbf6959ca443364c845b9339d740e",
    "mqtt_as/mqtt_v5_properties.py": "453352d274b6c8c6f9d7d84796846e39e106708b1e4ca09e36262d8a9e6d95a6",
}


def verify(folder: Path) -> list[str]:
    """What is wrong with the mqtt_as in a folder; empty where it is the one of the pinned commit.

    Args:
        folder: The one in which the folder ``mqtt_as`` lies: a clone, or a board's ``/lib``.
    """
    wrong = []
    for path, digest in FILES.items():
        file = folder / path
        if not file.is_file():
            wrong.append(f"{path} is missing")
        elif (found := hashlib.sha256(file.read_bytes()).hexdigest()) != digest:
            wrong.append(
                f"{path} is another one than at commit {COMMIT[:7]}: its SHA-256 begins with {found[:8]}"
            )
    return wrong
