"""The simulators of a configuration's simulated devices, each a process of its own."""

from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import replace
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.config import Config, default_state

READY_WITHIN = 10.0  # s


@contextlib.contextmanager
def simulators(config: Config) -> Iterator[Config]:
    """Start a simulator for each simulated device that does not name where one runs already.

    Yields:
        The configuration, in which each such device is reached at its simulator.

    Raises:
        Misconfigured: A simulator does not start.
    """
    with contextlib.ExitStack() as running:
        devices = []
        for device in config.devices:
            if device.starts_simulator:
                folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="lab2mqtt-")))
                link = folder / device.instance.device_id
                options = options_of(device.device, device.instance.device_id, config.state or folder)
                running.enter_context(simulator(device.device.simulator, link, options))
                settings = replace(device.settings, **{device.device.link_setting: str(link)})
                devices.append(replace(device, settings=settings))
            else:
                devices.append(device)
        yield replace(config, devices=tuple(devices))


@contextlib.contextmanager
def simulator(module: str, link: Path, options: Sequence[str] = ()) -> Iterator[int]:
    """Run one simulator while the context lasts.

    Args:
        module: What plays the instrument.
        link: Where it is reached.
        options: More of its command line.

    Yields:
        Its process id.

    Raises:
        Misconfigured: It does not start.
    """
    command = [*command_of(module, link, options), "--parent", str(os.getpid())]
    process = subprocess.Popen(  # noqa: S603 - our own
        command, stdout=subprocess.PIPE, start_new_session=True, env=surroundings()
    )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not link.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Misconfigured(f"the simulator {module} does not start at {link}")
            time.sleep(0.01)
        yield process.pid
    finally:
        process.terminate()
        process.communicate()


def command_of(module: str, link: Path, options: Sequence[str] = ()) -> list[str]:
    """The command line of a simulator, see ``simulator``."""
    return [sys.executable, "-m", module, "--link", str(link), *options]


def options_of(device: Device[Any], device_id: str, state: Path) -> list[str]:
    """What a declaration adds to that command line.

    Args:
        device: The declaration.
        device_id: Which one it is.
        state: The folder of what survives restarts; made where a simulator keeps something in it.

    Raises:
        Misconfigured: It cannot be made.
    """
    kept = state / f"{device_id}.simulator.json"
    options = [option.replace("{state}", str(kept)) for option in device.simulator_options]
    if str(kept) in options:
        try:
            state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"the simulator of {device_id} cannot keep its state: {error}") from error
    return options


def board_link(device_id: str) -> Path:
    """Where the controls of a board of ``lab2mqtt simulate-board`` are."""
    return default_state("simulated-boards") / device_id


def surroundings() -> dict[str, str]:
    """The environment of simulators: ours, and where the real Opentrons package is, if it is installed."""
    # Only who simulates pays for these.
    from lab2mqtt.hub import opentrons_package  # noqa: PLC0415
    from lab2mqtt.simulators import OPENTRONS  # noqa: PLC0415

    if OPENTRONS in os.environ or not opentrons_package.is_installed():
        return dict(os.environ)
    return os.environ | {OPENTRONS: opentrons_package.start().line}
