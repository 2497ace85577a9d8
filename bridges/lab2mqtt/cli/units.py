"""Make services of systemd out of what runs here, list and remove them."""

import argparse
import os
from pathlib import Path
import sys

from lab2mqtt.cli import EXIT_FAILED, EXIT_USAGE
from lab2mqtt.cli.unit_file import Unit, is_as_written, unit_text
from lab2mqtt.cli.unit_kinds import SYSTEM_STATE, unit_for
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.whole_file import write_whole

SYSTEM_UNITS = Path("/etc/systemd/system")
_ENDING = ".service"


def install(options: argparse.Namespace) -> int:
    """Write a unit; what is wrong is told before anything is written."""
    try:
        unit = unit_for(options)
        text = unit_text(unit, personal=options.user)
    except Misconfigured as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(f"{error.filename}: {error.strerror}")
    if options.print:
        print(text, end="")
        return 0
    return _write(unit, text, options)


def _write(unit: Unit, text: str, options: argparse.Namespace) -> int:
    file = _folder(options) / f"{unit.name}{_ENDING}"
    old = _read(file)
    if old is not None and is_as_written(old) is not True and not options.force:
        whose = "was changed by hand" if is_as_written(old) is False else "was not written by lab2mqtt"
        return _wrong(f"{file} {whose}, and is left as it is; --print shows ours, --force writes over it")
    try:
        if old != text:
            write_whole(file, text)
            file.chmod(0o644)
        for kept in unit.writable:
            kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _not_allowed(error, options)
    if old == text:
        print(f"{file} is as it should be")
        return 0
    print(f"{file} was written")
    _tell_next(unit, options, is_new=old is None)
    return 0


def remove(options: argparse.Namespace) -> int:
    """Take a unit away that was written by ``install`` and is not in use."""
    folder = _folder(options)
    units = _units(folder)
    wanted = options.name.removesuffix(_ENDING)
    name = wanted if wanted in units else f"lab2mqtt-{wanted}"
    if name not in units:
        known = ", ".join(units) or "none"
        return _wrong(f"no service {wanted!r} of ours in {folder}{near(wanted, units)}; there are: {known}")
    file = units[name]
    if not is_as_written(_read(file) or "") and not options.force:
        return _wrong(f"{file} was changed by hand; --force removes it all the same")
    control = _control(options)
    if _is_enabled(folder, name):
        return _wrong(f"{name} is enabled: {control} disable --now {name}, and then again")
    try:
        file.unlink()
    except OSError as error:
        return _not_allowed(error, options)
    print(f"{file} was removed; what the service kept is still there")
    print(f"Next:\n  {control} daemon-reload")
    return 0


def listed(options: argparse.Namespace) -> int:
    """List the units that ``install`` wrote."""
    folder = _folder(options)
    units = _units(folder)
    for name, file in units.items():
        text = _read(file) or ""
        command = next((line[10:] for line in text.splitlines() if line.startswith("ExecStart=")), "?")
        enabled = "enabled" if _is_enabled(folder, name) else "not enabled"
        changed = "" if is_as_written(text) else "  (changed by hand)"
        print(f"{name:32} {enabled:12} {command}{changed}")
    if not units:
        print(f"no service of ours in {folder}", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _folder(options: argparse.Namespace) -> Path:
    """Where the units are."""
    if options.into:
        return Path(options.into)
    if not options.user:
        return SYSTEM_UNITS
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _units(folder: Path) -> dict[str, Path]:
    """Ours, by their names."""
    files = sorted(folder.glob(f"*{_ENDING}")) if folder.is_dir() else []
    return {file.stem: file for file in files if is_as_written(_read(file) or "") is not None}


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "" if file.exists() or file.is_symlink() else None


def _is_enabled(folder: Path, name: str) -> bool:
    return any(folder.glob(f"*.wants/{name}{_ENDING}"))


def _control(options: argparse.Namespace) -> str:
    return "systemctl --user" if options.user else "sudo systemctl"


def _tell_next(unit: Unit, options: argparse.Namespace, *, is_new: bool) -> None:
    control, journal = _control(options), f"journalctl {'--user ' if options.user else ''}--unit {unit.name}"
    if not options.user:
        who = f"{unit.user}" if unit.user else "a user of its own"
        kept = ", ".join(map(str, unit.writable)) or SYSTEM_STATE / unit.state
        print(f"It runs as {who}, and keeps its state in {kept}.")
    if unit.writable and unit.user:
        print(f"See that {unit.user} may write there: sudo chown -R {unit.user} {unit.writable[0]}")
    print(f"Next:\n  {control} daemon-reload")
    print(f"  {control} {'enable --now' if is_new else 'restart'} {unit.name}")
    if options.user and is_new:
        print("  sudo loginctl enable-linger $USER    # or it ends when you log out")
    print(f"  systemctl {'--user ' if options.user else ''}status {unit.name}\n  {journal} --follow")


def _not_allowed(error: OSError, options: argparse.Namespace) -> int:
    hint = "" if options.user else f": sudo {sys.executable} -m lab2mqtt service …, or with --user"
    return _wrong(f"{error.filename}: {error.strerror}{hint}")


def _wrong(text: str) -> int:
    print(text, file=sys.stderr)
    return EXIT_USAGE
