"""A prop's board of the older dialect, with somebody who hears all that it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.broker.observer import Heard, Observer, until
from tests.micropython.rig import UP_WITHIN, Board

PROPS = Path(__file__).parents[2] / "props"
COFFIN, FOGGER, SHAKER = (PROPS / name / "firmware" for name in ("coffin_jumper", "fogger", "grave_shaker"))
HEAP = "300k"  # of 64 bits, whose words have twice the size of a board's
LAB_STOP = "lab2mqtt/emergency_stop"

Json = Any


class Prop:
    """A board and its observer.

    Args:
        board: Not started yet.
        prefix: In front of its topics.
    """

    def __init__(self, board: Board, prefix: str = "halloween") -> None:
        self.board = board
        self.prefix = prefix
        self.seen = Observer(board.port, f"{prefix}/{board.device_id}/#", LAB_STOP)

    def close(self) -> None:
        """End the observer."""
        self.seen.close()

    def topic(self, kind: str) -> str:
        """One of its topics."""
        return f"{self.prefix}/{self.board.device_id}/{kind}"

    def start(self) -> Self:
        """Switch it on; returns once it is online and has said its state."""
        since = self.seen.mark()
        self.board.start()
        return self.until_online(since)

    def until_online(self, since: int = 0) -> Self:
        """Wait for its availability and its first state."""
        try:
            self.hear("availability", "online", since, within=UP_WITHIN)
            self.hear("state", "", since)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.board.said()[-3000:]}") from None
        return self

    def hear(
        self, kind: str, wanted: str | Callable[[str], bool], since: int = 0, *, within: float = 5.0
    ) -> Heard:
        """The first message of a kind that is, or holds, what is wanted."""

        def fits(text: str) -> bool:
            if callable(wanted):
                return wanted(text)
            return wanted in text if "/" in kind or not wanted else text == wanted

        def find() -> Heard | None:
            told = self.seen.heard(self.topic(kind), since)
            return next((one for one in told if fits(one.payload.decode())), None)

        def said() -> str:
            last = self.seen.heard(since=since)[-12:]
            return "\n".join(f"  {one.topic} {one.payload[:300]!r}" for one in last)

        found: Heard = until(find, f"{kind} {wanted}", within=within, more=said)
        return found

    def state(self, word: str, since: int = 0, *, within: float = 5.0) -> Heard:
        """Wait for a state."""
        return self.hear("state", word, since, within=within)

    def telemetry(self, since: int = 0, *, within: float = 8.0, **wanted: Json) -> dict[str, Json]:
        """Wait for a telemetry with these values."""

        def fits(told: Json) -> bool:
            return bool(told) and all(told.get(key, "") == value for key, value in wanted.items())

        found: dict[str, Json] = self.seen.wait(
            self.topic("telemetry"), fits, since=since, within=within
        ).json
        return found

    def command(self, payload: Json, *, retain: bool = False) -> int:
        """Send a command; gives the place in the record before."""
        since = self.seen.mark()
        self.seen.publish(self.topic("cmd"), payload, retain=retain)
        return since

    def do(self, payload: Json, word: str) -> int:
        """Send a command, and wait for the state that it leads to."""
        since = self.command(payload)
        self.state(word, since)
        return since

    def refused(self, payload: Json, *words: str, kind: str = "warn") -> str:
        """Send a command, which must be refused with these words; gives the text."""
        since = self.command(payload)
        text = self.hear(f"status/{kind}", "", since).payload.decode()
        assert all(one in text for one in words), text
        return text

    def line(self, pin: int) -> list[dict[str, Json]]:
        """Every change of a pin, in order."""
        return [one for one in self.board.journal() if one["output"] == f"pin_{pin}"]

    def levels(self, pin: int) -> list[int]:
        """The levels that a pin had, one after the other."""
        return [one["value"] for one in self.line(pin)]
