"""The emergency stop: two latches, the lab's and the board's own, which outlive a reset."""

import os
from time import ticks_diff, ticks_ms

from micropython import const
import wire

from labboard import clock, whole_file

_FILE = "/latch.json"
_AGAIN = const(200)  # ms between two attempts on a part that did not stop, and two corrections of the broker
_BURST = const(30)  # writings at once; then
_REST = const(1000)  # ms between two: a flood of stops must not wear out the flash
_SETTLE = const(1000)  # ms in which a new link tells what is retained


class Stop:
    """Obeys stops.

    Args:
        topics: Where the lab's stop is said.
        stop_parts: Lets everything that moves stand; gives what was in the way, or "".
        end_all: Ends what runs and waits, with a code and a text.
        answers: Told of the proof.
        say: Puts a stop back that somebody cleared.
        changed: Called when a latch has changed.

    Attributes:
        topics: Where the lab's stop is said.
        file: Where the latches are kept.
        lab: Topic → stop, of those that are engaged.
        own: The board's own stop, or None.
        confirmed: Whether the parts have obeyed the last stop; None without one.
        problem: Why the latches cannot be kept; "" where they are.
    """

    def __init__(self, topics, stop_parts, end_all, answers, say, changed, file=_FILE):
        self.topics = topics
        self._stop_parts = stop_parts
        self._end_all = end_all
        self._answers = answers
        self._say = say
        self._changed = changed
        self.file = file
        self._told = set()  # topics on which the broker told what it retains
        self._asked_at = None
        self._put_back = set()
        self._put_at = self._kept_at = ticks_ms()
        self._unkept = False
        self._spare = _BURST
        self._again = None  # the stop that was not confirmed
        self._again_at = 0
        self.lab = {}
        self.own = None
        self.confirmed = None
        self.problem = ""

    @property
    def engaged(self):
        """The stop that forbids motion; the lab's counts first."""
        for topic in self.topics:
            if topic in self.lab:
                return self.lab[topic]
        return self.own

    def hear(self, topic, payload, retained):
        """Take what was said on a topic of the lab's stop; what could not be read (None) may be one."""
        if retained:
            self._told.add(topic)
        try:
            if payload is None:
                stop = wire.stop_message(True, "unread", "", "what was said of it was too long to be read", 0)
            else:
                stop = wire.read_stop(payload)
        except wire.WireError:
            if topic in self.lab:
                self._correct(topic)  # cleared by somebody: releases nothing
            return
        before = self.lab.get(topic)
        known = before is not None and before["stop_id"] == stop["stop_id"]
        if stop["engaged"] and (not known or not retained):
            self._obey(stop)
        after = wire.latch(before, stop)
        if after is None:
            self.lab.pop(topic, None)
        else:
            self.lab[topic] = after
            if not stop["engaged"]:
                self._correct(topic)
        if after != before:
            self._keep()
            if after is None:
                self._released(stop["stop_id"])
            self._changed()

    def itself(self, by, reason):
        """Stop this board and latch; gives the stop."""
        stop = wire.stop_message(True, os.urandom(8).hex(), by, reason[:255], clock.now() or 0)
        self._obey(stop)
        self.own = stop
        self._keep()
        self._changed()
        return stop

    def reset(self):
        """Release the board's own latch; gives the id of what was released, or None.

        Raises:
            wire.WireError: The lab's stop is engaged.
        """
        for stop in self.lab.values():
            text = told(stop) + "; release the lab's stop first"
            raise wire.WireError(wire.EMERGENCY_STOPPED, text)
        was, self.own = self.own, None
        if was is None:
            return None
        self._keep()
        self._released(was["stop_id"])
        self._changed()
        return was["stop_id"]

    def link_up(self):
        """A new link: a broker that came back empty is told what is engaged."""
        self._asked_at = ticks_ms()

    def tick(self, now):
        """Do what was not done at once."""
        if self._again and ticks_diff(now, self._again_at) >= _AGAIN:
            self._prove(self._again)
        if ticks_diff(now, self._kept_at) >= _REST:
            self._kept_at = now
            if self._spare < _BURST:
                self._spare += 1
            if self._unkept:
                self._keep()
        if self._asked_at is not None and ticks_diff(now, self._asked_at) >= _SETTLE:
            self._asked_at = None
            for topic in self.lab:
                if topic not in self._told:
                    self._put_back.add(topic)
            self._told.clear()
        if self._put_back and ticks_diff(now, self._put_at) >= _AGAIN:
            self._say_again()

    def _obey(self, stop):
        self.confirmed = False
        self._prove(stop)
        self._end_all(wire.EMERGENCY_STOPPED, told(stop))

    def _prove(self, stop):
        first = self._again is not stop
        received = clock.now()
        error = self._stop_parts()
        self._again_at = ticks_ms()
        self._again = stop if error else None
        self.confirmed = not error
        if error and not first:
            return
        proof = {
            "stop_id": stop["stop_id"],
            "by": stop["by"],
            "reason": stop["reason"],
            "received_at": received,
            "stopped_at": None if error else clock.now(),
            "confirmed": not error,
        }
        if error:
            proof["error"] = error
        self._answers.event("emergency_stopped", **proof)
        self._changed()

    def _released(self, stop_id):
        if self.engaged is None:
            self.confirmed = self._again = None  # or a late attempt would stop the next move
        self._answers.event("emergency_stop_reset", stop_id=stop_id, needs_homing=[], look_at="")

    def _correct(self, topic):
        self._put_back.add(topic)
        if ticks_diff(ticks_ms(), self._put_at) >= _AGAIN:
            self._say_again()

    def _say_again(self):
        self._put_at = ticks_ms()
        for topic in self._put_back:
            if topic in self.lab:
                self._say.publish(topic, wire.encode(self.lab[topic]).encode(), True)
        self._put_back.clear()

    def _keep(self):
        self._unkept = not self._spare
        if self._unkept:
            return
        self._spare -= 1
        self.problem = ""
        try:
            whole_file.write(self.file, {"lab": self.lab, "own": self.own})
        except OSError as error:
            self.problem = "%s cannot be written: %s" % (self.file, error)


def told(stop):
    """A stop in words."""
    by = " by " + stop["by"] if stop["by"] else ""
    reason = " (%s)" % stop["reason"] if stop["reason"] else ""
    return "emergency stop engaged" + by + reason
