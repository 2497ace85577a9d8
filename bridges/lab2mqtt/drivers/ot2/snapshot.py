"""An OT-2 at one moment, as the entities show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab2mqtt.core.entities import Picture


@dataclass(frozen=True)
class Module:
    """A module that is attached.

    Attributes:
        kind: ``temperature``, ``magnetic``, ``heater_shaker`` or ``thermocycler``.
        module_id: The robot's.
        model: ``temperatureModuleV2``.
        serial: Its number.
        firmware: Its version.
        data: What it measures, in the robot's words: ``currentTemperature``, ``targetTemperature`` in °C, ….
    """

    kind: str
    module_id: str
    model: str
    serial: str
    firmware: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Playing:
    """The run that the robot holds.

    Attributes:
        run_id: The robot's.
        status: In the robot's words.
        ours: Whether this bridge made it.
        task: Which task of ours it is.
        command: What is under way, in words.
        index: Of that command, from 1.
        total: Commands of the whole run; None where that is not known.
        elapsed: s since it was started.
    """

    run_id: str
    status: str
    ours: bool
    task: str | None = None
    command: str | None = None
    index: int | None = None
    total: int | None = None
    elapsed: float | None = None

    @property
    def progress(self) -> float | None:
        """How far it is, in %."""
        return round(100 * self.index / self.total) if self.index is not None and self.total else None


@dataclass(frozen=True)
class Outcome:
    """How the last run ended.

    Attributes:
        run_id: The robot's.
        task: Which task it was, where it was ours.
        status: ``succeeded``, ``failed`` or ``stopped``.
        error: Why, with the robot's code and detail.
    """

    run_id: str
    task: str | None
    status: str
    error: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known of the robot; None is unknown.

    Attributes:
        faults: Why it will not work now, in words.
        occupied: Who else uses it, in words.
        homing: Why it must be homed first.
        run: The run that it holds.
        last: How the last one ended.
        refusal: Why none was begun after that.
        door: Whether it is open.
        lights: Whether the rails are lit.
        pipettes: Names by mount.
        modules: What is attached.
        software: Of the robot server.
        latest: The software that is called the latest, where the settings say so.
        firmware: Of the motor controller.
        calibration: Of the deck: ``OK``, ``IDENTITY``, ….
        deck: Tips, wells, vials and the sensor, see ``deck_shown``.
        forms: What is filled in, by task and parameter.
        picture: Of the deck, the last that was taken.
    """

    faults: Sequence[str] = ()
    occupied: Sequence[str] = ()
    homing: Sequence[str] = ()
    run: Playing | None = None
    last: Outcome | None = None
    refusal: str | None = None
    door: bool | None = None
    lights: bool | None = None
    pipettes: Mapping[str, str | None] = field(default_factory=dict)
    modules: Sequence[Module] = ()
    software: str | None = None
    latest: str | None = None
    firmware: str | None = None
    calibration: str | None = None
    deck: Mapping[str, Any] = field(default_factory=dict)
    forms: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    picture: Picture | None = None
