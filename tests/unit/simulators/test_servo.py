"""The model of the servo: registers, protection and motion, in time that the test hands out."""

import pytest

from lab2mqtt.simulators.bus import answer
from lab2mqtt.simulators.control_table import MODELS, Model
from lab2mqtt.simulators.protocol2 import Error, Instruction, Packet
from lab2mqtt.simulators.servo import Servo

ADDRESS = {
    "operating_mode": (11, 1),
    "max_voltage_limit": (32, 2),
    "current_limit": (38, 2),
    "max_position_limit": (48, 4),
    "shutdown": (63, 1),
    "torque_enable": (64, 1),
    "led": (65, 1),
    "bus_watchdog": (98, 1),
    "goal_pwm": (100, 2),
    "profile_acceleration": (108, 4),
    "profile_velocity": (112, 4),
    "goal_position": (116, 4),
    "present_position": (132, 4),
}


def write(servo: Servo, name: str, value: int) -> Error:
    """Write by name."""
    address, size = ADDRESS[name]
    return servo.write(address, value.to_bytes(size, "little", signed=value < 0))


def read(servo: Servo, address: int, size: int, *, signed: bool = False) -> int:
    """Read by address."""
    error, data = servo.read(address, size)
    assert error is Error.NONE
    return int.from_bytes(data, "little", signed=signed)


@pytest.fixture(params=MODELS.values(), ids=lambda model: model.name)
def model(request: pytest.FixtureRequest) -> Model:
    """Each model."""
    found: Model = request.param
    return found


def ready(position: float = 0.0, model: Model = MODELS["XC330-T288"], speed: int = 50) -> Servo:
    """A servo with torque and a speed."""
    servo = Servo(model, position=position)
    write(servo, "profile_velocity", speed)
    write(servo, "torque_enable", 1)
    return servo


def test_what_it_says_it_is(model: Model) -> None:
    """Model number and limits of the model."""
    servo = Servo(model)
    assert read(servo, 0, 2) == model.number
    assert read(servo, 31, 1) == model.temperature_limit
    assert read(servo, 44, 4) == model.velocity_limit
    assert (read(servo, 38, 2) == 0) == (model.current_limit is None)


def test_turns_to_a_goal(model: Model) -> None:
    """At the profile's speed, and there within a pulse."""
    servo = ready(model=model)
    assert write(servo, "goal_position", 1240) is Error.NONE
    servo.advance(1.0)
    assert read(servo, 122, 1) == 1
    assert servo.degrees == pytest.approx(68.7 - 2.7, abs=1)  # the load lags behind the profile
    assert read(servo, 128, 4) == pytest.approx(50, abs=1)
    servo.advance(1.0)
    assert read(servo, 122, 1) == 0
    assert abs(read(servo, 132, 4) - 1240) <= 1


def test_the_same_time_in_other_pieces_gives_the_same(model: Model) -> None:
    """The model depends on how much time passed, not on how often it was asked."""
    one, other = ready(model=model), ready(model=model)
    for servo in (one, other):
        write(servo, "goal_position", 2000)
    one.advance(1.5)
    for _ in range(100):
        other.advance(0.015)
    assert one.degrees == pytest.approx(other.degrees, abs=0.5)


def test_profile_velocity_zero_is_unlimited() -> None:
    """The trap behind a speed of 0 and behind every change of mode."""
    slow, fast = ready(speed=50), ready(speed=0)
    for servo in (slow, fast):
        write(servo, "goal_position", 4000)
        servo.advance(0.5)
    assert fast.degrees > 4 * slow.degrees


def test_acceleration() -> None:
    """A trapezoid: slower at the start, and it arrives."""
    servo = ready(speed=100)
    write(servo, "profile_acceleration", 10)
    write(servo, "goal_position", 2048)
    servo.advance(0.2)
    assert servo.degrees < 4
    servo.advance(4)
    assert servo.degrees == pytest.approx(180, abs=0.1)


def test_changing_the_mode_resets_the_profile() -> None:
    """As documented, and forgotten by the original."""
    servo = Servo()
    write(servo, "profile_velocity", 50)
    write(servo, "profile_acceleration", 5)
    write(servo, "goal_pwm", 100)
    assert write(servo, "operating_mode", 4) is Error.NONE
    assert (read(servo, 112, 4), read(servo, 108, 4), read(servo, 100, 2)) == (0, 0, 885)


