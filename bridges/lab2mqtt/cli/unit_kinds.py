"""A service for what is to be run: its configuration is checked as the service will find it."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
import contextlib
from dataclasses import fields, replace
import grp
import os
from pathlib import Path
import pwd
import re
import stat
import sys
from typing import Any

import yaml

import lab2mqtt
from lab2mqtt.cli import _parser
from lab2mqtt.cli.unit_file import HOMES, Unit, in_a_home
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.words import near
from lab2mqtt.props.settings import settings_of
from lab2mqtt.runtime import config
from lab2mqtt.runtime.old_devices import as_id

SYSTEM_STATE = Path("/var/lib")  # %S of a unit
PROGRAM = (sys.executable, "-P", "-m", "lab2mqtt")  # -P: nothing of the working directory is imported
_SECRETS = (
    *(("broker", key) for key in ("password_file", "ca_file", "cert_file", "key_file")),
    *(("http", key) for key in ("certificate", "key")),
)
_LOW_PORTS = 1024
_KEPT = ("HOME", "PATH", "LANG", "XDG_STATE_HOME")
_SERIAL_GROUP = "dialout"  # Debian's, Raspberry Pi OS's and Ubuntu's; who has the device plugged in is asked


def unit_for(options: argparse.Namespace) -> Unit:
    """The service that is meant.

    Args:
        options: Of ``service install``: ``what`` is a configuration, a Python program, or the words of
            a command.

    Raises:
        Misconfigured: Something of it is wrong.
        OSError: A file cannot be read.
    """
    words = _words(options.what)
    environment = _variables(options.env) if options.env else {}
    kind = _KINDS[words[0]]
    with _as_the_service(environment, personal=options.user):
        unit = kind(words)
    unit = replace(
        unit,
        name=_name(options.name or unit.name),
        user=options.run_as,
        environment=options.env.resolve() if options.env else None,
        devices=tuple(dict.fromkeys((*unit.devices, *map(_device, options.device)))),
    )
    unit = replace(unit, groups=_groups(unit.devices))
    _check_names(unit.secrets)
    if not options.user:
        _check_user(unit)
    return unit


def _words(what: Sequence[str]) -> list[str]:
    """The command: told whole, or by the file alone."""
    if what[0] in _KINDS and what[0] != "program":
        return list(what)
    file = Path(what[0])
    if len(what) > 1:
        known = [one for one in _KINDS if one != "program"]
        raise Misconfigured(
            f"{what[0]!r} is not one of the commands that can be a service, {', '.join(known)}"
            f"{near(what[0], known)}; a file stands alone"
        )
    if not file.is_file():
        raise Misconfigured(f"{file}: no such file")
    if file.suffix == ".py":
        return ["program", str(file)]
    return ["run" if "bridge" in _yaml(file) else "http", str(file)]


def _yaml(file: Path) -> dict[str, Any]:
    """A file's keys; what is wrong with it is told by who reads it in earnest."""
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) else {}


# What there is


def _bridge(words: list[str]) -> Unit:
    options = _parser().parse_args(words)
    file: Path = options.config
    found = config.load(file)
    _warn(found.warnings)
    unit = _of_file(words, file, found.bridge, f"lab2mqtt bridge {found.bridge}")
    devices: list[str] = []
    for one in found.devices:
        setting = one.device.link_setting
        link = "" if one.starts_simulator or not setting else getattr(one.settings, setting)
        if isinstance(link, str) and link.startswith("/dev/"):
            devices.append(_device(link))
        values = [getattr(one.settings, field.name) for field in fields(one.settings)] if one.settings else []
        _check_there([value for value in values if isinstance(value, Path)])
    assert found.state is not None  # noqa: S101 - a file always has one
    return _keeping(replace(unit, devices=tuple(dict.fromkeys(devices))), found.state, found.bridge)


def _host(words: list[str]) -> Unit:
    told = settings_of(_parser().parse_args(words), os.environ)
    _check_there([told.root, *([told.builtin_folder] if told.builtin_folder else ())])
    _refuse_passwords(words)
    name = as_id(told.client_id)
    files = [told.broker.ca_file, told.broker.cert_file, told.broker.key_file]
    files.append(os.environ.get("MQTT_WORKER_PW_FILE"))
    secrets = tuple(Path(file).absolute() for file in files if file)
    unit = Unit(
        name=f"lab2mqtt-{name}",
        title=f"lab2mqtt worker host {told.client_id}",
        command=(*PROGRAM, *words),
        folder=Path.cwd(),
        state=f"lab2mqtt/{name}",
        secrets=tuple(dict.fromkeys(secrets)),
    )
    assert told.state is not None  # noqa: S101 - settings_of always finds one
    return _keeping(unit, told.state, told.state.name)


def _gateway(words: list[str]) -> Unit:
    from lab2mqtt.gateway import settings  # noqa: PLC0415 - the others need nothing of it

    options = _parser().parse_args(words)
    file: Path = options.config
    found = settings.load(file)
    _warn(found.warnings)
    unit = _of_file(words, file, file.stem, f"lab2mqtt gateway of {file.name}")
    return replace(unit, low_port=found.http.port < _LOW_PORTS, reloads=True)


def _program(words: list[str]) -> Unit:
    file = Path(words[1]).absolute()
    try:
        compile(file.read_bytes(), str(file), "exec")
    except (SyntaxError, ValueError) as error:
        raise Misconfigured(f"{file}: no Python program: {error}") from error
    name = f"lab2mqtt-{as_id(file.stem)}"
    return Unit(
        name=name,
        title=f"lab2mqtt tasks of {file.name}",
        command=(sys.executable, str(file)),
        folder=file.parent,
        state=name,
        state_home=f"%S/{name}",
    )


