"""The configuration of one bridge: one YAML file, checked whole, every fault told at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import importlib
import inspect
import os
from pathlib import Path
import pkgutil
import typing
from typing import Any

from lab2mqtt import devices, wire
from lab2mqtt.adopt.settings import DEFAULT_PREFIX, OldSettings
from lab2mqtt.core.description import BoundTask, Instance, bind, describe, describe_entities
from lab2mqtt.core.device import Device, Growth
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.interlock import Interlock
from lab2mqtt.core.words import near, show
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.broker_section import BrokerSettings, broker_of, refuse_secrets
from lab2mqtt.runtime.interlock_rules import Rules, check_rules, read_rules
from lab2mqtt.runtime.keep import Keep
from lab2mqtt.runtime.section import frozen, schema_of, section
from lab2mqtt.runtime.yaml_file import YamlFile

MOST_DEVICES = 1000  # of which the costs are known: docs/performance.md


@dataclass(frozen=True)
class BridgeSettings:
    """The top of a file.

    Attributes:
        bridge: The id of this bridge, one of its kind in the lab.
        broker: Where the broker is.
        base: The base topic.
        discovery: Home Assistant's discovery prefix.
        stop_topic: The lab's emergency stop, obeyed beside that of the base.
        state: The folder of what is kept between runs.
        devices: The devices, by id.
        ledger: How much of the record of commands is kept.
        adopt: Whether boards and servers with a link of their own are announced by this bridge.
        adopt_prefixes: Further base topics under which they are looked for.
        adopted: What is to be known of devices of the older dialect there, by their ids.
        updates: The folder of what boards are offered as updates.
    """

    bridge: str
    devices: dict[str, Any]
    broker: dict[str, Any] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    base: str = wire.DEFAULT_BASE
    discovery: str = wire.DEFAULT_DISCOVERY
    stop_topic: str = wire.emergency_stop_topic(wire.DEFAULT_BASE)
    state: str | None = None
    adopt: bool = False
    adopt_prefixes: list[str] = field(default_factory=lambda: [DEFAULT_PREFIX])
    adopted: dict[str, Any] = field(default_factory=dict)
    updates: str | None = None


@dataclass(frozen=True)
class DeviceSettings:
    """One device of a file.

    Attributes:
        model: What it is.
        name: What people call it.
        area: The room that Home Assistant suggests for it.
        simulated: Whether a simulator plays the instrument. The bridge starts one, unless the settings say
            where one is reached.
        settings: The model's own settings.
        interlocks: What it may not do while another device is so.
    """

    model: str
    name: str | None = None
    area: str = ""
    simulated: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    interlocks: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class DeviceConfig:
    """One device, ready to be run.

    Attributes:
        device: The model's declaration, with what its settings add.
        instance: Which one it is.
        driver: The driver's class, or what else makes one.
        settings: The driver's settings.
        tasks: The device's tasks, bound.
        starts_simulator: Whether the bridge is to start its simulator.
        interlocks: What it may not do while another device is so.
    """

    device: Device[Any]
    instance: Instance
    driver: Callable[..., Any]
    settings: Any
    tasks: dict[str, BoundTask]
    starts_simulator: bool = False
    interlocks: tuple[Interlock, ...] = ()

    def describe(self) -> dict[str, object]:
        """What it is and can do, as far as is known without the instrument."""
        return describe(self.device, self.tasks, self.instance)


@dataclass(frozen=True)
class Config:
    """One bridge, ready to be run."""

    bridge: str
    broker: Broker
    devices: tuple[DeviceConfig, ...]
    base: str = wire.DEFAULT_BASE
    discovery: str = wire.DEFAULT_DISCOVERY
    stop_topic: str = wire.emergency_stop_topic(wire.DEFAULT_BASE)
    state: Path | None = None
    keep: Keep = field(default_factory=Keep)
    warnings: tuple[str, ...] = ()
    adopt: bool = False
    adopt_prefixes: tuple[str, ...] = ()
    adopted: Mapping[str, OldSettings] = field(default_factory=dict)
    updates: Path | None = None


def known_models() -> dict[str, str]:
    """Every model that has a declaration, with its module."""
    found = pkgutil.iter_modules(devices.__path__)
    return {module.name: f"{devices.__name__}.{module.name}" for module in found}


def load_device(model: str) -> Device[Any]:
    """Load a declaration. The driver is not loaded, so that this works without its libraries."""
    module = importlib.import_module(known_models()[model])
    declared: Device[Any] = module.DEVICE
    return declared


def load_driver(device: Device[Any]) -> tuple[type, type]:
    """Load the driver's class, and the dataclass of its settings.

    Raises:
        Misconfigured: A library that it needs is not installed.
    """
    module, _, name = device.driver.partition(":")
    try:
        driver: type = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        text = f"{device.name} needs {error.name}, which is not installed: pip install 'lab2mqtt[all]'"
        raise Misconfigured(text) from error
    constructor = inspect.getattr_static(driver, "__init__")
    return driver, typing.get_type_hints(constructor)["settings"]


def grown(device: Device[Any], settings: object) -> Device[Any]:
    """A declaration with what its settings add to it.

    Raises:
        Misconfigured: What they lead to is wrong, or stands there already.
    """
    if not device.grows:
        return device
    module, _, name = device.grows.partition(":")
    grow = getattr(importlib.import_module(module), name)
    try:
        growth: Growth = grow(settings)
        entities, tasks = (*device.entities, *growth.entities), (*device.tasks, *growth.tasks)
        return replace(device, entities=entities, tasks=tasks)
    except ValueError as error:
        raise Misconfigured(str(error)) from error


def default_state(bridge: str) -> Path:
    """Where a bridge keeps its state unless told."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "lab2mqtt" / bridge


