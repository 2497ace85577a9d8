"""What the command line and the environment tell the worker host."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
import re

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.words import show
from lab2mqtt.runtime import where
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.config import default_state
from lab2mqtt.runtime.credentials import credential

DEFAULT_CLIENT_ID = "worker_host"
DEFAULT_PREFIX = "halloween"
DEFAULT_USER = "worker"  # whose password MQTT_WORKER_PW is where nobody is named
DEFAULT_ROOT = Path("props")

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_LAST_PORT = 65535


@dataclass(frozen=True)
class Selection:
    """Which workers of a kind are run.

    Attributes:
        disable_all: None of them.
        allow: Unless empty, only these.
        disable: Not these, where there is no ``allow``.
    """

    disable_all: bool = False
    allow: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether one is run."""
        if self.disable_all:
            return False
        return name in self.allow if self.allow else name not in self.disable


@dataclass(frozen=True)
class PropsSettings:
    """A worker host.

    Attributes:
        root: The folder of the props.
        broker: Where the broker is.
        client_id: Who the host is to the broker, on its link for the props.
        builtins: Which built-ins are run.
        props: Which props are run.
        builtin_folder: One's own built-ins, beside ours.
        watch: Whether a worker that changes is loaded again.
        debug: Whether every detail is logged.
        prefix: In front of the topics of the props.
        base: The base topic of the lab.
        discovery: Home Assistant's discovery prefix.
        stop_topic: The lab's emergency stop, obeyed beside that of the base.
        state: The folder of what is kept between runs; none keeps nothing.
        stop_actions: Further actions that only ever stop, and so are never refused.
    """

    root: Path
    broker: Broker
    client_id: str = DEFAULT_CLIENT_ID
    builtins: Selection = field(default_factory=Selection)
    props: Selection = field(default_factory=Selection)
    builtin_folder: Path | None = None
    watch: bool = False
    debug: bool = False
    prefix: str = DEFAULT_PREFIX
    base: str = wire.DEFAULT_BASE
    discovery: str = wire.DEFAULT_DISCOVERY
    stop_topic: str = wire.emergency_stop_topic(wire.DEFAULT_BASE)
    state: Path | None = None
    stop_actions: tuple[str, ...] = ()


def settings_of(options: argparse.Namespace, environment: Mapping[str, str]) -> PropsSettings:
    """Read the settings: the command line goes before the environment, that before what is usual.

    A variable that is empty counts as not set, as compose files have it.

    Raises:
        Misconfigured: A value is wrong; the text names where it stands, and what is allowed.
    """
    told = {name: value for name, value in environment.items() if value.strip()}
    topics = {
        "prefix": options.prefix or DEFAULT_PREFIX,
        "base": options.base or wire.DEFAULT_BASE,
        "discovery": options.discovery or wire.DEFAULT_DISCOVERY,
    }
    _check_topics(topics)
    client_id = options.client_id or told.get("MQTT_CLIENT_ID", DEFAULT_CLIENT_ID).strip()
    return PropsSettings(
        root=options.root or DEFAULT_ROOT,
        broker=_broker(options, told),
        client_id=client_id,
        builtins=_selection(told, "BUILTINS"),
        props=_selection(told, "PROPS"),
        builtin_folder=options.builtins,
        watch=options.watch,
        debug=options.debug or _switch(told, "WORKER_DEBUG"),
        state=options.state or default_state(_file_name(client_id)),
        stop_actions=tuple(_action(word) for word in options.stop_action),
        **topics,
    )


def _check_topics(topics: Mapping[str, str]) -> None:
    for option, topic in topics.items():
        if not wire.is_base(topic):
            raise Misconfigured(
                f"--{option} {show(topic)} is not a topic without wildcards and without / at its ends"
            )
    prefix, base = topics["prefix"], topics["base"]
    if f"{prefix}/".startswith(f"{base}/") or f"{base}/".startswith(f"{prefix}/"):
        raise Misconfigured(f"--prefix {show(prefix)} and --base {show(base)} lie in each other")


