"""How the shaft of a servo follows its goal: a trapezoid of speed, and a load that lags behind it.

Positions in pulses, speeds in pulses per second. Nothing here knows a clock.
"""

from dataclasses import dataclass
import math

# One count of a velocity register is 0.229 rev/min, one of an acceleration register 214.577 rev/min².
VELOCITY_UNIT = 0.229 * 4096 / 60
ACCELERATION_UNIT = 214.577 * 4096 / 3600

_LAG = 0.04  # s, time constant of the load behind the profile
_GRIP = 30_000.0  # pulses/s², what the motor can do to a carousel full of plates
_FRICTION = 0.6  # pulses: nearer than this the motor cannot overcome friction
_COAST = 0.05  # s, time constant with the torque off: the gears brake


@dataclass(slots=True)
class Shaft:
    """The state of motion, advanced in small steps."""

    position: float
    velocity: float = 0.0
    profile: float = 0.0  # where the profile is now
    profile_velocity: float = 0.0
    goal: float = 0.0
    speed_limit: float = 0.0
    acceleration_limit: float = math.inf

    def aim(self, goal: float, speed_limit: float, acceleration_limit: float) -> None:
        """Plan the way to a goal from where the profile is now, as a servo does on each goal write."""
        self.goal = goal
        self.speed_limit = speed_limit
        self.acceleration_limit = acceleration_limit

    def catch(self) -> None:
        """Begin a profile at the present position: the torque has just come on."""
        self.profile, self.profile_velocity = self.position, 0.0

    @property
    def at_rest(self) -> bool:
        """Whether neither profile nor load will move any more under torque."""
        return (
            self.profile == self.goal and self.velocity == 0.0 and abs(self.goal - self.position) <= _FRICTION
        )

    @property
    def profile_ongoing(self) -> bool:
        """Whether the profile has not reached the goal."""
        return self.profile != self.goal

    def follow(self, step: float, *, blocked: bool) -> None:
        """Move for a few milliseconds with the torque on."""
        self._advance_profile(step)
        if blocked:
            self.velocity = 0.0
            return
        error = self.profile - self.position
        there = abs(error) <= _FRICTION and self.profile == self.goal
        wanted = 0.0 if there else error / _LAG
        change = max(-_GRIP * step, min(_GRIP * step, wanted - self.velocity))
        self.velocity += change
        self.position += self.velocity * step
        if wanted == 0.0 and abs(self.velocity) < 1.0:
            self.velocity = 0.0

    def coast(self, step: float, *, blocked: bool) -> None:
        """Run out for a few milliseconds with the torque off."""
        self.velocity = 0.0 if blocked else self.velocity * math.exp(-step / _COAST)
        self.position += self.velocity * step
        if abs(self.velocity) < 1.0:
            self.velocity = 0.0

    def _advance_profile(self, step: float) -> None:
        left = self.goal - self.profile
        if left == 0.0:
            self.profile_velocity = 0.0
            return
        # As fast as allowed, but slow enough to stop in time at the allowed deceleration.
        braking = math.sqrt(2 * self.acceleration_limit * abs(left))
        wanted = math.copysign(min(self.speed_limit, braking), left)
        most = self.acceleration_limit * step
        self.profile_velocity += max(-most, min(most, wanted - self.profile_velocity))
        ahead = self.profile_velocity * step
        if ahead * left > 0 and abs(ahead) >= abs(left):
            self.profile, self.profile_velocity = self.goal, 0.0
        else:
            self.profile += ahead
            # The last fraction of a pulse would take for ever at the braking speed.
            if abs(self.goal - self.profile) < 0.05:  # noqa: PLR2004
                self.profile, self.profile_velocity = self.goal, 0.0
