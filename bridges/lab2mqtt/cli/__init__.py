"""The command ``lab2mqtt``."""

import argparse
from collections.abc import Callable, Sequence
import gc
import importlib
import os
from pathlib import Path
import re
import sys
from typing import Never

from lab2mqtt import __version__
from lab2mqtt.core.words import near

EXIT_FAILED = 1  # a task was refused or failed
EXIT_USAGE = 2  # the command line or a file is wrong
EXIT_NO_BROKER = 3

_EPILOG = """\
start here:
  lab2mqtt demo                                    a simulated lab in a private Home Assistant
  lab2mqtt devices                                 what is there, and whether it is ready
  lab2mqtt call plate-resort activate_hotel hotel=B
  lab2mqtt stop                                    stop everything that moves, now

Commands that talk to a lab find its broker by --broker, --config, $LAB2MQTT_BROKER, or a demo that runs here.
A password stands in $LAB2MQTT_PASSWORD, the files of TLS in $LAB2MQTT_CA, $LAB2MQTT_CERT and $LAB2MQTT_KEY.
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no broker.
"""


_FAULTS = """\
for example:
  lab2mqtt fault plate-resort stalled       something holds the carousel
  lab2mqtt fault plate-resort stalled off   it is free again
  lab2mqtt fault ot2 slow seconds=3         the robot answers late
  lab2mqtt fault ot2 reboot                 somebody switches it off and on
  lab2mqtt fault ot2 new_tips               somebody puts a new rack there

The bridge is told nothing of it: it has to find out, as from a real one.
"""


_PROPS = """\
The environment of the original worker host does as well; options go before it:
  MQTT_HOST, MQTT_PORT, MQTT_WORKER_USER, MQTT_WORKER_PW (or MQTT_WORKER_PW_FILE, a file that holds it),
  MQTT_CLIENT_ID, WORKER_DEBUG
  WORKER_DISABLE_ALL_BUILTINS=1, WORKER_BUILTINS_ALLOW=a,b, WORKER_BUILTINS_DISABLE=a,b, in this order of
  precedence, and the same three with PROPS.
"""


