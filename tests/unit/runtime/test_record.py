"""What became of every command: the memory that keeps physical actions from being repeated."""

from typing import Any

from lab2mqtt import wire
from lab2mqtt.runtime.record import KEPT_AT_MOST, KEPT_FOR, Record

NOW = 1_763_690_000.0


def command(request_id: str, task: str = "fill", **parameters: object) -> dict[str, Any]:
    """A command as it is read from the wire."""
    return {"request_id": request_id, "task": task, "parameters": parameters}


def done(request_id: str) -> dict[str, Any]:
    """Its result."""
    return wire.success(request_id, "fill", None, int(NOW))


def test_an_id_that_nobody_used_is_new() -> None:
    """The rest of the checks may begin."""
    assert Record().ask(command("a")) == "new"


def test_what_was_taken_runs_until_it_is_settled() -> None:
    """A repetition is dropped first and answered later."""
    record = Record()
    record.take(command("a"), NOW)
    assert record.ask(command("a")) == "running"
    record.settle("a", done("a"))
    assert record.ask(command("a")) == done("a")


def test_an_id_with_other_content_is_a_conflict_whether_it_runs_or_is_done() -> None:
    """Other task or other parameters; 1 and 1.0 are the same number, true is none."""
    record = Record()
    record.take(command("a", level=1), NOW)
    for _ in range(2):
        assert record.ask(command("a", "pour", level=1)) == "conflict"
        assert record.ask(command("a", level=True)) == "conflict"
        assert record.ask(command("a", level=1.0)) != "conflict"
        record.settle("a", done("a"))


def test_a_result_for_what_was_never_taken_is_not_kept() -> None:
    """A malformed command is answered without a record."""
    record = Record()
    record.settle("a", done("a"))
    assert record.ask(command("a")) == "new"


def test_a_day_later_a_command_is_forgotten() -> None:
    """And not a moment earlier."""
    record = Record()
    record.take(command("a"), NOW)
    record.settle("a", done("a"))
    record.take(command("b"), NOW + KEPT_FOR - 1)
    assert record.ask(command("a")) == done("a")
    record.take(command("c"), NOW + KEPT_FOR)
    assert record.ask(command("a")) == "new"


def test_the_memory_is_bounded_and_the_oldest_go_first() -> None:
    """A loop that runs wild does not fill the memory."""
    record = Record()
    for number in range(KEPT_AT_MOST + 5):
        record.take(command(str(number)), NOW)
        record.settle(str(number), done(str(number)))
    record.take(command("last"), NOW)
    assert len(record) == KEPT_AT_MOST
    assert record.ask(command("5")) == "new"
    assert record.ask(command("6")) == done("6")


def test_what_still_runs_is_never_forgotten() -> None:
    """However long it takes, and whatever else comes meanwhile."""
    record = Record()
    record.take(command("slow"), NOW)
    for number in range(KEPT_AT_MOST + 5):
        record.take(command(str(number)), NOW + 2 * KEPT_FOR)
        record.settle(str(number), done(str(number)))
    assert record.ask(command("slow")) == "running"
