"""What a configuration says of the broker's topics, readable where neither drivers nor passwords are."""

from dataclasses import dataclass
from pathlib import Path

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime.config import read_top
from lab2mqtt.runtime.yaml_file import YamlFile


@dataclass(frozen=True)
class Outline:
    """One bridge, as the broker sees it.

    Attributes:
        bridge: Its id.
        user: Who it is to the broker.
        devices: The ids of its devices.
        base: The base topic.
        discovery: Home Assistant's discovery prefix.
        stop_topic: The lab's emergency stop, obeyed beside that of the base.
        adopts: Where it looks for devices with a link of their own: its base and more; or nowhere.
    """

    bridge: str
    user: str
    devices: tuple[str, ...] = ()
    base: str = wire.DEFAULT_BASE
    discovery: str = wire.DEFAULT_DISCOVERY
    stop_topic: str = wire.emergency_stop_topic(wire.DEFAULT_BASE)
    adopts: tuple[str, ...] = ()


def load_outline(file: Path) -> Outline:
    """Read a configuration as far as the broker is concerned.

    Raises:
        Misconfigured: Something of that is wrong.
    """
    source = YamlFile.load(file)
    top = read_top(source)
    user = top.broker.get("username") if top else None
    if not isinstance(user, str | None):
        source.wrong(("broker", "username"), "broker.username is not a text")
    for name in top.devices if top else ():
        if not wire.is_device_id(name):
            text = f"device id {name!r} is not made of a-z, 0-9, - and _, at most 64 long"
            source.wrong(("devices", str(name)), text)
    if told := source.told():
        raise Misconfigured("\n".join(told))
    if top is None:  # a problem, which has been told
        raise Misconfigured(f"{file}: incomplete")
    adopts = tuple(dict.fromkeys((top.base, *top.adopt_prefixes))) if top.adopt else ()
    topics = (top.base, top.discovery, top.stop_topic)
    return Outline(top.bridge, user or top.bridge, tuple(top.devices), *topics, adopts)
