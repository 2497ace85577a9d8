"""The registers of three Dynamixel X servos, with the ranges and first values that ROBOTIS documents.

Addresses below 64 are EEPROM: kept without power, locked while the torque is on.
"""

from dataclasses import dataclass
from typing import Final

PULSES: Final = 4096  # per turn
EEPROM_END: Final = 64
TABLE_END: Final = 148  # the indirect registers behind it are left out

_TURNS = 1_048_575  # pulses, 256 turns either way


@dataclass(frozen=True, slots=True)
class Model:
    """What differs between the models. Voltages in 0.1 V, velocity in 0.229 rev/min."""

    name: str
    number: int
    firmware: int
    voltages: tuple[int, int]
    temperature_limit: int
    velocity_limit: int
    velocity_range: int
    current_limit: int | None  # in its own unit; None: address 126 is the load in 0.1 %
    current_unit: float  # mA


XL430_W250: Final = Model("XL430-W250", 1060, 46, (60, 140), 72, 265, 1023, None, 0.0)
XM430_W350: Final = Model("XM430-W350", 1020, 47, (95, 160), 80, 350, 1023, 1193, 2.69)
XC330_T288: Final = Model("XC330-T288", 1220, 52, (55, 140), 70, 320, 2047, 910, 1.0)
MODELS: Final = {model.name: model for model in (XL430_W250, XM430_W350, XC330_T288)}


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of the control table; ``low`` None means that it can only be read."""

    address: int
    size: int
    initial: int = 0
    low: int | None = None
    high: int = 0

    @property
    def signed(self) -> bool:
        """Whether its value can be negative."""
        return self.low is not None and self.low < 0


def registers(model: Model) -> dict[str, Register]:
    """The control table of a model."""
    lowest, highest = model.voltages
    table = {
        "model_number": Register(0, 2, model.number),
        "model_information": Register(2, 4),
        "firmware_version": Register(6, 1, model.firmware),
        "id": Register(7, 1, 1, 0, 252),
        "baud_rate": Register(8, 1, 1, 0, 6),
        "return_delay_time": Register(9, 1, 250, 0, 254),
        "drive_mode": Register(10, 1, 0, 0, 13),
        "operating_mode": Register(11, 1, 3, 0, 16),
        "homing_offset": Register(20, 4, 0, -1_044_479, 1_044_479),
        "moving_threshold": Register(24, 4, 10, 0, 1023),
        "temperature_limit": Register(31, 1, model.temperature_limit, 0, 100),
        "max_voltage_limit": Register(32, 2, highest, lowest, highest),
        "min_voltage_limit": Register(34, 2, lowest, lowest, highest),
        "pwm_limit": Register(36, 2, 885, 0, 885),
        "velocity_limit": Register(44, 4, model.velocity_limit, 0, model.velocity_range),
        "max_position_limit": Register(48, 4, PULSES - 1, 0, PULSES - 1),
        "min_position_limit": Register(52, 4, 0, 0, PULSES - 1),
        "shutdown": Register(63, 1, 52, 0, 63),
        "torque_enable": Register(64, 1, 0, 0, 1),
        "led": Register(65, 1, 0, 0, 1),
        "status_return_level": Register(68, 1, 2, 0, 2),
        "registered_instruction": Register(69, 1),
        "hardware_error_status": Register(70, 1),
        "velocity_i_gain": Register(76, 2, 1000, 0, 16_383),
        "velocity_p_gain": Register(78, 2, 100, 0, 16_383),
        "position_d_gain": Register(80, 2, 0, 0, 16_383),
        "position_i_gain": Register(82, 2, 0, 0, 16_383),
        "position_p_gain": Register(84, 2, 800, 0, 16_383),
        "bus_watchdog": Register(98, 1, 0, 0, 127),
        "goal_pwm": Register(100, 2, 885, -885, 885),
        "goal_velocity": Register(104, 4, 0, -model.velocity_range, model.velocity_range),
        "profile_acceleration": Register(108, 4, 0, 0, 32_767),
        "profile_velocity": Register(112, 4, 0, 0, 32_767),
        "goal_position": Register(116, 4, 0, -_TURNS, _TURNS),
        "realtime_tick": Register(120, 2),
        "moving": Register(122, 1),
        "moving_status": Register(123, 1),
        "present_pwm": Register(124, 2),
        "present_current": Register(126, 2),  # on the XL430 the load
        "present_velocity": Register(128, 4),
        "present_position": Register(132, 4),
        "velocity_trajectory": Register(136, 4),
        "position_trajectory": Register(140, 4),
        "present_input_voltage": Register(144, 2),
        "present_temperature": Register(146, 1),
        "backup_ready": Register(147, 1),
    }
    if model.current_limit is not None:
        limit = model.current_limit
        table["current_limit"] = Register(38, 2, limit, 0, limit)
        table["goal_current"] = Register(102, 2, limit, -limit, limit)
    return table
