"""A Dynamixel X servo as a model: control table, motion, protection. No bytes, no clock, no randomness.

Where firmware versions differ it does the less comfortable thing: torque on does not set the goal to the
present position, and a bus watchdog that trips clears the profile.
"""

import math
from typing import TYPE_CHECKING, Final

from lab2mqtt.simulators.control_table import (
    EEPROM_END,
    MODELS,
    PULSES,
    TABLE_END,
    XC330_T288,
    Model,
    Register,
    registers,
)
from lab2mqtt.simulators.motion import ACCELERATION_UNIT, VELOCITY_UNIT, Shaft
from lab2mqtt.simulators.protocol2 import ALERT, Error

if TYPE_CHECKING:
    from lab2mqtt.simulators.journal import Note

__all__ = ["MODELS", "Servo"]

POSITION: Final = 3
EXTENDED_POSITION: Final = 4
# 5 is position control with a current limit, which a model without current measurement lacks.
_MODES = {0, 1, 3, 4, 5, 16}
_MODES_WITHOUT_CURRENT = {1, 3, 4, 16}

INPUT_VOLTAGE, OVERHEATING, OVERLOAD = 0x01, 0x04, 0x20

_STEP = 0.002  # s
_WATCHDOG_UNIT = 0.02  # s
_WATCHDOG_TRIPPED = 0xFF
_AMBIENT = 29.0  # °C
_OVERLOAD_AFTER = 3.0  # s of full effort without moving, after which the servo protects itself
_OVERHEATED_BY = 12.0  # °C above its limit
_GOALS = ("goal_pwm", "goal_current", "goal_velocity", "goal_position")


