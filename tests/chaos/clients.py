"""Clients that command as real ones do: until a time, again while nobody answers, and sometimes twice."""

import random
import threading
import time

from tests.chaos.book import Book, Command

PULSES = 4096  # per turn
_ANSWER_WITHIN = 1.5  # s, after which a client takes the answer for lost and sends the same once more
_GIVE_UP = 120.0  # s
_EXPIRES_IN = (4, 15)  # s
_NEAR = 500  # pulses


class Pace:
    """Spreads the commands of a run over its faults, and lets all clients hold their breath.

    Attributes:
        share: How much of the faults is done, 0 to 1.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.holds = False
        self.gone = False
        self._news = threading.Condition()
        self._busy = 0

    def go(self, share: float) -> None:
        """So much of the faults is done."""
        with self._news:
            self.share = share
            self._news.notify_all()

    def hold(self) -> None:
        """Let nobody send anything new; returns when all have their answers.

        Raises:
            AssertionError: Somebody waits for ever.
        """
        with self._news:
            self.holds = True
            assert self._news.wait_for(lambda: not self._busy, _GIVE_UP + 10), (
                "clients still wait for answers"
            )

    def go_on(self) -> None:
        """Let them send again."""
        with self._news:
            self.holds = False
            self._news.notify_all()

    def end(self) -> None:
        """Let everybody go home."""
        with self._news:
            self.gone = True
            self._news.notify_all()

    def take_turn(self, share: float) -> bool:
        """Wait until a command may be sent that belongs to so much of the run; False when it is over."""
        with self._news:
            self._news.wait_for(lambda: self.gone or (not self.holds and share <= self.share))
            self._busy += 1
            return not self.gone

    def leave(self) -> None:
        """All that was sent has its answer."""
        with self._news:
            self._busy -= 1
            self._news.notify_all()


class Client:
    """Sends the commands of one device, each to an angle of its own."""

    def __init__(self, seed: str, device: str, book: Book, pace: Pace, quota: int) -> None:
        self.device = device
        self._dice = random.Random(f"{seed}/{device}")  # noqa: S311 - a seed
        self._book = book
        self._pace = pace
        self._quota = quota
        self._at = 0
        # Each goal once, so that a motion tells whose it is.
        self._goals = sorted(self._dice.sample(range(1, PULSES), quota))
        self._done: list[Command] = []
        self.thread = threading.Thread(target=self._run, name=f"client-{device}", daemon=True)

    def _run(self) -> None:
        while self._goals:
            # A few at once, so that some wait in the queue when something breaks.
            number = min(len(self._goals), self._dice.choice([1, 1, 1, 1, 2, 3]))
            sent = (self._quota - len(self._goals)) / self._quota
            if not self._pace.take_turn(sent):
                return
            try:
                self._exchange([self._next() for _ in range(number)])
            finally:
                self._pace.leave()

    def _exchange(self, commands: list[Command]) -> None:
        for command in commands:
            self._book.send(command)
        for command in commands:
            self._until_answered(command)
        self._done += commands
        if self._dice.random() < 0.3:
            # The answer is known; this is a client that did not hear it.
            self._book.send(self._dice.choice(self._done[-6:]))
        if any(command.outcome != "success" for command in commands):
            # It looks what is the matter before it tries the next.
            time.sleep(self._dice.uniform(0.1, 0.8))

    def _next(self) -> Command:
        near = [goal for goal in self._goals if abs(goal - self._at) < _NEAR]
        goal = self._dice.choice(near if near and self._dice.random() < 0.75 else self._goals)
        self._goals.remove(goal)
        self._at = goal
        now = time.time()
        return Command(
            self.device,
            {
                "task": "move_to_angle",
                "parameters": {"angle": goal * 360 / PULSES},
                "request_id": f"{self.device}-{goal}-{self._dice.getrandbits(32):08x}",
                "timestamp": int(now),
                "expires_at": int(now) + self._dice.randint(*_EXPIRES_IN),
                "issued_by": f"chaos/{self.device}",
            },
            goal,
        )

    def _until_answered(self, command: Command) -> None:
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            if self._book.wait(lambda: bool(command.answers), _ANSWER_WITHIN * self._dice.uniform(0.5, 1)):
                return
            self._book.send(command)
