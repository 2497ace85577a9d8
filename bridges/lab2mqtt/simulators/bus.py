"""What a servo does with an instruction packet, and what it answers."""

from lab2mqtt.simulators.protocol2 import BROADCAST, Error, Instruction, Packet, status
from lab2mqtt.simulators.servo import Servo

_ADDRESS = 2  # bytes of an address or a length in the parameters


def answer(servo: Servo, packet: Packet) -> bytes | None:
    """Obey a packet.

    Returns:
        The status packet, None where a servo stays silent.
    """
    servo.heard()
    addressed = packet.servo_id in (servo.servo_id, BROADCAST)
    if not addressed or packet.instruction == Instruction.STATUS:
        return None
    servo_id = servo.servo_id
    if not packet.intact:
        return status(servo_id, Error.CRC | servo.alert)
    error, parameters = _obey(servo, packet)
    quiet = packet.servo_id == BROADCAST and packet.instruction not in (
        Instruction.PING,
        Instruction.SYNC_READ,
    )
    # Level 0 answers pings only, level 1 reads as well.
    answered = {0: {Instruction.PING}, 1: {Instruction.PING, Instruction.READ, Instruction.SYNC_READ}}
    level = servo.get("status_return_level")
    if quiet or (level in answered and packet.instruction not in answered[level]):
        return None
    if packet.instruction == Instruction.SYNC_READ and not parameters and error is Error.NONE:
        return None  # this one was not in the list
    return status(servo_id, error | servo.alert, parameters)


def _obey(servo: Servo, packet: Packet) -> tuple[Error, bytes]:  # noqa: C901, PLR0911, PLR0912 - one instruction each
    told = packet.parameters
    match packet.instruction:
        case Instruction.PING:
            number, firmware = servo.get("model_number"), servo.get("firmware_version")
            return Error.NONE, number.to_bytes(2, "little") + bytes([firmware])
        case Instruction.READ:
            if len(told) != 2 * _ADDRESS:
                return Error.DATA_LENGTH, b""
            return servo.read(_number(told), _number(told[2:]))
        case Instruction.WRITE:
            return servo.write(_number(told), told[2:]), b""
        case Instruction.REG_WRITE:
            servo.registered = _number(told), told[2:]
            return Error.NONE, b""
        case Instruction.ACTION:
            if servo.registered is None:
                return Error.RESULT_FAIL, b""
            address, data = servo.registered
            servo.registered = None
            return servo.write(address, data), b""
        case Instruction.REBOOT:
            servo.reboot()
            return Error.NONE, b""
        case Instruction.SYNC_READ:
            if servo.servo_id not in told[2 * _ADDRESS :]:
                return Error.NONE, b""
            return servo.read(_number(told), _number(told[2:]))
        case Instruction.SYNC_WRITE:
            return _sync_write(servo, told), b""
        case Instruction.FACTORY_RESET:
            return Error.RESULT_FAIL, b""  # would take id and baud rate away from under the test
        case _:
            return Error.INSTRUCTION, b""


def _sync_write(servo: Servo, told: bytes) -> Error:
    length = _number(told[2:])
    rest = told[2 * _ADDRESS :]
    for start in range(0, len(rest), length + 1):
        if rest[start] == servo.servo_id:
            return servo.write(_number(told), rest[start + 1 : start + 1 + length])
    return Error.NONE


def _number(told: bytes) -> int:
    return int.from_bytes(told[:_ADDRESS], "little")