class Servo:
    """One servo.

    Attributes:
        stalled: Something holds the shaft.
        overheated: The winding is above its limit.
        undervolted: The supply sags; a hardware error without a shutdown, as the factory sets it.
        powered: False while it has no supply.
        journal: Told of everything that matters to its motion, where somebody keeps a journal.
    """

    def __init__(self, model: Model = XC330_T288, servo_id: int = 1, position: float = 0.0) -> None:
        """Make a servo as it is after power-on, torque off.

        Args:
            model: One of ``MODELS``.
            servo_id: Its id on the bus.
            position: Where the shaft stands, in degrees; turns beyond one are forgotten, as by the real one.
        """
        self.model = model
        self.stalled = False
        self.overheated = False
        self.undervolted = False
        self.powered = True
        self.journal: Note | None = None
        self.registered: tuple[int, bytes] | None = None
        self._registers = registers(model)
        self._by_address = {register.address: name for name, register in self._registers.items()}
        self._memory = bytearray(TABLE_END)
        self._time = 0.0
        self._silence = 0.0  # s since the last instruction
        self._effort = 0.0  # s of full effort without moving
        self._winding = _AMBIENT
        for name, register in self._registers.items():
            self._put(name, register.initial)
        self._put("id", servo_id)
        self.shaft = Shaft(position % 360 * PULSES / 360)
        self._start()

    # What a bus asks for.

    @property
    def servo_id(self) -> int:
        """The id that it answers to."""
        return self.get("id")

    @property
    def alert(self) -> int:
        """The alert bit of its answers."""
        return ALERT if self.get("hardware_error_status") else 0

    @property
    def goal(self) -> float:
        """The goal position in pulses."""
        return self.get("goal_position")

    @property
    def torque(self) -> bool:
        """Whether it holds."""
        return self.powered and bool(self.get("torque_enable"))

    @property
    def degrees(self) -> float:
        """Where the shaft truly is."""
        return self.shaft.position * 360 / PULSES

    def heard(self) -> None:
        """Note that an instruction came by; its bus watchdog listens to all of them."""
        self._silence = 0.0

    def get(self, name: str) -> int:
        """A register's value."""
        register = self._registers[name]
        raw = self._memory[register.address : register.address + register.size]
        return int.from_bytes(raw, "little", signed=register.signed)

    def read(self, address: int, length: int) -> tuple[Error, bytes]:
        """Read bytes, as the instruction does."""
        if length == 0 or address + length > TABLE_END:
            return (Error.DATA_LENGTH if length == 0 else Error.ACCESS), b""
        self._measure()
        return Error.NONE, bytes(self._memory[address : address + length])

    def write(self, address: int, data: bytes) -> Error:
        """Write bytes, as the instruction does: all registers that they cover, or none."""
        if not data:
            return Error.DATA_LENGTH
        wanted: list[tuple[str, int]] = []
        at = 0
        while at < len(data):
            name = self._by_address.get(address + at)
            if name is None:
                return Error.ACCESS
            register = self._registers[name]
            raw = data[at : at + register.size]
            if len(raw) < register.size:
                return Error.DATA_LENGTH
            wanted.append((name, int.from_bytes(raw, "little", signed=register.signed)))
            at += register.size
        for name, value in wanted:
            if error := self._refusal(name, self._registers[name], value):
                return error
        for name, value in wanted:
            self._take(name, value)
        return Error.NONE

    def reboot(self) -> None:
        """Start anew: RAM to its first values, torque off, hardware error gone unless its cause is not."""
        self._lose_torque()
        for name, register in self._registers.items():
            if register.address >= EEPROM_END:
                self._put(name, register.initial)
        self._start()

    def power(self, *, on: bool) -> None:
        """Cut the supply, or give it back."""
        if on and not self.powered:
            self.reboot()
        if not on:
            self._lose_torque()
        self.powered = on

    # Time.

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        left = seconds
        while left > 1e-9:  # noqa: PLR2004 - what is left of a float
            # At rest nothing happens but the watchdog and the cooling, so take longer steps.
            step = min(left, self._rest() or _STEP)
            self._tick(step)
            left -= step

    def _rest(self) -> float:
        """How long nothing will move, 0 where something does."""
        if self.shaft.velocity or (self.torque and not self.shaft.at_rest):
            return 0.0
        watchdog = self.get("bus_watchdog")
        if self.torque and 0 < watchdog < _WATCHDOG_TRIPPED:
            return max(0.0, watchdog * _WATCHDOG_UNIT - self._silence)
        return 1.0

    def _tick(self, step: float) -> None:
        self._time += step
        self._silence += step
        blocked = self.stalled
        turned = self.shaft.velocity != 0.0
        if self.torque:
            self._watch_bus()
            self.shaft.follow(step, blocked=blocked)
        else:
            self.shaft.coast(step, blocked=blocked)
        if turned and self.shaft.velocity == 0.0:
            self._note("still")
        straining = self.torque and blocked and not self.shaft.at_rest
        self._effort = self._effort + step if straining else 0.0
        heat = _AMBIENT + (25.0 if straining else 6.0 if self.shaft.velocity else 0.0)
        limit = self.get("temperature_limit")
        if self.overheated:
            self._winding = heat = limit + _OVERHEATED_BY
        elif self._winding > limit:
            self._winding = heat  # the fault is off; nobody waits for a real one to cool down
        self._winding += (heat - self._winding) * min(1.0, step / 30.0)
        if self.powered:
            self._protect()

    def _watch_bus(self) -> None:
        watchdog = self.get("bus_watchdog")
        if watchdog in (0, _WATCHDOG_TRIPPED) or self._silence < watchdog * _WATCHDOG_UNIT:
            return
        self._note("watchdog")
        self._put("bus_watchdog", _WATCHDOG_TRIPPED)
        self._put("profile_velocity", 0)
        self._put("profile_acceleration", 0)
        self._put("goal_position", round(self.shaft.position))
        self.shaft.catch()
        self._aim()

    def _protect(self) -> None:
        found = 0
        if self._winding > self.get("temperature_limit"):
            found |= OVERHEATING
        if self.undervolted:
            found |= INPUT_VOLTAGE
        if self._effort >= _OVERLOAD_AFTER:
            found |= OVERLOAD
        if not found:
            return
        self._put("hardware_error_status", self.get("hardware_error_status") | found)
        if found & self.get("shutdown"):
            self._lose_torque()

    def _lose_torque(self) -> None:
        if self.torque:
            self._note("torque_off")
        self._put("torque_enable", 0)

    def _note(self, what: str, **more: float) -> None:
        if self.journal:
            self.journal(self._time, what, {"position": round(self.shaft.position), **more})

    def _note_goal(self, what: str) -> None:
        self._note(what, goal=self.get("goal_position"), turning=self.shaft.velocity != 0.0)

    # Writes.

    def _refusal(self, name: str, register: Register, value: int) -> Error:  # noqa: C901, PLR0911 - one rule each
        if register.low is None:
            return Error.ACCESS
        if register.address < EEPROM_END and self.get("torque_enable"):
            return Error.ACCESS
        if not register.low <= value <= register.high:
            return Error.DATA_RANGE
        if name in _GOALS and self.get("bus_watchdog") == _WATCHDOG_TRIPPED:
            return Error.DATA_RANGE
        if name == "operating_mode":
            modes = _MODES if self.model.current_limit is not None else _MODES_WITHOUT_CURRENT
            return Error.NONE if value in modes else Error.DATA_RANGE
        if name == "torque_enable" and value and self.get("hardware_error_status") & self.get("shutdown"):
            return Error.RESULT_FAIL  # until a reboot
        if name == "goal_position" and self.get("operating_mode") == POSITION:
            if not 0 <= value < PULSES:
                return Error.DATA_RANGE
            if not self.get("min_position_limit") <= value <= self.get("max_position_limit"):
                return Error.DATA_LIMIT
        limits = {"goal_pwm": "pwm_limit", "goal_current": "current_limit", "goal_velocity": "velocity_limit"}
        if name in limits and abs(value) > self.get(limits[name]):
            return Error.DATA_LIMIT
        return Error.NONE

    def _take(self, name: str, value: int) -> None:
        before = self.get(name)
        self._put(name, value)
        match name:
            case "operating_mode":
                self._put("profile_velocity", 0)
                self._put("profile_acceleration", 0)
                self._put("goal_pwm", self.get("pwm_limit"))
                if "goal_current" in self._registers:
                    self._put("goal_current", self.get("current_limit"))
                if value == POSITION:
                    self._forget_turns()
            case "torque_enable" if value and not before:
                if self.get("operating_mode") == POSITION:
                    self._forget_turns()
                self._silence = 0.0
                self._note_goal("torque_on")
                self.shaft.catch()
                self._aim()
            case "torque_enable" if before and not value:
                self._note("torque_off")
            case "bus_watchdog" if value and not before:
                self._note("armed")
            case "goal_position" if self.get("torque_enable"):
                self._note_goal("goal")
                self._aim()

    def _aim(self) -> None:
        speed = self.get("profile_velocity") or self.get("velocity_limit")
        speed = min(speed, self.get("velocity_limit"))
        acceleration = self.get("profile_acceleration")
        self.shaft.aim(
            self.get("goal_position"),
            speed * VELOCITY_UNIT,
            acceleration * ACCELERATION_UNIT if acceleration else math.inf,
        )

    # Measurements.

    def _start(self) -> None:
        self.registered = None
        self._silence = self._effort = 0.0
        self._forget_turns()
        self.shaft.catch()
        self.shaft.goal = self.shaft.profile
        self._put("goal_position", round(self.shaft.position))
        self._measure()

    def _forget_turns(self) -> None:
        turns = math.floor((self.shaft.position + 0.5) / PULSES) * PULSES
        self.shaft.position -= turns
        self.shaft.profile -= turns

    def _measure(self) -> None:
        shaft = self.shaft
        speed = round(shaft.velocity / VELOCITY_UNIT)
        straining = self.torque and self.stalled and not shaft.at_rest
        # Ripple that is the same in every run: two waves that do not repeat soon.
        ripple = math.sin(self._time * 7.3) + math.sin(self._time * 2.9)
        effort = 0.0  # of 1
        if straining:
            effort = min(1.0, 0.4 + self._effort)
        elif self.torque:
            effort = 0.02 + 0.12 * min(1.0, abs(shaft.velocity) / 1000) + 0.004 * ripple
        effort = min(effort, abs(self.get("goal_pwm")) / 885)
        direction = -1 if shaft.goal < shaft.position else 1
        if self.model.current_limit is None:
            current = round(1000 * effort)
        else:
            current = round(self.model.current_limit * effort)
        error = abs(shaft.goal - shaft.position)
        moving = abs(speed) > self.get("moving_threshold") or (self.torque and shaft.profile_ongoing)
        volts = 118.5 + 0.6 * ripple - 8 * effort
        if self.undervolted:
            volts = self.model.voltages[0] - 4
        for name, value in {
            "realtime_tick": round(self._time * 1000) % 32768,
            "moving": int(moving),
            "moving_status": (error <= 5) | (shaft.profile_ongoing << 1) | 0x30,  # noqa: PLR2004
            "present_pwm": direction * round(885 * effort),
            "present_current": direction * current,
            "present_velocity": speed,
            "present_position": round(shaft.position),
            "velocity_trajectory": round(shaft.profile_velocity / VELOCITY_UNIT),
            "position_trajectory": round(shaft.profile),
            "present_input_voltage": round(volts),
            "present_temperature": round(self._winding),
        }.items():
            self._put(name, value)

    def _put(self, name: str, value: int) -> None:
        register = self._registers[name]
        mask = (1 << 8 * register.size) - 1
        raw = (value & mask).to_bytes(register.size, "little")
        self._memory[register.address : register.address + register.size] = raw
