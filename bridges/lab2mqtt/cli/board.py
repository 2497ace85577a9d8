"""``lab2mqtt board``: build the firmware of a board, install it, look at a board."""

import argparse
import json
from pathlib import Path
import signal
import sys
import time
from typing import Any

from lab2mqtt import __version__
from lab2mqtt.boards import nodes
from lab2mqtt.boards.flashing import SOURCES, check, compare, install
from lab2mqtt.boards.image import ImageError, build, node_folder, node_name
from lab2mqtt.boards.mpremote import BoardError, ports
from lab2mqtt.boards.settings import WrongSettings
from lab2mqtt.cli import EXIT_FAILED, EXIT_USAGE


def board(options: argparse.Namespace) -> int:
    """Do what the next word says."""
    done = {"build": _build, "install": _install, "check": _check, "list": _list}
    try:
        return done[options.action](options)
    except (_WrongFile, WrongSettings) as error:
        _say(str(error))
        return EXIT_USAGE
    except (ImageError, BoardError, OSError) as error:
        _say(str(error))
        return EXIT_FAILED


class _WrongFile(Exception):
    """A file that the command line names is wrong."""


def _build(options: argparse.Namespace) -> int:
    """Build an image without a configuration, as updates are made of it."""
    key = _text(options.key).strip() if options.key else ""
    if options.key and not key:
        raise _WrongFile(f"{options.key} is empty: it holds the update_key of the boards' secrets")
    out = options.out / node_name(node_folder(options.node))
    manifest = build(options.node, out, version=options.version or __version__, key=key)
    if (out / "lib" / "wire.py").exists():
        _say(SOURCES)
    size = sum(file.size for file in manifest.files)
    signed = "signed" if manifest.hmac else "not signed: no board takes it as an update"
    print(
        f"{manifest.node} {manifest.version} is in {out}: {len(manifest.files)} files, {size} bytes, {signed}"
    )
    return 0


def _install(options: argparse.Namespace) -> int:
    # The image lies in a temporary folder, secrets and all: a SIGTERM, too, must remove it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    config, secrets = _read(options.config), _read(options.secrets)
    if options.transport:
        config["transport"] = options.transport
    began = time.monotonic()
    install(
        options.node,
        config,
        secrets,
        _say,
        port=options.port,
        ca=options.ca,
        version=options.version or __version__,
    )
    _say(f"It took {time.monotonic() - began:.0f} s")
    return 0


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; what is wrong with it is told without a word of its content."""
    try:
        told = json.loads(_text(file))
    except ValueError as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise _WrongFile(f"{file} is no JSON{where}") from error
    if not isinstance(told, dict):
        raise _WrongFile(f"{file} is not a JSON object")
    return told


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeError as error:
        raise _WrongFile(f"{file} is not UTF-8 text") from error
    except OSError as error:
        raise _WrongFile(f"{file}: {error.strerror}") from error


def _check(options: argparse.Namespace) -> int:
    found = check(options.port)
    print(f"{found.runs}; {found.free // 1024} of {found.size // 1024} KB are free")
    if not any(path.startswith("/lib/labboard/") for path in found.files):
        print("nothing of lab2mqtt is on it: `lab2mqtt board install NODE …` puts a node there")
        return EXIT_FAILED
    verdicts = compare(found)
    for folder, manifest in found.applications.items():
        print(f"{folder}: {manifest.node} {manifest.version}")
    for path in sorted(verdicts):
        digest, size = found.files.get(path, ("-" * 12, 0))
        print(f"  {digest[:12]} {size:7} {path:36} {verdicts[path]}".rstrip())
    if found.crash:
        print(f"last crash: {found.crash}")
    print(f"configuration: {found.wrong or 'valid'}")
    bad = [path for path, verdict in verdicts.items() if verdict.startswith(("missing", "other than"))]
    return EXIT_FAILED if bad or found.wrong else 0


def _list(_: argparse.Namespace) -> int:
    print("nodes: " + ", ".join(nodes()))
    for line in ports() or ["no board is plugged in"]:
        print(line)
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