def test_ranges(model: Model) -> None:
    """Refused with the error that ROBOTIS documents, and nothing changed."""
    servo = Servo(model)
    assert write(servo, "goal_position", 4096) is Error.DATA_RANGE
    assert write(servo, "goal_position", -1) is Error.DATA_RANGE
    assert write(servo, "max_voltage_limit", 1023) is Error.DATA_RANGE  # the original's torque limit
    assert write(servo, "goal_pwm", 1023) is Error.DATA_RANGE
    assert write(servo, "operating_mode", 2) is Error.DATA_RANGE
    wanted = Error.ACCESS if model.current_limit is None else Error.DATA_RANGE
    assert write(servo, "current_limit", 2000) is wanted
    assert write(servo, "present_position", 5) is Error.ACCESS
    assert servo.write(116, b"\x01") is Error.DATA_LENGTH
    assert servo.write(3, b"\x01") is Error.ACCESS
    write(servo, "max_position_limit", 2000)
    assert write(servo, "goal_position", 2001) is Error.DATA_LIMIT
    assert servo.goal == 0


def test_multi_turn_mode_takes_more() -> None:
    """Mode 4 counts turns, either way."""
    servo = Servo()
    write(servo, "operating_mode", 4)
    write(servo, "torque_enable", 1)
    assert write(servo, "goal_position", -5000) is Error.NONE
    servo.advance(5)
    assert read(servo, 132, 4, signed=True) == pytest.approx(-5000, abs=1)


def test_eeprom_is_locked_by_torque() -> None:
    """Addresses below 64."""
    servo = ready()
    assert write(servo, "operating_mode", 4) is Error.ACCESS
    write(servo, "torque_enable", 0)
    assert write(servo, "operating_mode", 4) is Error.NONE


def test_torque_on_jumps_to_an_old_goal() -> None:
    """Why a driver sets the goal to the present position first."""
    servo = Servo()
    write(servo, "goal_position", 1000)
    servo.advance(1)
    assert servo.degrees == 0
    write(servo, "torque_enable", 1)
    servo.advance(1)
    assert servo.degrees > 50


def test_torque_off_runs_out_and_stays() -> None:
    """No motor, so it stops by friction and does not come back."""
    servo = ready()
    write(servo, "goal_position", 2000)
    servo.advance(1)
    write(servo, "torque_enable", 0)
    before = servo.degrees
    servo.advance(1)
    assert before < servo.degrees < before + 5
    assert read(servo, 122, 1) == 0


def test_torque_on_forgets_turns() -> None:
    """Turned by hand past a whole turn; position control knows one turn."""
    servo = Servo(position=10)
    servo.shaft.position -= 200
    assert read(servo, 132, 4, signed=True) < 0
    write(servo, "goal_position", read(servo, 132, 4, signed=True) % 4096)
    write(servo, "torque_enable", 1)
    assert 0 <= read(servo, 132, 4, signed=True) < 4096


class TestBusWatchdog:
    """The servo's own dead man's handle."""

    def test_stops_a_move(self) -> None:
        """After the time without an instruction, and says so."""
        servo = ready()
        write(servo, "bus_watchdog", 18)
        write(servo, "goal_position", 4000)
        servo.heard()
        servo.advance(0.35)
        assert read(servo, 122, 1) == 1
        servo.advance(0.15)
        assert read(servo, 122, 1) == 0
        assert servo.shaft.velocity == pytest.approx(0, abs=50)
        assert read(servo, 98, 1) == 255
        at = servo.degrees
        servo.advance(10)
        assert servo.degrees == pytest.approx(at, abs=3)

    def test_takes_no_goal_until_cleared(self) -> None:
        """And has lost its profile."""
        servo = ready()
        write(servo, "bus_watchdog", 1)
        servo.advance(1)
        assert write(servo, "goal_position", 100) is Error.DATA_RANGE
        assert read(servo, 112, 4) == 0
        assert write(servo, "bus_watchdog", 0) is Error.NONE
        assert write(servo, "goal_position", 100) is Error.NONE

    def test_is_fed_by_any_instruction(self) -> None:
        """Also by one for another servo."""
        servo = ready()
        write(servo, "bus_watchdog", 10)
        for _ in range(10):
            servo.advance(0.15)
            answer(servo, Packet(9, Instruction.PING))
        assert read(servo, 98, 1) == 10

    def test_sleeps_without_torque(self) -> None:
        """It watches while the torque is on."""
        servo = Servo()
        write(servo, "bus_watchdog", 1)
        servo.advance(1)
        assert read(servo, 98, 1) == 1


