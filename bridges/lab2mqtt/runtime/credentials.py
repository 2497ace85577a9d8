"""Files that systemd hands to a service, whose user then need not be able to read where they come from."""

import os
from pathlib import Path


def credential(file: Path) -> Path:
    """Where to read a file: systemd's copy of that name, where it made one for us, or the file itself."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    copy = Path(folder or "/nowhere") / file.name
    return copy if folder and copy.is_file() else file
