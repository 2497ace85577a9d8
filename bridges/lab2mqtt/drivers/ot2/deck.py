"""What is remembered of an OT-2's deck, asked before anything moves, and kept over restarts.

A run is reserved before it starts, its steps are told as they succeed, and its end is told:

    deck.reserve(plan, run_id, reported)    every check; the file knows that the run may begin
    deck.advance(done)                      so many steps have succeeded
    deck.succeeded()                        or interrupted(…), or released() where it never began

A bridge that was killed in between finds the run in ``reserved``, and forbids the next one until its end is
told. Only a person resets tips, wells, vials and the sensor. No method moves anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
import threading
from typing import Any

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.words import near
from lab2mqtt.drivers.ot2 import deck_checks as checks, deck_file
from lab2mqtt.drivers.ot2.deck_checks import Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings, Layout
from lab2mqtt.drivers.ot2.deck_shown import shown
from lab2mqtt.drivers.ot2.deck_state import EMPTY, NEW, OUT, DeckState, Reserved, Well, apply, break_off
from lab2mqtt.drivers.ot2.labware import Labware, Place
from lab2mqtt.drivers.ot2.steps import Plan, Step, measuring, mixing


class Deck:
    """The deck of one robot. Methods may be called from any thread, and wait for the disk.

    Attributes:
        layout: What stands where.
        problem: Why the file could not be used, in words; empty when all is well, or all is known again.
    """

    def __init__(
        self,
        settings: DeckSettings,
        state: Path | None,
        definitions: Iterable[Labware] = (),
        *,
        new: bool = False,
    ) -> None:
        """Read the file.

        Args:
            settings: The deck as configured.
            state: The file; None keeps everything in memory.
            definitions: Labware of the lab's own.
            new: Where there is no file, take the deck to be as configured: full racks and vials, empty
                plates. For a simulated robot; of a real one nothing is known until a person has said it.

        Raises:
            Misconfigured: The settings do not fit together.
        """
        self.layout = Layout(settings, definitions)
        self.problem = ""
        self._file = state
        self._lock = threading.RLock()
        self._state = DeckState.new(self.layout) if new else DeckState()
        if state:
            self._load(state)

    # Before a run.

    def mixing(self, volumes: Mapping[str, float], well: str, experiment: str = "") -> Plan:
        """The plan of ``mix_color``, not checked yet.

        Args:
            volumes: µL by the name of the vial.
            well: Of the plate.
            experiment: Its id, where it has one.

        Raises:
            Refused: No such vial, or nothing to mix.
        """
        return Plan(mixing(self.layout, volumes, well), experiment)

    def measuring(self, well: str) -> Plan:
        """The plan of a measurement, not checked yet.

        Raises:
            Refused: No sensor is configured.
        """
        return Plan(measuring(self.layout, well))

    def check(self, plan: Plan, reported: Reported) -> None:
        """See whether a run may start.

        Raises:
            Refused: Every reason why not, each with what would be right.
        """
        with self._lock:
            state, layout = self._state, self.layout
            pipette = reported.pipettes.get(layout.settings.mount)
            faults = [
                *checks.plan_faults(state, layout, plan, pipette),
                *checks.readiness_faults(state, layout),
                *checks.instrument_faults(layout, reported),
            ]
        if faults:
            raise checks.refusal(faults)

    def reserve(self, plan: Plan, run: str, reported: Reported) -> None:
        """Check, and note that a run may begin now. Only then may it be started.

        Args:
            plan: What it is going to do.
            run: Its id on the robot.
            reported: What the instrument tells.

        Raises:
            Refused: As ``check``.
            Fault: It cannot be written down; the run may not start.
        """
        with self._lock:
            self.check(plan, reported)
            after = self._state.copy()
            after.reserved = Reserved(run, plan.steps, plan.experiment)
            if plan.dispenses:
                after.remember(plan.experiment, _where(plan))
            self._keep(after)

    # During a run and after it.

    @property
    def reserved(self) -> Reserved | None:
        """The run that may be under way."""
        return self._state.reserved

    @property
    def sensor_at_risk(self) -> bool:
        """Whether the sensor may hang on the pipette: for all that is known, or as the next step takes it."""
        port, run = self.layout.sensor_port, self._state.reserved
        if port is None:
            return False
        taken = run is not None and run.steps[run.done : run.done + 1] == (Step("pick_up", port),)
        return taken or self._state.sensor != "parked"

    def advance(self, done: int) -> None:
        """Note that the first so many steps of the run have succeeded. Fewer than before changes nothing.

        Raises:
            Refused: No run is reserved, or it has fewer steps.
            Fault: It cannot be written down. It is remembered all the same, because it has happened.
        """
        with self._lock:
            after, before = self._running(), self._state
            self._advance(after, done)
            if after.reserved != before.reserved:
                self._happened(after)

    def succeeded(self) -> None:
        """Note that the run went well to its end; what was still on the pipette is in the trash.

        Raises:
            Refused: No run is reserved.
            Fault: As ``advance``.
        """
        with self._lock:
            after = self._running()
            self._advance(after, len(_reserved(after).steps))
            after.hand, after.reserved = None, None  # a robot drops what it holds at the end of every run
            self._happened(after)

    def interrupted(self, done: int | None) -> None:
        """Note that the run failed, was stopped or was cut off.

        What may have been touched is unknown from here: the well and the tip in hand, and the sensor if it
        was held. The experiment counts as dispensed where liquid may have moved.

        Args:
            done: So many steps have succeeded for certain, and the next one may have begun; None where nobody
                knows how far it came.

        Raises:
            Refused: No run is reserved, or it has fewer steps.
            Fault: As ``advance``.
        """
        with self._lock:
            after = self._running()
            self._advance(after, done or 0)
            run = _reserved(after)
            rest = run.steps[run.done :]
            break_off(after, self.layout, rest, how_far=done is not None)
            may_be = run.steps if done is None else run.steps[: run.done + 1]
            if not Plan(may_be).dispenses:
                _forget(after, run)
            after.reserved = None
            self._happened(after)

    def released(self) -> None:
        """Note that the run has certainly not begun, and never will.

        Raises:
            Refused: No run is reserved, or it has begun.
            Fault: As ``advance``.
        """
        with self._lock:
            after = self._running()
            run = _reserved(after)
            if run.done:
                raise Refused(
                    f"{run.done} steps of run {run.run} are done: it was interrupted", "not_allowed"
                )
            _forget(after, run)
            after.reserved = None
            self._happened(after)

    # What only a person says.

    def begin_new(self) -> None:
        """Take the deck to be as configured, with full racks and vials, where nothing is known of it.

        For a simulated robot: of a real one nothing is known until a person has said it.
        """
        with self._lock:
            if self._state == DeckState():
                self.problem = ""
                self._keep(DeckState.new(self.layout))

    def reset_tips(self, slot: str, wells: Sequence[str] = (), *, there: bool = True) -> None:
        """Say that new tips are in a rack, or none; and that nothing of this rack hangs on the pipette.

        Args:
            slot: Of the rack.
            wells: Which; all where none is named.
            there: Whether new tips are there.

        Raises:
            Refused: No such rack or place, or a run is under way.
        """
        with self._lock:
            after = self._standing()
            places = self._places("tip rack", slot, self.layout.racks(), wells)
            after.tips |= dict.fromkeys(places, NEW if there else OUT)
            hand = after.hand and after.hand.place
            if hand in places or (hand is None and self._sure(after)):
                after.hand = None
            self._keep(after)

    def reset_plate(self, slot: str, wells: Sequence[str] = ()) -> None:
        """Say that wells are empty. Vials stay as they are.

        Where the list of experiments was lost, a whole new plate begins a new one.

        Args:
            slot: Of the plate.
            wells: Which; all where none is named.

        Raises:
            Refused: No such plate or well, or a run is under way.
        """
        with self._lock:
            after = self._standing()
            places = self._places("plate", slot, self.layout.plates(), wells)
            after.wells |= {place: EMPTY for place in places if place not in self.layout.sources}
            if after.experiments is None and not wells and slot == self.layout.settings.plate:
                after.experiments = {}
            self._keep(after)

    def reset_vial(self, name: str, volume: float | None = None) -> None:
        """Say how much is in a vial.

        Args:
            name: As in the settings, ``R``.
            volume: µL; as the settings say by default.

        Raises:
            Refused: No such vial, more than it holds, or a run is under way.
        """
        with self._lock:
            after = self._standing()
            if (vial := self.layout.vials.get(name)) is None:
                raise Refused(f"there is no vial {name!r}: {', '.join(self.layout.vials)}")
            place = Place.read(vial.place)
            volume, most = vial.volume if volume is None else volume, self.layout.labware[place.slot].capacity
            if not 0 <= volume <= most:
                raise Refused(f"{volume:g} µL in vial {name}: it holds 0 to {most:g}")
            after.wells[place] = Well({vial.liquid: volume})
            self._keep(after)

    def reset_sensor(self) -> None:
        """Say that the sensor is in its port.

        Raises:
            Refused: No sensor is configured, or a run is under way.
        """
        with self._lock:
            after = self._standing()
            if self.layout.sensor_port is None:
                raise Refused("no sensor is configured: sensor_port says where it is parked", "not_allowed")
            after.sensor = "parked"
            hand = after.hand and after.hand.place
            if hand == self.layout.sensor_port or (hand is None and self._sure(after)):
                after.hand = None
            self._keep(after)

    # What it shows.

    def next_well(self) -> str:
        """The first empty well of the plate, row by row.

        Raises:
            Refused: There is none.
        """
        with self._lock:
            for place in self.layout.places(self.layout.settings.plate):
                if self._state.well(place).contents == {}:
                    return place.well
        raise Refused("no well of the plate is empty: put in a new one, then reset_plate", "not_allowed")

    def faults(self) -> list[str]:
        """What forbids any run now, in words."""
        with self._lock:
            return [fault.text for fault in checks.readiness_faults(self._state, self.layout)]

    def shown(self) -> dict[str, Any]:
        """Everything for the entities, see ``deck_shown``, and ``problem``."""
        with self._lock:
            return shown(self._state, self.layout) | {"problem": self.problem}

    # Parts.

    def _load(self, file: Path) -> None:
        try:
            self._state = deck_file.load(file, self.layout)
        except FileNotFoundError:
            if self._state.experiments is None:
                self.problem = "nothing is known of the deck yet: reset tips, plate, vials and sensor"
        except OSError as error:
            self._state = DeckState()
            self.problem = f"what is known of the deck cannot be read: {error}"
        except ValueError as error:
            self._state = DeckState()
            aside = deck_file.set_aside(file)
            kept = f"; the file is kept as {aside}" if aside else ""
            self.problem = (
                f"what was known of the deck is lost ({error}){kept}: reset tips, plate, vials and sensor"
            )

    def _running(self) -> DeckState:
        if self._state.reserved is None:
            raise Refused("no run is reserved", "not_allowed")
        return self._state.copy()

    def _standing(self) -> DeckState:
        if reserved := self._state.reserved:
            raise Refused(f"run {reserved.run} is not over: nothing is reset before that", "busy")
        return self._state.copy()

    def _advance(self, after: DeckState, done: int) -> None:
        run = _reserved(after)
        if done > len(run.steps):
            raise Refused(f"{done} steps are done of a run that has {len(run.steps)}", "not_allowed")
        for step in run.steps[run.done : done]:
            apply(after, self.layout, step, run.experiment)
        after.reserved = Reserved(run.run, run.steps, run.experiment, max(done, run.done))

    def _sure(self, after: DeckState) -> bool:
        """Whether every tip and the sensor are where somebody has seen them: then the pipette is empty."""
        tips = (place for slot in self.layout.racks() for place in self.layout.places(slot))
        sensor = self.layout.sensor_port is None or after.sensor == "parked"
        return sensor and all(after.tip(place).state != "unknown" for place in tips)

    def _places(self, what: str, slot: str, slots: Sequence[str], wells: Sequence[str]) -> list[Place]:
        if slot not in slots:
            raise Refused(
                f"there is no {what} in slot {slot}: {', '.join(slots) or 'nowhere'}{near(slot, slots)}"
            )
        kind = self.layout.labware[slot]
        if wrong := [refusal for well in wells if (refusal := kind.refusal(well))]:
            raise Refused("; ".join(wrong))
        return [Place(slot, well) for well in wells or kind.wells]

    def _keep(self, after: DeckState) -> None:
        """Write it, then believe it."""
        if self._file:
            deck_file.save(self._file, after, self.layout)
        self._state = after
        if self.problem and self._sure(after) and not after.hand and after.experiments is not None:
            wells = [*self.layout.places(self.layout.settings.plate), *self.layout.sources]
            if all(after.well(place).contents is not None for place in wells):
                self.problem = ""

    def _happened(self, after: DeckState) -> None:
        """Believe it, then write it: it is so, whatever the disk says."""
        self._state = after
        self._keep(after)


def _reserved(state: DeckState) -> Reserved:
    assert state.reserved  # noqa: S101 - asked before
    return state.reserved


def _forget(state: DeckState, run: Reserved) -> None:
    if state.experiments is not None and Plan(run.steps).dispenses:
        state.experiments.pop(run.experiment, None)


def _where(plan: Plan) -> str:
    wells = dict.fromkeys(str(step.place) for step in plan.steps if step.kind == "dispense")
    return ", ".join(wells)