class _Parser(argparse.ArgumentParser):
    """Tells what was probably meant."""

    def error(self, message: str) -> Never:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and "invalid choice" in message:  # noqa: SLF001
                quoted = message.split("invalid choice: ")[1]
                wrong = quoted[1 : quoted.index(quoted[0], 1)]
                names = ", ".join(action.choices)
                message = f"no command {wrong!r}{near(wrong, action.choices)}; there are {names}"
        message = re.sub(r"(?s)://.*@", "://…@", message)  # an address in the wrong place may hold a password
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    options = _parser().parse_args(arguments)
    module, _, function = options.run.partition(":")
    # Each command loads only what it needs: a daemon does not pay for the demo. Nothing of it is garbage.
    gc.disable()
    run: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(module), function)
    gc.enable()
    try:
        return run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `lab2mqtt watch | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lab2mqtt",
        description="Lab instruments, boards and props as one system in Home Assistant, over MQTT.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lab2mqtt {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: str, text: str, *, lab: bool = False) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        one.set_defaults(run=f"lab2mqtt.{run}")
        if lab:
            _add_lab_options(one)
        return one

    run = command("run", "cli.service:run", "run the bridge that a configuration describes, until SIGTERM")
    run.add_argument("config", type=Path, metavar="CONFIG")
    run.add_argument("--debug", action="store_true", help="log every detail")
    run.add_argument("--healthy", action="store_true", help="ask whether it runs: 0 yes, else no")

    demo = command("demo", "demo:demo", "run a simulated lab in a Home Assistant of its own")
    demo.add_argument("--no-hub", action="store_true", help="broker and simulated devices only")
    demo.add_argument(
        "--broker-port", type=int, metavar="N", help="port of the broker (18830, or a free one)"
    )
    demo.add_argument(
        "--hub-port", type=int, metavar="N", help="port of Home Assistant (8123, or a free one)"
    )
    demo.add_argument("--device", action="append", metavar="ID", help="only this device; repeatable")
    demo.add_argument(
        "--state", type=Path, metavar="DIR", help="keep state between demos here; else start fresh"
    )

    check = command("check", "cli.service:check", "check the configurations of a lab and tell what they hold")
    check.add_argument("configs", type=Path, nargs="+", metavar="CONFIG")

    acl = command("acl", "cli.acl:acl", "write users, passwords and an access list for mosquitto")
    _add_acl_options(acl)

    command("devices", "cli.lab:devices", "list the devices of a lab", lab=True)

    call = command("call", "cli.lab:call", "call a task of a device and print its result", lab=True)
    call.add_argument("device", metavar="DEVICE")
    call.add_argument("task", metavar="TASK")
    call.add_argument("parameters", nargs="*", metavar="name=value")
    call.add_argument("--timeout", type=float, metavar="S", help="seconds that the task may take")
    call.add_argument("--reservation", metavar="HOLDER", help="call it under this reservation")

    command("watch", "cli.lab:watch", "print all that the devices say, until Ctrl-C", lab=True)

    stop = command(
        "stop", "cli.lab:stop", "stop all motion now: of the whole lab, or of one device", lab=True
    )
    stop.add_argument("device", nargs="?", metavar="DEVICE")
    stop.add_argument("--reason", default="", help="for the record")
    reset = command("reset", "cli.lab:reset", "release the emergency stop; moves nothing", lab=True)
    reset.add_argument("device", nargs="?", metavar="DEVICE")
    for name, text in (
        ("pause", "hold the task that runs on a device"),
        ("resume", "go on with the paused task"),
        ("cancel", "end the task that runs on a device in an orderly way"),
    ):
        one = command(name, f"cli.lab:{name}", text, lab=True)
        one.add_argument("device", metavar="DEVICE")
        if name == "resume":
            one.add_argument("--reservation", metavar="HOLDER", help="of a device that somebody has reserved")

    _add_holds(command)
    _add_history_options(
        command("history", "cli.history:history", "tell what became of the commands of a lab", lab=True)
    )

    _add_forget(command)
    broker = command(
        "broker", "cli.service:broker", "run the embedded broker, on loopback, for trying things"
    )
    broker.add_argument("--port", type=int, default=1883, metavar="N", help="its port (1883)")

    boards_and_props = (_add_board, _add_simulate_board, _add_fault, _add_props)
    for add in (*boards_and_props, _add_opentrons, _add_http, _add_prefect, _add_service):
        add(command)
    return parser


def _add_lab_options(command: argparse.ArgumentParser) -> None:
    _add_broker_options(command)
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="take broker and base from a configuration"
    )
    command.add_argument("--json", action="store_true", help="one line of JSON, for scripts")


def _add_broker_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--broker", metavar="URL", help="mqtt://[user@]host[:port], mqtts:// for TLS")
    command.add_argument("--ca", metavar="FILE", help="trust the CA of this certificate (mqtts://)")
    command.add_argument("--cert", metavar="FILE", help="our own certificate, where the broker wants one")
    command.add_argument("--key", metavar="FILE", help="its key, where that is not in the same file")
    command.add_argument("--base", metavar="TOPIC", help="base topic (lab2mqtt)")


def _add_props(command: Callable[..., argparse.ArgumentParser]) -> None:
    props = command("props", "cli.props:props", "run the workers of props, until SIGTERM")
    _add_broker_options(props)
    for option, metavar, text in (
        ("--root", "DIR", "where the props are, each with a backend/worker.py (props)"),
        ("--builtins", "DIR", "one's own built-in workers, *.py, beside ours"),
        ("--state", "DIR", "keep state between runs here"),
    ):
        props.add_argument(option, type=Path, metavar=metavar, help=text)
    for option, metavar, text in (
        ("--client-id", "ID", "who this host is to the broker ($MQTT_CLIENT_ID, worker_host)"),
        ("--prefix", "TOPIC", "in front of the topics of the props (halloween)"),
        ("--discovery", "TOPIC", "Home Assistant's prefix (homeassistant)"),
    ):
        props.add_argument(option, metavar=metavar, help=text)
    props.add_argument(
        "--stop-action",
        action="append",
        default=[],
        metavar="WORD",
        help="an action that only stops, and so is never refused, beside stop, block, …; repeatable",
    )
    props.add_argument("--watch", action="store_true", help="load a worker anew when its files change")
    props.add_argument("--debug", action="store_true", help="log every detail ($WORKER_DEBUG)")
    props.add_argument("--healthy", action="store_true", help="ask whether such a host runs: 0 yes, else no")
    props.formatter_class = argparse.RawDescriptionHelpFormatter
    props.epilog = _PROPS


def _add_simulate_board(command: Callable[..., argparse.ArgumentParser]) -> None:
    board = command(
        "simulate-board",
        "cli.simulate_board:simulate_board",
        "run a board's firmware on this machine, at a broker, until Ctrl-C",
        lab=True,
    )
    board.add_argument("node", metavar="NODE", help="lab-sensor, …, or a folder with a main.py")
    board.add_argument("--id", metavar="ID", help="its device id (the node's own, or that with a number)")
    board.add_argument("--state", type=Path, metavar="DIR", help="keep its flash here; else start fresh")
    board.add_argument(
        "--setting", action="append", default=[], metavar="name=json", help="of the node; repeatable"
    )


def _add_forget(command: Callable[..., argparse.ArgumentParser]) -> None:
    forget = command(
        "forget", "cli.forget:forget", "clear what the broker keeps of a device that is gone", lab=True
    )
    what = forget.add_mutually_exclusive_group(required=True)
    what.add_argument("device", nargs="?", metavar="DEVICE")
    what.add_argument("--list", action="store_true", help="tell of which props something is left")
    forget.add_argument("--discovery", metavar="TOPIC", help="Home Assistant's prefix (homeassistant)")
    forget.add_argument("--prefix", metavar="TOPIC", help="of props: clear a prop of that name, too")


def _add_board(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Firmware of boards."""
    board = command("board", "cli.board:board", "build the firmware of a board, install it, look at a board")
    actions = board.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="write the image of a node into DIR/NODE, for updates")
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of the images")
    build.add_argument("--key", type=Path, metavar="FILE", help="sign it with the update_key in this file")
    install = actions.add_parser("install", help="put a node onto the board that is plugged in by USB")
    install.add_argument("--config", type=Path, required=True, metavar="FILE", help="its config.json")
    install.add_argument("--secrets", type=Path, required=True, metavar="FILE", help="its secrets.json")
    install.add_argument("--transport", choices=("own", "mqtt_as"), help="mqtt_as is got from the network")
    install.add_argument("--ca", type=Path, metavar="FILE", help="trust this certificate for TLS")
    for one in (build, install):
        one.add_argument("node", metavar="NODE", help="of `lab2mqtt board list`, or a folder of your own")
        one.add_argument("--version", metavar="V", help="of the application, 1.2.0 (that of lab2mqtt)")
    check = actions.add_parser("check", help="tell what is on the board, and whether it is as it should be")
    for one in (install, check):
        one.add_argument("--port", default="auto", metavar="P", help="/dev/ttyACM0 (the first on USB)")
    actions.add_parser("list", help="the nodes there are, and what is plugged in")


def _add_fault(command: Callable[..., argparse.ArgumentParser]) -> None:
    fault = command("fault", "cli.fault:fault", "let a simulated device of the demo fail, or work again")
    fault.add_argument("device", metavar="DEVICE", help="its id, or the path of its simulator's link")
    fault.add_argument(
        "fault",
        metavar="NAME",
        nargs="?",
        help="what fails, or what hands do: without it, how it is and what there is",
    )
    fault.add_argument("options", metavar="off|option=value", nargs="*", help="its end, or more about it")
    fault.formatter_class = argparse.RawDescriptionHelpFormatter
    fault.epilog = _FAULTS


def _add_service(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Units of systemd."""
    service = command("service", "cli.units:listed", "make services of systemd out of what runs here")
    actions = service.add_subparsers(metavar="ACTION", required=True)
    install = actions.add_parser("install", help="write a unit, once its configuration is right")
    install.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="a configuration of a bridge or a gateway, a program.py of @task functions, or a command and its"
        " options behind --: -- props --root DIR",
    )
    install.add_argument("--print", action="store_true", help="show the unit, and write nothing")
    install.add_argument("--as", dest="run_as", metavar="USER", help="who runs it (a user of its own)")
    install.add_argument("--env", type=Path, metavar="FILE", help="of its variables, each NAME=value")
    install.add_argument(
        "--device", action="append", default=[], metavar="PATH", help="it opens this, too; repeatable"
    )
    install.add_argument("--name", metavar="NAME", help="of the unit (lab2mqtt-, and the id)")
    remove = actions.add_parser("remove", help="take the unit of a service away")
    remove.add_argument("name", metavar="NAME")
    for one in (install, remove):
        one.add_argument("--force", action="store_true", help="also one that was changed by hand")
    listed = actions.add_parser("list", help="the services that were made so")
    for name, one in (("install", install), ("remove", remove), ("listed", listed)):
        one.add_argument("--user", action="store_true", help="of this user, instead of the machine")
        one.add_argument("--into", type=Path, metavar="DIR", help="where units are (/etc/systemd/system)")
        one.set_defaults(run=f"lab2mqtt.cli.units:{name}")


def _add_opentrons(command: Callable[..., argparse.ArgumentParser]) -> None:
    opentrons = command(
        "opentrons", "cli.opentrons:opentrons", "install the real Opentrons package for the simulated OT-2"
    )
    opentrons.add_argument(
        "action", nargs="?", choices=("install",), help="130 MB, seconds; without it, whether it is there"
    )


def _add_http(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The gateway."""
    http = command("http", "cli.http:http", "put every device of a lab behind one HTTP API, until SIGTERM")
    http.add_argument("config", type=Path, metavar="CONFIG")
    http.add_argument("--debug", action="store_true", help="log every detail")
    token = command("token", "cli.http:token", "make a token for the HTTP API, and its lines for CONFIG")
    token.add_argument("name", metavar="NAME", help="whose it is; stands in the record of what it commands")


def _add_prefect(command: Callable[..., argparse.ArgumentParser]) -> None:
    prefect = command("prefect", "cli.prefect:prefect", "make and deploy Prefect flows that call devices")
    actions = prefect.add_subparsers(dest="action", metavar="ACTION", required=True)
    module = actions.add_parser("module", help="print a Python module with a flow for each task of a device")
    module.add_argument("device", metavar="DEVICE")
    deploy = actions.add_parser("deploy", help="deploy the flows of a module, for workers of a process pool")
    deploy.add_argument("module", metavar="MODULE", help="plate-resort, ot2, or one's own, as it is imported")
    deploy.add_argument("pool", nargs="?", metavar="POOL", help="made if it is missing (DEVICE-pool)")
    stops = actions.add_parser("stops", help="do the emergency stops of a device at once, until Ctrl-C")
    stops.add_argument("device", metavar="DEVICE")
    for one in (module, deploy, stops):
        _add_lab_options(one)


def _add_holds(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Reservations and maintenance."""
    reserve = command("reserve", "cli.holds:reserve", "keep a device for one holder, or go on", lab=True)
    reserve.add_argument("device", metavar="DEVICE")
    reserve.add_argument("holder", metavar="HOLDER", help="who has it; `call --reservation HOLDER` passes")
    reserve.add_argument("--seconds", type=float, default=3600, metavar="N", help="for how long (3600)")
    reserve.add_argument("--reason", default="", help="for people; takes the device over from another holder")
    release = command("release", "cli.holds:release", "give a reserved device back", lab=True)
    release.add_argument("device", metavar="DEVICE")
    release.add_argument("holder", metavar="HOLDER")
    maintenance = command(
        "maintenance", "cli.holds:maintenance", "let a device take no new work, or take some again", lab=True
    )
    maintenance.add_argument("device", metavar="DEVICE")
    maintenance.add_argument("switch", choices=("on", "off"), metavar="on|off")
    maintenance.add_argument("--reason", default="", help="for people")


def _add_history_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("device", nargs="?", metavar="DEVICE", help="of this device alone")
    for option, metavar, text in (
        ("--since", "WHEN", "2h, 30min, 1d, 2026-11-21, 2026-11-21T14:30, 14:30"),
        ("--until", "WHEN", "the same; received before then"),
    ):
        command.add_argument(option, metavar=metavar, help=text)
    command.add_argument(
        "--run", dest="of_run", metavar="NAME", help="only under this reservation, or of this request id"
    )
    command.add_argument("--limit", type=int, metavar="N", help="the newest N; 100 if nothing else is chosen")
    command.add_argument("--csv", action="store_true", help="all columns, for spreadsheets")
    command.add_argument("--export", type=Path, metavar="FILE", help="write a record for others, as JSON")
    command.add_argument("--ledger", type=Path, metavar="FILE", help="read this file; no bridge is asked")


def _add_acl_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("configs", type=Path, nargs="*", metavar="CONFIG", help="of every bridge of the lab")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write into")
    for option, metavar, text in (
        ("--hub", "NAME", "Home Assistant: reads, commands, stops"),
        ("--operator", "NAME", "a person or a script that reads, commands and stops"),
        ("--viewer", "NAME", "one that looks on, and can stop"),
        ("--board", "DEVICE_ID", "a device with a connection of its own"),
        ("--prop", "NAME", "the board of a prop, by the name in its topics: obeys and tells how it is"),
        ("--prop-device", "ID", "one more prop that the worker host speaks for"),
    ):
        command.add_argument(option, action="append", default=[], metavar=metavar, help=f"{text}; repeatable")
    command.add_argument(
        "--worker-host", metavar="USER[=ID]", help="the worker host; its MQTT_CLIENT_ID, if not worker_host"
    )
    command.add_argument("--props", type=Path, metavar="DIR", help="whose props the worker host speaks for")
    command.add_argument("--prefix", default="halloween", metavar="TOPIC", help="of the props (halloween)")
