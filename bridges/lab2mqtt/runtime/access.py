"""Who may say and hear what: an access list for mosquitto, out of the configurations of a lab.

Everything is granted by name and to the depth that is used. There are no ``pattern`` lines: ``%c`` is an id
that a client gives itself, and either holds for every user there will ever be (docs/security.md).
"""

from base64 import b64decode, b64encode
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import hashlib
import hmac
import os
from typing import NamedTuple

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.outline import Outline

READ, WRITE, BOTH = "read", "write", "readwrite"

# Mosquitto's own hash: PBKDF2 with SHA-512. Our passwords are random and long: a thief of the file gains
# nothing by a hash that is fast, and a thousand boards that come back at once do not hold up the broker.
_ITERATIONS = 1000
_SALT = 12  # bytes; mosquitto 2.0 takes no other length
_HASH = 64  # bytes

# Names under the prefix of the props that are not free: the broker's, and those of the older dashboard.
_NO_PROPS = ("broker", "broadcast", "ui")


class Grant(NamedTuple):
    """One topic, or a filter of topics, that a user may read, write, or both."""

    access: str
    topic: str


@dataclass(frozen=True)
class User:
    """One user of the broker.

    Attributes:
        name: Its name there.
        role: What it is, for people.
        grants: All that it may do.
    """

    name: str
    role: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True)
class People:
    """Who is in a lab beside its bridges, by user name.

    Attributes:
        hubs: Home Assistants.
        operators: Those who command and read.
        viewers: Those who look on.
        boards: Devices with a connection of their own; the name is the device's id.
    """

    hubs: Sequence[str] = ()
    operators: Sequence[str] = ()
    viewers: Sequence[str] = ()
    boards: Sequence[str] = ()


@dataclass(frozen=True)
class Props:
    """The props of a lab, which speak the old dialect.

    Attributes:
        host: The worker host; its devices are itself, its props, and the boards without a worker.
        workers: The names that it speaks for under the prefix.
        boards: Firmware, by the name in its topics, which is its user name too.
        prefix: In front of all their topics.
    """

    host: Outline | None = None
    workers: Sequence[str] = ()
    boards: Sequence[str] = ()
    prefix: str = "halloween"


def users_of(bridges: Sequence[Outline], people: People, props: Props | None = None) -> list[User]:
    """Everybody in a lab, with all that they may do.

    Args:
        bridges: Every bridge of the broker, but the worker host.
        people: Everybody else.
        props: The props, where there are any.

    Raises:
        Misconfigured: Two would be one, or could speak for each other; or a name is none.
    """
    speakers = [*bridges, *([props.host] if props and props.host else [])]
    topics = speakers or [Outline("", "")]  # boards of props alone: the usual ones
    bases = list(dict.fromkeys(base for bridge in topics for base in (bridge.base, *bridge.adopts)))
    prefixes = list(dict.fromkeys(bridge.discovery for bridge in topics))
    _check_apart(bases, prefixes, props.prefix if props else None)
    for board in people.boards:
        if not wire.is_device_id(board):
            raise Misconfigured(f"board {board!r} is no device id: a-z, 0-9, - and _, at most 64 long")
    stops = dict.fromkeys([*map(wire.emergency_stop_topic, bases), *(bridge.stop_topic for bridge in topics)])
    stop = [Grant(BOTH, topic) for topic in stops]
    markers = [Grant(BOTH, wire.bridge_topic(base, "+", "marker")) for base in bases]
    look = [Grant(READ, f"{base}/#") for base in bases]
    command = [Grant(WRITE, wire.device_topic(base, "+", "command")) for base in bases]
    discovery = [Grant(BOTH, f"{prefix}/#") for prefix in prefixes]

    found = [_bridge(bridge, stop, people.boards) for bridge in bridges]
    if props:
        look.append(Grant(READ, f"{props.prefix}/#"))
        command.append(Grant(WRITE, f"{props.prefix}/+/cmd"))
        if props.host:
            found.append(_worker_host(props.host, props.prefix, _bridge(props.host, stop, ())))
        found += [_prop(board, props.prefix, stops) for board in props.boards]
    found += [User(name, "hub", (*look, *command, *discovery, *markers, *stop)) for name in people.hubs]
    found += [User(name, "operator", (*look, *command, *markers, *stop)) for name in people.operators]
    found += [User(name, "viewer", (*look, *markers, *stop)) for name in people.viewers]
    for board in people.boards:
        own = [Grant(BOTH, wire.device_topic(base, board, "+")) for base in bases]
        own += [grant for base in bases for grant in _update(base, board, hears=READ, asks=WRITE)]
        found.append(User(board, "board", (*own, *stop)))
    _check_names(found)
    _check_speakers(speakers, people.boards, bases)
    if props:
        _check_props(props)
    return found


