"""One Dynamixel X servo over the official SDK: named registers, and every reply code looked at."""

from collections.abc import Callable, Sequence
import os
import select
import termios
import time
from typing import Final

from dynamixel_sdk import (
    COMM_RX_CORRUPT,
    COMM_RX_TIMEOUT,
    COMM_SUCCESS,
    INST_PING,
    INST_READ,
    INST_REBOOT,
    INST_WRITE,
    PacketHandler,
    PortHandler,
)
import serial  # type: ignore[import-untyped]

from lab2mqtt.core.errors import Fault, Garbled, LabError, Refused, Unreachable
from lab2mqtt.drivers.dynamixel_registers import ANY_MODEL, MODELS, Model, Register
from lab2mqtt.drivers.packet_lock import PacketLock

BAUDRATES: Final = (9600, 57600, 115200, 1_000_000, 2_000_000, 3_000_000, 4_000_000)
MAX_ID: Final = 252

_ALERT = 0x80  # a hardware error is pending; the answer itself is good
_CRC_ERROR = 3
_REFUSALS = {
    1: "the servo could not do it, as while a hardware error keeps its torque off",
    2: "unknown instruction",
    4: "value out of range, or no new goal before the bus watchdog is cleared",
    5: "wrong length",
    6: "value past the limit that is set in the servo",
    7: "not writable, as addresses below 64 while the torque is on",
}
# What pyserial lets through when an adapter is pulled; termios.error is no OSError.
_PORT_GONE = (serial.SerialException, OSError, termios.error)
# s before a question is repeated. Answers carry no number: a late one must not be taken for the next.
_LATE = 0.05
_WRITE_TIMEOUT = 0.05  # s; without one, a line that takes no bytes blocks for ever
_PAST_TIME = 64  # bytes of an answer that are taken after its time; the longest has 42
# ms more for what answers behind a pseudo-terminal: a program, which waits for its turn on the processor.
_PROGRAM = 250.0
_LOOK = 10.0  # ms between two looks at whether there is a stop


class NoAnswer(Unreachable):
    """The port is there, the servo is silent."""


class _Port(PortHandler):  # type: ignore[misc] # the SDK has no types
    """The SDK's port, made fit for a daemon.

    The SDK's own spins on the processor while it waits, measures timeouts on the wall clock, which a time
    server may turn back, lets a second program write into our packets, and leaves an answer unread that came
    while a busy machine held us up.

    Attributes:
        hurried: Whether something urgent waits for the end of this packet, or is it.
    """

    hurried: Callable[[], bool]

    def setupPort(self, _flag: int) -> bool:  # noqa: N802
        self.ser = serial.Serial(self.port_name, self.baudrate, timeout=0, exclusive=True)
        self.is_open = True
        self._patience = _PROGRAM if _is_pseudo_terminal(self.port_name) else 0.0
        self.tx_time_per_byte = 10_000 / self.baudrate  # ms: start, eight bits, stop
        return True

    def getCurrentTime(self) -> float:  # noqa: N802
        return time.monotonic() * 1000

    def setPacketTimeout(self, packet_length: int) -> None:  # noqa: N802
        super().setPacketTimeout(packet_length)
        self._past_it = _PAST_TIME

    def isPacketTimeout(self) -> bool:  # noqa: N802
        return self._left() <= 0

    def readPort(self, length: int) -> bytes:  # noqa: N802
        while True:
            left = self._left()
            # What came while a busy machine held us up is taken; noise without end is not.
            length = length if left > 0 else min(length, self._past_it)
            if length <= 0:
                return b""
            if select.select([self.ser.fileno()], [], [], max(0.0, min(left, _LOOK)) / 1000)[0]:
                break
            if left <= 0:
                return b""
        found = bytes(self.ser.read(length))
        if left <= 0:
            self._past_it -= len(found)
        return found

    def writePort(self, packet: Sequence[int]) -> int:  # noqa: N802
        # pyserial's write counts the time that a busy machine holds us up as the line's.
        line, unsent = self.ser.fileno(), bytes(packet)
        while unsent:
            if not select.select([], [line], [], _WRITE_TIMEOUT)[1]:
                raise serial.SerialTimeoutException("it takes no bytes")
            unsent = unsent[os.write(line, unsent) :]
        return len(packet)

    def _left(self) -> float:
        """Until the answer is due; in milliseconds, below 0 past it."""
        due: float = self.packet_start_time + self.packet_timeout
        return due + (0.0 if self.hurried() else self._patience) - self.getCurrentTime()


