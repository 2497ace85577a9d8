"""What became of every command: asked before anything else, so that nothing is done twice.

Kept in memory, for one process. The ledger that survives restarts takes this room.
"""

from collections import OrderedDict
from typing import Any, Literal

from lab2mqtt import wire

KEPT_FOR = 24 * 3600.0  # s
KEPT_AT_MOST = 10_000  # commands per device; a client repeats one within seconds, not after that many


class Record:
    """The commands of one device, by request id."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, dict[str, Any], dict[str, Any] | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def ask(self, command: dict[str, Any]) -> Literal["new", "conflict", "running"] | dict[str, Any]:
        """What is known of a command's id: nothing, other content, that it still runs, or its result."""
        entry = self._entries.get(command["request_id"])
        if entry is None:
            return "new"
        _, content, result = entry
        if not wire.same_content(content, command):
            return "conflict"
        return "running" if result is None else result

    def take(self, command: dict[str, Any], now: float) -> None:
        """Note a command before the device is touched."""
        content = {"task": command["task"], "parameters": command["parameters"]}
        self._entries[command["request_id"]] = (now, content, None)
        self._forget(now)

    def settle(self, request_id: str, result: dict[str, Any]) -> None:
        """Note the one result of a command."""
        if entry := self._entries.get(request_id):
            self._entries[request_id] = (*entry[:2], result)

    def _forget(self, now: float) -> None:
        """Drop what is too old or too much, but never what still runs."""
        dropped: list[str] = []
        for request_id, (taken, _, result) in self._entries.items():
            if now - taken < KEPT_FOR and len(self._entries) - len(dropped) <= KEPT_AT_MOST:
                break
            if result is not None:
                dropped.append(request_id)
        for request_id in dropped:
            del self._entries[request_id]
