"""A small JSON file that survives a power cut: the old content or the new, never half of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
from typing import Any


class Kept:
    """One file; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._thread: ThreadPoolExecutor | None = None
        self._last: asyncio.Future[None] | None = None

    def read(self) -> dict[str, Any]:
        """What was kept; empty when there is no file yet.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no JSON object.
        """
        if self._file is None or not self._file.exists():
            return {}
        content = json.loads(self._file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"{self._file} holds no JSON object")  # noqa: TRY004 - the file's fault
        return content

    def write(self, content: dict[str, Any]) -> None:
        """Replace what was kept.

        Raises:
            OSError: It cannot be written; what was kept before still is.
        """
        self._replace(json.dumps(content))

    def write_soon(self, content: dict[str, Any]) -> None:
        """The same in a thread: a disk that stalls must not hold up the event loop."""
        if self._file is None:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._file.stem)
        loop = asyncio.get_running_loop()
        self._last = loop.run_in_executor(self._thread, self._replace, json.dumps(content))

    async def written(self) -> None:
        """Wait until all that was to be written is, or has failed.

        Raises:
            OSError: The last content could not be written.
        """
        if self._last:
            await asyncio.shield(self._last)

    def _replace(self, text: str) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name(f"{self._file.name}.part")
        with part.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._file)
