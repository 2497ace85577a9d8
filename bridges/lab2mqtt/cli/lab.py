"""Commands that talk to a lab over its broker."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
import json
import os
import sys
import time
from typing import Any

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_FAILED, EXIT_NO_BROKER, EXIT_USAGE
from lab2mqtt.client import Lab, RemoteDevice, TaskError, UnknownDevice, lab_stop
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import config, where
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import BrokerError

CONFIRM_WITHIN = 3.0  # s that a stop is waited for


def devices(options: argparse.Namespace) -> int:
    """List devices."""

    async def work(lab: Lab) -> int:
        if options.json:
            print(json.dumps({name: _row(lab[name]) for name in lab}))
            return 0
        if not list(lab):
            print(f"no devices on {lab.broker}")
        rows = [_row(lab[name]) for name in lab]
        for row in rows:
            reasons = f" ({'; '.join(row['reasons'])})" if row["reasons"] else ""
            print(f"{row['device']:24} {row['readiness'] + reasons:32} {row['name']}, {row['model']}")
        if lab.stop:
            print(
                f"The lab's emergency stop is engaged by {lab.stop['by'] or 'unknown'}: {lab.stop['reason']}"
            )
        return 0

    return with_lab(options, work)


def _row(device: RemoteDevice) -> dict[str, Any]:
    known = device.state.get("readiness", "unknown")
    return {
        "device": device.device_id,
        "name": device.description.get("name", device.device_id),
        "model": device.description.get("model", "unknown model"),
        "readiness": known if device.reachable else "unreachable",
        "reasons": device.state.get("readiness_reasons", []),
        "bridge": device.description.get("bridge"),
        "simulated": device.description.get("simulated", False),
    }


def call(options: argparse.Namespace) -> int:
    """Call a task."""

    async def work(lab: Lab) -> int:
        device = lab[options.device]
        parameters = _parameters(options.parameters, device.tasks.get(options.task, {}))
        shown = _Progress(quiet=options.json)
        try:
            result = await device.call(
                options.task,
                parameters,
                timeout=options.timeout,
                reservation=options.reservation,
                on_progress=shown.show,
            )
        finally:
            shown.end()
        _print(options, result)
        return 0

    return with_lab(options, work)


def _parameters(words: list[str], task: dict[str, Any]) -> dict[str, Any]:
    """``name=value`` words, each read as the type that its parameter has."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name:
            raise Misconfigured(f"{word!r} is not name=value")
        told = task.get("parameters", {}).get(name, {}).get("type")
        if told in ("string", ["string", "null"]):
            found[name] = text
        else:
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text  # the device tells what is right
    return found