def _bridge(bridge: Outline, stop: list[Grant], boards: Sequence[str]) -> User:
    """A bridge speaks for itself and its devices, and hears of others what interlocks and claims need."""
    base = bridge.base
    grants = [Grant(BOTH, wire.bridge_topic(base, bridge.bridge, "+"))]
    for device in bridge.devices:
        grants += _speaks_for(bridge, base, device)
    for other in bridge.adopts:
        # It announces boards, forgets them, and speaks for those that know only the older dialect.
        for board in boards:
            grants += _speaks_for(bridge, other, board)
            grants += _update(other, board, hears=WRITE, asks=READ)
        if other != base:
            kinds = ("description", "status", "result")
            grants += [Grant(READ, wire.device_topic(other, "+", kind)) for kind in kinds]
    if bridge.adopts:
        grants.append(Grant(READ, wire.bridge_topic(base, "+", "health")))
    grants += [Grant(READ, wire.device_topic(base, "+", kind)) for kind in ("description", "status", "state")]
    grants.append(Grant(READ, wire.bridge_topic(base, "+", "status")))
    # Another bridge is asked there whether it lives, and the marker is that of `lab2mqtt … --config`.
    grants += [Grant(BOTH, wire.bridge_topic(base, "+", kind)) for kind in ("claim", "marker")]
    grants.append(Grant(READ, wire.birth_topic(bridge.discovery)))
    return User(bridge.user, f"bridge {bridge.bridge}", (*grants, *stop))


def _worker_host(host: Outline, prefix: str, as_bridge: User) -> User:
    """A bridge that also speaks the old dialect, and whose workers command any prop and any device."""
    grants = [Grant(BOTH, f"{prefix}/#"), Grant(WRITE, wire.device_topic(host.base, "+", "command"))]
    kinds = ("progress", "result", "event")
    grants += [Grant(READ, wire.device_topic(host.base, "+", kind)) for kind in kinds]
    return User(host.user, "worker host", (*as_bridge.grants, *grants))


def _prop(board: str, prefix: str, stops: Iterable[str]) -> User:
    """Firmware of a prop: it obeys, and tells how it is."""
    own = f"{prefix}/{board}"
    says = [Grant(WRITE, f"{own}/{kind}") for kind in ("availability", "state", "telemetry/#", "status/#")]
    hears = [Grant(READ, topic) for topic in (f"{own}/cmd", *stops)]
    return User(board, "prop", (*says, *hears))


def _speaks_for(bridge: Outline, base: str, device: str) -> list[Grant]:
    return [
        Grant(BOTH, wire.device_topic(base, device, "+")),
        Grant(WRITE, wire.picture_topic(base, device, "+")),
        Grant(WRITE, wire.discovery_topic(bridge.discovery, base, device)),
        # `lab2mqtt forget --config` withdraws what it finds there.
        Grant(BOTH, wire.discovery_topic(bridge.discovery, base, device, "+")),
    ]


def _update(base: str, board: str, hears: str, asks: str) -> list[Grant]:
    """The update of a board: what it hears and what it asks there."""
    told = [
        Grant(hears, wire.device_topic(base, board, f"update/{kind}")) for kind in ("manifest", "piece/+/+")
    ]
    return [*told, Grant(asks, wire.device_topic(base, board, "update/want"))]


