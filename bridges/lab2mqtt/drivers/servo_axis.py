"""An axis turned by one servo: moves that end where they were meant to, or say why not.

It runs in position control (mode 3), where a goal is always in 0 to 4095 and the way never crosses the seam
between them: the position is known after a power cut, which it is not in multi-turn mode, and no cable is
ever wound up. The price is the long way round from 350° to 10°.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import threading
import time
from typing import Final

from lab2mqtt.core.errors import (
    EmergencyStopped,
    Ended,
    Fault,
    Garbled,
    LabError,
    Unreachable,
)
from lab2mqtt.core.run import Run
from lab2mqtt.drivers.dynamixel import Dynamixel
from lab2mqtt.drivers.dynamixel_registers import (
    DEGREES_PER_PULSE,
    DEGREES_PER_SECOND,
    MAX_PWM,
    PULSES_PER_TURN,
    WATCHDOG_TRIPPED,
    WATCHDOG_UNIT,
    hardware_errors,
)

_POSITION_MODE: Final = 3
# Drive mode bits that would turn our numbers into others: a profile in milliseconds instead of speed (4),
# and torque that comes on by a goal write (8), which could undo an emergency stop.
_UNWANTED_DRIVE: Final = 0b1100
# The servo stops by itself when it heard nothing for so long; a bridge that is killed must not leave it
# running for more than 0.5 s, run-out included.
WATCHDOG: Final = 14  # in 20 ms
_UNHEARD: Final = WATCHDOG * WATCHDOG_UNIT + 0.1  # s until it has noticed
_POLL: Final = 0.03  # s between two looks; a look takes 16 ms on the line at 57600 baud
_STALLED_AFTER: Final = 1.0  # s without coming nearer
_NEARER: Final = 3  # pulses; less is the jitter of the reading
_STILL: Final = 3  # counts of velocity, 4 °/s: slower is as good as standing, once it is where it should be
_REST_WITHIN: Final = 2.0  # s that a hold may need to bring the load to rest
_STOP_TRIES: Final = 5
_REBOOT_WITHIN: Final = 3.0  # s; a servo needs about 0.5


class MovementTimedOut(Fault):
    """The goal was not reached in the time that a movement may take."""

    error_code = "timeout"


@dataclass(frozen=True, slots=True)
class Look:
    """The servo at one moment. Positions in pulses, multi-turn as the servo gives them."""

    position: int
    goal: int
    velocity: int
    moving: bool
    torque: bool
    current: int | None
    load: int | None
    voltage: float
    temperature: int
    hardware_error: list[str]

    @property
    def degrees(self) -> float:
        """Where it is, within one turn."""
        return self.position % PULSES_PER_TURN * DEGREES_PER_PULSE

    @property
    def degrees_per_second(self) -> float:
        """How fast it turns, measured."""
        return self.velocity * DEGREES_PER_SECOND


@dataclass(frozen=True, slots=True)
class Profile:
    """How to move, in the servo's units; ``pwm`` None leaves it all its strength."""

    velocity: int
    acceleration: int = 0
    pwm: int | None = None


