"""The configuration of a gateway: one YAML file, checked whole, every fault told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Range
from lab2mqtt.core.words import near, show
from lab2mqtt.gateway.rights import ALL, RIGHTS, Person, Right
from lab2mqtt.orchestration.listener import is_loopback
from lab2mqtt.runtime import tls
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.broker_section import BrokerSettings, broker_of, refuse_secrets
from lab2mqtt.runtime.credentials import credential
from lab2mqtt.runtime.section import section
from lab2mqtt.runtime.yaml_file import YamlFile

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_PLAIN = ("token", "plain", "secret", "password")
_MAKE_ONE = "`lab2mqtt token NAME` makes a token and its line"


@dataclass(frozen=True)
class Top:
    """The top of a file.

    Attributes:
        broker: Where the broker is.
        base: The base topic of the lab.
        http: Where the gateway listens.
        tokens: Who may do what, by name.
    """

    broker: dict[str, Any] = field(default_factory=dict)
    base: str = wire.DEFAULT_BASE
    http: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpSettings:
    """The ``http:`` of a file. The files are found from the folder of the configuration.

    Attributes:
        host: The address to listen on; 0.0.0.0 for all of this machine's.
        port: The port.
        certificate: The certificate for https, with those between it and the CA.
        key: Its key, where that is not in the same file.
        origins: The web pages that may use this API, such as https://lab.example.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Range(1, 65535)] = 8080
    certificate: str | None = None
    key: str | None = None
    origins: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TokenSettings:
    """One token of a file.

    Attributes:
        sha256: Of the token; the token itself stands nowhere.
        devices: Device id or ``*`` → ``read`` or ``use``.
    """

    sha256: str
    devices: dict[str, Any]


