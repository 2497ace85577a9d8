"""A board's configuration, checked before it is written, by the very code that reads it on the board."""

from collections.abc import Mapping
import importlib.util
import json
from pathlib import Path
import sys
import tempfile
from types import ModuleType

from lab2mqtt import wire
from lab2mqtt.boards import firmware
from lab2mqtt.boards.mpremote import BoardError


def check_settings(config: Mapping[str, object], secrets: Mapping[str, object]) -> None:
    """Refuse a configuration that the board would refuse.

    Raises:
        BoardError: Something is wrong with it, and all that is.
    """
    settings = _load()
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-settings-") as folder:
        files = [Path(folder) / name for name in ("config.json", "secrets.json")]
        for file, content in zip(files, (config, secrets), strict=True):
            file.write_text(json.dumps(content), "utf-8")
        try:
            settings.read(*map(str, files))
        except settings.WrongSettings as error:
            raise BoardError(str(error).replace(f"{folder}/", "")) from error


def _load() -> ModuleType:
    """The firmware's own module; it needs ``wire``, and nothing else that a board has."""
    file = firmware() / "labboard" / "settings.py"
    spec = importlib.util.spec_from_file_location("lab2mqtt_board_settings", file)
    if spec is None or spec.loader is None:
        raise BoardError(f"{file} cannot be read")
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.setdefault("wire", wire)
    try:
        spec.loader.exec_module(module)
    finally:
        if known is wire:
            del sys.modules["wire"]
    return module
