"""The configuration of one bridge: one YAML file, checked whole, every fault told at once."""

from dataclasses import dataclass, field
import importlib
import inspect
import os
from pathlib import Path
import pkgutil
import typing
from typing import Annotated, Any, TypeVar

from lab2mqtt import devices, wire
from lab2mqtt.core.description import BoundTask, Instance, bind, describe
from lab2mqtt.core.device import Device
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Range, Schema, parameters_of
from lab2mqtt.core.words import near, show
from lab2mqtt.runtime.mqtt import Broker
from lab2mqtt.runtime.yaml_file import KeyPath, YamlFile

T = TypeVar("T")


@dataclass(frozen=True)
class BrokerSettings:
    """The ``broker:`` of a file.

    Attributes:
        host: Name or address of the broker.
        port: Its port; 8883 with TLS unless told.
        username: Who the bridge is to the broker.
        password_env: The environment variable that holds the password.
        password_file: The file that holds the password, on one line.
        tls: Whether the link is encrypted.
        ca_file: Certificates to trust, where the system's do not do.
    """

    host: str = "127.0.0.1"
    port: Annotated[int | None, Range(1, 65535)] = None
    username: str | None = None
    password_env: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None


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
    """

    bridge: str
    devices: dict[str, Any]
    broker: dict[str, Any] = field(default_factory=dict)
    base: str = wire.DEFAULT_BASE
    discovery: str = wire.DEFAULT_DISCOVERY
    stop_topic: str = wire.emergency_stop_topic(wire.DEFAULT_BASE)
    state: str | None = None


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
    """

    model: str
    name: str | None = None
    area: str = ""
    simulated: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceConfig:
    """One device, ready to be run.

    Attributes:
        device: The model's declaration.
        instance: Which one it is.
        driver: The driver's class.
        settings: The driver's settings.
        tasks: The device's tasks, bound.
        starts_simulator: Whether the bridge is to start its simulator.
    """

    device: Device[Any]
    instance: Instance
    driver: type
    settings: Any
    tasks: dict[str, BoundTask]
    starts_simulator: bool = False

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
    source = YamlFile.load(file)
    top = _section(source, (), BridgeSettings)
    for key, fits, allowed in (
        ("bridge", wire.is_bridge_id, "an id of a-z, 0-9, - and _, at most 64 long"),
        ("base", wire.is_base, "a topic without wildcards and without / at its ends"),
        ("discovery", wire.is_base, "a topic without wildcards and without / at its ends"),
        ("stop_topic", wire.is_base, "a topic without wildcards and without / at its ends"),
    ):
        value = source.data.get(key)  # looked at even where another key is wrong
        if isinstance(value, str) and not fits(value):
            source.wrong((key,), f"{key} {show(value)} is not {allowed}")
    bridge = getattr(top, "bridge", "")
    broker = _broker(source, file)
    listed = source.data.get("devices")
    devices = [_device(source, str(name), bridge) for name in (listed if isinstance(listed, dict) else ())]
    source.raise_problems()
    if top is None or broker is None:  # a problem, which has been raised
        raise Misconfigured(f"{file}: incomplete")
    state = (file.parent / top.state) if top.state else default_state(bridge)
    found = tuple(device for device in devices if device)
    return Config(bridge, broker, found, top.base, top.discovery, top.stop_topic, state)


def make_device(
    device_id: str, bridge: str, told: DeviceSettings, settings: dict[str, Any] | None = None
) -> DeviceConfig:
    """Make a device without a file, as the demo does.

    Raises:
        Misconfigured: Its settings are wrong.
    """
    device = load_device(told.model)
    driver, settings_type = load_driver(device)
    checked, wrong = _schema_of(settings_type, "settings").problems(settings or told.settings)
    if wrong:
        raise Misconfigured("; ".join(wrong.values()))
    return _made(device_id, bridge, told, device, driver, settings_type(**_tuples(checked)))


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
    return DeviceConfig(device, instance, driver, settings, bind(device, driver, settings), starts)


def _device(source: YamlFile, device_id: str, bridge: str) -> DeviceConfig | None:
    path = ("devices", device_id)
    if not wire.is_device_id(device_id):
        source.wrong(path, f"device id {device_id!r} is not made of a-z, 0-9, - and _, at most 64 long")
        return None
    told = _section(source, path, DeviceSettings)
    if told is None:
        return None
    known = known_models()
    if told.model not in known:
        text = f"model {told.model!r} is not one of {', '.join(known)}{near(told.model, known)}"
        source.wrong((*path, "model"), text)
        return None
    device = load_device(told.model)
    try:
        driver, settings_type = load_driver(device)
    except Misconfigured as error:
        source.wrong((*path, "model"), str(error))
        return None
    settings: Any = _section(source, (*path, "settings"), settings_type)
    if settings is None:
        return None
    if told.simulated and not device.simulator:
        source.wrong((*path, "simulated"), f"{device.name} has no simulator")
    return _made(device_id, bridge, told, device, driver, settings)


def _broker(source: YamlFile, file: Path) -> Broker | None:
    if isinstance(told := source.data.get("broker"), dict) and "password" in told:
        text = "broker.password: a password does not belong in this file; use password_env or password_file"
        source.wrong(("broker", "password"), text)
        told.pop("password")
    settings = _section(source, ("broker",), BrokerSettings)
    if settings is None:
        return None
    password: str | None = None
    if settings.password_env:
        password = os.environ.get(settings.password_env)
        if password is None:
            text = f"broker.password_env: the environment has no {settings.password_env}"
            source.wrong(("broker", "password_env"), text)
    if settings.password_file:
        try:
            password = (file.parent / settings.password_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            source.wrong(
                ("broker", "password_file"), f"broker.password_file {settings.password_file!r}: {why}"
            )
    port = settings.port or (8883 if settings.tls else 1883)
    return Broker(settings.host, port, settings.username, password, settings.tls, settings.ca_file)


def _section(source: YamlFile, path: KeyPath, shape: type[T]) -> T | None:
    """One mapping of the file as a dataclass; what is wrong is noted, and then there is none."""
    values: Any = source.data
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    if values is None:
        values = {}
    where = ".".join(path)
    if not isinstance(values, dict):
        source.wrong(path, f"{where} {show(values)} is not a set of keys with values")
        return None
    checked, wrong = _schema_of(shape, where or "the file").problems({str(k): v for k, v in values.items()})
    for key, text in wrong.items():
        source.wrong((*path, key), f"{where}.{text}" if where and key in _names(shape) else text)
    try:
        return None if wrong else shape(**_tuples(checked))
    except Misconfigured as error:  # what no single key shows
        source.wrong(path, f"{where}: {error}")
        return None


def _schema_of(shape: type, owner: str) -> Schema:
    return Schema(parameters_of(shape), owner)


def _names(shape: type) -> set[str]:
    return {parameter.name for parameter in parameters_of(shape)}


def _tuples(values: dict[str, object]) -> dict[str, Any]:
    """Settings are frozen; so are their lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
