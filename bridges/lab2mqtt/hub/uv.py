"""The ``uv`` program, which makes environments and finds Pythons."""

from functools import cache
import importlib.util
import os
from pathlib import Path
import shutil
import sys

from lab2mqtt.hub.errors import NotAvailable
from lab2mqtt.hub.progress import answer


@cache
def uv() -> tuple[str, ...]:
    """The command that runs uv: the one of this environment, else the one on PATH.

    Raises:
        NotAvailable: There is none.
    """
    # Beside the link, not beside the Python that a virtual environment's link points to.
    beside = Path(sys.executable).with_name("uv")
    if beside.exists():
        return (str(beside),)
    if importlib.util.find_spec("uv"):
        return (sys.executable, "-m", "uv")
    on_path = shutil.which("uv")
    # Asked, because a shim of pyenv is on PATH even while the Python that has uv is not the chosen one.
    if on_path and answer([on_path, "--version"]):
        return (on_path,)
    raise NotAvailable("the program uv is missing: python -m pip install 'lab2mqtt[hub]'")


def environment() -> dict[str, str]:
    """Our environment, without what would lead uv to another project or another Python."""
    without = {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
    variables = {name: value for name, value in os.environ.items() if name not in without}
    # The machine's own certificates, as its pip uses them: a network may have an authority of its own.
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        variables.setdefault("UV_SYSTEM_CERTS", "1")
    return variables
