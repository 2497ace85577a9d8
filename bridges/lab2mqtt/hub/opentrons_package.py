"""The environment of the Opentrons worker: the version that still simulates an OT-2, on a Python for it."""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import shlex
import shutil
import time

import lab2mqtt
from lab2mqtt.hub import cache
from lab2mqtt.hub.errors import NotAvailable
from lab2mqtt.hub.progress import Say, run
from lab2mqtt.hub.pythons import Wanted, python
from lab2mqtt.hub.uv import environment, uv

VERSION = "9.0.0"  # 9.1 and later refuse the OT-2's protocols; 8.4 and older hang or want an old pydantic
PYTHON = Wanted(("3.12", "3.11"), (3, 11, 0))  # newer ones would build numpy 1.26 for 18 minutes
MEGABYTES = 130  # on disk, with byte code and without the Python
SECONDS = 5  # on two cores, beside what the downloads of 25 MB take
MODULE = "lab2mqtt_opentrons_worker"


@dataclass(frozen=True)
class Start:
    """How the worker is started."""

    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def line(self) -> str:
        """Both as one command line for a process whose environment is ours."""
        without = [word for name in os.environ if name not in self.environment for word in ("-u", name)]
        own = [f"{name}={value}" for name, value in self.environment.items() if os.environ.get(name) != value]
        return shlex.join(["env", *without, *own, *self.command])


def sources() -> Path:
    """The folder of the worker's distribution, with its pinned requirements.

    Raises:
        NotAvailable: This lab2mqtt came without it.
    """
    folder = Path(lab2mqtt.__file__).parents[1] / "opentrons_worker"
    if not (folder / "requirements.txt").exists():
        raise NotAvailable(f"the Opentrons worker is not part of this installation: there is no {folder}")
    return folder


def location() -> Path:
    """The folder of the environment, whether or not it is installed; other pins have another one.

    Raises:
        NotAvailable: This lab2mqtt came without the worker.
    """
    pins = hashlib.sha256((sources() / "requirements.txt").read_bytes()).hexdigest()[:12]
    return cache.folder() / "opentrons" / f"{VERSION}-{pins}"


def is_installed() -> bool:
    """Whether the environment is there, whole, and its Python still exists."""
    try:
        venv = location()
    except NotAvailable:
        return False
    return _marker(venv).exists() and os.access(_python_in(venv), os.X_OK)


def start() -> Start:
    """How to start the worker.

    Raises:
        NotAvailable: Its environment is not installed.
    """
    if not is_installed():
        raise NotAvailable(f"opentrons {VERSION} is not installed")
    # Its code stays where lab2mqtt is, so that both always are of one version.
    surroundings = environment() | {"PYTHONPATH": str(sources()), "PYTHONDONTWRITEBYTECODE": "1"}
    return Start((str(_python_in(location())), "-m", MODULE), surroundings)


def install(say: Say) -> Path:
    """Install the package, unless that is done, and give its environment.

    Args:
        say: Takes lines on the way.

    Raises:
        NotAvailable: There is no Python or no uv for it, or this lab2mqtt came without the worker.
        HubError: A download failed.
    """
    venv = location()
    with cache.lock(venv, say):
        if is_installed():
            return venv
        found = python(PYTHON, say)
        say(
            f"Installing opentrons {VERSION} into {venv}: {MEGABYTES} MB, "
            f"about {SECONDS} s plus the downloads …"
        )
        started = time.monotonic()
        what = f"installing opentrons {VERSION}"
        shutil.rmtree(venv, ignore_errors=True)
        run([*uv(), "venv", "--no-project", "--python", str(found), str(venv)], what, say, environment())
        pip = [*uv(), "pip", "install", "--python", str(_python_in(venv)), "--compile-bytecode"]
        pins = str(sources() / "requirements.txt")
        run([*pip, "--require-hashes", "--requirements", pins], what, say, environment())
        # Last, so that whatever was interrupted before is done again.
        _marker(venv).touch()
        say(f"Installed opentrons {VERSION} in {time.monotonic() - started:.0f} s.")
    return venv


def _marker(venv: Path) -> Path:
    return venv / "lab2mqtt-complete"


def _python_in(venv: Path) -> Path:
    return venv / "bin" / "python"
