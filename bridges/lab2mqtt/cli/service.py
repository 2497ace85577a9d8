"""Commands that run something here: a bridge, a broker."""

import argparse
from functools import partial
import logging
import sys

from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.core.errors import LabError, Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.runtime import config
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.condition import condition_of
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal
from lab2mqtt.runtime.simulated import simulators
from lab2mqtt.runtime.systemd import telling


def run(options: argparse.Namespace) -> int:
    """Run a bridge until it is told to end."""
    log_to_stderr(logging.DEBUG if options.debug else logging.INFO)

    async def serve(ready: config.Config) -> None:
        bridge = Bridge(ready)
        async with telling(partial(condition_of, bridge)):
            await bridge.run()

    try:
        loaded = config.load(options.config)
        if options.healthy:
            from lab2mqtt.cli.health import healthy  # noqa: PLC0415 - a daemon needs no client

            return healthy(loaded.broker, loaded.base, loaded.bridge)
        with simulators(loaded) as ready:
            run_until_signal(serve(ready))
    except Misconfigured as error:
        return _wrong(error)
    return 0


def check(options: argparse.Namespace) -> int:
    """Check configurations, alone and against each other; everything wrong is told at once."""
    try:
        lab = config.load_lab(options.configs)
    except Misconfigured as error:
        return _wrong(error)
    known = {(found.base, device.instance.device_id) for found in lab for device in found.devices}
    for file, found in zip(dict.fromkeys(options.configs), lab, strict=True):
        print(f"{file}: bridge {found.bridge} on {found.broker}, state in {found.state}")
        for warning in found.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for device in found.devices:
            name = device.instance.device_id
            kind = f"{device.device.name}, simulated" if device.instance.simulated else device.device.name
            print(f"  {name}: {kind}; {len(device.tasks)} tasks: {', '.join(device.tasks)}")
            for rule in device.interlocks:
                print(f"    interlock: no {rule.words}")
                if (found.base, rule.device) not in known:
                    ids = [other for base, other in known if base == found.base and other != name]
                    print(
                        f"      {rule.device} is not in these files{near(rule.device, ids)}; "
                        "it must be on another bridge"
                    )
    return 0


def broker(options: argparse.Namespace) -> int:
    """Run the embedded broker until it is told to end."""
    from lab2mqtt.runtime.broker import serve  # noqa: PLC0415

    log_to_stderr()
    try:
        run_until_signal(serve(options.port))
    except Misconfigured as error:
        return _wrong(error)
    return 0


def _wrong(error: LabError) -> int:
    print(error, file=sys.stderr)
    return EXIT_USAGE
