"""A board of a prop: it speaks the older dialect alone, below ``halloween/``, and obeys the lab's stop."""

import wire

from labboard.board import Board

ONLINE, OFFLINE = b"online", b"offline"


class PropBoard(Board):
    """What a prop's main.py makes in the place of a ``Board``.

    The tasks of its parts are its actions. It says ``availability``, ``state`` (one word), ``telemetry`` (one
    JSON object, every 5 s and when something changes), ``status/warn`` (why a command was refused) and
    ``status/error`` (what failed), below the ``prefix`` of its settings.
    """

    _wires = "prop_wiring"

    def run(self, state, tell):
        """Run for ever.

        Args:
            state: Gives its state in a word, where no stop is engaged.
            tell: Makes the telemetry of what the parts' readings gave: a dictionary of a dictionary, in which
                nothing is missing: what is not known yet is None.
        """
        self._word = state
        self.state.tell = tell
        super().run()

    def word(self):
        """Its state in a word."""
        return "stopped" if self.stop.engaged else self._word()

    def telemetry(self):
        """What it says of itself beside what its parts say."""
        return {
            "fw": self.version,
            "uptime_s": self.health.uptime_ms // 1000,
            "rssi": self.network.rssi(),
        }

    def warn(self, text):
        """Say that something is not done, and why."""
        self.speaker.publish(self.topic("status/warn"), text.encode(), less=True)

    def error(self, text):
        """Say that something failed."""
        self.speaker.publish(self.topic("status/error"), text.encode(), less=True)

    def event(self, event_type, **data):
        """Take what happened; its state tells it, but not that a stop was not obeyed."""
        if data.get("error"):
            self.error("%s: %s" % (event_type, data["error"]))

    def progress(self, percent=None, message=None):
        """Take how far something is; the dialect has no word for it."""

    def availability(self):
        """Its availability, as it goes out."""
        return ONLINE

    def hear_status(self, _, payload):
        """Somebody, such as the late will of our last link, says that we are offline: say that we are not."""
        if self.link.up and payload != ONLINE:
            self.speaker.changed("availability")


def prefix_of(settings):
    """In front of its topics.

    Raises:
        ValueError: It cannot stand there.
    """
    prefix = settings.get("prefix", "halloween")
    if not wire.is_base(prefix):
        raise ValueError("settings' prefix %r is not a topic without wildcards" % (prefix,))
    return prefix