class _Progress:
    """How far a task is, on stderr: one line that is written over on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._last = ""

    def show(self, message: dict[str, Any]) -> None:
        """Show one message of progress."""
        percent = message.get("percent")
        parts = [
            message["status"],
            f"{percent:.0f} %" if percent is not None else "",
            message.get("message", ""),
        ]
        line = f"{message['task']}: " + " ".join(part for part in parts if part)
        if self._quiet or line == self._last:
            return
        self._last = line
        sys.stderr.write(f"\r\033[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._terminal and self._last:
            sys.stderr.write("\r\033[K")


def watch(options: argparse.Namespace) -> int:
    """Print what is said."""

    async def work(lab: Lab) -> int:
        async for name, kind, message in lab.watch():
            if options.json:
                print(json.dumps({"from": name, "kind": kind, "message": message}), flush=True)
            else:
                print(f"{time.strftime('%H:%M:%S')} {name} {kind} {wire.encode(message)}", flush=True)
        return 0

    return with_lab(options, work)


def stop(options: argparse.Namespace) -> int:
    """Stop the lab or one device, and tell who confirmed."""

    async def work(lab: Lab) -> int:
        if options.device:
            _print(options, await lab[options.device].call("emergency_stop", {"reason": options.reason}))
            return 0
        engaged = await lab_stop.engage(lab, CONFIRM_WITHIN, options.reason, on_confirmed=_print_confirmed)
        for name in engaged.not_confirmed:
            print(f"{name} has NOT confirmed the stop", file=sys.stderr)
        if options.json:
            told = {"stop_id": engaged.stop_id, "not_confirmed": engaged.not_confirmed}
            print(json.dumps(told))
        else:
            print("The lab is stopped. `lab2mqtt reset` releases it.")
        return EXIT_FAILED if engaged.not_confirmed else 0

    return with_lab(options, work)


def _print_confirmed(name: str, took: int | None) -> None:
    within = f" within {took} ms" if took is not None else ""
    print(f"{name} stopped{within}", file=sys.stderr)


def reset(options: argparse.Namespace) -> int:
    """Release the lab's stop, or one device's, and tell what a person has to look at."""

    async def work(lab: Lab) -> int:
        if options.device:
            told = await lab[options.device].call("reset_emergency_stop")
            if options.json:
                print(json.dumps(told, ensure_ascii=False))
            elif told["released"]:
                print(_after_stop(options.device, told["readiness"], told))
            else:
                print(f"{options.device} had no stop of its own; it is {told['readiness']}")
            return 0
        released, told = await lab_stop.release(lab, CONFIRM_WITHIN)
        if options.json:
            print(json.dumps({"released": released, "devices": told}, ensure_ascii=False))
            return 0
        if released:
            print("The lab's emergency stop is released. Nothing moves by it.")
        else:
            print("The lab's emergency stop is not engaged.")
        for name in told:
            print(_after_stop(name, told[name]["readiness"], told[name]))
        for name in lab:
            if lab[name].state.get("emergency_stop"):
                print(f"{name} has a stop of its own: lab2mqtt reset {name}")
        return 0

    return with_lab(options, work)


def _after_stop(name: str, readiness: str, told: dict[str, Any]) -> str:
    """What must be done before a device moves again, in a line."""
    homing = f"; home it first: {'; '.join(told['needs_homing'])}" if told.get("needs_homing") else ""
    look = f"; look: {told['look_at']}" if told.get("look_at") else ""
    return f"{name}: {readiness}{homing}{look}"


def pause(options: argparse.Namespace) -> int:
    """Hold the running task."""
    return _call_plain(options, "pause")


def resume(options: argparse.Namespace) -> int:
    """Go on with it."""
    return _call_plain(options, "resume", options.reservation)


def cancel(options: argparse.Namespace) -> int:
    """End it."""
    return _call_plain(options, "cancel")


def _call_plain(options: argparse.Namespace, task: str, reservation: str | None = None) -> int:
    async def work(lab: Lab) -> int:
        _print(options, await lab[options.device].call(task, reservation=reservation))
        return 0

    return with_lab(options, work)


def _print(options: argparse.Namespace, result: Any) -> None:  # noqa: ANN401 - any result
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    elif isinstance(result, dict):
        for key, value in result.items():
            print(f"{key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    elif result is not None:
        print(result if isinstance(result, str) else json.dumps(result, indent=2, ensure_ascii=False))


def with_lab(options: argparse.Namespace, work: Callable[[Lab], Awaitable[int]]) -> int:
    """Connect, do the work, and tell on stderr why it was not done."""

    async def main() -> int:
        broker, base = where_is(options)
        async with Lab(broker, base=base) as lab:
            return await work(lab)

    try:
        return asyncio.run(main())
    except TaskError as error:
        print(f"{error.error_code}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokerError as error:
        print(error, file=sys.stderr)
        return EXIT_NO_BROKER
    except (UnknownDevice, Misconfigured, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE


def where_is(options: argparse.Namespace) -> tuple[Broker, str]:
    """The broker and the base topic that a command is for.

    Raises:
        Misconfigured: The configuration is wrong, or a file of the encrypted link.
        ValueError: The broker's address is none.
    """
    base = options.base or wire.DEFAULT_BASE
    if options.config:
        found = config.load(options.config)
        broker = Broker.parse(options.broker) if options.broker else found.broker
        base = options.base or found.base
    else:
        broker = where.broker(options.broker, os.environ)
    broker = where.with_files(broker, ca=options.ca, cert=options.cert, key=options.key)
    return broker, base
