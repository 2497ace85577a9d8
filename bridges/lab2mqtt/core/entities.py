"""The entities that a device can have: what Home Assistant shows of it and lets people do.

Each is data. ``key`` is the entity's key in the state object and never changes; ``read`` takes the value out
of the driver's snapshot. What commands binds to a task and one parameter of it, and takes its choices and
limits from that parameter, so that they are typed once.

Every start of a daemon pays for making these classes: what nobody uses (comparing, showing) is not made, and
a kind without a field of its own is no dataclass of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
import re
from typing import Any, ClassVar, Generic, Literal, TypeVar

S = TypeVar("S")

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, eq=False, repr=False)
class Entity(Generic[S]):
    """What all entities have.

    Attributes:
        key: Its key in the state, in the description and in every id; snake case.
        name: What a person reads; sentence case, without the device's name.
        icon: A Material Design icon (``mdi:…``) where the device class has none.
        category: ``diagnostic`` or ``config`` for what is not the device's main business.
        enabled: Whether Home Assistant enables it at first sight.
        device_class: Home Assistant's device class of the platform.
        reachable: Whether it is worth something only while the instrument answers; False keeps it available
            as long as the bridge lives.
        part: The part of the device to which it belongs, a device of its own in Home Assistant; it is there
            as long as the instrument tells of that part.
        sure: Whether the state always has its value, and of the declared kind; else the hub is to look.
    """

    platform: ClassVar[str]

    key: str
    name: str
    _: KW_ONLY
    icon: str = ""
    category: Literal["", "diagnostic", "config"] = ""
    enabled: bool = True
    device_class: str = ""
    reachable: bool = True
    part: str = ""
    sure: bool = True

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"entity key {self.key!r} is not snake case of at most 64 characters")


@dataclass(frozen=True, eq=False, repr=False)
class Readable(Entity[S]):
    """An entity with a value in the state.

    Attributes:
        read: Takes the value out of a snapshot; None says unknown.
        attributes: Keys of the state that are shown as its attributes.
    """

    _: KW_ONLY
    read: Callable[[S], object] | None = None
    attributes: Sequence[str] = ()


class Detail(Readable[S]):
    """A value of the state that is no entity: an attribute of others, or for a card alone."""

    platform = ""


@dataclass(frozen=True, eq=False, repr=False)
class Sensor(Readable[S]):
    """A measured value; with ``options`` one of a few words.

    Attributes:
        unit: As Home Assistant spells it: ``°C``, ``mA``, ``V``.
        state_class: ``measurement`` keeps statistics of it; for numbers with a unit the default.
        precision: Decimals shown.
        options: The words of an enum, in a fixed order.
        none: The word for null and for an empty list, where that is an answer and not the lack of one.
    """

    platform = "sensor"

    _: KW_ONLY
    unit: str = ""
    state_class: Literal["", "measurement", "total", "total_increasing", "none"] = ""
    precision: int | None = None
    options: Sequence[str] = ()
    none: str = ""


class BinarySensor(Readable[S]):
    """A statement that is true or false."""

    platform = "binary_sensor"


class Update(Readable[S]):
    """Installed against latest version; read gives ``{"installed_version", "latest_version"}``."""

    platform = "update"


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture.

    Attributes:
        content: The bytes of the file, JPEG.
        taken_at: Seconds since the epoch.
    """

    content: bytes
    taken_at: float


class Image(Readable[S]):
    """A picture; read gives a ``Picture``, or None while there is none."""

    platform = "image"


@dataclass(frozen=True, eq=False, repr=False)
class Commanding(Readable[S]):
    """An entity that commands.

    Attributes:
        task: The task that it calls.
        parameter: The parameter that takes the entity's new value.
        parameters: Further parameters, always the same.
    """

    _: KW_ONLY
    task: str
    parameter: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Number(Commanding[S]):
    """A number to set; its range and unit are the parameter's.

    Attributes:
        step: The smallest difference, 0.001 or more.
        mode: How Home Assistant draws it.
    """

    platform = "number"

    _: KW_ONLY
    step: float = 1
    mode: Literal["auto", "box", "slider"] = "auto"


class Select(Commanding[S]):
    """One of a few words to set; the words are the parameter's choices."""

    platform = "select"


class Switch(Commanding[S]):
    """On or off to set; the parameter is a boolean."""

    platform = "switch"


class Light(Commanding[S]):
    """A light that is on or off; the parameter is a boolean."""

    platform = "light"


class TextInput(Commanding[S]):
    """A text to set; length and pattern are the parameter's."""

    platform = "text"


class Button(Commanding[S]):
    """Something to do. It has no value, and none in the state."""

    platform = "button"


@dataclass(frozen=True, eq=False, repr=False)
class Happening(Entity[S]):
    """Things that happen: an ``event`` entity.

    Attributes:
        event_types: The types that it shows; each reaches automations as a device trigger too.
    """

    platform = "event"

    _: KW_ONLY
    event_types: Sequence[str] = ()


AnyEntity = Entity[Any]
