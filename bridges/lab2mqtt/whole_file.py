"""Writing a file so that a power cut leaves the old content or the new, never half of it."""

import contextlib
import os
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Replace what a file holds; its folder is made where there is none.

    Raises:
        OSError: It cannot be written; the old content is still there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
        _sync_folder(file.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Without this the rename itself may be lost in a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
