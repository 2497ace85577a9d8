"""``lab2mqtt prefect …``: flows out of a device's description, and their deployments."""

import argparse
import asyncio
import os
import sys

from lab2mqtt.cli import EXIT_FAILED, EXIT_NO_BROKER, EXIT_USAGE
from lab2mqtt.cli.lab import where_is, with_lab
from lab2mqtt.client import BrokerError, Lab
from lab2mqtt.core.errors import Misconfigured


def prefect(options: argparse.Namespace) -> int:
    """Do one of the actions."""
    try:
        import lab2mqtt.prefect  # noqa: F401, PLC0415 - an extra, and 2 s
    except ImportError as missing:
        print(missing, file=sys.stderr)
        return EXIT_USAGE
    actions = {"module": _module, "deploy": _deploy, "stops": _stops}
    return actions[options.action](options)


def _module(options: argparse.Namespace) -> int:
    """Print the module of a device."""
    from lab2mqtt.prefect.module import module  # noqa: PLC0415

    async def work(lab: Lab) -> int:
        print(module(lab[options.device].description, asked=options.device), end="")
        return 0

    return with_lab(options, work)


def _stops(options: argparse.Namespace) -> int:
    """Do emergency stops as soon as Prefect has them."""
    from lab2mqtt.prefect.stops import Stops  # noqa: PLC0415

    def say(line: str) -> None:
        print(line, flush=True)

    try:
        broker, base = where_is(options)
        asyncio.run(Stops(options.device, say).run(broker, base))
    except BrokerError as error:
        print(error, file=sys.stderr)
        return EXIT_NO_BROKER
    except (Misconfigured, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return 0


def _deploy(options: argparse.Namespace) -> int:
    """Deploy the flows of a device."""
    import httpx  # noqa: PLC0415
    from prefect.exceptions import PrefectException  # noqa: PLC0415

    from lab2mqtt.prefect import deploy  # noqa: PLC0415
    from lab2mqtt.prefect.patience import Patience  # noqa: PLC0415

    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - one's own module stands here
    try:
        broker, base = where_is(options)
        flows = deploy.load(options.module)
        pool = options.pool or f"{flows[0].device}-pool"
        made = asyncio.run(deploy.deploy(flows, pool, broker, base, Patience.of()))
    except (Misconfigured, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except (httpx.HTTPError, PrefectException) as error:
        print(f"Prefect: {error}", file=sys.stderr)
        return EXIT_FAILED
    for name in made:
        print(name)
    print(f"\nWorkers of {pool} talk to {broker}. Start one: prefect worker start --pool {pool}")
    return 0
