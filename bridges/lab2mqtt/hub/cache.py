"""The folder that downloaded programs are kept in, and locks on its parts."""

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path

from lab2mqtt.hub.progress import Say


def folder() -> Path:
    """``$LAB2MQTT_CACHE``, else ``lab2mqtt`` in ``$XDG_CACHE_HOME`` or ``~/.cache``; not created."""
    if own := os.environ.get("LAB2MQTT_CACHE"):
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "lab2mqtt"


@contextmanager
def lock(target: Path, say: Say) -> Iterator[None]:
    """Let one process at a time make ``target``; the kernel lets go of the lock of one that died."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting: another process is preparing {target} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
