"""The settings of a plate resort, by the keys that its users know."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Choices, Range, Text, Unit
from lab2mqtt.drivers.dynamixel import BAUDRATES, MAX_ID
from lab2mqtt.drivers.dynamixel_registers import MAX_PWM


@dataclass(frozen=True)
class PlateResortSettings:
    """How a plate resort is built and may be used.

    Attributes:
        device: The serial port.
        baudrate: Its speed, as set in the servo.
        motor_id: The servo's id on the bus.
        hotels: The hotels, in the order in which they stand on the carousel.
        rooms_per_hotel: How many plates one takes.
        offset_angle: Angle at which the first hotel faces the opening.
        rotation_direction: 1 or -1, which way the next hotels follow.
        default_speed: Profile velocity of a move until set_speed; 1 is 0.229 rev/min, 50 is 69 °/s.
        position_tolerance: How near counts as there. One step of the encoder is 0.09°.
        movement_timeout: How long a move may take, pauses not counted.
        goal_torque: The most that the servo puts into a move, of 885 (all it has).
        torque_limit: The same, from older configurations; the lower of the two counts.
        temperature_limit: Above it there is a warning. The servo has a limit of its own, which stops it.
        current_limit: Above it there is a warning. The XL430 measures no current.
        voltage_min: Below it there is a warning.
        voltage_max: Above it there is a warning.
        profile_acceleration: 1 is 214.577 rev/min², 0 is as fast as it can.
        exit: What the bridge leaves behind when it ends or disconnects: ``hold`` leaves the torque as it is,
            ``release`` switches it off, so that the carousel turns by hand.
    """

    device: Annotated[str, Text(255, 1)] = "/dev/ttyUSB0"
    baudrate: Annotated[int, Choices(BAUDRATES)] = 57600
    motor_id: Annotated[int, Range(0, MAX_ID)] = 1
    hotels: tuple[Annotated[str, Text(32, 1)], ...] = ("A", "B", "C", "D")
    rooms_per_hotel: Annotated[int, Range(1, 1000)] = 20
    offset_angle: Annotated[float, Range(-360, 360), Unit("°")] = 19.0
    rotation_direction: Literal[1, -1] = 1
    default_speed: Annotated[int, Range(1, 2047)] = 50
    position_tolerance: Annotated[float, Range(0.1, 10), Unit("°")] = 0.5
    movement_timeout: Annotated[float, Range(1, 600), Unit("s")] = 20.0
    goal_torque: Annotated[int, Range(1)] | None = None
    torque_limit: Annotated[int, Range(1)] | None = None
    temperature_limit: Annotated[float, Range(0, 100), Unit("°C")] = 70.0
    current_limit: Annotated[float, Range(0), Unit("mA")] = 2000.0
    voltage_min: Annotated[float, Range(0, 30), Unit("V")] = 10.0
    voltage_max: Annotated[float, Range(0, 30), Unit("V")] = 14.0
    profile_acceleration: Annotated[int, Range(0, 32767)] = 0
    exit: Literal["hold", "release"] = "hold"

    def __post_init__(self) -> None:
        """Refuse what no single key shows."""
        if not self.hotels:
            raise Misconfigured("hotels is empty: at least one is needed")
        if twice := sorted({hotel for hotel in self.hotels if self.hotels.count(hotel) > 1}):
            raise Misconfigured(f"hotels has {twice[0]!r} twice: each name may stand there once")
        if self.voltage_min >= self.voltage_max:
            raise Misconfigured(
                f"voltage_min {self.voltage_min:g} V is not below voltage_max {self.voltage_max:g} V"
            )

    @property
    def pwm(self) -> int | None:
        """The most that the servo may put into a move, None for all it has.

        Older configurations have numbers here that were meant for other registers, which the servo refused
        and nobody noticed. They change nothing now either, and are told about.
        """
        within = [value for value in (self.goal_torque, self.torque_limit) if value and value <= MAX_PWM]
        return min(within, default=None)

    def warnings(self) -> list[str]:
        """What in the settings has no effect, in words."""
        given = {"goal_torque": self.goal_torque, "torque_limit": self.torque_limit}
        return [
            f"setting {key} {value} is more than the servo's {MAX_PWM} and has no effect"
            for key, value in given.items()
            if value is not None and value > MAX_PWM
        ]
