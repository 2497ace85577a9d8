"""Write what mosquitto needs to tell the users of a lab apart."""

import argparse
import ast
from collections.abc import Sequence
import os
from pathlib import Path
import secrets
import sys

from lab2mqtt import wire
from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.props.finding import OURS, there_are
from lab2mqtt.props.settings import DEFAULT_CLIENT_ID, PropsSettings
from lab2mqtt.runtime import access
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.old_devices import as_id
from lab2mqtt.runtime.outline import Outline, load_outline

OWN_LINES = "# Lines of your own go below this one; they are kept."

_HEADER = "# Written by `lab2mqtt acl`, which writes it anew each time.\n"

_CONF = """\
# Written by `lab2mqtt acl`, once: it is yours to change. Mosquitto reads it when it starts; the list, the
# passwords and the certificates it reads again on SIGHUP (systemctl reload mosquitto).

# TLS 1.2 and newer. broker.crt must hold the name or address by which the others call this broker.
listener 8883
cafile {folder}/ca.crt
certfile {folder}/broker.crt
keyfile {folder}/broker.key

# With this, nobody gets as far as a password who has no certificate of that CA.
#require_certificate true

# Who knows no password is not let in, and who is let in may do only what the list says.
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl

# Nagle's algorithm holds small messages back for 40 ms and more.
set_tcp_nodelay true

# The default of 1000 drops messages without an error for a client that is busy for a few seconds.
max_queued_messages 0

# What is retained, an engaged emergency stop too, survives a restart.
persistence true
"""


def acl(options: argparse.Namespace) -> int:
    """Write access list, passwords and settings; what was there is kept."""
    people = access.People(options.hub, options.operator, options.viewer, options.board)
    try:
        bridges = [load_outline(file) for file in options.configs]
        users = access.users_of(bridges, people, _props(options, bridges))
        written = _write(options.out, users)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_USAGE
    for user in users:
        new = "new" if user.name in written else "kept"
        print(f"{user.role:24} {user.name:24} {new:4}  {_secret(options.out, user.name)}")
    print(f"{options.out}: acl, passwords and mosquitto.conf; docs/security.md tells what to do with them")
    return 0


def _props(options: argparse.Namespace, bridges: Sequence[Outline]) -> access.Props | None:
    """What the options tell of props.

    Raises:
        Misconfigured: They do not fit together, or nothing is told at all.
    """
    if not options.worker_host:
        if options.props or options.prop_device:
            raise Misconfigured("who speaks for these props? Name the worker host's user with --worker-host")
        if not options.prop and not bridges:
            raise Misconfigured("name the CONFIG of each bridge, --worker-host USER, or --prop NAME")
        return access.Props(boards=options.prop, prefix=options.prefix) if options.prop else None
    user, equals, told = options.worker_host.partition("=")
    # The host is a device as well, and each prop has the id that the host makes of its name.
    names = (told if equals else DEFAULT_CLIENT_ID, *_names(options.props), *options.prop_device)
    devices = dict.fromkeys(map(as_id, (*names, *options.prop)))  # of boards without a worker as well
    for name in (*names, *options.prop):
        if not wire.is_device_id(as_id(name)):
            raise Misconfigured(f"{name!r} cannot be made an id: a-z, 0-9, - and _, at most 64 long")
    # As the other bridges of this lab: one base, one hub, one stop.
    like = bridges[0] if bridges else Outline("", "")
    host = Outline(as_id(names[0]), user, tuple(devices), like.base, like.discovery, like.stop_topic)
    return access.Props(host, tuple(names), options.prop, options.prefix)


def _names(root: Path | None) -> list[str]:
    """The names of built-in workers, and of those in a folder of props, read without running any of it.

    Raises:
        Misconfigured: It is no folder.
    """
    if root and not root.is_dir():
        raise Misconfigured(f"--props {root}: no such folder")
    found = there_are(PropsSettings(root=root or OURS, broker=Broker()))  # in OURS is no folder of a prop
    return [_prop_id(one.file) or one.name for one in found]


def _prop_id(file: Path) -> str | None:
    """What a worker's file says of its ``PROP_ID``; None where that is nothing, or is made as it runs."""
    try:
        lines = ast.parse(file.read_text(encoding="utf-8")).body
    except (SyntaxError, ValueError):
        return None  # the worker host will tell
    for line in lines:
        match line:
            case ast.Assign([ast.Name("PROP_ID")]) | ast.AnnAssign(ast.Name("PROP_ID")):
                if isinstance(line.value, ast.Constant) and isinstance(line.value.value, str):
                    return line.value.value
                print(f"{file}: PROP_ID is made as it runs; tell it as --prop-device", file=sys.stderr)
    return None


def _write(out: Path, users: Sequence[access.User]) -> set[str]:
    """Write everything; gives the names that got a new password."""
    folder = out / "users"
    own = _own_lines(out / "acl")
    for made in (out, folder):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {user.name: None for user in users}
    known = {file.name for file in folder.iterdir() if file.is_file() and file.name[0] != "."}
    new, gone = names.keys() - known, known - names.keys()
    for name in new:
        _private(_secret(out, name), secrets.token_urlsafe(32) + "\n")
    for name in sorted(gone):
        print(
            f"{name} is not named and is not let in any more; {_secret(out, name)} is kept", file=sys.stderr
        )
    entries = _entries(out / "passwords")
    for name in gone:
        entries.pop(name, None)
    for name in names:
        password = _password(_secret(out, name))
        if not access.fits(password, entries.get(name, "")):
            entries[name] = access.hashed(password)
    _private(out / "passwords", "".join(f"{name}:{entry}\n" for name, entry in entries.items()))
    _private(out / "acl", f"{_HEADER}\n{access.access_list(users)}\n{OWN_LINES}\n{own}")
    conf = out / "mosquitto.conf"
    if not conf.exists():
        conf.write_text(_CONF.format(folder=out.resolve()), encoding="utf-8")
    return new


def _secret(out: Path, name: str) -> Path:
    """Where the password of a user stands."""
    return out / "users" / name


def _password(file: Path) -> str:
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        password = ""
    if not password or "\n" in password:
        raise Misconfigured(f"{file} does not hold one line, the password; delete it, and a new one is made")
    return password


def _entries(file: Path) -> dict[str, str]:
    """The entries of a password file, by user: ours, and those that somebody added with mosquitto_passwd."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _own_lines(file: Path) -> str:
    """What stands below our part of an access list."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    if f"{OWN_LINES}\n" not in text:
        raise Misconfigured(
            f"{file} was not written by lab2mqtt acl, and is not replaced; choose another --out"
        )
    return text.partition(f"{OWN_LINES}\n")[2]


def _private(file: Path, text: str) -> None:
    """Write a file that only its owner can read: the old content or the new, never half of it."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(text)
    part.replace(file)