def _check_apart(bases: list[str], prefixes: list[str], of_props: str | None) -> None:
    """Who may speak under one base must not by that speak under another."""
    if of_props is not None:
        if not wire.is_base(of_props):
            raise Misconfigured(f"prefix {of_props!r} has an empty level, a wildcard, or $ in front")
        if of_props in bases:
            raise Misconfigured(f"prefix {of_props!r} of the props is the base of the lab, too")
        bases = [*bases, of_props]
    for topic in (*bases, *prefixes):
        if topic != topic.strip():
            raise Misconfigured(f"{topic!r} has blanks at an end, which an access list cannot say")
    for base in bases:
        for other in (*bases, *prefixes):
            inside = f"{other}/".startswith(f"{base}/") or f"{base}/".startswith(f"{other}/")
            if inside and not (other == base and other not in prefixes):
                raise Misconfigured(
                    f"{other!r} and {base!r} lie in each other: nobody could be kept out of one"
                )


def _check_names(users: Iterable[User]) -> None:
    roles: dict[str, str] = {}
    for user in users:
        name = user.name
        if not name.strip() or name != name.strip() or name[0] in "#." or set(name) & set(":/+#"):
            raise Misconfigured(
                f"{user.role}: user name {name!r} has a blank or . at an end, or one of : / + #"
            )
        if not name.isprintable():
            raise Misconfigured(f"{user.role}: user name {name!r} cannot be printed")
        if name in roles:
            raise Misconfigured(
                f"user {name!r} would be two: {roles[name]} and {user.role}; each needs a name of its own"
            )
        roles[name] = user.role


def _check_speakers(bridges: Iterable[Outline], boards: Iterable[str], bases: Iterable[str]) -> None:
    """Refuse two who would speak on one topic."""
    speakers: dict[str, str] = {}

    def speak(topic: str, who: str) -> None:
        if topic in speakers:
            raise Misconfigured(f"{who} and {speakers[topic]} would both speak on {topic}")
        speakers[topic] = who

    for bridge in bridges:
        who = f"bridge {bridge.bridge!r}"
        speak(wire.bridge_topic(bridge.base, bridge.bridge, "status"), who)
        for device in bridge.devices:
            speak(wire.device_topic(bridge.base, device, "status"), who)
            speak(wire.discovery_topic(bridge.discovery, bridge.base, device), who)
    for board in boards:
        for base in bases:
            speak(wire.device_topic(base, board, "status"), f"board {board!r}")


def _check_props(props: Props) -> None:
    """Refuse a board that would speak on topics of the worker host."""
    taken = (*_NO_PROPS, *props.workers)
    for board in props.boards:
        if board in taken:
            raise Misconfigured(
                f"prop {board!r} would not be the only one that speaks on {props.prefix}/{board}/…;"
                f" call the board otherwise, such as 'esp32-{board}'"
            )


def access_list(users: Iterable[User]) -> str:
    """The access list, as mosquitto reads it. Who is not in it may do nothing, and nobody may anonymously."""
    parts = []
    for user in users:
        lines = [f"# {user.role}", f"user {user.name}"]
        lines += [f"topic {grant.access} {grant.topic}" for grant in dict.fromkeys(user.grants)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def hashed(password: str, salt: bytes | None = None) -> str:
    """A password as it stands in mosquitto's password file behind the name, salted anew unless told."""
    salt = salt or os.urandom(_SALT)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, _HASH)
    return f"$7${_ITERATIONS}${b64encode(salt).decode()}${b64encode(key).decode()}"


def fits(password: str, kept: str) -> bool:
    """Whether a password is the one of an entry that we made."""
    try:
        empty, kind, iterations, salt, _ = kept.split("$")
        same = hashed(password, b64decode(salt, validate=True))
    except (ValueError, binascii.Error):
        return False
    return (empty, kind, iterations) == ("", "7", str(_ITERATIONS)) and hmac.compare_digest(same, kept)
