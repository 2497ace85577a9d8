"""The coffin jumper: somebody comes near, a solenoid throws the lid, a sound plays; then it rests."""

import time

from labboard.part import Part
from labboard.tasks import Task
import wire

ARMED = "armed"
ACTION = "action"
LOCKOUT = "lockout"
BLOCKED = "blocked"


class Jumper(Part):
    """armed → action (motion or ``trigger``) → lockout → armed; ``blocked`` until somebody unblocks.

    The solenoid is let go after its own time, the sound ends with the action. A stop of the board or a lost
    link ends the action; motion begins none as long as ``may_move`` forbids it.
    """

    every = 50
    safe_after = 2
    safe_words = "the solenoid is off, the sound stops, and motion triggers nothing"

    def __init__(self, relay, motion, player, may_move, event, solenoid=1.5, action=10, lockout=7):
        """Take its parts.

        Args:
            relay: The ``Relay`` of the solenoid; not added to the board, so that nobody can pass this by.
            motion: The ``Motion`` that triggers.
            player: The ``Player``.
            may_move: Says why nothing may move by itself now, such as ``board.may_move``; "" where it may.
            event: Is called with what happened, such as ``board.event``.
            solenoid: How long the lid is thrown, in s; at most the relay's longest time.
            action: From the trigger to the end of the sound, in s; at most 120, at least ``solenoid``.
            lockout: From the end of the action until it is armed, in s; at most 3600. The first lasts until
                the motion sensor is warm.

        Raises:
            ValueError: Such times are no good.
        """
        if not 0 < solenoid <= relay.max_on:
            raise ValueError("solenoid %s s: it takes more than 0 to %s s" % (solenoid, relay.max_on))
        if not solenoid <= action <= 120 or not 0 <= lockout <= 3600:
            raise ValueError(
                "action %s s, lockout %s s: it takes %s to 120 s, and 0 to 3600 s"
                % (action, lockout, solenoid)
            )
        self._relay = relay
        self._motion = motion
        self._player = player
        self._may_move = may_move
        self._event = event
        self._solenoid = solenoid
        self._action = action
        self._lockout = lockout
        self.is_blocked = False
        self.was_armed = False  # since power-on: until then it waits for a warm sensor
        self._triggers = 0
        self._word = LOCKOUT
        self._until = motion.cold_until  # ticks; of action and lockout
        self.entities = {
            "jumper": _entity(
                "sensor",
                "State",
                "mdi:coffin",
                options=[ARMED, ACTION, LOCKOUT, BLOCKED],
                attributes=["forbidden_by"],
            ),
            "triggers": _entity("sensor", "Triggers", "mdi:counter", state_class="total_increasing"),
            "solenoid": _entity("binary_sensor", "Solenoid", "mdi:magnet-on"),
            "jumps": _entity("event", "Jump", "mdi:ghost", event_types=["action_began", "action_ended"]),
        }
        self.tasks = tuple(self._tasks())
        for task in self.tasks:
            button = _entity("button", task.description, "mdi:gesture-tap-button", task=task.name)
            self.entities["do_" + task.name] = button

    def _tasks(self):
        for name, run, effect, words in (
            ("trigger", self.trigger, "move", "Trigger"),
            ("stop_action", self.stop_action, "set", "Stop the action"),
            ("arm", self.arm, "set", "Arm"),
            ("block", self.block, "set", "Block"),
            ("unblock", self.unblock, "set", "Unblock"),
            ("reset", self.reset, "set", "Reset"),
        ):
            yield Task(name, run, {}, effect, description=words)

    def trigger(self):
        """Jump, as if somebody came near.

        Raises:
            WireError: It is not armed, or the solenoid rests.
        """
        self._turn()
        if self.is_blocked or self._word != ARMED:
            raise wire.WireError(wire.NOT_ALLOWED, "it is not armed: it is " + self.state())
        self._jump("a command")
        return {"state": self.state()}

    def stop_action(self):
        """End the action; the lockout follows."""
        self._end("a command")
        return {"state": self.state()}

    def arm(self):
        """End the lockout early.

        Raises:
            WireError: It is blocked, or in the middle of an action.
        """
        self._turn()
        if self.is_blocked or self._word == ACTION:
            raise wire.WireError(wire.NOT_ALLOWED, "it cannot be armed: it is " + self.state())
        self._become_armed()
        return {"state": self.state()}

    def block(self):
        """End the action, and begin none."""
        self.is_blocked = True
        self._end("a command")
        return {"state": self.state()}

    def unblock(self):
        """Go on as before it was blocked."""
        self._motion.began()
        self.is_blocked = False
        return {"state": self.state()}

    def reset(self):
        """End the action, unblock, and count from 0."""
        self._end("a command")
        self._triggers = 0
        return self.unblock()

    def state(self):
        """One word."""
        if self._word == ACTION:
            return ACTION
        return BLOCKED if self.is_blocked or self._may_move() else self._word

    def read(self):
        """Go on where a time is over, look for motion, and tell."""
        self._turn()
        saw = self._motion.began()
        if saw and self.state() == ARMED and self._relay.rests() <= 0:
            self._jump("motion")
        return {
            "jumper": self.state(),
            "forbidden_by": self._may_move() or None,
            "triggers": self._triggers,
            "solenoid": self._relay.is_on(),
        }

    def safe(self):
        """The solenoid off, then the sound."""
        self._relay.safe()
        self._end("a lost link")

    def stop(self):
        """The solenoid off, then the sound."""
        self._relay.safe()
        self._end("a stop")

    def _jump(self, by):
        self._relay.switch_on(self._solenoid)
        self._word = ACTION
        self._until = time.ticks_add(time.ticks_ms(), int(self._action * 1000))
        self._triggers += 1
        self._player.begin()
        self._event("action_began", by=by)

    def _turn(self):
        if self._word in (ACTION, LOCKOUT) and time.ticks_diff(time.ticks_ms(), self._until) >= 0:
            if self._word == ACTION:
                self._end("its time")
            else:
                self._become_armed()

    def _become_armed(self):
        self._motion.began()  # what was seen before does not count
        self._word = ARMED
        self.was_armed = True

    def _end(self, by):
        """The end of an action; nothing where there is none."""
        if self._word != ACTION:
            return
        self._relay.safe()
        self._player.safe()
        self._word = LOCKOUT
        self._until = time.ticks_add(time.ticks_ms(), int(self._lockout * 1000))
        self._event("action_ended", by=by)


def _entity(platform, name, icon, **more):
    more.update(platform=platform, name=name, icon=icon)
    return more
