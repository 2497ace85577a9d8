"""A small JSON file that survives a power cut: the old content or the new, never half of it."""

import json
import os
from pathlib import Path
from typing import Any


class Kept:
    """One file; None keeps nothing."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

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
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name(f"{self._file.name}.part")
        with part.open("w", encoding="utf-8") as out:
            json.dump(content, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(self._file)
