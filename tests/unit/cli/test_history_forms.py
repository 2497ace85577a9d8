"""A history as table, as CSV and as lines."""

import csv
import io
import json
from typing import Any

from hypothesis import given, strategies
import pytest

from lab2mqtt.cli.history_forms import COLUMNS, WIDTH, csv_of, guarded, lines_of, table_of

COMMAND: dict[str, Any] = {
    "seq": 7,
    "device": "plate-resort",
    "request_id": "1b0c",
    "task": "activate_hotel",
    "parameters": {"hotel": "A"},
    "issued_by": "ada@bench",
    "sent_at": 1763690000.0,
    "received_at": 1763690000.25,
    "started_at": 1763690000.5,
    "ended_at": 1763690001.71,
    "status": "success",
    "result": {"angle_deg": 19.1},
    "bridge_version": "0.1.0",
}
REFUSED = COMMAND | {
    "task": "reserve",
    "reservation": "colour-loop",
    "status": "error",
    "error_code": "reserved",
    "error": "reserved by 'ada' until 2026-11-21 11:41:34 +0000 (\x1b[31mdose\nseries, which is long)",
}


def test_a_table_tells_who_what_and_how_it_ended() -> None:
    """In a line each."""
    head, first, second = table_of([COMMAND, REFUSED]).splitlines()
    assert head.split() == ["when", "device", "task", "who", "took", "outcome"]
    for word in ("plate-resort", "activate_hotel hotel=A", "ada@bench", "1.21 s", "success"):
        assert word in first
    for word in ("reserve", "colour-loop", "reserved: reserved by 'ada'"):
        assert word in second


def test_a_table_of_nothing_says_so() -> None:
    """Rather than a head alone."""
    assert table_of([]) == "no commands\n"


def test_a_command_that_is_not_over_is_no_success() -> None:
    """In a ledger whose bridge was killed."""
    open_one = {key: COMMAND[key] for key in ("seq", "device", "task", "parameters", "received_at")}
    assert table_of([open_one]).splitlines()[1].split()[-4:] == ["hotel=A", "unknown", "not", "over"]


@given(
    strategies.lists(
        strategies.builds(
            lambda task, who, error, value: (
                REFUSED | {"task": task, "issued_by": who, "error": error, "parameters": {"x": value}}
            ),
            strategies.text(max_size=64),
            strategies.text(max_size=128),
            strategies.text(max_size=300),
            strategies.text(max_size=100) | strategies.integers() | strategies.none(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_table_fits_and_moves_no_cursor(commands: list[dict[str, Any]]) -> None:
    """Whatever devices and people say."""
    lines = table_of(commands).split("\n")
    assert len(lines) == len(commands) + 2
    assert max(map(len, lines)) <= WIDTH
    assert all(line.isprintable() for line in lines)


def test_csv_has_a_header_and_all_columns() -> None:
    """Times are ISO 8601, objects JSON; what is not known is empty."""
    rows = list(csv.DictReader(io.StringIO(csv_of([COMMAND, REFUSED]))))
    assert list(rows[0]) == list(COLUMNS)
    assert set(COMMAND) | set(REFUSED) <= set(COLUMNS)
    assert json.loads(rows[0]["result"]) == {"angle_deg": 19.1}
    assert rows[0]["received_at"].startswith("2025-11-2")
    assert rows[0]["error"] == rows[0]["reservation"] == ""
    assert rows[1]["error"] == REFUSED["error"]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "'"])
def test_no_cell_is_a_formula(begin: str) -> None:
    """In any column that somebody else can fill."""
    evil = f'{begin}HYPERLINK("http://x","click")'
    row = COMMAND | dict.fromkeys(("device", "request_id", "task", "issued_by", "reservation", "error"), evil)
    (cells,) = csv.DictReader(io.StringIO(csv_of([row | {"result": evil, "sw_version": evil}]), newline=""))
    assert [column for column, cell in cells.items() if cell.startswith(begin) and begin != "'"] == []
    for column in ("device", "issued_by", "error", "sw_version"):
        assert cells[column] == f"'{evil}"


@given(strategies.text())
def test_what_was_guarded_is_read_back_by_one_rule(text: str) -> None:
    """A cell that begins with ' has one too many."""
    cell = guarded(text)
    assert cell.removeprefix("'") == text


def test_lines_are_the_commands_themselves() -> None:
    """One JSON object each, as the device told."""
    lines = lines_of([COMMAND, REFUSED]).splitlines()
    assert [json.loads(line) for line in lines] == [COMMAND, REFUSED]
