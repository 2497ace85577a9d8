"""The state of a device: what was measured, and the one word for whether it may be used."""

from dataclasses import dataclass
import itertools

import pytest

from lab2mqtt import wire
from lab2mqtt.core.entities import Button, Entity, Happening, Image, Picture, Sensor, TextInput
from lab2mqtt.runtime.state import RANK, measured, readiness


@dataclass(frozen=True)
class Snapshot:
    """What was read."""

    mass: float | None


def test_nothing_in_the_way_is_ready() -> None:
    """And gives no reason."""
    assert readiness({}) == ("ready", [])


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(RANK)))
def test_the_word_that_counts_more_is_told_and_all_reasons(first: str, second: str) -> None:
    """A device that is gone is not merely busy; a person who repaired that reads what is left."""
    assert readiness({second: ["b", "c"], first: ["a"]}) == (first, ["a", "b", "c"])


def test_every_word_of_the_protocol_has_its_rank() -> None:
    """One that had none would be told as ready."""
    assert {*RANK, "ready"} == set(wire.READINESS)


def test_values_are_taken_out_of_the_snapshot_by_key() -> None:
    """What has no value has no key."""
    entities: tuple[Entity[Snapshot], ...] = (
        Sensor("mass", "Mass", precision=1, read=lambda now: now.mass),
        Sensor("exact", "Exact", read=lambda now: now.mass),
        Sensor("house", "House"),
        TextInput("note", "Note", task="write", parameter="note"),
        Button("tare", "Tare", task="tare"),
        Happening("happening", "Event"),
    )
    assert measured(entities, Snapshot(1.2345)) == {"mass": 1.2, "exact": 1.2345}
    assert measured(entities, Snapshot(None)) == {"mass": None, "exact": None}
    assert measured(entities, None) == {"mass": None, "exact": None}


def test_of_a_picture_the_state_says_when_it_was_taken() -> None:
    """The picture itself has a topic of its own."""
    picture: Image[Picture | None] = Image("deck", "Deck", read=lambda now: now)
    assert measured([picture], Picture(b"bytes", 1_763_690_000.12345)) == {"deck": 1_763_690_000.123}
    assert measured([picture], None) == {"deck": None}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_unknown(value: float) -> None:
    """JSON has no word for it, and one such value must not keep all others from being said."""
    entities: tuple[Entity[Snapshot], ...] = (
        Sensor("mass", "Mass", read=lambda now: now.mass),
        Sensor("rounded", "Rounded", precision=1, read=lambda now: now.mass),
    )
    assert measured(entities, Snapshot(value)) == {"mass": None, "rounded": None}
