"""How much fog there may be: a share of a sliding window, and a rest after each."""

from collections import deque


class Duty:
    """Counts the fog that there really was, whoever asked for it. Moments are monotonic, in seconds."""

    def __init__(self, most: float, window: float, rest: float) -> None:
        """Count from nothing.

        Args:
            most: Seconds of fog within the window.
            window: Seconds.
            rest: Seconds from the end of one fog to the next.
        """
        self.most = most
        self._window = window
        self._rest = rest
        self._since: float | None = None
        self._fogs: deque[tuple[float, float]] = deque()

    def __str__(self) -> str:
        return f"at most {self.most:g} s of fog in {self._window:g} s"

    def note(self, now: float, *, fogs: bool) -> None:
        """Note whether it fogs now."""
        if fogs and self._since is None:
            self._since = now
        elif not fogs and self._since is not None:
            self._fogs.append((self._since, now))
            self._since = None
        while self._fogs and self._fogs[0][1] < now - self._window - self._rest:
            self._fogs.popleft()

    def left(self, now: float) -> float:
        """Seconds of fog that the window still allows; less than 0 where somebody made more."""
        opens = now - self._window
        used = sum(end - max(begin, opens) for begin, end in self._fogs if end > opens)
        if self._since is not None:
            used += now - max(self._since, opens)
        return self.most - used

    def wait(self, now: float, seconds: float) -> float:
        """Seconds until so much fog, at most ``most``, is allowed; asked while it does not fog."""
        wait = self._fogs[-1][1] + self._rest - now if self._fogs else 0.0
        too_much = seconds - self.left(now)
        for begin, end in self._fogs:
            counts_from = max(begin, now - self._window)
            if too_much <= 0 or end <= counts_from:
                continue
            # It is allowed once that much of the oldest fog has left the window.
            wait = max(wait, counts_from + min(too_much, end - counts_from) + self._window - now)
            too_much -= end - counts_from
        return max(0.0, wait)
