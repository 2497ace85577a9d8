"""The way around an instrument's own interface: its faults, a person's hands, and the truth.

Every simulator listens beside its link, at the same path with ``.control`` behind it. The Unix socket takes
one line of JSON and answers one:

    {}                                  the truth
    {"help": true}                      {"faults": {name: words}, "hands": {name: words}}: what there is
    {"fault": "slow", "seconds": 0.2}   something fails from now on; the truth
    {"fault": "slow", "on": false}      it works again
    {"reboot": true}                    what a person's hands do once, by its name; the truth
    {"error": "…"}                      is the answer to what is not understood
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import json
import os
from pathlib import Path
import socket
from types import MappingProxyType
from typing import Any, NamedTuple

_LONGEST_ADDRESS = 100  # bytes of a path in the address of a Unix socket; 108 on Linux, 104 elsewhere

Document = dict[str, Any]


class Fault(NamedTuple):
    """Something that can be wrong with an instrument.

    Attributes:
        words: What it is; they explain the options.
        options: What may be said about it: a type that reads the value, or the words that it may be.
    """

    words: str
    options: Mapping[str, type | tuple[str, ...]] = MappingProxyType({})

    def read(self, given: Mapping[str, Any]) -> Document:
        """Check options; ValueError for a wrong one."""
        found = {}
        for name, value in given.items():
            kind = self.options.get(name)
            if kind is None:
                takes = ", ".join(self.options) or "none"
                raise ValueError(f"option {name!r} is not one of those that this fault takes: {takes}")
            if isinstance(kind, tuple):
                if value not in kind:
                    raise ValueError(f"{name} {value!r} is not one of {', '.join(kind)}")
                found[name] = value
                continue
            try:
                found[name] = kind(value)
            except (ValueError, TypeError):
                raise ValueError(f"{name} {value!r} is no {kind.__name__}") from None
        return found


class Controls(NamedTuple):
    """What one simulator takes.

    Attributes:
        faults: By name.
        hands: What a person does at the instrument, by name, in words.
        obey: Does what was asked and gives the truth; ValueError, TypeError or AttributeError for nonsense.
    """

    faults: Mapping[str, Fault]
    hands: Mapping[str, str]
    obey: Callable[[Document], Document]

    def answer(self, line: bytes) -> bytes:
        """The answer to one line."""
        try:
            told = self._answer(json.loads(line or b"{}"))
        except (ValueError, TypeError, AttributeError) as error:
            told = {"error": str(error)}
        return json.dumps(told).encode() + b"\n"

    def _answer(self, asked: Document) -> Document:
        if asked.get("help"):
            faults = {name: fault.words for name, fault in self.faults.items()}
            return {"faults": faults, "hands": dict(self.hands)}
        if name := asked.get("fault"):
            if name not in self.faults:
                raise ValueError(f"fault {name!r} is not one of {', '.join(self.faults)}")
            given = {key: value for key, value in asked.items() if key not in ("fault", "on")}
            asked |= self.faults[name].read(given)
        return self.obey(asked)


def lines(faults: Mapping[str, Fault], hands: Mapping[str, str]) -> str:
    """What there is, for the end of a ``--help``."""
    told = [("faults", [(name, fault.words) for name, fault in faults.items()]), ("hands", hands.items())]
    return "\n".join(
        f"{title}:\n" + "".join(f"  {name:17} {words}\n" for name, words in named) for title, named in told
    )


@contextlib.contextmanager
def listening(link: Path) -> Iterator[socket.socket]:
    """The control socket of a link, as long as the context lasts.

    Raises:
        FileExistsError: Another simulator serves that link, or something else is in the way.
        OSError: The path is too long for a socket, or cannot be written.
    """
    path = Path(f"{link}.control")
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as other, _short(path) as address:
            if other.connect_ex(address) == 0:
                raise FileExistsError(f"another simulator serves {link}")
        path.unlink()  # left behind by one that was killed
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} is there and no socket")
    with socket.socket(socket.AF_UNIX) as listener:
        with _short(path) as address:
            listener.bind(address)
        try:
            listener.listen()
            yield listener
        finally:
            path.unlink(missing_ok=True)


def control(link: str | Path, **request: Any) -> Document:  # noqa: ANN401 - whatever JSON holds
    """Talk to a simulator: ``control(link, fault="slow", seconds=0.2)``.

    Args:
        link: Where it is reached.
        request: See the module.

    Returns:
        The truth.

    Raises:
        ValueError: It did not understand.
        OSError: None serves that link.
    """
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(5)
        with _short(Path(f"{link}.control")) as address:
            talk.connect(address)
        talk.sendall(json.dumps(request).encode() + b"\n")
        with talk.makefile("rb") as answers:
            told: Document = json.loads(answers.readline())
    if "error" in told:
        raise ValueError(told["error"])
    return told


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A path that fits into the address of a Unix socket, which holds about a hundred bytes."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    if not Path("/proc/self/fd").exists():
        raise OSError(f"{path} is longer than the {_LONGEST_ADDRESS} bytes that a socket's path may have")
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
