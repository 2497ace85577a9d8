"""A Python for an environment: one that is here, else unpacked from Debian, else downloaded by uv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import sys

from lab2mqtt.hub import debian
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.progress import Say, answer, run
from lab2mqtt.hub.uv import environment, uv


@dataclass(frozen=True)
class Wanted:
    """Which Pythons would do.

    Attributes:
        series: "3.12", "3.11"; the best first.
        least: The oldest version, (3, 14, 2).
    """

    series: Sequence[str]
    least: tuple[int, int, int]

    @property
    def asks_for(self) -> str:
        """The same as uv reads it."""
        newest = max(tuple(map(int, name.split("."))) for name in self.series)
        return f">={'.'.join(map(str, self.least))},<{newest[0]}.{newest[1] + 1}"


def python(wanted: Wanted, say: Say) -> Path:
    """Find a Python, or get one.

    Raises:
        NotAvailable: There is none, and none can be had here.
    """
    if here := _fitting(wanted):
        return here
    reasons = [f"no Python {wanted.asks_for} here"]
    for name in _of_debian(wanted):
        try:
            return debian.program(name, say)
        except HubError as error:
            reasons.append(str(error))
    say(f"Downloading Python {wanted.series[0]} with uv …")
    try:
        run([*uv(), "python", "install", wanted.asks_for], "uv python install", say, environment())
    except HubError as error:
        # Of the chain of causes that uv prints, the last says it: no such host, no such version, …
        reasons.append(f"uv cannot download one ({str(error).splitlines()[-1].removeprefix('  cause: ')})")
    else:
        if here := _fitting(wanted):
            return here
    raise NotAvailable("; ".join(reasons))


def _fitting(wanted: Wanted) -> Path | None:
    return next((candidate for candidate in _found(wanted) if _fits(candidate, wanted)), None)


def _found(wanted: Wanted) -> Iterator[Path]:
    """Pythons that may fit: ours, of uv and on PATH, of pyenv, unpacked before."""
    yield Path(sys.executable)
    only_here = {**environment(), "UV_PYTHON_DOWNLOADS": "never"}
    if path := answer([*uv(), "python", "find", "--system", "--no-project", wanted.asks_for], only_here):
        yield Path(path)
    # Those that pyenv's shims do not lead to at the moment.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for series in wanted.series:
        yield from sorted(pyenv.glob(f"versions/{series}*/bin/python{series}"), reverse=True)
    for name in _of_debian(wanted):
        if unpacked := debian.found(name):
            yield unpacked


def _of_debian(wanted: Wanted) -> list[str]:
    return [name for series in wanted.series if (name := f"python{series}") in debian.PROGRAMS]


def _fits(candidate: Path, wanted: Wanted) -> bool:
    """Whether it runs, is of one of the series, and new enough."""
    told = answer([str(candidate), "-c", "import sys; print(*sys.version_info[:3])"])
    if told is None:
        return False
    version = tuple(map(int, told.split()))
    return f"{version[0]}.{version[1]}" in wanted.series and version >= wanted.least