@dataclass(frozen=True)
class Gateway:
    """One gateway, ready to be run.

    Attributes:
        broker: Where the broker is.
        base: The base topic.
        http: Where it listens; its files with the folder before them.
        people: Whose tokens there are; none where anybody may do anything.
        warnings: What is not wrong, but should not be so.
    """

    broker: Broker
    base: str
    http: HttpSettings
    people: tuple[Person, ...]
    warnings: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where it is, as a browser on this machine says it."""
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return f"http{'s' if self.http.certificate else ''}://{host}:{self.http.port}"


def load(file: Path) -> Gateway:
    """Read and check a configuration.

    Raises:
        Misconfigured: Something is wrong; the text tells everything, with file, line, key, value and what is
            allowed.
    """
    source = YamlFile.load(file, example="http: {port: 8080}")
    refuse_secrets(source)
    top = section(source, (), Top)
    base = source.data.get("base")
    if isinstance(base, str) and not wire.is_base(base):
        source.wrong(
            ("base",), f"base {show(base)} is not a topic without wildcards and without / at its ends"
        )
    told = section(source, ("broker",), BrokerSettings)
    broker = broker_of(source, told, file.parent) if told else None
    listed = source.data.get("tokens")
    people = _people(source, listed if isinstance(listed, dict) else {})
    http = _http(source, file.parent, has_tokens=bool(listed))
    if source.problems or top is None or broker is None or http is None:
        raise Misconfigured("\n".join(source.told()))
    return Gateway(broker, top.base, http, people, tuple(source.told_warnings()))


def _http(source: YamlFile, folder: Path, *, has_tokens: bool) -> HttpSettings | None:
    """Where it listens; what is wrong is noted."""
    http = section(source, ("http",), HttpSettings)
    if http is None:
        return None
    if not has_tokens:
        _check_open(source, http)
    if http.origins and not has_tokens:
        source.wrong(("http", "origins"), f"http.origins needs tokens; {_MAKE_ONE}")
    for origin in http.origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or f"{parts[0]}://{parts[1]}" != origin:
            text = f"http.origins: {show(origin)} is not the beginning of an address, such as https://lab.example"
            source.wrong(("http", "origins"), text)
    return _with_files(source, http, folder)


def _check_open(source: YamlFile, http: HttpSettings) -> None:
    """Without tokens only this machine is let in, and a warning says so."""
    if is_loopback(http.host):
        text = f"no tokens: whoever is on this machine may use every device; {_MAKE_ONE}"
        source.warn(("tokens",) if "tokens" in source.data else ("http",), text)
    else:
        text = f"http.host {show(http.host)} is more than this machine, and there are no tokens: {_MAKE_ONE}"
        source.wrong(("http", "host"), text)


def _with_files(source: YamlFile, http: HttpSettings, folder: Path) -> HttpSettings:
    """With the files of https where they are; what is wrong with them is noted."""
    told = (http.certificate, http.key)
    certificate, key = (str(credential(folder / name)) if name else None for name in told)
    if key and not certificate:
        source.wrong(("http", "key"), "http.key: without http.certificate nothing is encrypted")
    elif certificate:
        names = {"cert_file": "certificate", "key_file": "key"}
        found = tls.problems(encrypted=True, ca_file=None, cert_file=certificate, key_file=key)
        for name, text in found.items():
            source.wrong(("http", names[name]), f"http.{names[name]} {text}")
    elif not is_loopback(http.host):
        text = "http: tokens and commands are readable on the network without http.certificate"
        source.warn(("http",), text)
    return HttpSettings(http.host, http.port, certificate, key, list(http.origins))


def _people(source: YamlFile, listed: Mapping[object, Any]) -> tuple[Person, ...]:
    """Whose tokens there are. Nothing is repeated of what may be a token."""
    found: list[Person] = []
    for key, told in listed.items():
        name = str(key)
        path = ("tokens", name)
        if not 0 < len(name) <= wire.MAX_NAME or not name.isprintable():
            source.wrong(path, f"tokens: a name has 1 to {wire.MAX_NAME} printable characters")
            continue
        if not isinstance(told, dict):  # the token itself, perhaps
            source.wrong(path, f"tokens.{name} is not a set of keys with values; {_MAKE_ONE}")
            continue
        for plain in _PLAIN:
            if plain in told:
                told.pop(plain)
                text = f"a token does not belong in this file, only its sha256; {_MAKE_ONE}"
                source.wrong((*path, plain), f"tokens.{name}.{plain}: {text}")
        digest = told.get("sha256")
        if "sha256" in told and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            text = "is not 64 hexadecimal digits (a token itself does not belong in this file)"
            source.wrong((*path, "sha256"), f"tokens.{name}.sha256 {text}; {_MAKE_ONE}")
            told["sha256"] = ""  # so that nothing can repeat it
        settings = section(source, path, TokenSettings)
        if settings is None:
            continue
        person = Person(name, _rights(source, name, settings.devices), settings.sha256.lower())
        _check_alone(source, person, found)
        found.append(person)
    return tuple(found)


def _rights(source: YamlFile, name: str, devices: Mapping[str, Any]) -> dict[str, Right]:
    rights: dict[str, Right] = {}
    for key, right in devices.items():
        device_id = str(key)
        path = ("tokens", name, "devices", device_id)
        where = f"tokens.{name}.devices.{device_id}"
        if device_id != ALL and not wire.is_device_id(device_id):
            source.wrong(
                path, f"{where}: a device id has a-z, 0-9, - and _, at most 64; {ALL} is all devices"
            )
        elif right not in RIGHTS:
            hint = near(right, RIGHTS) if isinstance(right, str) else ""
            source.wrong(path, f"{where} {show(right)} is not one of {', '.join(RIGHTS)}{hint}")
        else:
            rights[device_id] = right
    if not devices:
        source.wrong(("tokens", name, "devices"), f"tokens.{name}.devices names none; {ALL} is all devices")
    return rights


def _check_alone(source: YamlFile, person: Person, others: Sequence[Person]) -> None:
    """Refuse one token for two: nobody could tell whose command it was."""
    for other in others:
        if person.digest and person.digest == other.digest:
            text = (
                f"tokens.{person.name}.sha256 is that of {other.name}, too; each one has a token of his own"
            )
            source.wrong(("tokens", person.name, "sha256"), text)