_KINDS = {"run": _bridge, "props": _host, "http": _gateway, "program": _program}


def _of_file(words: list[str], file: Path, name: str, title: str) -> Unit:
    path = file.absolute()
    read = _yaml(file)
    sections = [(read.get(top), key) for top, key in _SECRETS]
    names = [top.get(key) for top, key in sections if isinstance(top, dict)]
    return Unit(
        name=f"lab2mqtt-{as_id(name)}",
        title=title,
        command=(*PROGRAM, *(str(path) if word == str(file) else word for word in words)),
        folder=path.parent,
        state=f"lab2mqtt/{as_id(name)}",
        secrets=tuple(dict.fromkeys(path.parent / one for one in names if isinstance(one, str))),
    )


def _keeping(unit: Unit, state: Path, name: str) -> Unit:
    """With the folder of its state: systemd's, or one that it was told."""
    if state.absolute() == SYSTEM_STATE / "lab2mqtt" / name:
        return replace(unit, state=f"lab2mqtt/{name}")
    return replace(unit, writable=(state.absolute(),))


# What has to be right


@contextlib.contextmanager
def _as_the_service(variables: Mapping[str, str], *, personal: bool) -> Iterator[None]:
    """The environment of the service, not that of the shell in which it is installed."""
    own = dict(os.environ)
    given = {name: value for name, value in own.items() if name in _KEPT}
    if not personal:
        given["XDG_STATE_HOME"] = str(SYSTEM_STATE)
    os.environ.clear()
    os.environ.update({**given, **variables})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(own)


def _variables(file: Path) -> dict[str, str]:
    """What a file of variables tells, as systemd reads it: one on each line, quotes taken off."""
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise Misconfigured(f"{file}:{number}: not NAME=value")
        found[name] = value[1:-1] if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value
    if file.stat().st_mode & stat.S_IROTH and any(re.search("PASSWORD|_PW$", name) for name in found):
        _warn([f"{file}: everybody on this machine can read the password in it; chmod 600 {file}"])
    return found


def _warn(warnings: Sequence[str]) -> None:
    for text in warnings:
        print(f"warning: {text}", file=sys.stderr)


def _refuse_passwords(words: Sequence[str]) -> None:
    addresses = (word if "://" in word else f"mqtt://{word}" for word in words)  # as Broker.parse reads them
    if any(re.search(r"://[^/@]*:[^/]*@", address) for address in addresses):
        raise Misconfigured(
            "a password does not belong into a unit, which everybody can read; put MQTT_WORKER_PW or"
            " MQTT_WORKER_PW_FILE into a file, and name it with --env"
        )


def _name(name: str) -> str:
    plain = name.removesuffix(".service")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", plain):
        raise Misconfigured(f"--name {name!r} is not a name of letters, digits, _, - and .")
    return plain


def _check_there(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise Misconfigured(f"{path}: no such file or folder")


def _check_names(secrets: Sequence[Path]) -> None:
    """All are put into one folder."""
    first: dict[str, Path] = {}
    for file in secrets:
        if (other := first.setdefault(file.name, file)) != file:
            raise Misconfigured(f"{other} and {file} have one name; a service needs two different ones")


def _check_user(unit: Unit) -> None:
    """See that its user is there, and, where systemd makes one of its own, that it can read what it needs."""
    if unit.user:
        try:
            number = pwd.getpwnam(unit.user).pw_uid
        except KeyError:
            raise Misconfigured(f"--as {unit.user!r}: there is no such user") from None
        if number == 0:
            raise Misconfigured("--as root: nothing here needs root's rights; name another user")
        return
    why = "which a user of its own cannot read"
    instead = f"put it below /opt or /etc, or run it as somebody who can, such as --as {_somebody()}"
    home = in_a_home((*unit.paths[:2], *unit.writable, *map(Path, unit.command[1:])))
    if home:
        raise Misconfigured(f"{home[0]} is in a home, {why}: {instead}")
    if unit.writable:
        raise Misconfigured(
            f"its state is in {unit.writable[0]}, where a user of its own cannot write: leave `state` out, so"
            f" that it is in {SYSTEM_STATE / unit.state}, or run it as its owner, such as --as {_somebody()}"
        )
    package = Path(lab2mqtt.__file__)
    files = [Path(word) for word in unit.command if word.startswith("/") and Path(word).exists()]
    for path in (*files, Path(sys.executable).resolve(), package, unit.folder):
        if any(path.is_relative_to(home) for home in HOMES):
            raise Misconfigured(f"{path} is in a home, {why}: {instead}")
        if closed := next((one for one in (path, *path.parents) if not _is_open(one)), None):
            raise Misconfigured(f"{closed} is closed to others, and {path} with it, {why}: {instead}")


def _is_open(path: Path) -> bool:
    mode = path.stat().st_mode
    return bool(mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH))


def _somebody() -> str:
    return os.environ.get("SUDO_USER") or "pi"


def _device(path: str) -> str:
    """A device by the name that the kernel has for it, where it is plugged in."""
    if not path.startswith("/dev/"):
        raise Misconfigured(f"--device {path!r} is not a path of /dev")
    return os.path.realpath(path) if Path(path).is_symlink() else path


def _groups(devices: Sequence[str]) -> tuple[str, ...]:
    """Whose members may open them, root aside."""
    found: dict[str, None] = {}
    for device in devices:
        try:
            number = os.stat(device).st_gid  # noqa: PTH116 - a path as it was typed
        except OSError:
            found[_SERIAL_GROUP] = None
            continue
        if number:
            found[grp.getgrgid(number).gr_name] = None
    return tuple(found)
