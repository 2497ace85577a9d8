"""Files that a power cut leaves old or new, never half: written beside, then renamed."""

import json
import os


def read(path, default):
    """What a JSON file holds; the default where there is none, or something else."""
    for place in (path, path + ".new"):  # on FAT a power cut can leave the new one alone
        try:
            with open(place) as file:
                found = json.load(file)
            if isinstance(found, type(default)):
                return found
        except (OSError, ValueError):
            pass
    return default


def write(path, value):
    """Replace what a JSON file holds.

    Raises:
        OSError: It cannot be written; the old content is still there.
    """
    write_text(path, json.dumps(value))


def write_text(path, text):
    """Replace what a file holds, as ``write``."""
    beside = path + ".new"
    with open(beside, "w") as file:
        file.write(text)
    try:
        os.rename(beside, path)
    except OSError:  # FAT renames onto nothing
        os.remove(path)
        os.rename(beside, path)
