"""``lab2mqtt opentrons``: the real Opentrons package for the simulated OT-2."""

import argparse
import sys

from lab2mqtt.cli import EXIT_FAILED
from lab2mqtt.hub import opentrons_package
from lab2mqtt.hub.errors import HubError


def opentrons(options: argparse.Namespace) -> int:
    """Install it, or tell whether it is."""
    what = f"opentrons {opentrons_package.VERSION}"
    try:
        if options.action == "install":
            opentrons_package.install(_say)
        where = opentrons_package.location()
    except (HubError, OSError) as error:
        _say(f"No {what}: {error}")
        return EXIT_FAILED
    if not opentrons_package.is_installed():
        _say(f"{what} is not installed: lab2mqtt opentrons install ({opentrons_package.MEGABYTES} MB)")
        return EXIT_FAILED
    print(f"{what} is in {where}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
