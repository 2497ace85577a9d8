"""The interlocks of one device, asked what they forbid now."""

from collections.abc import Sequence

from lab2mqtt.core.interlock import MOTION, Interlock
from lab2mqtt.runtime.others import Others

LATE = 0.01  # s after which a timer has certainly passed the moment that it was set for


class Interlocks:
    """The rules of one device, beside what is known of the devices that they look at."""

    def __init__(self, rules: Sequence[Interlock], others: Others) -> None:
        """Look at the devices that the rules name.

        Args:
            rules: The device's rules; there may be none.
            others: What is known of other devices.
        """
        self._rules = tuple(rules)
        self._others = others
        others.look_at(rule.device for rule in rules)

    def against(self, task_name: str, effect: str) -> list[str]:
        """The words of every rule that forbids a task now; none when it may start."""
        return self._words([rule for rule in self._rules if rule.forbids_task(task_name, effect)])

    def broken(self, task_name: str, effect: str) -> str | None:
        """The words of the first rule that stops this task now, if it runs; None when it may go on."""
        stopping = [rule for rule in self._rules if rule.on_break == "stop"]
        found = self._words([rule for rule in stopping if rule.forbids_task(task_name, effect)])
        return found[0] if found else None

    def against_motion(self) -> list[str]:
        """The same for all motion, in words that stay as long as the reason does."""
        return self._words([rule for rule in self._rules if MOTION in rule.forbid], exact=False)

    @property
    def next_doubt(self) -> float | None:
        """Seconds until an answer may change by time alone, with nothing heard; None when none will."""
        found = [rule.doubt_in(self._others.seen(rule.device)) for rule in self._rules]
        return min((left + LATE for left in found if left is not None), default=None)

    def _words(self, rules: Sequence[Interlock], *, exact: bool = True) -> list[str]:
        found = [rule.against(self._others.seen(rule.device), exact=exact) for rule in rules]
        return [words for words in found if words]
