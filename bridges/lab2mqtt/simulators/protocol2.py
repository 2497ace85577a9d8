"""Dynamixel Protocol 2.0 as the servo's end of the line sees it: bytes to instructions, answers to bytes.

Written from the published description of the protocol and not from the SDK, so that a test of the driver
against the simulator has two opinions in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER: Final = b"\xff\xff\xfd"
BROADCAST: Final = 0xFE
ALERT: Final = 0x80  # in the error byte of every answer while a hardware error is pending

_FIXED = 7  # header, reserved, id, length: what stands before the bytes that the length counts
# Longer than any instruction for one servo. A length above it is line noise, and waiting for that many
# bytes would make the servo deaf.
_LONGEST = 512
_POLYNOMIAL = 0x8005  # CRC-16/BUYPASS: initial value 0, most significant bit first


class Instruction(IntEnum):
    """What a packet is for."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


class Error(IntEnum):
    """The low seven bits of an answer's error byte."""

    NONE = 0
    RESULT_FAIL = 1
    INSTRUCTION = 2
    CRC = 3
    DATA_RANGE = 4
    DATA_LENGTH = 5
    DATA_LIMIT = 6
    ACCESS = 7


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as it came over the line, stuffing taken out.

    ``intact`` is false where the checksum does not fit; the rest is then what it looked like.
    """

    servo_id: int
    instruction: int
    parameters: bytes = b""
    intact: bool = True


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = (value << 1) ^ _POLYNOMIAL if value & 0x8000 else value << 1
        table.append(value & 0xFFFF)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """The checksum over a whole packet but its last two bytes."""
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFF) ^ _CRC_TABLE[(value >> 8) ^ byte]
    return value


def encode(servo_id: int, instruction: int, parameters: bytes = b"") -> bytes:
    """A whole packet, with stuffing and checksum."""
    # A header inside a packet would be taken for the next one: FF FF FD is sent as FF FF FD FD.
    body = (bytes([instruction]) + parameters).replace(HEADER, HEADER + b"\xfd")
    packet = HEADER + b"\x00" + bytes([servo_id]) + (len(body) + 2).to_bytes(2, "little") + body
    return packet + crc16(packet).to_bytes(2, "little")


def status(servo_id: int, error: int, parameters: bytes = b"") -> bytes:
    """The answer to an instruction."""
    return encode(servo_id, Instruction.STATUS, bytes([error]) + parameters)


class Parser:
    """Cuts a stream of bytes into packets, and finds the next one after rubbish."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def reset(self) -> None:
        """Forget half a packet, as a servo does when a packet breaks off."""
        self._pending.clear()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Give the packets that these bytes complete."""
        self._pending += data
        while (packet := self._next()) is not None:
            yield packet

    def _next(self) -> Packet | None:
        pending = self._pending
        while True:
            start = pending.find(HEADER)
            if start < 0:
                del pending[: max(0, len(pending) - len(HEADER) + 1)]  # the tail may begin a header
                return None
            del pending[:start]
            if len(pending) < _FIXED:
                return None
            length = int.from_bytes(pending[5:7], "little")
            # The shortest body is an instruction and the checksum. FD after the header is stuffing: the
            # header was inside somebody's data.
            if pending[3] != 0 or not 3 <= length <= _LONGEST:  # noqa: PLR2004
                del pending[:1]
                continue
            if len(pending) < _FIXED + length:
                return None
            raw = bytes(pending[: _FIXED + length])
            intact = crc16(raw[:-2]) == int.from_bytes(raw[-2:], "little")
            # After a wrong checksum the length is not to be trusted either: look behind the header only.
            del pending[: len(raw) if intact else len(HEADER)]
            body = raw[_FIXED:-2].replace(HEADER + b"\xfd", HEADER)
            return Packet(raw[4], body[0], body[1:], intact)
