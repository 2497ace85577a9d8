"""Noticing that workers come, go or change: ``--watch``."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
import logging
import os
from pathlib import Path

from lab2mqtt.props.finding import OURS, Found, there_are
from lab2mqtt.props.settings import PropsSettings

_LOGGER = logging.getLogger(__name__)

POLL = 1.0  # s
QUIET = 0.3  # s; an editor writes a file in several steps, some by way of another name

Told = Callable[[Found], Awaitable[object]]
Key = tuple[str, str]


@dataclass(frozen=True)
class _Sight:
    """A worker as it lies on the disk.

    Attributes:
        found: The worker.
        files: Of each of its files the path, when it was changed (ns), its size and its number.
    """

    found: Found
    files: frozenset[tuple[str, int, int, int]]


class Watching:
    """Looks after the workers' files from when it is made, which is before they are loaded.

    Args:
        settings: Where to look.
    """

    def __init__(self, settings: PropsSettings) -> None:
        self._settings = settings
        self._seen = self._look()
        self._told = dict(self._seen)
        self._busy: set[Key] = set()

    async def run(self, on_change: Told, on_new: Told, on_gone: Told) -> None:
        """Tell each change once, when it has been quiet for ``QUIET``; until it is cancelled.

        The next change of a worker is told when what was told before has returned; others do not wait for it.

        Args:
            on_change: Takes a worker whose files differ, or that stands in another file now.
            on_new: Takes one that was not there.
            on_gone: Takes one that is no longer there.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                restless = self._seen != self._told
                await asyncio.sleep(QUIET if restless else POLL)
                before, self._seen = self._seen, await asyncio.to_thread(self._look)
                for key in {*before, *self._seen, *self._told} - self._busy:
                    told, now = self._told.get(key), self._seen.get(key)
                    if now == told or now != before.get(key):
                        continue
                    self._told.pop(key, None)
                    if now:
                        self._told[key] = now
                    if one := now or told:
                        tell = on_gone if now is None else on_new if told is None else on_change
                        self._busy.add(key)
                        group.create_task(self._tell(tell, key, one.found))

    async def _tell(self, tell: Told, key: Key, found: Found) -> None:
        try:
            await tell(found)
        except Exception:
            _LOGGER.exception("The change of %s led to an error", found.name)
        finally:
            self._busy.discard(key)

    def _look(self) -> dict[Key, _Sight]:
        return {(one.kind, one.name): _Sight(one, _files(one)) for one in there_are(self._settings)}


def _files(found: Found) -> frozenset[tuple[str, int, int, int]]:
    """The files of a worker; of a built-in also those beside it that are no worker. Ours do not change."""
    folder = found.file.parent
    files = [*_code(folder, deep=found.kind == "prop")] if folder != OURS else []
    if found.kind != "prop":
        files = [file for file in files if file == str(found.file) or Path(file).name.startswith("_")]
    return frozenset(stamp for file in (*files, *map(str, found.config_files)) if (stamp := _stamp(file)))


def _code(folder: Path, *, deep: bool) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if deep and not name.startswith((".", "__pycache__"))]
        for name in names:
            if name.endswith(".py") and not name.startswith("."):
                yield os.path.join(where, name)  # noqa: PTH118 - 200 workers, each second


def _stamp(file: str) -> tuple[str, int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116
    except OSError:  # not there
        return None
    return file, status.st_mtime_ns, status.st_size, status.st_ino
