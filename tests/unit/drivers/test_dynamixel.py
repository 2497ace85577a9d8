"""The real SDK against the simulated servo, over a terminal."""

from collections.abc import Iterator
import contextlib
import os
import threading
import time
import tty
from typing import Any

from dynamixel_sdk import PortHandler
import pytest
import serial  # type: ignore[import-untyped]

from lab2mqtt.core.errors import Fault, Garbled, Refused, Unreachable
from lab2mqtt.drivers import dynamixel
from lab2mqtt.drivers.dynamixel import Dynamixel
from lab2mqtt.drivers.dynamixel_registers import hardware_errors
from lab2mqtt.drivers.packet_lock import PacketLock

MODELS = ("XL430-W250", "XM430-W350", "XC330-T288")
PACKET = 0.05  # s that a packet may take, its timeout included


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal is taken for a wire: nobody waits for the program behind it."""
    monkeypatch.setattr(dynamixel, "_PROGRAM", 0.0)


@pytest.fixture
def servo(bench: Any) -> Iterator[Dynamixel]:  # noqa: ANN401
    """A connected XC330."""
    bench.start()
    servo = Dynamixel()
    servo.open(str(bench.link), 57600, 1)
    yield servo
    servo.close()


@pytest.mark.parametrize("model", MODELS)
def test_finds_out_which_servo_it_is(bench: Any, model: str) -> None:  # noqa: ANN401
    """The control table goes by the model number."""
    bench.start("--model", model)
    servo = Dynamixel()
    servo.open(str(bench.link), 57600, 1)
    assert servo.model.name == model
    strain = "present_load" if model == "XL430-W250" else "present_current"
    assert strain in servo.model.registers
    servo.close()
    servo.close()


def test_signed_values(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """A position below zero, and a header among the bytes of an answer."""
    bench.truth()
    for by_hand in (-0.3, -1.0, -0.26, -20.0):
        from_simulator = round(_turned(bench, by_hand) * 4096 / 360)
        assert servo.read("present_position") == from_simulator
        now = servo.read_block("present_velocity", "present_position")
        assert now == {"present_velocity": 0, "present_position": from_simulator}
    assert servo.read("present_position") < 0


def _turned(bench: Any, angle: float) -> float:  # noqa: ANN401
    from lab2mqtt.simulators.plate_resort import control  # noqa: PLC0415

    position: float = control(bench.link, turn=angle)["position"]
    return position


def test_a_refused_write_is_a_fault_in_words(servo: Dynamixel) -> None:
    """Register, value and reason."""
    with pytest.raises(Fault, match=r"goal_position \(116\) := 4096 refused: value out of range.*error 4"):
        servo.write("goal_position", 4096)
    servo.write("torque_enable", 1)
    with pytest.raises(Fault, match=r"operating_mode \(11\) := 3 refused: not writable"):
        servo.write("operating_mode", 3)
    assert servo.read("goal_position") == 0


def test_the_alert_bit_is_no_error(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Reading and writing go on, and it is remembered."""
    bench.fault("alert")
    bench.until("hardware_error", 1)
    assert servo.read("present_temperature") == 29
    assert servo.alert
    servo.write("led", 1)
    assert hardware_errors(servo.read("hardware_error_status")) == ["input voltage"]


