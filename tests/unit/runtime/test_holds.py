"""Reservations and maintenance: by a clock that nobody sets, and across restarts."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.core.lease import LONGEST, Held
from lab2mqtt.runtime.holds import Holds, Maintenance

NOW = 1_763_690_000.0


class Clocks:
    """A clock that people set, and one that only a restart begins anew."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.now = NOW
        self.running = 100.0

    def start(self) -> Holds:
        """What a bridge makes when it starts."""
        return Holds(self.file, ["sink", "bath"], lambda: self.now, lambda: self.running)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.running += seconds


def holder(holds: Holds, device_id: str = "sink") -> str | None:
    """Who has a device."""
    held = holds.reserved(device_id)
    return held.holder if held else None


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    """Clocks of bridges that keep their holds in one file."""
    return Clocks(tmp_path / "state" / "holds.json")


# The rule of the lease, with clocks


async def test_a_reservation_holds_one_device_and_ends_by_itself(clocks: Clocks) -> None:
    """Nobody has to do anything for that."""
    holds = clocks.start()
    taken = holds.reserve("sink", "Ada", 60, "a run")
    assert (taken.holder, taken.reason) == ("Ada", "a run")
    assert (holds.until(taken), holds.left(taken)) == (NOW + 60, 60)
    assert holder(holds, "bath") is None
    clocks.wait(59.9)
    assert holder(holds) == "Ada"
    clocks.wait(0.2)
    assert holder(holds) is None
    holds.reserve("sink", "Bob", 60, "")
    assert holder(holds) == "Bob"


async def test_it_is_renewed_taken_over_with_a_reason_and_given_back(clocks: Clocks) -> None:
    """What core/lease.py says, kept for each device."""
    holds = clocks.start()
    holds.reserve("sink", "Ada", 60, "a run")
    clocks.wait(50)
    assert holds.left(holds.reserve("sink", "Ada", 60, "")) == 60
    with pytest.raises(Held, match="reserved by Ada"):
        holds.reserve("sink", "Bob", 60, "")
    with pytest.raises(Held, match="reserved by Ada"):
        holds.release("sink", "Bob")
    assert holder(holds) == "Ada"
    holds.reserve("sink", "Bob", 60, "it burns")
    with pytest.raises(Held, match="reserved by Bob"):
        holds.release("sink", "Ada")
    ended = holds.release("sink", "Bob")
    assert ended
    assert (ended.holder, ended.reason) == ("Bob", "it burns")
    assert holder(holds) is None
    assert holds.release("sink", "Bob") is None


@pytest.mark.parametrize("set_by", [-86_400 * 400, -3600, 3600, 86_400 * 400])
async def test_setting_the_clock_neither_ends_nor_lengthens_a_reservation(
    clocks: Clocks, set_by: float
) -> None:
    """Time as it passes decides; only what people read is said in the new time."""
    holds = clocks.start()
    taken = holds.reserve("sink", "Ada", 60, "")
    clocks.now += set_by
    assert holder(holds) == "Ada"
    assert holds.until(taken) == NOW + set_by + 60
    clocks.wait(59.9)
    assert holder(holds) == "Ada"
    clocks.wait(0.2)
    assert holder(holds) is None


# Across a restart


async def test_what_is_left_of_a_reservation_survives_a_restart(clocks: Clocks) -> None:
    """The time while nothing ran counts; the other clock begins anew with the machine."""
    before = clocks.start()
    before.reserve("sink", "Ada", 60, "a run")
    before.reserve("bath", "Bob", 10, "")
    assert await before.kept()
    clocks.now += 20
    clocks.running = 3.0
    after = clocks.start()
    held = after.reserved("sink")
    assert held
    assert (held.holder, held.reason) == ("Ada", "a run")
    assert after.left(held) == pytest.approx(40)
    assert holder(after, "bath") is None
    clocks.wait(39.9)
    assert holder(after) == "Ada"
    clocks.wait(0.2)
    assert holder(after) is None


async def test_a_reservation_that_was_given_back_does_not_come_again(clocks: Clocks) -> None:
    """Nor one that was renewed with its old end."""
    before = clocks.start()
    before.reserve("sink", "Ada", 60, "")
    before.reserve("bath", "Bob", 60, "")
    before.reserve("bath", "Bob", 120, "")
    before.release("sink", "Ada")
    assert await before.kept()
    after = clocks.start()
    assert holder(after) is None
    held = after.reserved("bath")
    assert held
    assert after.left(held) == pytest.approx(120)


async def test_a_clock_set_back_between_two_runs_keeps_a_device_for_a_day_at_most(clocks: Clocks) -> None:
    """How long nothing ran is not known then; nobody is kept out for ever."""
    before = clocks.start()
    before.reserve("sink", "Ada", 60, "")
    assert await before.kept()
    clocks.now -= 3600
    held = clocks.start().reserved("sink")
    assert held
    assert clocks.start().left(held) == pytest.approx(3660)
    clocks.now -= 10 * 86_400
    held = clocks.start().reserved("sink")
    assert held
    assert clocks.start().left(held) == LONGEST


async def test_a_clock_set_forward_between_two_runs_ends_it(clocks: Clocks) -> None:
    """As if nothing had run for so long."""
    before = clocks.start()
    before.reserve("sink", "Ada", 60, "")
    assert await before.kept()
    clocks.now += 61
    assert holder(clocks.start()) is None


