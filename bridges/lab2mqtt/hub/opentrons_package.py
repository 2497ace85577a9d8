"""The environment of the Opentrons worker: the version that still simulates an OT-2, on a Python for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import shutil
import sys
import time

import lab2mqtt
from lab2mqtt.hub import cache
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.progress import Say, answer, run
from lab2mqtt.hub.uv import environment, uv

VERSION = "9.0.0"  # 9.1 and later refuse the OT-2's protocols; 8.4 and older hang or want an old pydantic
SERIES = ("3.12", "3.11")  # newer ones would build numpy 1.26 for 18 minutes
ASKS_FOR = ">=3.11,<3.13"
MEGABYTES = 130  # on disk, with byte code and without the Python
SECONDS = 5  # on two cores, beside what the downloads of 25 MB take
MODULE = "lab2mqtt_opentrons_worker"


@dataclass(frozen=True)
class Start:
    """How the worker is started."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


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
        python = _python(say)
        say(
            f"Installing opentrons {VERSION} into {venv}: {MEGABYTES} MB, "
            f"about {SECONDS} s plus the downloads …"
        )
        started = time.monotonic()
        what = f"installing opentrons {VERSION}"
        shutil.rmtree(venv, ignore_errors=True)
        run([*uv(), "venv", "--no-project", "--python", str(python), str(venv)], what, say, environment())
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


def _python(say: Say) -> Path:
    """A Python for it: found, else downloaded by uv."""
    for candidate in _found():
        if answer([str(candidate), "-c", ""]) is not None:
            return candidate
    say(f"Downloading Python {SERIES[0]} with uv …")
    try:
        run([*uv(), "python", "install", SERIES[0]], "uv python install", say, environment())
    except HubError as error:
        reason = str(error).splitlines()[-1].removeprefix("  cause: ")
        raise NotAvailable(f"no Python {ASKS_FOR} here; uv cannot download one ({reason})") from error
    for candidate in _found():
        return candidate
    raise NotAvailable(f"no Python {ASKS_FOR} here")


def _found() -> Iterator[Path]:
    if sys.version_info[:2] in ((3, 11), (3, 12)):
        yield Path(sys.executable)
    only_here = {**environment(), "UV_PYTHON_DOWNLOADS": "never"}
    if path := answer([*uv(), "python", "find", "--system", "--no-project", ASKS_FOR], only_here):
        yield Path(path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for series in SERIES:
        yield from sorted(pyenv.glob(f"versions/{series}*/bin/python{series}"), reverse=True)
