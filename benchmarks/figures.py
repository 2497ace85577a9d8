"""What was measured, judged by its goal, and printed as a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import statistics

TIMES = "×"  # noqa: RUF001

Rounds = Sequence[tuple[float, float]]  # ours and the bare one, of one round


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        what: What was measured.
        unit: Of ours and bare.
        ours: Our median.
        bare: The bare peer's, measured in turns with ours.
        judged: What the goal is about, with its unit: a ratio, a difference.
        goal: The goal in words.
        met: Whether it is met; None where there is no goal.
    """

    what: str
    unit: str
    ours: float
    bare: float | None = None
    judged: str = ""
    goal: str = ""
    met: bool | None = None


def ratio(what: str, unit: str, rounds: Rounds, *, most: float = 0, least: float = 0) -> Figure:
    """Ours over bare: the median of the rounds' ratios, because both of a round saw the same machine."""
    found = statistics.median(ours / bare for ours, bare in rounds)
    goal, met = "", None
    if most:
        goal, met = f"≤ {most:g} {TIMES}", found <= most
    elif least:
        goal, met = f"≥ {least:g} {TIMES}", found >= least
    ours, bare = (statistics.median(values) for values in zip(*rounds, strict=True))
    return Figure(what, unit, ours, bare, f"{found:.2f} {TIMES}", goal, met)


def difference(what: str, unit: str, rounds: Rounds, *, most: float) -> Figure:
    """Ours less bare: the median of the rounds' differences."""
    found = statistics.median(ours - bare for ours, bare in rounds)
    ours, bare = (statistics.median(values) for values in zip(*rounds, strict=True))
    return Figure(what, unit, ours, bare, f"{found:+.0f} {unit}", f"≤ +{most:g} {unit}", found <= most)


def as_json(figures: Sequence[Figure]) -> list[dict[str, object]]:
    """The figures for a machine."""
    return [asdict(figure) for figure in figures]


def as_text(figures: Sequence[Figure]) -> str:
    """The figures for a terminal."""
    rows = _rows(figures)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]])


def as_markdown(figures: Sequence[Figure]) -> str:
    """The figures for docs/performance.md."""
    head, *rows = (f"| {' | '.join(row)} |" for row in _rows(figures))
    return "\n".join([head, "| --- | --: | --: | --: | --: | --- |", *rows])


def _rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    words = {True: "yes", False: "NO", None: ""}
    return [
        ("", "lab2mqtt", "against", "ratio", "goal", "met"),
        *(
            (
                figure.what,
                f"{_short(figure.ours)} {figure.unit}",
                "" if figure.bare is None else f"{_short(figure.bare)} {figure.unit}",
                figure.judged,
                figure.goal,
                words[figure.met],
            )
            for figure in figures
        ),
    ]


def _short(number: float) -> str:
    """Three digits of a number, all of a large one: 1.37, 24.8, 1190."""
    for limit, digits in ((10, 2), (100, 1)):
        if abs(number) < limit:
            return f"{number:.{digits}f}"
    return f"{number:.0f}"