async def test_a_clock_that_was_set_while_it_ran_is_right_after_the_next_change(clocks: Clocks) -> None:
    """A Raspberry Pi learns the time a minute after it started."""
    before = clocks.start()
    before.reserve("sink", "Ada", 600, "")
    clocks.now += 86_400
    before.reserve("bath", "Bob", 600, "")
    assert await before.kept()
    after = clocks.start()
    assert (holder(after), holder(after, "bath")) == ("Ada", "Bob")


# Maintenance


async def test_maintenance_lasts_until_somebody_ends_it_also_across_restarts(clocks: Clocks) -> None:
    """Days later too, and for that device alone."""
    work = Maintenance("Ada", "new belt", NOW)
    before = clocks.start()
    assert before.maintained("sink") is None
    before.maintain("sink", work)
    assert await before.kept()
    clocks.wait(30 * 86_400)
    after = clocks.start()
    assert (after.maintained("sink"), after.maintained("bath")) == (work, None)
    after.maintain("sink", None)
    after.maintain("bath", None)  # it was in none
    assert await after.kept()
    assert clocks.start().maintained("sink") is None


async def test_without_a_file_all_holds_as_long_as_the_process_lives() -> None:
    """A demo starts fresh."""
    clocks = Clocks()
    holds = clocks.start()
    holds.reserve("sink", "Ada", 60, "")
    holds.maintain("bath", Maintenance("Ada", "", NOW))
    assert await holds.kept()
    assert holder(holds) == "Ada"
    assert clocks.start().reserved("sink") is None
    assert clocks.start().maintained("bath") is None


async def test_what_cannot_be_written_holds_all_the_same_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is no reason to let somebody else in."""
    (tmp_path / "state").write_text("a file where a folder is needed")
    holds = Clocks(tmp_path / "state" / "holds.json").start()
    holds.reserve("sink", "Ada", 60, "")
    assert not await holds.kept()
    assert holder(holds) == "Ada"
    assert "holds.json cannot be written, and would be lost by a restart" in caplog.text


# A file that is not as it was written


def reservation(**told: Any) -> str:  # noqa: ANN401
    """A file with one reservation in it, of which something is odd."""
    usual = {"holder": "Ada", "until": NOW + 60, "reason": ""}
    return json.dumps({"reservations": {"sink": usual | told}, "maintenance": {}})


def maintenance(**told: Any) -> str:  # noqa: ANN401
    """A file with one maintenance in it, of which something is odd."""
    return json.dumps({"maintenance": {"bath": {"by": "Ada", "reason": "", "since": NOW} | told}})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "\0",
        '{"reservations": [], "maintenance": {}}',
        '{"reservations": null}',
        '{"maintenance": 7}',
        '{"reservations": {"sink": 7}}',
        '{"reservations": {"sink": {}}}',
        '{"maintenance": {"sink": true}}',
        reservation(until=float("nan")),
        reservation(until=float("inf")),
        reservation(until=-float("inf")),
        reservation(until=10**400),
        reservation(until=1e300),
        reservation(until=-1),
        reservation(until="2026-01-01"),
        reservation(until=True),
        reservation(until=None),
        reservation(holder=None),
        reservation(holder=["Ada"]),
        reservation(reason=3),
        reservation(holder=None, until=NOW - 1),
        maintenance(since=float("nan")),
        maintenance(since=1e300),
        maintenance(since=10**400),
        maintenance(since="today"),
        maintenance(by=None),
        maintenance(reason={}),
        "[" * 200_000,
        '{"reservations": {"sink": ' + "[" * 200_000,
    ],
    ids=range(31),
)
async def test_what_cannot_be_read_counts_as_maintenance_until_somebody_ends_it(
    clocks: Clocks, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who had the device is not known, so nobody uses it before somebody has looked."""
    assert clocks.file
    clocks.file.parent.mkdir()
    clocks.file.write_text(content)
    holds = clocks.start()
    for device_id in ("sink", "bath"):
        assert holds.reserved(device_id) is None
        assert holds.maintained(device_id) == Maintenance(
            "bridge", "the record of reservations cannot be read", NOW
        )
    assert "its devices count as in maintenance" in caplog.text
    holds.maintain("sink", None)
    holds.maintain("bath", None)
    assert await holds.kept()
    again = clocks.start()
    assert (again.maintained("sink"), again.maintained("bath")) == (None, None)


async def test_a_folder_in_place_of_the_file_counts_as_maintenance(clocks: Clocks) -> None:
    """It cannot be replaced either, but can be ended for as long as this process lives."""
    assert clocks.file
    clocks.file.mkdir(parents=True)
    holds = clocks.start()
    assert holds.maintained("sink")
    holds.maintain("sink", None)
    assert not await holds.kept()
    assert holds.maintained("sink") is None
    assert clocks.start().maintained("sink")


async def test_what_later_versions_may_add_is_no_fault(clocks: Clocks) -> None:
    """Unknown keys, and devices that this bridge no longer has."""
    assert clocks.file
    clocks.file.parent.mkdir()
    kept = json.loads(reservation()) | {"since": 3}
    kept["reservations"]["gone"] = {"holder": "Bob", "until": NOW + 5, "reason": "", "more": 1}
    clocks.file.write_text(json.dumps(kept))
    holds = clocks.start()
    assert (holder(holds), holder(holds, "gone")) == ("Ada", "Bob")
    assert holds.maintained("sink") is None
