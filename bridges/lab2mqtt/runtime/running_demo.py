"""Where the demo of this user runs, so that commands beside it need no address."""

from collections.abc import Iterator, Mapping
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from lab2mqtt.runtime.config import default_state
from lab2mqtt.runtime.kept import Kept


def _file() -> Path:
    return default_state("demo").with_name("running-demo.json")


def find() -> dict[str, Any] | None:
    """What the running demo told of itself: ``broker``, ``links``, ``pid``; None when none runs."""
    try:
        told = Kept(_file()).read()
        os.kill(told["pid"], 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return told


@contextlib.contextmanager
def tell(broker: str, links: Mapping[str, str]) -> Iterator[None]:
    """Tell where the demo runs, while it does."""
    file = _file()
    told = {"pid": os.getpid(), "broker": broker, "links": dict(links)}
    with contextlib.suppress(OSError):  # a convenience; a home that is read-only does without
        Kept(file).write(told)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            if json.loads(file.read_text(encoding="utf-8")).get("pid") == os.getpid():
                file.unlink()
