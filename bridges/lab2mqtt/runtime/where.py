"""Where the broker is that a command is for: its options, the environment, a demo that runs here."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import running_demo, tls
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.credentials import credential

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"


def broker(told: str | None, environment: Mapping[str, str], otherwise: str | None = None) -> Broker:
    """The broker that is meant.

    Args:
        told: The address on the command line.
        environment: Holds another as LAB2MQTT_BROKER, and what belongs to an address.
        otherwise: A third, that goes before a demo that runs here.

    Raises:
        ValueError: The address is none.
    """
    if address := told or environment.get("LAB2MQTT_BROKER") or otherwise:
        return Broker.parse(address, environment)
    demo = running_demo.find()
    return Broker.parse(demo["broker"] if demo else DEFAULT_BROKER, environment)


def with_files(broker: Broker, *, ca: str | None, cert: str | None, key: str | None) -> Broker:
    """A broker with the files of the encrypted link that were given on the command line.

    Raises:
        Misconfigured: A file is wrong, or is of no use.
    """
    broker = replace(
        broker,
        ca_file=_own(ca or broker.ca_file),
        cert_file=_own(cert or broker.cert_file),
        key_file=_own(key or broker.key_file),
    )
    files = {"ca_file": broker.ca_file, "cert_file": broker.cert_file, "key_file": broker.key_file}
    if wrong := tls.problems(encrypted=broker.tls, **files):
        names = {"ca_file": "--ca", "cert_file": "--cert", "key_file": "--key"}
        hint = "" if broker.tls else f": {broker} is not encrypted, mqtts:// is"
        raise Misconfigured("\n".join(f"{names[key]} {text}{hint}" for key, text in wrong.items()))
    return broker


def _own(file: str | None) -> str | None:
    return str(credential(Path(file))) if file else None