def load(file: Path) -> Config:
    """Read and check a configuration.

    Raises:
        Misconfigured: Something is wrong; the text tells everything, with file, line, key, value and what is
            allowed.
    """
    return load_lab([file])[0]


def load_lab(files: Sequence[Path]) -> list[Config]:
    """Read and check the configurations of bridges of one lab, each alone and against each other.

    Raises:
        Misconfigured: Something is wrong, as for ``load``; the text tells it for all files.
    """
    read: dict[Path, tuple[Rules, Config | None]] = {}
    told: list[str] = []
    for file in files:
        try:
            read[file] = _read(file)
        except Misconfigured as error:  # no YAML at all
            told.append(str(error))
    _check_ids([(rules, config) for rules, config in read.values() if config])
    check_rules([rules for rules, _ in read.values()])
    told += [text for rules, _ in read.values() for text in rules.source.told()]
    if told:
        raise Misconfigured("\n".join(told))
    return [config for _, config in read.values() if config]


def _read(file: Path) -> tuple[Rules, Config | None]:
    """Read one file; what is wrong is noted in its source, and then there may be no configuration."""
    source = YamlFile.load(file)
    top = read_top(source)
    bridge = getattr(top, "bridge", "")
    settings = section(source, ("broker",), BrokerSettings)
    broker = broker_of(source, settings, file.parent) if settings else None
    listed = source.data.get("devices")
    if isinstance(listed, dict) and len(listed) > MOST_DEVICES:
        source.wrong(("devices",), f"devices: {len(listed)}; one bridge takes {MOST_DEVICES} at most")
        listed = None
    devices = [_device(source, str(name), bridge) for name in (listed if isinstance(listed, dict) else ())]
    known = {device.instance.device_id: device for device in devices if device}
    rules = read_rules(source, getattr(top, "base", wire.DEFAULT_BASE), known)
    keep = section(source, ("ledger",), Keep)
    if top is None or broker is None or keep is None:
        return rules, None
    state = (file.parent / top.state) if top.state else default_state(bridge)
    found = tuple(replace(device, interlocks=rules.of(device_id)) for device_id, device in known.items())
    warnings = tuple(source.told_warnings())
    topics = (top.base, top.discovery, top.stop_topic)
    prefixes = tuple(dict.fromkeys(one for one in top.adopt_prefixes if one != top.base))
    old = _adopted(source, top, prefixes)
    updates = file.parent / top.updates if top.updates else None
    return rules, Config(
        bridge, broker, found, *topics, state, keep, warnings, top.adopt, prefixes, old, updates
    )


def read_top(source: YamlFile) -> BridgeSettings | None:
    """The top of a file, its devices and its broker not looked into; what is wrong is noted."""
    refuse_secrets(source)
    top = section(source, (), BridgeSettings)
    for key, fits, allowed in (
        ("bridge", wire.is_bridge_id, "an id of a-z, 0-9, - and _, at most 64 long"),
        ("base", wire.is_base, "a topic without wildcards and without / at its ends"),
        ("discovery", wire.is_base, "a topic without wildcards and without / at its ends"),
        ("stop_topic", wire.is_base, "a topic without wildcards and without / at its ends"),
    ):
        value = source.data.get(key)  # looked at even where another key is wrong
        if isinstance(value, str) and not fits(value):
            source.wrong((key,), f"{key} {show(value)} is not {allowed}")
    if top:
        _check_prefixes(source, top)
    return top