class Dynamixel:
    """A servo on a serial port. Safe to use from several threads: one packet at a time.

    Attributes:
        model: What the servo said it is; a common denominator before it was asked.
        alert: Whether its latest answer had the alert bit, which means that a hardware error is pending.
    """

    def __init__(self) -> None:
        self.model: Model = ANY_MODEL
        self.alert = False
        self._lock = PacketLock()
        self._sdk = PacketHandler(2.0)
        self._port: _Port | None = None
        self._where = ("", 0, 0)
        self._quiet_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether we hold the port. Says nothing about the servo."""
        return self._port is not None

    def open(self, device: str, baudrate: int, motor_id: int) -> None:
        """Open the port and find out which servo is there. Changes nothing in the servo.

        Raises:
            Refused: The baud rate or the id is none that a servo has.
            Unreachable: No port, or no servo answers.
            Garbled: Something answers that makes no sense.
            Fault: A servo whose control table we do not know.
        """
        if baudrate not in BAUDRATES:
            raise Refused(f"baudrate {baudrate} is not one of {', '.join(map(str, BAUDRATES))}")
        if not 0 <= motor_id <= MAX_ID:
            raise Refused(f"motor_id {motor_id} is not in 0 to {MAX_ID}")
        self.close()
        self._where = device, baudrate, motor_id
        try:
            self.open_port()
            told = self._ask_twice(lambda: self._exchange(INST_PING, b"", 3))
            number = int.from_bytes(told[:2], "little")
            if number not in MODELS:
                known = ", ".join(f"{model.name} ({key})" for key, model in MODELS.items())
                raise Fault(f"the servo has model number {number}; known are {known}")
        except LabError:
            self.close()
            raise
        self.model = MODELS[number]

    def open_port(self, *, urgent: bool = False) -> None:
        """Open the port where it was last, unless it is open. Sends nothing."""
        device, baudrate, _ = self._where
        if not device:
            raise Unreachable("no port was ever opened")
        if not urgent:
            time.sleep(max(0.0, self._quiet_until - time.monotonic()))
        with self._lock.hold(urgent=urgent):
            if self._port:
                return
            port = _Port(device)
            try:
                port.setBaudRate(baudrate)
            except _PORT_GONE as error:
                raise Unreachable(f"{device} cannot be opened: {error}") from error
            self._port = port

    def close(self, *, urgent: bool = False) -> None:
        """Close the port. Safe to repeat."""
        with self._lock.hold(urgent=urgent):
            port, self._port = self._port, None
            if port:
                port.closePort()

    def fall_silent(self, seconds: float) -> None:
        """Close the port and say nothing for so long, whoever wants to; only what is urgent may.

        A servo whose answers are lost may still hear us, and whatever it hears feeds its bus watchdog.
        """
        self._quiet_until = time.monotonic() + seconds
        self.close()
        time.sleep(seconds)

    def read(self, name: str, *, urgent: bool = False) -> int:
        """Read a register; asks a second time when the first answer is lost or broken."""
        return self.read_block(name, urgent=urgent)[name]

    def read_block(self, *names: str, urgent: bool = False) -> dict[str, int]:
        """Read several registers in one packet, so that they belong to the same moment.

        Args:
            names: Registers with no undocumented gap between the first and the last.
            urgent: Goes before everybody who waits.
        """
        wanted = {name: self.model.registers[name] for name in names}
        start = min(register.address for register in wanted.values())
        length = max(register.address + register.size for register in wanted.values()) - start
        asked = start.to_bytes(2, "little") + length.to_bytes(2, "little")
        told = self._ask_twice(
            lambda: self._exchange(INST_READ, asked, length, f"read {', '.join(names)}", urgent=urgent),
            urgent=urgent,
        )
        return {name: _value(register, told, start) for name, register in wanted.items()}

    def write(
        self,
        name: str,
        value: int,
        *,
        urgent: bool = False,
        again: bool = False,
        guard: Callable[[], None] | None = None,
    ) -> None:
        """Write a register.

        Args:
            name: Which.
            value: In the register's own unit.
            urgent: Goes before everybody who waits.
            again: Write a second time when the first answer is lost. All that we write is absolute, so a
                repeat is harmless unless something else was asked in between, which ``guard`` can see.
            guard: Called when the line is ours, right before the packet; raises to keep it back.

        Raises:
            Fault: The servo refused; register, value and reason in words.
        """
        register = self.model.registers[name]
        told = register.address.to_bytes(2, "little")
        told += value.to_bytes(register.size, "little", signed=register.signed)
        what = f"{name} ({register.address}) := {value}"

        def send() -> bytes:
            return self._exchange(INST_WRITE, told, 0, what, urgent=urgent, guard=guard)

        if again:
            self._ask_twice(send, urgent=urgent)
        else:
            send()

    def reboot(self) -> None:
        """Restart the servo: torque off, RAM at its first values. It is deaf for a moment afterwards."""
        self._exchange(INST_REBOOT, b"", 0, "reboot")

    def ping(self) -> None:
        """See that the servo answers, once."""
        self._exchange(INST_PING, b"", 3)

    def _ask_twice(self, ask: Callable[[], bytes], *, urgent: bool = False) -> bytes:
        try:
            return ask()
        except (Garbled, NoAnswer):
            if not urgent:
                time.sleep(_LATE)
            return ask()

    def _exchange(
        self,
        instruction: int,
        parameters: bytes,
        expected: int,
        what: str = "ping",
        *,
        urgent: bool = False,
        guard: Callable[[], None] | None = None,
    ) -> bytes:
        """Send an instruction, return the ``expected`` bytes of its answer."""
        device, baudrate, motor_id = self._where
        # The SDK fills in header and checksum. Its readNByteTxRx and writeNByteTxRx are of no use: they give
        # the checksum for the value when the servo refused a read, or fail with an IndexError.
        packet = [0, 0, 0, 0, motor_id, len(parameters) + 3, 0, instruction, *parameters, 0, 0]
        with self._lock.hold(urgent=urgent):
            if guard:
                guard()
            if self._port is None:
                raise Unreachable(f"{device or 'the port'} is not open")
            self._port.hurried = (lambda: True) if urgent else self._lock.is_urgent
            try:
                answer, result, error = self._sdk.txRxPacket(self._port, packet)
            except _PORT_GONE as gone:
                raise Unreachable(f"{device} is gone: {gone}") from gone
            finally:
                self._port.is_using = False  # stays set when the port fails, and all packets with it
        if result == COMM_RX_TIMEOUT:
            raise NoAnswer(f"servo {motor_id} does not answer on {device} at {baudrate} baud ({what})")
        if result == COMM_RX_CORRUPT:
            raise Garbled(f"servo {motor_id} on {device}: broken answer ({what})")
        if result != COMM_SUCCESS:
            raise Unreachable(f"{device}: {self._sdk.getTxRxResult(result)} ({what})")
        return self._unpack(answer, error, expected, what)

    def _unpack(self, answer: list[int], error: int, expected: int, what: str) -> bytes:
        self.alert = bool(error & _ALERT)
        number = error & ~_ALERT
        if number == _CRC_ERROR:
            raise Garbled(f"the servo received a broken packet ({what})")
        if number:
            raise Fault(f"{what} refused: {_REFUSALS.get(number, 'unknown error')} (error {number})")
        # Answers carry no number. One that came too late for its question has another length, mostly.
        length = answer[5] + (answer[6] << 8) - 4  # instruction, error, checksum
        if length != expected:
            raise Garbled(f"an answer of {length} bytes where {expected} were asked ({what})")
        return bytes(answer[9 : 9 + expected])


def _is_pseudo_terminal(device: str) -> bool:
    return os.path.realpath(device).startswith(("/dev/pts/", "/dev/ttys"))  # Linux; macOS, not its ttyS0


def _value(register: Register, told: bytes, start: int) -> int:
    at = register.address - start
    return int.from_bytes(told[at : at + register.size], "little", signed=register.signed)
