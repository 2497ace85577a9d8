"""A board's configuration, checked before it is written, by the very code that reads it on the board."""

from collections.abc import Mapping
import importlib.util
import json
from pathlib import Path
import sys
import tempfile
from types import ModuleType
from typing import cast

from lab2mqtt import wire
from lab2mqtt.boards import firmware
from lab2mqtt.boards.mpremote import BoardError
from lab2mqtt.core.words import near

_NODES_OWN = {"kind", "dialect", "try"}  # in a node.json


class WrongSettings(BoardError):
    """The board would not run with this configuration."""


def check_settings(config: Mapping[str, object], secrets: Mapping[str, object]) -> None:
    """Refuse a configuration that the board would refuse.

    Raises:
        WrongSettings: Something is wrong with it, and all that is.
    """
    settings = _load("settings")
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-settings-") as folder:
        files = [Path(folder) / name for name in ("config.json", "secrets.json")]
        for file, content in zip(files, (config, secrets), strict=True):
            file.write_text(json.dumps(content), "utf-8")
        try:
            settings.read(*map(str, files))
            files[0].write_text('{"device_id": "any", "broker": {"host": "any"}}', "utf-8")
            known = settings.read(str(files[0]), f"{folder}/none")
        except settings.WrongSettings as error:
            raise WrongSettings(str(error).replace(f"{folder}/", "")) from error
    hidden = set(settings.SECRETS)
    wrong = _unknown("config.json", config, set(known) - hidden | _NODES_OWN)
    for key in ("broker", "wifi"):
        inner = cast("Mapping[str, object]", config.get(key) or {})
        wrong += _unknown(f"{key} in config.json", inner, set(known[key]))
    wrong += _unknown("secrets.json", secrets, hidden)
    if wrong:
        raise WrongSettings("; ".join(wrong))


def check_pins(config: Mapping[str, object], runs: str) -> None:
    """Refuse pins that the board needs itself, or does not have.

    Args:
        config: The board's configuration, which ``check_settings`` has found valid.
        runs: What the board says of itself, in which its chip stands.

    Raises:
        WrongSettings: One cannot be used.
    """
    module = _load("pins")
    pins = cast("Mapping[str, int]", config.get("pins") or {})
    for name in pins:  # each of its own: an optional one may share its number with another
        try:
            module.Pins(pins, "esp32" if "ESP32" in runs else "rp2").number(name)
        except module.WrongPin as error:
            raise WrongSettings(f"config.json: {error}") from error


def _unknown(where: str, told: Mapping[str, object], known: set[str]) -> list[str]:
    """A line for each key that nothing reads: a slip of the finger would go unseen."""
    return [f"{where} has no {key!r}{near(key, known)}" for key in told if key not in known]


def _load(name: str) -> ModuleType:
    """One of the firmware's own modules; it needs ``wire``, and nothing else that a board has."""
    file = firmware() / "labboard" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"lab2mqtt_board_{name}", file)
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
