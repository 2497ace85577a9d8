"""A device, declared as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar

from lab2mqtt.core.entities import Commanding, Entity
from lab2mqtt.core.parameters import Parameter, Setting

S = TypeVar("S")


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Something that a device does when asked.

    Attributes:
        name: The word on the wire.
        run: The driver's method, the same word by default. Its hints are the parameters, the first
            paragraph of its docstring is the description.
        effect: ``read`` touches nothing and runs at once beside others; ``set`` changes a value; ``move``
            moves hardware; ``stop`` brings to rest, at once and whatever stands in the way of other tasks.
        timeout: Seconds that a run may take unless the command says otherwise; a ``Setting`` names the
            setting that holds them.
        homes: Whether it is what a device does that must be homed before any other motion.
        link: ``open`` makes the connection to the instrument, ``close`` ends it until it is opened again.
        parameters: Of a task that is data: the method serves several, and is called with the ``task``'s name
            and its ``arguments``. None reads them from the method.
        is_open: Whether such a task also takes parameters that nobody has told of.
        description: What such a task does.
        returns: What such a task gives.
    """

    name: str
    run: str = ""
    effect: Literal["read", "set", "move", "stop"] = "set"
    timeout: float | Setting = 10.0
    homes: bool = False
    link: Literal["", "open", "close"] = ""
    parameters: Sequence[Parameter] | None = None
    is_open: bool = False
    description: str = ""
    returns: str = ""

    @property
    def method(self) -> str:
        """The name of the driver's method."""
        return self.run or self.name


@dataclass(frozen=True, eq=False, repr=False)
class Growth:
    """What the settings of a device add to its declaration."""

    entities: Sequence[Entity[Any]] = ()
    tasks: Sequence[Task] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Device(Generic[S]):
    """A model of instrument: what it shows, what it does, how it is driven.

    ``S`` is the driver's snapshot, which ``read`` returns; the entities take their values out of it.

    Attributes:
        model: The word in configurations, ``plate_resort``.
        name: What a person calls one.
        manufacturer: Who makes it.
        product: The model's name as the maker writes it.
        driver: ``module:Class`` of a ``core.driver.Driver``, loaded only where the device runs.
        entities: What Home Assistant shows.
        tasks: What it does.
        stop: The driver's method that stops all motion at once. Called past everything, from a thread of its
            own, while others run; safe to repeat. Empty: it cannot stop, and says so.
        poll: Time between two readings at rest.
        poll_busy: The same while a task runs.
        pausable: Whether its tasks hold on ``pause``.
        faults: Reasons, in words, why the instrument will not work now; none when all is well.
        needs_homing: Reasons why it must be homed first.
        occupied: Reasons, in words, that somebody else uses the instrument now.
        after_stop: What a person must know, home or look at after an emergency stop, before it moves again.
        simulator: The module whose ``python -m`` plays it at its own interface.
        simulator_options: More of that command line, where lab2mqtt starts it. ``{state}`` stands for a file
            that survives restarts.
        link_setting: The setting that says where it is reached; a simulated one is given its own there.
        icon: The device's icon.
        events: Types of event that the driver itself reports.
        grows: ``module:function`` that takes the settings and gives the ``Growth`` that they bring.
        known_late: Whether what it has is known only once it was opened; until then nothing is said of it.
        dialect: ``module:Class`` of a ``core.dialect.Dialect`` in which the device is commanded, too.
        more: What else its description says of it, at the top level.
        waiting: How many commands may wait; one more is ``busy``.
        reads: How many reads may be under way; one more is ``busy``.
    """

    model: str
    name: str
    manufacturer: str
    product: str
    driver: str
    entities: Sequence[Entity[S]]
    tasks: Sequence[Task]
    stop: str = ""
    poll: timedelta = timedelta(seconds=1)
    poll_busy: timedelta = timedelta(seconds=0.2)
    pausable: bool = False
    faults: Callable[[S], Sequence[str]] | None = None
    needs_homing: Callable[[S], Sequence[str]] | None = None
    occupied: Callable[[S], Sequence[str]] | None = None
    after_stop: str = ""
    simulator: str = ""
    simulator_options: Sequence[str] = ()
    link_setting: str = ""
    icon: str = ""
    events: Sequence[str] = ()
    grows: str = ""
    known_late: bool = False
    dialect: str = ""
    more: Mapping[str, object] = field(default_factory=dict)
    waiting: int = 16
    reads: int = 8

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        names = [task.name for task in self.tasks]
        keys = [entity.key for entity in self.entities]
        for what, words in (("task", names), ("entity", keys)):
            if twice := sorted({word for word in words if words.count(word) > 1}):
                raise ValueError(f"{self.model}: {what} {twice[0]!r} is declared twice")
        for entity in self.entities:
            if isinstance(entity, Commanding) and entity.task not in names:
                raise ValueError(f"{self.model}: {entity.key} calls {entity.task!r}, which is no task of it")
        if any(task.effect == "move" for task in self.tasks) and not self.stop:
            raise ValueError(f"{self.model}: it moves and has no stop")