def _adopted(source: YamlFile, top: BridgeSettings, prefixes: Sequence[str]) -> dict[str, OldSettings]:
    """What is told of devices of the older dialect."""
    found: dict[str, OldSettings] = {}
    if top.updates and not top.adopt:
        source.wrong(("updates",), "updates: this bridge updates no boards without adopt: true")
    if top.adopted and not top.adopt:
        source.wrong(("adopted",), "adopted: this bridge adopts nothing without adopt: true")
    for name in map(str, top.adopted):
        path = ("adopted", name)
        settings = section(source, path, OldSettings)
        if settings is None:
            continue
        if settings.prefix not in prefixes:
            allowed = ", ".join(prefixes) or "none"
            text = f"adopted.{name}.prefix {show(settings.prefix)} is not one of adopt_prefixes: {allowed}"
            source.wrong((*path, "prefix"), text)
        found[name] = settings
    return found


def _check_prefixes(source: YamlFile, top: BridgeSettings) -> None:
    """Refuse prefixes of which a topic, or an announcement, would not tell which one it is of."""
    path = ("adopt_prefixes",)
    for prefix in top.adopt_prefixes:
        if not wire.is_base(prefix):
            allowed = "a topic without wildcards and without / at its ends"
            source.wrong(path, f"adopt_prefixes: {show(prefix)} is not {allowed}")
    bases = list(dict.fromkeys((top.base, *top.adopt_prefixes)))
    for number, one in enumerate(bases):
        for other in bases[:number]:
            if f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/"):
                source.wrong(path, f"adopt_prefixes: {show(one)} and {show(other)} lie in each other")
            elif wire.discovery_topic("", one, "") == wire.discovery_topic("", other, ""):
                text = "are one to Home Assistant, which knows a-z, A-Z, 0-9, _ and -"
                source.wrong(path, f"adopt_prefixes: {show(one)} and {show(other)} {text}")


def _check_ids(read: Sequence[tuple[Rules, Config]]) -> None:
    """Refuse two bridges or two devices of one id in one lab; one of the two would never be heard."""
    first: dict[tuple[str, ...], Path] = {}
    for rules, config in read:
        ids = [(("bridge",), config.bridge), *((("devices", name), name) for name in rules.devices)]
        for path, name in ids:
            other = first.setdefault((config.base, path[0], name), rules.source.file)
            if other is not rules.source.file:
                rules.source.wrong(path, f"{path[0].removesuffix('s')} {name!r} stands in {other} too")


def make_device(
    device_id: str, bridge: str, told: DeviceSettings, settings: dict[str, Any] | None = None
) -> DeviceConfig:
    """Make a device without a file, as the demo does; a relative path is seen from the working directory.

    Raises:
        Misconfigured: Its settings are wrong.
    """
    device = load_device(told.model)
    driver, settings_type = load_driver(device)
    schema = schema_of(settings_type, "settings")
    checked, wrong = schema.problems(settings or told.settings)
    if wrong:
        raise Misconfigured("; ".join(wrong.values()))
    return _made(device_id, bridge, told, device, driver, settings_type(**frozen(checked, schema, Path())))


def _made(
    device_id: str,
    bridge: str,
    told: DeviceSettings,
    device: Device[Any],
    driver: type,
    settings: Any,  # noqa: ANN401
) -> DeviceConfig:
    instance = Instance(device_id, told.name or device.name, bridge, told.area, told.simulated)
    starts = told.simulated and device.link_setting not in told.settings
    device = grown(device, settings)
    try:
        tasks = bind(device, driver, settings)
        if device.grows:
            describe_entities(device, tasks)
    except ValueError as error:
        raise Misconfigured(str(error)) from error
    return DeviceConfig(device, instance, driver, settings, tasks, starts)


def _device(source: YamlFile, device_id: str, bridge: str) -> DeviceConfig | None:
    path = ("devices", device_id)
    if not wire.is_device_id(device_id):
        source.wrong(path, f"device id {device_id!r} is not made of a-z, 0-9, - and _, at most 64 long")
        return None
    told = section(source, path, DeviceSettings)
    if told is None:
        return None
    try:
        device = _known(told.model)
        driver, settings_type = load_driver(device)
    except Misconfigured as error:
        source.wrong((*path, "model"), str(error))
        return None
    settings: Any = section(source, (*path, "settings"), settings_type)
    if settings is None:
        return None
    if told.simulated and not device.simulator:
        source.wrong((*path, "simulated"), f"{device.name} has no simulator")
    try:
        return _made(device_id, bridge, told, device, driver, settings)
    except Misconfigured as error:
        source.wrong((*path, "settings"), f"{'.'.join(path)}.settings: {error}")
        return None


def _known(model: str) -> Device[Any]:
    """Load a declaration.

    Raises:
        Misconfigured: There is none.
    """
    known = known_models()
    if model not in known:
        raise Misconfigured(f"model {model!r} is not one of {', '.join(known)}{near(model, known)}")
    return load_device(model)
