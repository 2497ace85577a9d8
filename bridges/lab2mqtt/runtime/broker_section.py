"""The ``broker:`` of a configuration: where the broker is, the password, and the files of a TLS link."""

from dataclasses import dataclass
import os
from pathlib import Path
import re
import stat
from typing import Annotated

from lab2mqtt.core.parameters import Range
from lab2mqtt.runtime import tls
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.credentials import credential
from lab2mqtt.runtime.yaml_file import YamlFile


@dataclass(frozen=True)
class BrokerSettings:
    """The ``broker:`` of a file. The files are found from the folder of the configuration.

    Attributes:
        host: Name or address of the broker; with TLS one that stands in its certificate.
        port: Its port; 8883 with TLS unless told.
        username: Who the bridge is to the broker.
        password_env: The environment variable that holds the password.
        password_file: The file that holds the password, on one line.
        tls: Whether the link is encrypted.
        ca_file: Certificates to trust, where the system's do not do.
        cert_file: Our own certificate, for a broker that wants one.
        key_file: Its key, where that is not in ``cert_file``.
    """

    host: str = "127.0.0.1"
    port: Annotated[int | None, Range(1, 65535)] = None
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


def refuse_secrets(source: YamlFile) -> None:
    """Note a password that stands in the file itself, and take it out, so that nothing can repeat it."""
    told = source.data.get("broker")
    if not isinstance(told, dict | None):  # an address, with a password in it perhaps
        source.wrong(("broker",), "broker is not a set of keys with values, such as `host: broker.lab`")
        source.data["broker"] = {}
    if not isinstance(told, dict):
        return
    if "password" in told:
        told.pop("password")
        text = "broker.password: a password does not belong in this file; use password_env or password_file"
        source.wrong(("broker", "password"), text)
    if isinstance(host := told.get("host"), str) and not re.fullmatch(r"[^\s/@]+", host):
        source.wrong(("broker", "host"), "broker.host is a name or an address only, such as broker.lab")
        told.pop("host")


def broker_of(source: YamlFile, settings: BrokerSettings, folder: Path) -> Broker | None:
    """The broker that a file tells of; what is wrong is noted.

    Args:
        source: Where to note it.
        settings: The section, as it was read.
        folder: Where the configuration stands.
    """
    given = {key: getattr(settings, key) for key in ("ca_file", "cert_file", "key_file")}
    files = {key: str(credential(folder / name)) if name else None for key, name in given.items()}
    for key, text in tls.problems(encrypted=settings.tls, **files).items():
        source.wrong(("broker", key), f"broker.{key} {text}")
    if files["key_file"]:
        _warn_of_readers(source, "key_file", Path(files["key_file"]))
    password = _password(source, settings, folder)
    port = settings.port or (8883 if settings.tls else 1883)
    try:
        return Broker(settings.host, port, settings.username, password, settings.tls, **files)
    except ValueError as error:
        source.wrong(("broker",), str(error))
        return None


def _password(source: YamlFile, settings: BrokerSettings, folder: Path) -> str | None:
    password: str | None = None
    if name := settings.password_env:
        password = os.environ.get(name)
        if password is None:
            # Some write the password itself there: only what looks like a variable is repeated.
            shown = name if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) else "variable of that name"
            source.wrong(("broker", "password_env"), f"broker.password_env: the environment has no {shown}")
    if settings.password_file:
        password = _from_file(source, settings.password_file, folder)
    if password and not settings.username:
        source.wrong(("broker",), "broker.username is missing: without it no password is sent")
    return password


def _from_file(source: YamlFile, name: str, folder: Path) -> str | None:
    where = ("broker", "password_file")
    file = credential(folder / name)
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        source.wrong(where, f"broker.password_file {name!r} is not UTF-8 text")
        return None
    except OSError as error:
        source.wrong(where, f"broker.password_file {name!r}: {error.strerror}")
        return None
    if not password or "\n" in password:
        source.wrong(where, f"broker.password_file {name!r} does not hold one line, the password")
    _warn_of_readers(source, "password_file", file)
    return password


def _warn_of_readers(source: YamlFile, key: str, file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError:  # told already
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        source.warn(("broker", key), f"broker.{key}: everybody on this machine can read it; chmod 600 {file}")
