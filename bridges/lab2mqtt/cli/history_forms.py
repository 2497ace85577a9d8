"""Commands of a history as a table for people, as CSV for spreadsheets and as lines of JSON."""

from collections.abc import Sequence
import csv
import io
import json
import time
from typing import Any

from lab2mqtt.cli.moment import told

WIDTH = 110  # columns of a table
_GAP = "  "

# All columns of a command, in the order of its life.
COLUMNS = (
    "device",
    "seq",
    "request_id",
    "task",
    "parameters",
    "issued_by",
    "reservation",
    "sent_at",
    "received_at",
    "started_at",
    "ended_at",
    "status",
    "error_code",
    "error",
    "result",
    "timeline",
    "changed",
    "sw_version",
    "bridge_version",
)


def table_of(commands: Sequence[dict[str, Any]]) -> str:
    """A table of at most 110 columns, newest last."""
    head = ("when", "device", "task", "who", "took", "outcome")
    rows = [_row(command) for command in commands]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(5)]
    widths[1], widths[3] = min(widths[1], 18), min(widths[3], 18)
    # Of what is left, the arguments of a task give way to the reason why it failed.
    left = WIDTH - len(_GAP) * 5 - widths[0] - widths[1] - widths[3] - widths[4]
    widths[2] = min(widths[2], max(left - max(len(row[5]) for row in (head, *rows)), left // 2))
    left -= widths[2]
    lines = []
    for row in (head, *rows):
        cells = [_short(cell, width).ljust(width) for cell, width in zip(row[:5], widths, strict=True)]
        lines.append(_GAP.join([*cells, _short(row[5], left)]).rstrip())
    return "\n".join(lines) + "\n" if rows else "no commands\n"


def _row(command: dict[str, Any]) -> tuple[str, ...]:
    arguments = " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in command["parameters"].items()
    )
    began, ended = command.get("started_at", command["received_at"]), command.get("ended_at")
    failed = command.get("status") == "error"
    why = f"{command.get('error_code', 'error')}: {command.get('error', '')}"
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(command["received_at"])),
        command["device"],
        f"{command['task']} {arguments}".rstrip(),
        command.get("reservation") or command.get("issued_by") or "unknown",
        _duration(ended - began) if ended is not None else "",
        why if failed else command.get("status", "not over"),
    )


def _duration(seconds: float) -> str:
    """A duration with three digits at most: 3 ms, 1.21 s, 4:05 min."""
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"


def _short(text: str, width: int) -> str:
    """A text on one line, cut where it is too long, without what would move a terminal's cursor."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def csv_of(commands: Sequence[dict[str, Any]]) -> str:
    """CSV with a header and all columns; objects and lists are JSON, times ISO 8601."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for command in commands:
        writer.writerow([_cell(column, command.get(column)) for column in COLUMNS])
    return out.getvalue()


def _cell(column: str, value: Any) -> object:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    if column.endswith("_at"):
        return told(value)
    if column in ("parameters", "result", "timeline", "changed"):
        value = json.dumps(value, ensure_ascii=False)
    return guarded(value) if isinstance(value, str) else value


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula: ``'`` in front, also where one stood there already."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "'", "\t", "\r", "\n")) else text


def lines_of(commands: Sequence[dict[str, Any]]) -> str:
    """One line of JSON for each command."""
    return "".join(json.dumps(command, ensure_ascii=False) + "\n" for command in commands)