class TestProtection:
    """Shutdown, and what it takes to get out of it."""

    def test_a_stalled_move_ends_in_overload(self, model: Model) -> None:
        """The current rises, then the servo lets go."""
        servo = ready(model=model)
        servo.advance(0.1)
        calm = read(servo, 126, 2, signed=True)
        write(servo, "goal_position", 2000)
        servo.stalled = True
        servo.advance(1)
        assert read(servo, 126, 2, signed=True) > 5 * max(1, calm)
        assert servo.torque
        servo.advance(3)
        assert read(servo, 64, 1) == 0
        assert read(servo, 70, 1) == 0x20
        assert servo.alert == 0x80
        assert write(servo, "torque_enable", 1) is Error.RESULT_FAIL
        servo.stalled = False
        servo.reboot()
        assert servo.alert == 0
        assert write(servo, "torque_enable", 1) is Error.NONE

    def test_overheating(self) -> None:
        """Torque off; a reboot while it is still hot changes nothing for long."""
        servo = ready()
        servo.overheated = True
        servo.advance(0.1)
        assert not servo.torque
        assert read(servo, 70, 1) == 0x04
        assert read(servo, 146, 1) == 82
        servo.reboot()
        servo.advance(0.1)
        assert read(servo, 70, 1) == 0x04

    def test_undervoltage_is_an_alert_only(self) -> None:
        """The factory's shutdown mask leaves the input voltage out."""
        servo = ready()
        servo.undervolted = True
        servo.advance(0.1)
        assert servo.alert == 0x80
        assert servo.torque

    def test_power_cut(self) -> None:
        """RAM is lost, EEPROM and the shaft stay."""
        servo = ready(position=90)
        servo.power(on=False)
        servo.power(on=True)
        assert not servo.torque
        assert read(servo, 112, 4) == 0
        assert servo.degrees == pytest.approx(90, abs=0.1)


class TestInstructions:
    """What the bus carries."""

    def ask(self, servo: Servo, instruction: int, told: bytes = b"", servo_id: int = 1) -> bytes | None:
        """Error byte and parameters of the answer."""
        reply = answer(servo, Packet(servo_id, instruction, told))
        return None if reply is None else reply[8:-2]

    def test_ping(self) -> None:
        """Model number and firmware."""
        assert self.ask(Servo(), Instruction.PING) == b"\x00\xc4\x04\x34"

    def test_silence(self) -> None:
        """For others, and for a write to all."""
        servo = Servo()
        assert self.ask(servo, Instruction.PING, servo_id=2) is None
        assert self.ask(servo, Instruction.WRITE, b"\x41\x00\x01", servo_id=0xFE) is None
        assert read(servo, 65, 1) == 1

    def test_broken(self) -> None:
        """A wrong checksum is told."""
        reply = answer(Servo(), Packet(1, Instruction.PING, intact=False))
        assert reply is not None
        assert reply[8] == Error.CRC

    def test_registered_write(self) -> None:
        """Written now, done on action."""
        servo = Servo()
        assert self.ask(servo, Instruction.REG_WRITE, b"\x41\x00\x01") == b"\x00"
        assert read(servo, 65, 1) == 0
        assert self.ask(servo, Instruction.ACTION) == b"\x00"
        assert read(servo, 65, 1) == 1

    def test_refused(self) -> None:
        """Factory reset, and what nobody knows."""
        assert self.ask(Servo(), Instruction.FACTORY_RESET, b"\xff") == bytes([Error.RESULT_FAIL])
        assert self.ask(Servo(), 0x77) == bytes([Error.INSTRUCTION])
        assert self.ask(Servo(), Instruction.READ, b"\x00\x10\x01\x00") == bytes([Error.ACCESS])

    def test_sync_read_and_write(self) -> None:
        """One packet for many; this one answers when it is in the list."""
        servo = Servo()
        told = b"\x41\x00\x01\x00"
        self.ask(servo, Instruction.SYNC_WRITE, told + b"\x02\x00\x01\x01", servo_id=0xFE)
        assert self.ask(servo, Instruction.SYNC_READ, told + b"\x01", servo_id=0xFE) == b"\x00\x01"
        assert self.ask(servo, Instruction.SYNC_READ, told + b"\x02", servo_id=0xFE) is None

    def test_status_return_level(self) -> None:
        """Set to 1, it answers reads only."""
        servo = Servo()
        self.ask(servo, Instruction.WRITE, b"\x44\x00\x01")
        assert self.ask(servo, Instruction.WRITE, b"\x41\x00\x01") is None
        assert self.ask(servo, Instruction.READ, b"\x41\x00\x01\x00") == b"\x00\x01"
