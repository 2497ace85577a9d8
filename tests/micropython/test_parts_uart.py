"""Balances on a serial line, on real MicroPython, against models of them and lines out of their manuals."""

from pathlib import Path
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.micropython.conftest import MakeBoard
from tests.micropython.parts_bench import PartsBench

BALANCE = "from parts.balance import Balance, parse\n"
SOLID = {"kind": "us_solid"}


@pytest.fixture(params=["micropython", "micropython32"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> PartsBench:
    """Parts on both interpreters."""
    return PartsBench(request.getfixturevalue(request.param), tmp_path)


LINES: list[tuple[bytes, list[Any]]] = [
    # A&D standard format, as the manuals of EK-L, HC-i and FX-i print it: weights, counts, percents.
    (b"ST,+001234.5  g", [1234.5, "g", True, 0.1]),
    (b"ST,+001.2346 kg\r", [1.2346, "kg", True, 0.0001]),
    (b"ST,-002.7255 lb", [-2.7255, "lb", True, 0.0001]),
    (b"US,-0012.346 lb", [-12.346, "lb", False, 0.001]),
    (b"QT,+00012345 PC", [12345, "PC", True, 1]),
    (b"ST,+000123.4  %", [123.4, "%", True, 0.1]),
    (b"OL,+9999.999 kg", [None, "", False, 1]),
    (b"OL,-9999.999 lb", [None, "", False, -1]),
    (b"OL,+9999999E+19", [None, "", False, 1]),
    # The same with commas (CSV format).
    (b"ST,+000.1278,  g", [0.1278, "g", True, 0.0001]),
    (b"OL,+9999999E+19,  g", [None, "", False, 1]),
    # U.S. Solid, as a USS-DBS28 sent it.
    (b"+     307.63g  \r", [307.63, "g", None, 0.01]),
    (b"+       0.00g  \r", [0, "g", None, 0.01]),
    (b"-       0.00g  ", [0, "g", None, 0.01]),
    (b"-      12.50ct ", [-12.5, "ct", None, 0.01]),
    (b"+     0.3076Kg ", [0.3076, "kg", None, 0.0001]),
    (b"~~~~~~~~~~~~g  \r", [None, "", False, 1]),
    (b"____________g  \r", [None, "", False, -1]),
]


@pytest.mark.parametrize(("line", "reading"), LINES)
def test_a_line_becomes_a_number(bench: PartsBench, line: bytes, reading: list[Any]) -> None:
    """Weight as a number; its unit and its stability are kept; out of range is no number."""
    (told,) = bench.run(f"{BALANCE}say(parse({line!r}))")
    assert told == [*reading[:3], pytest.approx(reading[3])]


GARBAGE = [
    b"",
    b"\x06",
    b"307.63g",
    b"+12.5",
    b"+12a.3 g",
    b"+     3063g  \r",
    b"+    307+    307.63g  \r",
    b"+1.2.3 g",
    b"+ 10. 5.0.0TAR",
    b"XX,+001234.5  g",
    b"ST,+001234.5  gram",
    b"ST,+0012ST,+001234.5  g",
    b"EC,E01",
    b"+     nang  ",
    b"\xaa\x95\xd4g",
]


def test_garbage_is_no_weight(bench: PartsBench) -> None:
    """Whatever else a line may bring is refused, not guessed."""
    script = f"""
async def read(line):
    return parse(line)
for line in {GARBAGE!r}:
    say(await fails(read(line)))
"""
    told = bench.run(BALANCE + script)
    assert len(told) == len(GARBAGE)
    assert all(words.startswith(("ValueError: ", "UnicodeError")) for words in told), told


# Reading


@pytest.mark.parametrize(
    ("kind", "balance"),
    [("a_and_d", {}), ("a_and_d", {"unit": "kg"}), ("us_solid", SOLID), ("a_and_d", {"acknowledges": True})],
)
@pytest.mark.parametrize("mass", [0, 57.25, -3.5])
def test_weight_for_the_state_is_in_grams(
    bench: PartsBench, kind: str, balance: dict[str, Any], mass: float
) -> None:
    """Whichever balance, whichever unit it shows."""
    script = f"part = Balance(UART(1, 9600), '{kind}')\nawait part.read()\nsay(await part.read())\n"
    script += "say(sorted(part.entities))"
    values, entities = bench.run(BALANCE + script, mass=mass, balance=balance)
    assert values["weight"] == pytest.approx(mass, abs=0.0005)
    assert values["out_of_range"] is False
    buttons = {"tare", "zero"} if kind == "a_and_d" else set()
    assert set(entities) == values.keys() | buttons


def test_a_unit_that_is_no_gram_is_told(bench: PartsBench) -> None:
    """The state wants g; the task gives whatever unit the balance shows."""
    script = """part = Balance(UART(1, 9600), 'us_solid')
say(await fails(part.read()))
say(await part.read_weight(stable=False))"""
    refused, told = bench.run(BALANCE + script, mass=5, balance={**SOLID, "unit": "ct"})
    assert refused == "OSError: the balance shows ct, not a weight in g: change its unit"
    assert told == {"weight": 5, "unit": "ct", "stable": False}


def test_read_weight_waits_until_it_stands_still(bench: PartsBench) -> None:
    """What was just laid on moves for a while; the weight is that after it."""
    script = """
part = Balance(UART(1, 9600))
await part.read()
become(mass=40)
say(await part.read_weight(stable=False))
began = time.ticks_ms()
say(await part.read_weight())
say(time.ticks_diff(time.ticks_ms(), began))
"""
    moving, still, took = bench.run(BALANCE + script, balance={"settles": 0.6})
    assert moving["stable"] is False
    assert still == {"weight": 40, "unit": "g", "stable": True}
    assert 300 < took < 2000


@pytest.mark.parametrize("kind", ["a_and_d", "us_solid"])
def test_what_never_stands_still_ends_in_time(bench: PartsBench, kind: str) -> None:
    """With words, and with what it shows."""
    script = f"say(await fails(Balance(UART(1, 9600), '{kind}').read_weight(wait=0.4)))"
    (told,) = bench.run(BALANCE + script, mass=3, balance={"kind": kind}, uart={"unstable": True})
    assert told.startswith("WireError: not stable within 0.4 s: the balance shows 3.")


def test_what_says_nothing_of_stability_is_watched(bench: PartsBench) -> None:
    """U.S. Solid: stable once it has stood within two digits for 1.5 s; another weight begins anew."""
    script = """
part = Balance(UART(1, 9600), 'us_solid')
began = time.ticks_ms()
say(await part.read_weight())
say(time.ticks_diff(time.ticks_ms(), began))
become(mass=21)
await asyncio.sleep_ms(300)
say(await part.read_weight(stable=False))
"""
    still, took, moved = bench.run(BALANCE + script, mass=20, balance=SOLID)
    assert still == {"weight": 20, "unit": "g", "stable": True}
    assert 1400 < took < 3000
    assert moved["stable"] is False


@pytest.mark.parametrize("kind", ["a_and_d", "us_solid"])
@pytest.mark.parametrize(
    ("mass", "words"), [(9000, "overloaded"), (-9000, "under its range: is its pan there?")]
)
def test_out_of_range_is_told(bench: PartsBench, kind: str, mass: float, words: str) -> None:
    """There is no weight then, neither in the state nor as a result."""
    script = f"""
part = Balance(UART(1, 9600), '{kind}')
say(await part.read())
say(await fails(part.read_weight()))
"""
    state, told = bench.run(BALANCE + script, mass=mass, balance={"kind": kind})
    assert state == {"weight": None, "stable": False, "out_of_range": True}
    assert told == f"WireError: the balance is {words}"


@pytest.mark.parametrize("kind", ["a_and_d", "us_solid"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("silent", "the balance is silent: look at its cable"),
        ("garbled", "is no weight: give balance and UART"),
    ],
)
def test_a_broken_line_is_told_and_mends_by_itself(
    bench: PartsBench, kind: str, fault: str, words: str
) -> None:
    """Silence and noise are different words, within 1.2 s; the weight is back as soon as the line is."""
    script = f"""
part = Balance(UART(1, 9600), '{kind}')
await part.read()
become(uart={{"{fault}": True}})
part._lines()
await asyncio.sleep_ms(150)
part._lines()
began = time.ticks_ms()
say(await fails(part.read()))
say(time.ticks_diff(time.ticks_ms(), began))
become(uart={{}})
say((await part.read())["weight"])
"""
    told, took, weight = bench.run(BALANCE + script, mass=8, balance={"kind": kind})
    assert told.startswith("OSError: ")
    assert words in told
    assert took < 1200
    assert weight == 8


def test_another_speed_is_noise(bench: PartsBench) -> None:
    """A&D as it leaves the works, at 2400 baud, on a UART at 9600."""
    (told,) = bench.run(
        f"{BALANCE}say(await fails(Balance(UART(1, 9600)).read()))", balance={"baudrate": 2400}
    )
    assert "is no weight: give balance and UART the same speed, bits and parity" in told


# Tare and zero


@pytest.mark.parametrize("task", ["tare", "zero"])
@pytest.mark.parametrize("acknowledges", [False, True])
def test_tare_and_zero_end_at_zero(bench: PartsBench, task: str, acknowledges: bool) -> None:  # noqa: FBT001
    """Done when the balance shows zero, whether it acknowledges or not; from there it weighs."""
    script = f"""
part = Balance(UART(1, 9600))
say(await part.{task}())
become(mass=20)
say((await part.read_weight())["weight"])
"""
    zeroed, net = bench.run(BALANCE + script, mass=12.5, balance={"acknowledges": acknowledges})
    assert zeroed == {"weight": 0, "unit": "g", "stable": True}
    assert net == 7.5


@pytest.mark.parametrize(
    ("uart", "words"),
    [
        ({"refuses": "E11"}, "the balance refused with E11: the weight does not stand still"),
        ({"refuses": "E99"}, "the balance refused with E99: see its manual"),
        ({"refuses": "E02"}, "the balance did not go to zero within 0.5 s: it shows 12.5 g"),
        ({"deaf": True}, "the balance did not go to zero within 0.5 s: it shows 12.5 g"),
        ({"unstable": True}, "the balance did not go to zero within 0.5 s: it shows 0."),
    ],
)
def test_a_tare_that_was_not_done_is_told(bench: PartsBench, uart: dict[str, Any], words: str) -> None:
    """It is no success that the command was sent."""
    script = "say(await fails(Balance(UART(1, 9600)).tare(wait=0.5)))"
    (told,) = bench.run(BALANCE + script, mass=12.5, balance={"acknowledges": True}, uart=uart)
    assert told.startswith(f"WireError: {words}")


def test_tasks(bench: PartsBench) -> None:
    """What changes the balance waits in the queue; U.S. Solid, which knows no commands, has no such task."""
    script = """
for kind in ("a_and_d", "us_solid"):
    part = Balance(UART(1, 9600), kind)
    say([[task.name, task.effect, task.arguments({})] for task in part.tasks])
say(await fails(asyncio.wait_for(make("kern"), 1)))
"""
    made = "async def make(kind):\n    return Balance(UART(1, 9600), kind)\n"
    asked, sends, wrong = bench.run(BALANCE + made + script)
    weigh = ["read_weight", "read", {"stable": True, "wait": 10}]
    assert asked == [weigh, ["tare", "set", {"wait": 10}], ["zero", "set", {"wait": 10}]]
    assert sends == [weigh]
    assert wrong == "ValueError: balance 'kern' is not one of a_and_d, us_solid"


def test_who_asks_at_once_gets_whole_lines(bench: PartsBench) -> None:
    """State and tasks together: questions and answers do not mix."""
    script = """
part = Balance(UART(1, 9600))
asked = [part.read(), part.read_weight(), part.read(), part.read_weight(stable=False)]
say([told["weight"] for told in await asyncio.gather(*asked)])
"""
    assert bench.run(BALANCE + script, mass=1.5) == [[1.5] * 4]


# On a board

NODE = """\
from labboard import Board
from machine import I2C, UART
from parts.balance import Balance
from parts.climate import Climate

board = Board("two_parts", node="two-parts")
board.add(Balance(UART(1, 9600)))
board.add(Climate(I2C(0)))
board.run()
"""


def test_waiting_for_a_weight_holds_up_no_other_part(
    make_board: MakeBoard, broker: Broker, tmp_path: Path
) -> None:
    """A task may wait a minute for the balance to stand still; the temperature is measured all the while."""
    node = tmp_path / "two-parts"
    node.mkdir()
    (node / "main.py").write_text(NODE)
    board = make_board(broker, node=node)
    with board, board.observer() as seen:
        board.world(temperature=20, uart={"unstable": True})
        since = seen.mark()
        weigh = {"request_id": "w", "task": "read_weight", "parameters": {"wait": 5}}
        seen.publish(board.topic("command"), weigh)
        board.world(temperature=30)
        seen.wait(board.topic("state"), lambda told: told["temperature"] == 30, since=since)
        assert seen.heard(board.topic("result")) == [], "the balance is still waited for"
        told = seen.wait(board.topic("result"), since=since, within=10).json
        assert told["error_code"] == "device_error"
        assert told["error"].startswith("not stable within 5 s: the balance shows 0.")
