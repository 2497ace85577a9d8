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

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.config import Config

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
                folder = running.enter_context(tempfile.TemporaryDirectory(prefix="lab2mqtt-"))
                link = Path(folder) / device.instance.device_id
                running.enter_context(simulator(device.device.simulator, link))
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
    command = [sys.executable, "-m", module, "--link", str(link), "--parent", str(os.getpid()), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603 - our own
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
