"""Clear what the broker keeps of a device or a prop that is gone, or tell of whom something is left."""

import argparse
import json
import sys

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.cli.lab import CONFIRM_WITHIN, with_lab
from lab2mqtt.cli.leftovers import LIVES_WITHIN, Leftovers
from lab2mqtt.client import Lab
from lab2mqtt.core.description import retained_topics
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.runtime.mqtt import BrokerError
from lab2mqtt.runtime.old_devices import as_id


def forget(options: argparse.Namespace) -> int:
    """Clear the retained messages of a device, with a prefix also those of a prop; or list what is left."""
    name, prefix = options.device, options.prefix
    wrong = ""
    if options.list and prefix is None:
        wrong = "--list wants --prefix TOPIC, such as halloween"
    elif prefix is not None and not wire.is_base(prefix):
        wrong = f"--prefix {prefix!r} has an empty level, a wildcard, or $ in front"
    elif name and not wire.is_device_id(name) and (not prefix or set(name) & set("/+#")):
        wrong = f"{name!r} is no device id"
    if wrong:
        print(wrong, file=sys.stderr)
        return EXIT_USAGE

    async def work(lab: Lab) -> int:
        if options.list:
            await _list(options, lab)
        elif prefix:
            await _forget_prop(options, lab)
        else:
            hint = await _forget_device(options, lab, name)
            print(json.dumps({"forgotten": name}) if options.json else f"{name} is forgotten{hint}")
        return 0

    return with_lab(options, work)


async def _list(options: argparse.Namespace, lab: Lab) -> None:
    """Tell of all names under a prefix for which nobody speaks."""
    leftovers = Leftovers(lab, options.prefix)
    async with leftovers.connected():
        await leftovers.listen(list(leftovers.kept))
        found = {name: leftovers.row(name) for name in sorted(leftovers.kept) if not leftovers.speaker(name)}
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, row in found.items():
        silent = f", says online, and nothing for {LIVES_WITHIN:g} s" if row["says_online"] else ""
        print(f"{name:24} {len(row['topics'])} retained{silent}: {' '.join(row['topics'])}")
    if found:
        print(f"Nobody speaks for these. `lab2mqtt forget NAME --prefix {options.prefix}` clears one.")
    else:
        print(f"nothing is left of anybody under {options.prefix}")


async def _forget_prop(options: argparse.Namespace, lab: Lab) -> None:
    """Clear all that is retained of a prop, under its prefix and as a device."""
    name, prefix = options.device, options.prefix
    leftovers = Leftovers(lab, prefix)
    async with leftovers.connected():
        await leftovers.listen([name])
        if speaker := leftovers.speaker(name):
            raise Misconfigured(f"{name} lives ({speaker}) and would say it again; first take it away")
        hint = "" if name in leftovers.kept else f"; nothing was kept{near(name, leftovers.kept)}"
        topics = await leftovers.clear(name)
        device = as_id(name)
        is_ours = device in lab.devices and lab[device].reachable  # the worker host withdraws the board
        if wire.is_device_id(device) and not is_ours:
            await _forget_device(options, lab, device)
    if options.json:
        print(json.dumps({"forgotten": name, "cleared": topics}, ensure_ascii=False))
    else:
        print(f"{name} is forgotten{hint}", *topics, sep="\n  ")


async def _forget_device(options: argparse.Namespace, lab: Lab, name: str) -> str:
    """Clear all that is retained of a device; gives a hint where it was not known."""
    if name in lab.devices and lab[name].reachable:
        bridge = lab[name].description.get("bridge")
        first = f"take it out of what {bridge} runs" if bridge else "switch it off"
        raise Misconfigured(f"{name} is online and would be announced again; first {first}")
    known = name in lab.devices
    prefix = options.discovery or wire.DEFAULT_DISCOVERY
    told = lab[name].description if known else {}
    of_parts = [wire.discovery_topic(prefix, lab.base, name, part) for part in told.get("parts", ())]
    topics = retained_topics(lab.base, name, told.get("entities", {}))
    try:
        # Also of parts that its last description does not know: it was said before the device answered.
        of_parts += await lab.retained(wire.discovery_topic(prefix, lab.base, name, "+"))
        # First: entities that are still there would complain of a state that is suddenly empty.
        await lab.clear([wire.discovery_topic(prefix, lab.base, name), *dict.fromkeys(of_parts)])
        await lab.clear([*topics, wire.device_topic(lab.base, name, "command")])
        await lab.wait_until(lambda lab: name not in lab.devices, CONFIRM_WITHIN)
    except (TimeoutError, BrokerError):  # a broker refuses in silence
        raise Misconfigured(
            f"the broker keeps {name}: who asks may not speak for it; its bridge may (--config)"
        ) from None
    return "" if known else f" (it was not known{near(name, lab.devices)})"
