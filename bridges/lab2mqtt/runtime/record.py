"""The commands of one device, by request id: asked before anything else, so that nothing is done twice."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
import hashlib
import json
import time
from typing import Any, Literal

from lab2mqtt import __version__, wire
from lab2mqtt.core.errors import LabError, Refused
from lab2mqtt.runtime import ledger_file
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import KEPT_AT_MOST, KNOWN_FOR, Known

LONGEST_PARAMETERS = 4096  # characters that the ledger keeps as they came
BEGINNING = 200  # characters of longer ones
LONGEST_TIMELINE = 100  # entries; a task that tells more has told enough

# What says nothing about the instrument, or is said elsewhere in the ledger.
_NOT_CHANGES = frozenset(("readiness", "readiness_reasons", "task", "updated_at"))


def on_record(command: dict[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of what a command asks for: of long parameters their mark and their beginning.

    So a flood of long commands does not push what was really done out of the ledger.
    """
    parameters = command["parameters"]
    if len(json.dumps(parameters)) > LONGEST_PARAMETERS:
        text = json.dumps(_plain(parameters), sort_keys=True)
        mark = hashlib.sha256(text.encode()).hexdigest()
        parameters = {"sha256": mark, "bytes": len(text), "begins": text[:BEGINNING]}
    return {"task": command["task"], "parameters": parameters}


def asks_for(command: dict[str, Any], content: dict[str, Any]) -> bool:
    """Whether a command asks for what another of its id asked for, as that came or as it is on record."""
    return wire.same_content(content, command) or wire.same_content(content, on_record(command))


def _plain(value: object) -> object:
    """A value in which 1.0 is written as 1, which is the same number."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class KnownAlready(Exception):
    """The ledger knows a command's id from longer ago than this process remembers."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.known = known


@dataclass(eq=False)
class Entry:
    """One command that is not over, or whose result is not in the ledger yet."""

    command: dict[str, Any]
    received_at: float
    started_at: float | None = None
    timeline: list[dict[str, Any]] = field(default_factory=list)
    before: Mapping[str, Any] = field(default_factory=dict)
    taken: tuple[object, ...] = ()
    noted: "asyncio.Future[tuple[Known | None, str]] | None" = None
    result: dict[str, Any] | None = None
    said: bool = False


