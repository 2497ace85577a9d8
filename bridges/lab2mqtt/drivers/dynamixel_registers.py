"""The registers of Dynamixel X servos that we use, by model number, as ROBOTIS documents them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PULSES_PER_TURN: Final = 4096
DEGREES_PER_PULSE: Final = 360 / PULSES_PER_TURN
DEGREES_PER_SECOND: Final = 0.229 * 6  # in one count of a velocity register, which is 0.229 rev/min
MAX_PWM: Final = 885  # counts of 0.113 %: all that the servo has
WATCHDOG_UNIT: Final = 0.02  # s
WATCHDOG_TRIPPED: Final = 255  # -1: it heard nothing for too long, stopped, and takes no new goals

HARDWARE_ERRORS: Final = {
    0: "input voltage",
    2: "overheating",
    3: "motor encoder",
    4: "electrical shock",
    5: "overload",
}


@dataclass(frozen=True, slots=True)
class Register:
    """Where a value stands and how it is written."""

    address: int
    size: int
    signed: bool = False


# Present in every model of the X series, at the same address.
_COMMON: Final[dict[str, Register]] = {
    "model_number": Register(0, 2),
    "firmware_version": Register(6, 1),
    "drive_mode": Register(10, 1),
    "operating_mode": Register(11, 1),
    "velocity_limit": Register(44, 4),
    "torque_enable": Register(64, 1),
    "led": Register(65, 1),
    "hardware_error_status": Register(70, 1),
    "bus_watchdog": Register(98, 1),
    "goal_pwm": Register(100, 2, signed=True),
    "profile_acceleration": Register(108, 4),
    "profile_velocity": Register(112, 4),
    "goal_position": Register(116, 4, signed=True),
    "moving": Register(122, 1),
    "present_velocity": Register(128, 4, signed=True),
    "present_position": Register(132, 4, signed=True),
    "present_input_voltage": Register(144, 2),
    "present_temperature": Register(146, 1),
}
# The same two bytes have two meanings: a motor current where it is measured, else an estimate of the load.
_CURRENT: Final = {"present_current": Register(126, 2, signed=True)}
_LOAD: Final = {"present_load": Register(126, 2, signed=True)}


@dataclass(frozen=True)
class Model:
    """A servo model; ``current_unit`` is in mA, None where it measures none."""

    name: str
    current_unit: float | None
    registers: Mapping[str, Register] = field(repr=False)


ANY_MODEL: Final = Model("Dynamixel X", None, _COMMON)
MODELS: Final = {
    1060: Model("XL430-W250", None, _COMMON | _LOAD),
    1020: Model("XM430-W350", 2.69, _COMMON | _CURRENT),
    # Measured at the supply input, not in the winding: also above zero while it only holds.
    1220: Model("XC330-T288", 1.0, _COMMON | _CURRENT),
}


def hardware_errors(status: int) -> list[str]:
    """The names of the bits that are set in the hardware error status."""
    return [
        HARDWARE_ERRORS.get(bit, f"unknown hardware error {bit}") for bit in range(8) if status & (1 << bit)
    ]
