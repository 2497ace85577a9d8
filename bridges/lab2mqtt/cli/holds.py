"""Commands that keep others away from a device: reservations and maintenance."""

import argparse
import json

from lab2mqtt.cli.lab import with_lab
from lab2mqtt.client import Lab
from lab2mqtt.runtime.spoken import local_time


def reserve(options: argparse.Namespace) -> int:
    """Take a device, renew one's own reservation, or with a reason take one over."""

    async def work(lab: Lab) -> int:
        parameters = {"holder": options.holder, "seconds": options.seconds}
        if options.reason:
            parameters["reason"] = options.reason
        told = await lab[options.device].call("reserve", parameters, reservation=options.holder)
        until = local_time(told["until"])
        taken = f", taken over from {told['taken_from']}" if told.get("taken_from") else ""
        words = f"{options.device} is reserved by {told['holder']} until {until}{taken}"
        print(json.dumps(told, ensure_ascii=False) if options.json else words)
        return 0

    return with_lab(options, work)


def release(options: argparse.Namespace) -> int:
    """Give a device back."""

    async def work(lab: Lab) -> int:
        told = await lab[options.device].call(
            "release", {"holder": options.holder}, reservation=options.holder
        )
        words = f"{options.device} {'is free' if told['released'] else 'was not reserved'}"
        print(json.dumps(told, ensure_ascii=False) if options.json else words)
        return 0

    return with_lab(options, work)


def maintenance(options: argparse.Namespace) -> int:
    """Begin or end maintenance."""

    async def work(lab: Lab) -> int:
        on = options.switch == "on"
        parameters = {"on": on, "reason": options.reason} if options.reason else {"on": on}
        told = await lab[options.device].call("set_maintenance", parameters)
        end = f"`lab2mqtt maintenance {options.device} off` ends it"
        words = f"is in maintenance and takes no new work; {end}" if on else "is not in maintenance any more"
        print(json.dumps(told, ensure_ascii=False) if options.json else f"{options.device} {words}")
        return 0

    return with_lab(options, work)
