"""Bytes and packets at the servo's end of the line."""

import pytest

from lab2mqtt.simulators.protocol2 import Error, Instruction, Packet, Parser, crc16, encode, status

# From the protocol's description: a ping of id 1, and a status with 4 bytes of parameters.
PING = bytes.fromhex("FFFFFD00010300 01 194E")
READ = bytes.fromhex("FFFFFD00010700 02 84000400 1D15")


def test_known_packets() -> None:
    """The published examples, checksum included."""
    assert encode(1, Instruction.PING) == PING
    assert encode(1, Instruction.READ, bytes.fromhex("84000400")) == READ
    assert crc16(PING[:-2]) == 0x4E19


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_any_cut_gives_the_same_packets(size: int) -> None:
    """A stream arrives in pieces."""
    stream = PING + READ + PING
    parser = Parser()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = [packet for piece in pieces for packet in parser.feed(piece)]
    assert [packet.instruction for packet in found] == [1, 2, 1]
    assert all(packet.intact for packet in found)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00\x01\x02",
        b"\xff",
        b"\xff\xff\xff",
        b"\xff\xff\xfd",
        b"\xff\xff\xfd\xfd\x01",
        b"\xff\xff\xfd\x00\x01\x00\x00",  # a length of nothing
        b"\xff\xff\xfd\x00\x01\xff\xff",  # a length of noise
        PING[:-1] + b"\x00",  # a wrong checksum
    ],
)
def test_finds_the_next_packet_after_rubbish(rubbish: bytes) -> None:
    """Noise costs a packet at most, never the connection."""
    found = list(Parser().feed(rubbish + READ + PING))
    assert [packet.instruction for packet in found if packet.intact] == [2, 1]


def test_a_wrong_length_does_not_swallow_what_follows() -> None:
    """The packet behind the broken one is inside its claimed length."""
    broken = bytearray(PING)
    broken[5] = 3 + len(READ)
    found = list(Parser().feed(bytes(broken) + READ))
    assert [packet.intact for packet in found] == [False, True]


def test_stuffing() -> None:
    """A header among the data is sent with one FD more, and the length counts it."""
    data = b"\xff\xff\xfd\x10\xff\xff\xfd"
    packet = encode(1, Instruction.WRITE, data)
    assert packet[5] == 1 + len(data) + 2 + 2
    assert packet.count(b"\xff\xff\xfd\xfd") == 2
    assert list(Parser().feed(packet)) == [Packet(1, Instruction.WRITE, data)]


def test_status() -> None:
    """The error byte comes first."""
    (packet,) = Parser().feed(status(7, Error.ACCESS | 0x80, b"\x01"))
    assert packet == Packet(7, Instruction.STATUS, b"\x87\x01")


def test_reset_forgets_half_a_packet() -> None:
    """After a pause the next byte begins a new packet."""
    parser = Parser()
    assert list(parser.feed(PING[:6])) == []
    parser.reset()
    assert len(list(parser.feed(PING))) == 1
