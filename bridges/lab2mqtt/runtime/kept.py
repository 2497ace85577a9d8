"""A small JSON file that survives a power cut: the old content or the new, never half of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
import json
import logging
from pathlib import Path
from typing import Any

from lab2mqtt.whole_file import write_whole

_LOGGER = logging.getLogger(__name__)

AGAIN = 2.0  # s between two attempts on a disk that does not take it
LONGEST = 16 * 1024 * 1024  # bytes; what a thousand devices announce takes a tenth of it


class Kept:
    """One file; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._thread: ThreadPoolExecutor | None = None
        self._last: asyncio.Future[None] | None = None
        self._text = ""
        self._complaint = ""

    def read(self) -> dict[str, Any]:
        """What was kept; empty when there is no file yet.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no JSON object, or too large to be ours.
        """
        if self._file is None or not self._file.exists():
            return {}
        if (size := self._file.stat().st_size) > LONGEST:
            raise ValueError(f"{self._file} has {size} bytes; at most {LONGEST} are read")
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
        except RecursionError as error:
            raise ValueError(f"{self._file} is nested too deeply") from error
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
        """The same in a thread: a disk that stalls must not hold up the event loop.

        What cannot be written is told in the log, and tried again until it can.
        """
        if self._file is None:
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._file.stem)
        self._text = json.dumps(content)
        self._write(self._thread)

    async def written(self) -> bool:
        """Wait until the newest content is written, or could not be; gives which."""
        last = self._last  # a newer one may come meanwhile, and is not over then
        if last is None:
            return True
        await asyncio.wait([last])
        return last.exception() is None

    def _write(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        last = self._last = loop.run_in_executor(thread, self._replace, self._text)

        def ended(_: object) -> None:
            error = last.exception()
            if str(error or "") != self._complaint:
                self._complaint = str(error or "")
                told = (
                    f"cannot be written, and would be lost by a restart: {error}"
                    if error
                    else "is written again"
                )
                _LOGGER.log(logging.ERROR if error else logging.INFO, "%s %s", self._file, told)
            if error and last is self._last:
                loop.call_later(AGAIN, lambda: self._write(thread) if last is self._last else None)

        last.add_done_callback(ended)

    def _replace(self, text: str) -> None:
        if self._file:
            write_whole(self._file, text)