@pytest.mark.usefixtures("wire")
def test_a_silent_servo_is_unreachable_in_time(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """One try takes no longer than a stop may wait; and it comes back by itself."""
    bench.fault("silent")
    took = []
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(Unreachable, match="servo 1 does not answer"):
            servo.write("led", 1)
        took.append(time.monotonic() - began)
    assert min(took) < PACKET  # the machine may have held up one of them
    bench.fault("silent", on=False)
    assert servo.read("led") == 1


def test_garbled_answers(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Never a wrong value: an error where all are broken, the right value where the next is not."""
    bench.fault("garbled")
    for _ in range(20):
        with pytest.raises((Garbled, Unreachable)):
            servo.read("present_temperature")
    bench.fault("garbled", every=2)
    assert [servo.read("present_temperature") for _ in range(20)] == [29] * 20


@pytest.mark.usefixtures("wire")
def test_a_late_answer_is_not_taken_for_another(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Answers carry no number; the length gives them away."""
    bench.fault("slow", seconds=0.05)
    with pytest.raises(Unreachable):
        servo.ping()
    with pytest.raises((Garbled, Unreachable)):
        servo.write("led", 1)
    bench.fault("slow", on=False)
    time.sleep(0.06)  # the line is quiet again
    assert servo.read("led") == 1


def test_slow_but_in_time(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """A USB adapter with its latency timer at 16 ms."""
    bench.fault("slow", seconds=0.016)
    assert servo.read("present_temperature") == 29


def test_a_stop_has_no_patience(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Neither with the packet under way nor with its own."""
    bench.fault("silent")

    def poll() -> None:
        with pytest.raises(Unreachable):
            servo.ping()

    took = []
    for _ in range(3):
        polling = threading.Thread(target=poll)
        polling.start()
        time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(Unreachable):
            servo.write("torque_enable", 0, urgent=True)
        took.append(time.monotonic() - began)
        polling.join()
    assert min(took) < 3 * PACKET  # the machine may have held up one of them


@pytest.mark.usefixtures("wire")
def test_an_answer_that_came_in_time_is_taken_late(servo: Dynamixel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine holds the bridge up between a question and its answer."""
    begin = PortHandler.setPacketTimeout

    def held_up(port: PortHandler, length: int) -> None:
        begin(port, length)
        time.sleep(3 * PACKET)

    monkeypatch.setattr(PortHandler, "setPacketTimeout", held_up)
    servo.ping()
    assert servo.read_block("present_position", "present_temperature")["present_temperature"] == 29


def test_a_program_behind_a_terminal_is_waited_for(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """A simulator, on a busy machine."""
    bench.fault("slow", seconds=4 * PACKET)
    servo.ping()


def test_unplugged_and_plugged_in(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Every exception of a pulled adapter is Unreachable; after opening anew all is well."""
    bench.fault("unplugged")
    for _ in range(3):
        with pytest.raises(Unreachable):
            servo.read("led")
    with pytest.raises(Unreachable, match="cannot be opened"):
        servo.open(str(bench.link), 57600, 1)
    assert not servo.is_open
    with pytest.raises(Unreachable, match="not open"):
        servo.read("led")
    bench.fault("unplugged", on=False)
    servo.open(str(bench.link), 57600, 1)
    assert servo.read("led") == 0


@pytest.mark.parametrize(("baudrate", "motor_id"), [(115200, 1), (57600, 2)])
def test_wrong_speed_or_id(bench: Any, baudrate: int, motor_id: int) -> None:  # noqa: ANN401
    """Nobody answers, and the port is free again."""
    bench.start()
    servo = Dynamixel()
    with pytest.raises(Unreachable, match=f"servo {motor_id} does not answer .* at {baudrate} baud"):
        servo.open(str(bench.link), baudrate, motor_id)
    assert not servo.is_open


def test_what_no_servo_has_is_refused() -> None:
    """Before anything is opened."""
    with pytest.raises(Refused, match="baudrate 1200 is not one of 9600, 57600"):
        Dynamixel().open("/dev/null", 1200, 1)
    with pytest.raises(Refused, match="motor_id 253"):
        Dynamixel().open("/dev/null", 57600, 253)
    with pytest.raises(Unreachable):
        Dynamixel().open("/dev/null", 57600, 1)
    with pytest.raises(Unreachable):
        Dynamixel().open("/dev/does-not-exist", 57600, 1)


def test_a_second_program_is_kept_out(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """Two programs on one line break each other's packets."""
    with pytest.raises(Unreachable, match="cannot be opened"):
        Dynamixel().open(str(bench.link), 57600, 1)
    with pytest.raises(serial.SerialException):
        serial.Serial(str(bench.link), exclusive=True)
    assert servo.read("led") == 0


@pytest.mark.usefixtures("wire")
def test_noise_does_not_hold_the_line() -> None:
    """A line full of rubbish ends a packet in its time, or a stop would wait for ever."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    done = threading.Event()

    def rustle() -> None:
        while not done.is_set():
            with contextlib.suppress(BlockingIOError):
                os.write(master, b"\xff\xff\xfd\x00\x01\x55\x00\x0d\x0a" * 20)
            done.wait(0.001)

    thread = threading.Thread(target=rustle)
    thread.start()
    began = time.monotonic()
    with pytest.raises((Garbled, Unreachable)):
        Dynamixel().open(os.ttyname(slave), 57600, 1)
    assert time.monotonic() - began < 2 * PACKET + 0.5  # asked twice, and the port opened
    done.set()
    thread.join()
    os.close(master)
    os.close(slave)


def test_reboot(servo: Dynamixel, bench: Any) -> None:  # noqa: ANN401
    """RAM at its first values."""
    servo.write("profile_velocity", 50)
    servo.write("torque_enable", 1)
    servo.reboot()
    assert servo.read("profile_velocity") == 0
    assert not bench.truth()["torque"]


def test_waiting_costs_no_processor(servo: Dynamixel) -> None:
    """The SDK's own port spins while it waits for an answer."""
    began, cpu = time.monotonic(), time.thread_time()
    for _ in range(50):
        servo.read("present_position")
    assert time.thread_time() - cpu < 0.3 * (time.monotonic() - began)


def test_a_guard_keeps_a_packet_back(servo: Dynamixel) -> None:
    """Asked when the line is ours, so that nothing comes between question and packet."""

    def guard() -> None:
        raise Refused("no")

    with pytest.raises(Refused):
        servo.write("torque_enable", 1, guard=guard)
    assert servo.read("torque_enable") == 0


def test_urgent_goes_first() -> None:
    """Past everybody who already waits."""
    lock = PacketLock()
    order: list[str] = []
    started = threading.Barrier(4)

    def take(name: str, *, urgent: bool) -> None:
        started.wait()
        with lock.hold(urgent=urgent):
            order.append(name)

    threads = [
        threading.Thread(target=take, args=(name,), kwargs={"urgent": name == "stop"})
        for name in ("poll", "move", "stop")
    ]
    with lock.hold():
        for thread in threads:
            thread.start()
        started.wait()
        while lock.waiting < len(threads):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order[0] == "stop"


def test_nobody_is_passed_by_one_who_never_rests() -> None:
    """A thread that takes the lock again at once would starve a move, whose watchdog it even feeds."""
    lock = PacketLock()
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            with lock.hold():
                time.sleep(0.001)

    thread = threading.Thread(target=poll)
    thread.start()
    began = time.monotonic()
    for _ in range(20):
        with lock.hold():
            pass
    done.set()
    thread.join()
    assert time.monotonic() - began < 1