def _selection(told: Mapping[str, str], kind: str) -> Selection:
    return Selection(
        disable_all=_switch(told, f"WORKER_DISABLE_ALL_{kind}"),
        allow=_names(told, f"WORKER_{kind}_ALLOW"),
        disable=_names(told, f"WORKER_{kind}_DISABLE"),
    )


def _switch(told: Mapping[str, str], name: str) -> bool:
    word = told.get(name, "0").strip().lower()
    if word not in _YES + _NO:
        raise Misconfigured(f"{name} {show(told[name])} is not one of {', '.join(_YES)}, {', '.join(_NO)}")
    return word in _YES


def _names(told: Mapping[str, str], name: str) -> tuple[str, ...]:
    words = (word.strip() for word in told.get(name, "").split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def _action(word: str) -> str:
    action = word.strip().replace("/", "_")
    if not re.fullmatch(r"\w+", action):
        raise Misconfigured(f"--stop-action {show(word)} is not one word, such as fade")
    return action


def _file_name(client_id: str) -> str:
    """Two hosts keep their state apart, whatever their ids are made of."""
    return re.sub(r"[^\w-]", "_", client_id)


def _broker(options: argparse.Namespace, told: Mapping[str, str]) -> Broker:
    """The broker: of the command line, as LAB2MQTT_BROKER, as MQTT_HOST, or where commands find one.

    Raises:
        Misconfigured: Something of it is wrong.
    """
    try:
        broker = where.broker(options.broker, told, _original_address(told))
        user = told.get("MQTT_WORKER_USER")
        if broker.username in (None, user or DEFAULT_USER):
            password = _password(told)
            name = broker.username or user or (DEFAULT_USER if password else None)
            own = broker.password or password or (told.get("LAB2MQTT_PASSWORD") if name else None)
            broker = replace(broker, username=name, password=own)
        return where.with_files(broker, ca=options.ca, cert=options.cert, key=options.key)
    except ValueError as error:
        raise Misconfigured(str(error)) from None


def _password(told: Mapping[str, str]) -> str | None:
    """The password, as MQTT_WORKER_PW or in the file that MQTT_WORKER_PW_FILE names, as containers have it.

    Raises:
        Misconfigured: Both are told, or the file does not hold one.
    """
    name = told.get("MQTT_WORKER_PW_FILE")
    if name is None:
        return told.get("MQTT_WORKER_PW")
    if "MQTT_WORKER_PW" in told:
        raise Misconfigured("MQTT_WORKER_PW and MQTT_WORKER_PW_FILE are both set; which of them is meant?")
    try:
        password = credential(Path(name.strip())).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Misconfigured(f"MQTT_WORKER_PW_FILE {name!r} is not UTF-8 text") from None
    except OSError as error:
        raise Misconfigured(f"MQTT_WORKER_PW_FILE {name!r}: {error.strerror}") from None
    if not password or "\n" in password:
        raise Misconfigured(f"MQTT_WORKER_PW_FILE {name!r} does not hold one line, the password")
    return password


def _original_address(told: Mapping[str, str]) -> str | None:
    """The address that MQTT_HOST and MQTT_PORT are."""
    if not {"MQTT_HOST", "MQTT_PORT"} & told.keys():
        return None
    host, port = told.get("MQTT_HOST", "127.0.0.1").strip(), told.get("MQTT_PORT", "1883").strip()
    if not re.fullmatch(r"[^\s/@:]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*", host):
        # What was taken for an address may hold a password.
        shown = f" {show(host)}" if "@" not in host else ""
        raise Misconfigured(
            f"MQTT_HOST{shown} is not a name or an address alone, such as broker; LAB2MQTT_BROKER takes"
            f" mqtt://[user@]host[:port] and mqtts://…"
        )
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= _LAST_PORT:
        raise Misconfigured(f"MQTT_PORT {show(port)} is not a port, a number from 1 to {_LAST_PORT}")
    return f"mqtt://[{host}]:{port}" if ":" in host else f"mqtt://{host}:{port}"