class Axis:
    """One servo that turns to positions."""

    def __init__(self, servo: Dynamixel) -> None:
        self.servo = servo
        self._stops = 0
        # Held while the servo restarts, so that a poll waits instead of calling it unreachable.
        self._awake = threading.Lock()

    def look(self) -> Look:
        """Read everything that changes. Never refused because of the alert bit."""
        with self._awake:
            return self._look()

    def settle(self) -> None:
        """Take over a servo that a killed bridge left moving: bring it to rest.

        An armed bus watchdog is our mark: we arm it for the time of a move only. Our polling would feed it,
        and so keep alive a move that nobody asked us for.
        """
        if 0 < self.servo.read("bus_watchdog") < WATCHDOG_TRIPPED:
            if self._look().torque:
                self.hold()
            self.servo.write("bus_watchdog", 0, again=True)

    def move(self, goal: int, profile: Profile, tolerance: float, timeout: float, run: Run) -> Look:
        """Turn to a position and return what was measured there.

        Args:
            goal: 0 to 4095 pulses.
            profile: Speed, acceleration and strength.
            tolerance: Degrees; nearer than this and standing is arrived.
            timeout: Seconds, not counting pauses.
            run: Asked at every look.

        Raises:
            Fault: A hardware error, no torque, stalled; ``MovementTimedOut`` when the time was over.
            Ended: As ``run`` says; the axis holds where it was, or is free after an emergency stop.
            Unreachable: The line failed; by then the servo has stopped by itself.
            Garbled: The same.
        """
        run.check()
        stops = self._stops

        def guard() -> None:
            # Called when the line is ours: a stop that came in before is never undone by this packet.
            if self._stops != stops:
                raise EmergencyStopped("stopped by an emergency stop")

        self._prepare(profile, guard)
        self.servo.write("bus_watchdog", WATCHDOG, again=True, guard=guard)
        try:
            self.servo.write("goal_position", goal, again=True, guard=guard)
            return self._follow(goal, tolerance, timeout, run, guard)
        except EmergencyStopped:
            raise  # it is free, and stays so
        except Ended:
            self.hold()
            raise
        except LabError as error:
            # A stop that had to open the port anew takes the line away from under us.
            if self._stops != stops:
                raise EmergencyStopped("stopped by an emergency stop") from error
            if isinstance(error, (Unreachable, Garbled)):
                self.servo.fall_silent(_UNHEARD)  # or our own polling would keep it moving
            raise
        finally:
            self._disarm()

    def hold(self) -> None:
        """Stand still where it is, with torque. Does nothing when the torque is off."""
        now = self._look()
        if not now.torque:
            return
        # Clamped, not modulo: just past the seam, modulo would be a whole turn away.
        self.servo.write("goal_position", min(max(now.position, 0), PULSES_PER_TURN - 1), again=True)
        until = time.monotonic() + _REST_WITHIN
        while self._look().moving and time.monotonic() < until:
            time.sleep(_POLL)

    def stop(self) -> Look | None:
        """Torque off at once, past everything, and see that it is. Safe to repeat, from any thread.

        Returns:
            The servo afterwards, None when only the torque could be read.

        Raises:
            Unreachable: Not confirmed after several tries, the port opened anew for each.
        """
        self._stops += 1
        failure: LabError | None = None
        for attempt in range(_STOP_TRIES):
            try:
                self.servo.open_port(urgent=True)
                self.servo.write("torque_enable", 0, urgent=True)
                # With the LED, because no other read has two bytes: a late answer is not mistaken for this.
                if not self.servo.read_block("torque_enable", "led", urgent=True)["torque_enable"]:
                    return self._look_if_possible()
            except LabError as error:
                failure = error
                self.servo.close(urgent=True)
                time.sleep(0.02 * (attempt + 1))
        raise Unreachable(f"torque off is not confirmed: {failure}") from failure

    def reboot(self) -> Look:
        """Restart the servo, which alone clears a hardware error, and wait until it answers.

        Raises:
            Fault: The cause of the hardware error is still there.
            Unreachable: It did not come back.
        """
        with self._awake:
            self.servo.reboot()
            until = time.monotonic() + _REBOOT_WITHIN
            while True:
                time.sleep(0.1)
                try:
                    self.servo.ping()
                except (Unreachable, Garbled):
                    if time.monotonic() > until:
                        raise
                else:
                    break
            now = self._look()
        if now.hardware_error:
            raise Fault(f"still there after the reboot: {', '.join(now.hardware_error)}")
        return now

    # Parts of a move.

    def _prepare(self, profile: Profile, guard: Callable[[], None]) -> None:
        """Make the servo ready: mode, profile, and torque with the goal where it stands."""
        servo = self.servo
        now = self._look()
        if now.hardware_error:
            raise Fault(f"hardware error: {', '.join(now.hardware_error)}; only a reboot clears it")
        servo.write("bus_watchdog", 0, again=True)  # one that has tripped takes no goals
        modes = servo.read_block("drive_mode", "operating_mode")
        torque = now.torque
        wrong = modes["operating_mode"] != _POSITION_MODE or modes["drive_mode"] & _UNWANTED_DRIVE
        # With the torque off, the position counts turns; choosing the mode anew folds it into one.
        if wrong or (not torque and not 0 <= now.position < PULSES_PER_TURN):
            servo.write("torque_enable", 0, again=True)  # EEPROM is locked while it is on
            torque = False
            servo.write("drive_mode", modes["drive_mode"] & ~_UNWANTED_DRIVE, again=True)
            servo.write("operating_mode", _POSITION_MODE, again=True)
        # After each change of mode, reboot and power cut these are 0, which means without limit. They cost
        # two packets, so they are written for every move instead of guessing.
        servo.write("profile_acceleration", profile.acceleration, again=True)
        servo.write("profile_velocity", profile.velocity, again=True)
        servo.write("goal_pwm", MAX_PWM if profile.pwm is None else profile.pwm, again=True)
        if torque:
            return
        position = servo.read("present_position")
        servo.write("goal_position", position % PULSES_PER_TURN, again=True, guard=guard)
        servo.write("torque_enable", 1, again=True, guard=guard)

    def _follow(
        self, goal: int, tolerance: float, timeout: float, run: Run, guard: Callable[[], None]
    ) -> Look:
        """Watch it go there. Every look feeds the bus watchdog."""
        now = self._look()
        nearest = whole = max(1, abs(goal - now.position))
        began = nearer_at = time.monotonic()
        while True:
            guard()
            run.check()
            if not now.torque:
                raise self._without_torque(now)
            left = abs(goal - now.position)
            if left * DEGREES_PER_PULSE <= tolerance and not now.moving and abs(now.velocity) <= _STILL:
                return now
            if left <= nearest - _NEARER:
                nearest, nearer_at = left, time.monotonic()
                run.progress(min(99.0, max(0.0, 100 * (1 - left / whole))))
            if run.paused:
                waited = self._pause(goal, run, guard)
                began, nearer_at = began + waited, time.monotonic()
                nearest = max(1, abs(goal - self._look().position))
            elif time.monotonic() - nearer_at > _STALLED_AFTER:
                raise self._stalled(goal)
            elif time.monotonic() - began > timeout:
                self.hold()
                raise MovementTimedOut(f"not there after {timeout:g} s: {_short(self._look(), goal)}")
            run.sleep(_POLL)
            now = self._look()

    def _pause(self, goal: int, run: Run, guard: Callable[[], None]) -> float:
        """Hold until the task may go on; the seconds that it took."""
        began = time.monotonic()
        self.hold()
        while run.paused:
            run.sleep(_POLL)
            run.check()
            if not self._look().torque:
                return time.monotonic() - began  # the next look tells why
        self.servo.write("goal_position", goal, again=True, guard=guard)
        return time.monotonic() - began

    def _stalled(self, goal: int) -> Fault:
        if self.servo.read("bus_watchdog") == WATCHDOG_TRIPPED:
            seconds = WATCHDOG * WATCHDOG_UNIT
            return Fault(
                f"the servo heard nothing for {seconds:g} s and stopped: {_short(self._look(), goal)}"
            )
        where = _short(self._look(), goal)
        self.hold()
        return Fault(f"stalled at {where}")

    def _without_torque(self, now: Look) -> LabError:
        at = f"it stands at {now.degrees:.1f}°"
        if now.hardware_error:
            return Fault(f"hardware error: {', '.join(now.hardware_error)}; torque off, {at}")
        return Fault(f"the torque went off, by a power cut or another program; {at}")

    def _disarm(self) -> None:
        # A line that failed leaves it armed, and so the servo stops by itself.
        with suppress(LabError):
            self.servo.write("bus_watchdog", 0, again=True)

    def _look_if_possible(self) -> Look | None:
        try:
            return self._look()
        except LabError:
            return None

    def _look(self) -> Look:
        servo = self.servo
        unit = servo.model.current_unit
        strain = "present_load" if unit is None else "present_current"
        known = [strain] if strain in servo.model.registers else []
        now = servo.read_block(
            "goal_position",
            "moving",
            *known,
            "present_velocity",
            "present_position",
            "present_input_voltage",
            "present_temperature",
        )
        torque = servo.read("torque_enable")
        # The alert bit of the answers above says whether there is anything to read here.
        errors = hardware_errors(servo.read("hardware_error_status")) if servo.alert else []
        return Look(
            position=now["present_position"],
            goal=now["goal_position"],
            velocity=now["present_velocity"],
            moving=bool(now["moving"]) or abs(now["present_velocity"]) > _STILL,
            torque=bool(torque),
            current=None if unit is None else round(now[strain] * unit),
            load=now[strain] if unit is None and known else None,
            voltage=now["present_input_voltage"] / 10,
            temperature=now["present_temperature"],
            hardware_error=errors,
        )


def _short(now: Look, goal: int) -> str:
    left = abs(goal - now.position) * DEGREES_PER_PULSE
    return f"{now.degrees:.1f}°, {left:.1f}° short of {goal * DEGREES_PER_PULSE:.4g}°"
