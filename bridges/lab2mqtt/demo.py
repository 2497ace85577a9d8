"""``lab2mqtt demo``: a broker, simulated devices, their bridges, and a real Home Assistant that shows them.

Each is a process of its own, as in a lab. One that dies is started again, as systemd would.
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import sys
import tempfile
import time
from types import FrameType
from typing import NamedTuple

import yaml

from lab2mqtt import wire
from lab2mqtt.boards import image
from lab2mqtt.client import Lab
from lab2mqtt.core.errors import LabError, Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.hub import child, environments, given, micropython, mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port, listens
from lab2mqtt.hub.process import HomeAssistant
from lab2mqtt.props import examples
from lab2mqtt.runtime import config, running_demo, simulated
from lab2mqtt.runtime.mqtt import BrokerError
from lab2mqtt.simulators import OPENTRONS
from lab2mqtt.simulators.board import flash

BRIDGE = "demo"
AREA = "Demo lab"
BROKER_PORT = 18830
HUB_PORT = 8123
READY_WITHIN = 20.0  # s
LOOK_EVERY = 0.3  # s between two looks at the processes
STOP_WITHIN = 5.0  # s


class Shown(NamedTuple):
    """A device of the demo: one of the bridge, of this model, or else a board or a prop."""

    model: str
    name: str
    hints: tuple[str, ...]  # what to try, as in the command line
    board: str = ""  # of a prop, whose firmware is simulated


DEVICES = {
    "plate-resort": Shown(
        "plate_resort",
        "Plate resort",
        ("call plate-resort activate_hotel hotel=B", "fault plate-resort stalled"),
    ),
    "ot2": Shown("ot2", "OT-2", ("call ot2 mix_color R=100 Y=50 B=80 well=B2", "fault ot2 door_open")),
}
BOARDS = {  # node and device id → what is shown
    "lab-sensor": Shown(
        "", "Lab sensor", ("call lab-sensor move_servo pin=15 angle=90", "fault lab-sensor temperature=27")
    ),
    "color-sensor": Shown("", "Colour sensor", ("call color-sensor read_color",)),
    "fan": Shown("", "Fan", ("call fan set_speed speed=60", "fault fan fan_stalled")),
}
PROPS = {  # folder and device id → what is shown
    "coffin_jumper": Shown(
        "",
        "Coffin jumper",
        ("fault esp32-coffin-jumper-01 motion=true", "call coffin_jumper trigger"),
        "esp32-coffin-jumper-01",
    ),
    "fogger": Shown("", "Fogger", ("call fogger warm_up",), "esp32-fogger-01"),
    "grave_shaker": Shown("", "Grave shaker", ("call grave_shaker shake",), "esp32-grave-shaker-01"),
    "haunt": Shown("", "Haunt", ("call haunt arm",)),
}
BUILTINS = {
    "heartbeat": Shown("", "Heartbeat", ("call heartbeat ping arg=hello",)),
    "show": Shown("", "Show", ("call show play",)),
}
HOSTED = PROPS | BUILTINS
SHOWN = DEVICES | BOARDS | HOSTED
SETTINGS = {
    "lab-sensor": ('servo={"hold": true}',),  # one that is let go shows nothing
    "esp32-coffin-jumper-01": ('motion={"hold": 5, "warm_up": 2}',),  # a real sensor is warm after 30 s
}
# Whom a device of the bridge asks, where that is in the demo, too: setting → device.
ASKS = {"ot2": {"color_sensor": "color-sensor", "cooling_fan": "fan"}}


def demo(options: argparse.Namespace) -> int:
    """Run the demo until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        with contextlib.ExitStack() as stack:
            _Demo(options, stack).run()
    except KeyboardInterrupt:
        _say("Ended; nothing is left running.")
    except (LabError, HubError, BrokerError, image.ImageError) as error:
        _say(f"lab2mqtt demo: {error}")
        return 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    for again in (signal.SIGTERM, signal.SIGINT):
        signal.signal(again, signal.SIG_IGN)  # a second Ctrl-C would leave something running
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass
class _Process:
    """One program of ours, which is started again when it dies."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] | None = None
    running: child.Child | None = None

    @property
    def pid(self) -> int | None:
        return self.running.pid if self.running and self.running.poll() is None else None

    def start(self) -> None:
        self.running = child.start(self.command, self.log, self.environment)

    def stop(self) -> None:
        if self.running:
            child.stop(self.running, STOP_WITHIN)


class _Demo:
    """Everything that runs, in the order in which it was started."""

    def __init__(self, options: argparse.Namespace, stack: contextlib.ExitStack) -> None:
        self._options = options
        self._stack = stack
        self._parts: list[tuple[str, _Process | mosquitto.Mosquitto | HomeAssistant]] = []
        if options.state:
            self._state = options.state.absolute()
            self._state.mkdir(parents=True, exist_ok=True)
        else:
            self._state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab2mqtt-demo-")))
        self._wanted = self._choose(options.device)
        self._port = _port(options.broker_port, BROKER_PORT)
        self._surroundings = simulated.surroundings()
        self._links: dict[str, Path] = {}

    def run(self) -> None:
        """Start everything, tell where it is, and keep it running.

        Raises:
            KeyboardInterrupt: Somebody wants it to end.
            HubError: A part cannot be started.
        """
        began = time.monotonic()
        release = None if self._options.no_hub else environments.best_hub(_say)
        program = self._mosquitto() if release else None
        venv = environments.install(release.version, _say) if release else None
        runs_boards = self._micropython()

        installed = time.monotonic()
        linked = [name for name in self._wanted if name not in HOSTED]
        self._links = {device_id: self._state / f"{device_id}.link" for device_id in linked}
        self._start_broker(program)
        self._start_devices()
        if runs_boards:
            self._start_boards(runs_boards)
        if self._hosted:
            self._start_props()
        url = f"mqtt://{LOOPBACK}:{self._port}"
        self._stack.enter_context(
            running_demo.tell(url, {name: str(link) for name, link in self._links.items()})
        )
        asyncio.run(self._wait_until_ready(url))
        pages = self._start_hub(venv) if venv else {}
        self._tell(url, pages, time.monotonic() - (began if release is None else installed))
        self._watch()

    def _choose(self, wanted: list[str] | None) -> list[str]:
        for name in wanted or ():
            if name not in SHOWN:
                raise Misconfigured(f"no device {name!r}{near(name, SHOWN)}; the demo has {', '.join(SHOWN)}")
        return wanted or list(SHOWN)

    def _micropython(self) -> Path | None:
        """What the boards run on; without it there are none."""
        if not self._boards and not any(HOSTED[name].board for name in self._hosted):
            return None
        try:
            return micropython.find_or_unpack(_say)
        except HubError as error:
            if not set(self._wanted) - set(self._boards):
                raise
            _say(f"No boards, for want of MicroPython ({error}): pip install 'lab2mqtt[micropython]'")
            self._wanted = [name for name in self._wanted if name not in BOARDS]
            return None

    @property
    def _boards(self) -> list[str]:
        return [name for name in self._wanted if name in BOARDS]

    @property
    def _hosted(self) -> list[str]:
        return [name for name in self._wanted if name in HOSTED]

    @property
    def _boards_common(self) -> Path:
        common: Path = self._state / "boards" / "common"
        return common

    def _mosquitto(self) -> Path | None:
        """Home Assistant wants MQTT 5, which the embedded broker does not speak."""
        try:
            return mosquitto.find_or_unpack(_say)
        except HubError as error:
            _say(f"No mosquitto ({error}): the embedded broker serves; Home Assistant will ask for MQTT 5.")
            return None

    def _start_broker(self, program: Path | None) -> None:
        if listens(self._port):
            raise Misconfigured(f"port {self._port} is taken; choose another: --broker-port N")
        if program:
            broker = mosquitto.Mosquitto(program, self._port)
            self._stack.enter_context(broker)
            self._parts.append(("mosquitto", broker))
        else:
            self._start("broker", ["broker", "--port", str(self._port)])

    def _start_boards(self, interpreter: Path) -> None:
        nodes = {board: board for board in self._boards}
        for prop in self._hosted:
            if board := HOSTED[prop].board:
                nodes[board] = str(examples.folder() / prop / "firmware")
        # Once for all, while the broker starts.
        flash.prepare(self._boards_common, nodes.values())
        # A board that finds no broker waits for a second.
        deadline = time.monotonic() + READY_WITHIN
        while not listens(self._port) and time.monotonic() < deadline:
            time.sleep(0.02)
        for board, node in nodes.items():
            self._links[board] = self._state / f"{board}.link"
            self._start_board(interpreter, board, node)

    def _start_board(self, interpreter: Path, board: str, node: str) -> None:
        options = ["--node", node, "--device-id", board, "--broker", f"{LOOPBACK}:{self._port}"]
        options += ["--state", str(self._state / "boards" / board), "--common", str(self._boards_common)]
        options += ["--micropython", str(interpreter)]
        options += ["--name", BOARDS[board].name, "--area", AREA] if board in BOARDS else []
        options += [word for setting in SETTINGS.get(board, ()) for word in ("--setting", setting)]
        command = simulated.command_of("lab2mqtt.simulators.board", self._links[board], options)
        self._start_process(_Process(f"simulator of {board}", command, self._log(board)))

    def _start_props(self) -> None:
        """The worker host is chosen its props by its own variables, as in a container."""
        options = ["--root", str(examples.folder()), "--state", str(self._state / "props")]
        options += ["--broker", f"mqtt://{LOOPBACK}:{self._port}"]
        allow = {
            "WORKER_PROPS_ALLOW": ",".join(name for name in self._hosted if name in PROPS),
            "WORKER_BUILTINS_ALLOW": ",".join(name for name in self._hosted if name in BUILTINS),
        }
        none = {
            "WORKER_DISABLE_ALL_PROPS": str(int(not allow["WORKER_PROPS_ALLOW"])),
            "WORKER_DISABLE_ALL_BUILTINS": str(int(not allow["WORKER_BUILTINS_ALLOW"])),
        }
        self._start("worker host", ["props", *options], {**os.environ, **allow, **none})

    def _start_devices(self) -> None:
        devices = {}
        for device_id in self._wanted:
            if device_id not in DEVICES:
                continue
            shown = DEVICES[device_id]
            declared = config.load_device(shown.model)
            link = self._links[device_id]
            options = simulated.options_of(declared, device_id, self._state)
            command = simulated.command_of(declared.simulator, link, options)
            name = f"simulator of {device_id}"
            self._start_process(_Process(name, command, self._log(device_id), self._surroundings))
            asks = {key: name for key, name in ASKS.get(device_id, {}).items() if name in self._wanted}
            devices[device_id] = {
                "model": shown.model,
                "name": shown.name,
                "simulated": True,
                "area": AREA,
                "settings": {declared.link_setting: str(link), **asks},
            }
        told = {
            "bridge": BRIDGE,
            "broker": {"port": self._port},
            "state": "kept",
            "adopt": bool(self._boards),
            "devices": devices,
        }
        file = self._state / "demo.yaml"
        file.write_text(yaml.safe_dump(told, sort_keys=False))
        self._start("bridge", ["run", str(file)])

    def _start_hub(self, venv: Path) -> dict[str, str]:
        """Start Home Assistant; gives the addresses of what to look at there, by what it is."""
        broker = mosquitto.BrokerAddress(
            LOOPBACK, self._port, protocol="" if self._has_mosquitto() else "3.1.1"
        )
        hub = HomeAssistant(
            venv,
            self._state / "home-assistant",
            broker,
            port=_port(self._options.hub_port, HUB_PORT),
            open_door=True,
            copies=given.folders(),
            say=_say,
        )
        (self._state / "home-assistant").mkdir(exist_ok=True)
        self._stack.enter_context(hub)
        self._parts.append(("Home Assistant", hub))
        pages = {
            SHOWN[device_id].name: hub.show_device(f"lab2mqtt_{device_id}", AREA, READY_WITHIN)
            for device_id in self._wanted
        }
        return {"the whole lab": hub.show_lab(wire.DEFAULT_BASE), **pages}

    def _has_mosquitto(self) -> bool:
        return any(isinstance(part, mosquitto.Mosquitto) for _, part in self._parts)

    def _start(self, name: str, arguments: list[str], environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "lab2mqtt", *arguments]
        self._start_process(_Process(name, command, self._log(name), environment))

    def _start_process(self, process: _Process) -> None:
        process.start()
        self._stack.callback(process.stop)
        self._parts.append((process.name, process))

    def _log(self, name: str) -> Path:
        log: Path = self._state / f"{name}.log"
        return log

    async def _wait_until_ready(self, url: str) -> None:
        def ready(lab: Lab) -> bool:
            return all(
                name in lab.devices
                and lab[name].reachable
                and lab[name].state.get("readiness") not in (None, "starting")
                for name in self._wanted
            )

        try:
            async with Lab(url, connect_within=READY_WITHIN) as lab:
                await lab.wait_until(ready, READY_WITHIN)
        except TimeoutError as error:
            logs = [part.log.read_text()[-1000:] for _, part in self._parts if isinstance(part, _Process)]
            raise Misconfigured("the devices are not ready:\n" + "".join(logs)) from error

    def _tell(self, url: str, pages: Mapping[str, str], seconds: float) -> None:
        lines = [f"The lab is up after {seconds:.1f} s, simulated:"]
        lines += [f"  {name}: {part.pid}" for name, part in self._parts]
        lines += ["", f"  broker          {url}"]
        if pages:
            told = [f"{page}  {name}" for name, page in pages.items()]
            told += ["(open one: it asks for no password)"]
            lines += ["  Home Assistant  " + "\n                  ".join(told)]
        elif not self._options.no_hub:
            lines += [
                "  No Home Assistant can be had here; in your own, add the MQTT integration with this broker."
            ]
        if "ot2" in self._wanted and not self._surroundings.get(OPENTRONS):
            lines += [
                "  The OT-2 checks and plays its own colour cell alone; `lab2mqtt opentrons install` lets it",
                "  run every protocol, through the real package.",
            ]
        hints = [hint for device_id in self._wanted for hint in SHOWN[device_id].hints]
        lines += ["", "In another terminal:"]
        lines += [f"  lab2mqtt {hint}" for hint in ("devices", *hints, "stop")]
        lines += ["", "Ctrl-C ends everything."]
        print("\n".join(lines), flush=True)

    def _watch(self) -> None:
        """Start again what dies."""
        while True:
            time.sleep(LOOK_EVERY)
            for name, part in self._parts:
                if part.pid is None:
                    _say(f"{name} has ended; it is started again")
                    _retry(part.start)


def _retry(start: Callable[[], None]) -> None:
    """What does not start now is tried again at the next look."""
    try:
        start()
    except (HubError, OSError) as error:
        _say(str(error))


def _port(wanted: int | None, usual: int) -> int:
    """The wanted port, else the usual one where it is free, else any."""
    if wanted:
        return wanted
    return free_port() if listens(usual) else usual
