"""Environments with a paho-mqtt of a release in them and nothing else, for programs that are not ours."""

import os
from pathlib import Path
import shutil
import sys

from lab2mqtt.hub import cache
from lab2mqtt.hub.progress import Say, run
from lab2mqtt.hub.uv import environment, uv

RELEASES = ("1.6.1", "2.1.0")
MEGABYTES = 1


def python(release: str, say: Say = print) -> Path:
    """The Python of the environment with a release; installed unless it is there.

    Raises:
        NotAvailable: There is no uv.
        HubError: A download failed.
    """
    venv = cache.folder() / "paho" / f"{release}-python{sys.version_info[0]}.{sys.version_info[1]}"
    found, whole = venv / "bin" / "python", venv / "lab2mqtt-complete"
    with cache.lock(venv, say):
        if whole.exists() and os.access(found, os.X_OK):
            return found
        say(f"Installing paho-mqtt {release} into {venv}: {MEGABYTES} MB, a few seconds …")
        shutil.rmtree(venv, ignore_errors=True)
        what = f"installing paho-mqtt {release}"
        run([*uv(), "venv", "--no-project", "--python", sys.executable, str(venv)], what, say, environment())
        pip = [*uv(), "pip", "install", "--python", str(found), "--compile-bytecode"]
        run([*pip, f"paho-mqtt=={release}"], what, say, environment())
        whole.touch()  # last, so that what was interrupted is done again
    return found


if __name__ == "__main__":
    for one in RELEASES:
        python(one)
