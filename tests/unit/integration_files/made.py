"""A small repository with an integration in which nothing is wrong, to put single faults into."""

from pathlib import Path
import struct
from typing import Any
import zlib

from tests.unit.integration_files import made_files
from tests.unit.integration_files.quality_scale import RULES

DOMAIN = "sample"
FOLDER = f"custom_components/{DOMAIN}"


def make_repository(root: Path) -> None:
    """Write all files of it."""
    files: dict[str, str | bytes] = {
        "README.md": "What it is, and how it is installed. " * 20,
        "LICENSE": "Permission is hereby granted. " * 20,
        "docs/home-assistant.md": made_files.DOCS,
        "hacs.json": '{"name": "Sample", "homeassistant": "2025.4.0", "render_readme": true}',
        "bridges/lab2mqtt/wire.py": made_files.WIRE,
        "bridges/lab2mqtt/__init__.py": '__version__ = "1.2.3"\n',
        "blueprints/automation/sample/press.yaml": made_files.BLUEPRINT,
        f"{FOLDER}/__init__.py": made_files.INIT,
        f"{FOLDER}/brand/icon.png": png(256, 256),
        f"{FOLDER}/brand/icon@2x.png": png(512, 512),
        f"{FOLDER}/button.py": made_files.BUTTON,
        f"{FOLDER}/condition.py": 'def async_get_conditions(hass):\n    return {"is_pressed": Pressed}\n',
        f"{FOLDER}/conditions.yaml": "is_pressed:\n",
        f"{FOLDER}/config_flow.py": made_files.FLOW,
        f"{FOLDER}/diagnostics.py": "async def async_get_config_entry_diagnostics(hass, entry): ...\n",
        f"{FOLDER}/errors.py": made_files.ERRORS,
        f"{FOLDER}/icons.json": made_files.ICONS,
        f"{FOLDER}/manifest.json": made_files.MANIFEST,
        f"{FOLDER}/quality_scale.yaml": _quality_scale(),
        f"{FOLDER}/repairs.py": made_files.REPAIRS,
        f"{FOLDER}/services.yaml": made_files.SERVICES,
        f"{FOLDER}/strings.json": made_files.TEXTS,
        f"{FOLDER}/system_health.py": 'def info():\n    return {"devices": 1}\n',
        f"{FOLDER}/translations/de.json": made_files.TEXTS,
        f"{FOLDER}/translations/en.json": made_files.TEXTS,
        f"{FOLDER}/trigger.py": 'async def async_get_triggers(hass):\n    return {"pressed": Pressed}\n',
        f"{FOLDER}/triggers.yaml": made_files.TRIGGERS,
        f"{FOLDER}/wire.py": made_files.WIRE,
    }
    for name, content in files.items():
        put(root / name, content)


def put(file: Path, content: str | bytes) -> None:
    """Write a file, and the folders to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def png(width: int, height: int) -> bytes:
    """A picture with nothing on it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _quality_scale() -> str:
    rules: dict[str, Any] = {rule: "done" for tier in RULES.values() for rule in tier.split()}
    rules["reauthentication-flow"] = "{status: exempt, comment: There are no credentials.}"
    return "rules:\n" + "".join(f"  {rule}: {told}\n" for rule, told in rules.items())
