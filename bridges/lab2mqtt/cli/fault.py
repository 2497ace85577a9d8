"""``lab2mqtt fault``: what goes wrong with a simulated device, and what a person's hands do there."""

import argparse
import json
import sys
from typing import Any

from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.runtime import running_demo, simulated
from lab2mqtt.simulators.control import control

_OFF = "off"
_AS_BEFORE = "null: as before"  # ends the words of what is given a value


def fault(options: argparse.Namespace) -> int:
    """Switch a fault of a simulator, do something to it by hand, or tell how it is."""
    try:
        truth = _asked(options.device, options.fault, options.options)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    print(json.dumps(truth, indent=2))
    return 0


def _asked(device: str, fault: str | None, words: list[str]) -> dict[str, Any]:
    demo = running_demo.find() or {"links": {}}
    link = demo["links"].get(device) or _link_of_board(device) or device
    try:
        known = control(link, help=True)
        if fault is None:
            print(_lines(known), file=sys.stderr)
            return control(link)
        return control(link, **_request(device, fault, words, known))
    except OSError as error:
        links = demo["links"]
        hint = near(device, links) + (f"; the demo has {', '.join(links)}" if links else "")
        raise Misconfigured(f"no simulated device {device!r} runs here{hint}") from error
    except ValueError as error:
        raise Misconfigured(str(error)) from error


def _link_of_board(device: str) -> str | None:
    link = simulated.board_link(device)
    return str(link) if link.with_name(f"{link.name}.control").is_socket() else None


def _request(device: str, fault: str, words: list[str], known: dict[str, Any]) -> dict[str, Any]:
    name, valued, value = fault.partition("=")
    if name in known["hands"]:
        if words:
            raise Misconfigured(f"{name} is done once: {words[0]!r} says nothing about it")
        return {name: _value(value) if valued else True}
    if name not in known["faults"] or valued:
        there = [*known["faults"], *known["hands"]]
        raise Misconfigured(
            f"{device} has no fault {fault!r}{near(fault, there)}; there are\n{_lines(known)}"
        )
    request: dict[str, Any] = {"fault": name, "on": _OFF not in words}
    for word in words:
        option, valued, value = word.partition("=")
        if valued:
            request[option] = _value(value)
        elif word != _OFF:
            raise Misconfigured(f"{word!r} is neither {_OFF} nor option=value")
    return request


def _value(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(text)
    except ValueError:
        return text


def _lines(known: dict[str, Any]) -> str:
    told = dict(known["faults"])
    for name, words in known["hands"].items():
        if words.endswith(_AS_BEFORE):
            told[f"{name}=…"] = words
        else:
            told[name] = f"{words} (once, by hand)"
    return "\n".join(f"  {name:17} {words}" for name, words in told.items())