class Record:
    """The commands of one device."""

    def __init__(
        self,
        device_id: str,
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            device_id: Whose.
            ledger: What survives.
            clock: Seconds since the epoch.
            monotonic: Seconds on a clock that nobody sets, by which an id grows old.
        """
        self._device_id = device_id
        self._ledger = ledger
        self._clock = clock
        self._monotonic = monotonic
        # None: over, and in the ledger.
        self._entries: OrderedDict[str, tuple[float, Entry | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def remember(self, request_ids: Iterable[str]) -> None:
        """Take the ids that the ledger knows from before."""
        now = self._monotonic()
        for request_id in request_ids:
            self._entries.setdefault(request_id, (now, None))

    def remember_cut_off(self, known: Known) -> None:
        """Take what a predecessor left open, out of a ledger that can only be read."""
        now = self._monotonic()
        entry = Entry(known.content, self._clock(), result=known.result, said=True)
        self._entries[known.content["request_id"]] = (now, entry)

    @property
    def knows_past(self) -> bool:
        """Whether an id that is new to this process is new."""
        return self._ledger.knows_past

    def ask(self, command: dict[str, Any]) -> Literal["new", "conflict", "running", "known"] | dict[str, Any]:
        """What is known of a command's id.

        Returns:
            ``new``, ``conflict`` (it has other content), ``running`` (the first one will answer), its result,
            or ``known``: the ledger has to be asked by ``known``.
        """
        found = self._entries.get(command["request_id"])
        if found is None:
            return "new"
        entry = found[1]
        if entry is None:
            return "known"
        if not asks_for(command, entry.command):
            return "conflict"
        return entry.result if entry.result and entry.said else "running"

    def take(self, command: dict[str, Any]) -> None:
        """Remember a command that is new."""
        now = self._monotonic()
        entry = Entry(command, self._clock())
        entry.taken = (
            self._device_id,
            command["request_id"],
            command["task"],
            json.dumps(on_record(command)["parameters"]),
            command["issued_by"],
            command["reservation"],
            None if command["timestamp"] is None else float(command["timestamp"]),
            entry.received_at,
            __version__,
        )
        self._entries[command["request_id"]] = (now, entry)
        self._forget(now)

    def note(self, command: dict[str, Any]) -> None:
        """Begin to write a command that will touch the device."""
        if self._ledger.file is None:  # there is nothing that a crash could leave behind
            return
        entry = self._open(command)
        noted: asyncio.Future[tuple[Known | None, str]] = asyncio.get_running_loop().create_future()
        entry.noted = noted
        taken = entry.taken

        def done(known: Known | None, problem: str) -> None:
            noted.set_result((known, problem))

        self._ledger.submit(lambda connection: ledger_file.take(connection, taken), done, sync=True)

    def noted(self, command: dict[str, Any]) -> "asyncio.Future[tuple[Known | None, str]] | None":
        """Done when the ledger has taken the command, or has not."""
        return self._open(command).noted

    def check_noted(self, command: dict[str, Any]) -> None:
        """Make sure that the ledger has a command, before the device is touched.

        Raises:
            KnownAlready: It had it before.
            Refused: It cannot be written.
        """
        noted = self._open(command).noted
        known, problem = noted.result() if noted and noted.done() else (None, "the ledger has not taken it")
        if problem:
            raise Refused(f"not without a record of it: {problem}", wire.NOT_ALLOWED)
        if known:
            raise KnownAlready(known)

    def started(self, command: dict[str, Any], state: Mapping[str, Any]) -> None:
        """Remember the state from which a task starts."""
        entry = self._open(command)
        entry.started_at, entry.before = self._clock(), state

    def tell(self, command: dict[str, Any], status: str, message: str) -> None:
        """Remember a step of a command."""
        timeline = self._open(command).timeline
        if len(timeline) < LONGEST_TIMELINE:
            more = {"message": message} if message else {}
            timeline.append({"at": round(self._clock(), 3), "status": status, **more})

    def settle(
        self,
        command: dict[str, Any],
        result: dict[str, Any],
        text: str,
        state: Mapping[str, Any],
        sw_version: object,
        then: Callable[[Known | None], None],
    ) -> None:
        """Write the one result of a command.

        Args:
            command: Which.
            result: The message.
            text: The same as it goes out.
            state: The device's state now.
            sw_version: The device's software, where it tells.
            then: Called when it is in the ledger, or cannot be; now it may be said. It is given what the
                ledger had already, if that is so: that is what stands.
        """
        entry = self._open(command)
        entry.result = result
        now = self._clock()
        changed = {}
        if entry.started_at is not None:
            changed = {
                key: [entry.before.get(key), value]
                for key, value in state.items()
                if key not in _NOT_CHANGES and entry.before.get(key) != value
            }
        taken = entry.taken
        settled = (
            entry.started_at,
            now,
            result["status"],
            result.get("error_code"),
            text,
            json.dumps(entry.timeline) if entry.timeline else None,
            json.dumps(changed) if changed else None,
            None if sw_version is None else str(sw_version),
        )

        def done(known: Known | None, problem: str) -> None:
            entry.said = True
            request_id = command["request_id"]
            if not problem and request_id in self._entries:
                self._entries[request_id] = (self._entries[request_id][0], None)
            then(known)

        self._ledger.submit(
            lambda connection: ledger_file.settle(connection, taken, settled), done, needed=True
        )

    def forget(self, command: dict[str, Any]) -> None:
        """It was answered, and is worth no record."""
        del self._entries[command["request_id"]]

    def drop(self, command: dict[str, Any]) -> None:
        """It turned out to be known already: the ledger has its result."""
        request_id = command["request_id"]
        self._entries[request_id] = (self._entries[request_id][0], None)

    async def known(self, command: dict[str, Any]) -> Known | None:
        """What the ledger has under a command's id.

        Raises:
            LabError: It cannot be read.
        """
        request_id = command["request_id"]
        found: Known | None = await self._ledger.read(
            lambda connection: ledger_file.known(connection, self._device_id, request_id)
        )
        return found

    def _open(self, command: dict[str, Any]) -> Entry:
        entry = self._entries[command["request_id"]][1]
        if entry is None:
            raise LabError(f"command {command['request_id']!r} is over")
        return entry

    def _forget(self, now: float) -> None:
        """Drop what is too old or too much, but never what is not over."""
        dropped: list[str] = []
        for request_id, (taken, entry) in self._entries.items():
            if now - taken < KNOWN_FOR and len(self._entries) - len(dropped) <= KEPT_AT_MOST:
                break
            if entry is None or entry.said:
                dropped.append(request_id)
        for request_id in dropped:
            del self._entries[request_id]
