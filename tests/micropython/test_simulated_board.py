"""The simulated board itself: flash, power, world and hands, with a program that is no firmware of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
import signal
from typing import Any

import pytest
from tests.broker.observer import until
from tests.micropython.rig import Board, Script

from lab2mqtt.simulators.board.world import DRIFTING

# Obeys what stands in /do, and says on the flash how often and why it was started.
PROGRAM = """\
import asyncio, json, machine, os, sys, world

boots = []
try:
    with open("/starts.json") as file:
        boots = json.load(file)
except OSError:
    pass
boots.append(machine.reset_cause())
with open("/starts.json", "w") as file:
    json.dump(boots, file)

async def run():
    while True:
        await asyncio.sleep_ms(5)
        try:
            with open("/do") as file:
                word = file.read()
            os.remove("/do")
        except OSError:
            continue
        print("does", word)
        if word == "reset":
            machine.reset()
        elif word == "end":
            sys.exit(0)
        elif word == "pin":
            machine.Pin(15, machine.Pin.OUT, value=1)
        elif word == "watchdog":
            machine.WDT(timeout=300).feed()
        with open("/read.json", "w") as file:
            json.dump({name: world.get(name) for name in ("temperature", "wifi", "i2c", "motion")}, file)

asyncio.run(run())
"""
POWER_ON, RESET, WATCHDOG = 1, 2, 3
NOBODY = 1  # no broker listens there, and this program looks for none


class Trained(Board):
    """A board that runs ``PROGRAM``."""

    def do(self, word: str) -> None:
        """Let it do something; returns before it is done."""
        part = self.file("do.part")
        part.write_text(word)
        part.rename(self.file("do"))

    def starts(self) -> list[int]:
        """Why it was started, each time."""
        try:
            found: list[int] = self.kept("starts.json") or []
        except ValueError:  # it is being written
            return []
        return found

    def until_starts(self, *causes: int) -> None:
        """Wait until it was started for these reasons."""
        until(
            lambda: self.starts() == list(causes),
            f"starts {causes}",
            more=lambda: f"{self.starts()} {self.said()}",
        )

    def reading(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What it finds in its world now."""
        self.file("read.json").unlink(missing_ok=True)
        self.do("look")
        return until(lambda: self.kept("read.json"), "it has looked", more=self.said)[name]


@pytest.fixture(params=["micropython", "micropython32"])
def interpreter(request: pytest.FixtureRequest) -> Path:
    """Each in turn."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The folder of a node that runs ``PROGRAM``."""
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "main.py").write_text(PROGRAM)
    return folder


@pytest.fixture
def board(micropython: Path, node: Path, tmp_path: Path) -> Iterator[Trained]:
    """A board that has started."""
    yield from _started(micropython, node, tmp_path)


def _started(interpreter: Path, node: Path, folder: Path) -> Iterator[Trained]:
    (folder / "board").mkdir()
    made = Trained(interpreter, folder / "board", NOBODY, node)
    made.start()
    try:
        made.until_starts(POWER_ON)
        yield made
    finally:
        if made.program.pid:
            made.stop()


def gone(pid: int) -> Callable[[], bool]:
    """Whether a process has ended; a zombie has."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return ended


def test_a_folder_is_the_flash_on_both_interpreters(interpreter: Path, tmp_path: Path) -> None:
    """With absolute paths, and with our modules before the built-in ones."""
    script = Script(
        interpreter,
        tmp_path,
        "import machine, os, sys\n"
        "print(__name__, os.getcwd(), sorted(os.listdir('/')), sys.argv)\n"
        "print(machine.Pin('LED', machine.Pin.OUT, value=1))\n"
        "open('/kept', 'w').write('x')\n",
    )
    assert script.run().splitlines() == ["__main__ / ['main.py', 'sim', 'simulated'] []", "Pin(LED)"]
    assert script.file("/kept").read_text() == "x"
    assert script.outputs() == {"pin_LED": {"value": 1}}
    assert [(line["output"], line["value"]) for line in script.journal()] == [("pin_LED", 1)]


def test_it_restarts_as_a_board_does(interpreter: Path, node: Path, tmp_path: Path) -> None:
    """After a reset and after a loss of power, its flash as it was; and tells why."""
    for board in _started(interpreter, node, tmp_path):
        board.do("reset")
        board.until_starts(POWER_ON, RESET)
        board.power_cycle()
        board.until_starts(POWER_ON, RESET, POWER_ON)
        board.kill_interpreter()
        board.until_starts(POWER_ON, RESET, POWER_ON, POWER_ON)
        assert board.truth()["starts"] == 4
        board.stop()
        board.start()
        board.until_starts(POWER_ON, RESET, POWER_ON, POWER_ON, POWER_ON)


def test_a_program_that_ended_stays_ended(board: Trained) -> None:
    """A board stands at its prompt then, until somebody pulls its plug."""
    board.do("end")
    until(lambda: board.truth()["pid"] is None, "it has ended")
    assert board.truth()["ended"] == 0
    board.power_cycle()
    board.until_starts(POWER_ON, POWER_ON)
    assert board.truth()["ended"] is None


def test_no_pin_drives_anything_after_a_reset(board: Trained) -> None:
    """Whatever it did before; the journal goes on."""
    board.do("pin")
    until(lambda: board.truth()["outputs"].get("pin_15") == {"value": 1}, "the pin is high")
    board.do("reset")
    board.until_starts(POWER_ON, RESET)
    assert "pin_15" not in board.truth()["outputs"]
    assert [line["output"] for line in board.journal()] == ["pin_15", "reset"]


def test_one_that_hangs_goes_on_or_is_bitten_by_its_watchdog(board: Trained) -> None:
    """Without a watchdog it hangs for as long as it is let."""
    board.fault("hang")
    board.do("look")
    pid = board.pid()
    assert pid
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    board.fault("hang", on=False)
    until(lambda: board.kept("read.json"), "it goes on")
    board.do("watchdog")
    until(lambda: "watchdog" in board.outputs(), "a watchdog runs")
    board.fault("hang")
    board.until_starts(POWER_ON, WATCHDOG)
    assert board.truth()["faults"] == []


def test_the_world_is_seen_at_once(board: Trained) -> None:
    """Also where two changes fall into one second, in which a file of MicroPython has one time."""
    for degrees in (27, 28, 29, 30):
        assert board.control(temperature=degrees)["world"]["temperature"] == degrees
        assert board.reading("temperature") == degrees
    before = board.control(temperature=None)["world"]["temperature"]
    middle, swing = DRIFTING["temperature"].middle, DRIFTING["temperature"].swing
    assert abs(before - middle) <= swing
    until(lambda: board.truth()["world"]["temperature"] != before, "it drifts")
    board.fault("wifi_off")
    assert board.reading("wifi") is False
    board.fault("wifi_off", on=False)
    assert board.reading("wifi") is True


def test_chips_are_gone_one_by_one_or_all(board: Trained) -> None:
    """And are all back at once."""
    board.fault("sensor_gone", chip="sht4x")
    board.fault("sensor_gone", chip="as7341")
    assert board.reading("i2c") == {"gone": ["as7341", "sht4x"]}
    board.fault("sensor_gone")
    assert board.reading("i2c") == {"gone": True}
    board.fault("sensor_garbled")
    assert board.reading("i2c") == {"gone": True, "bad_crc": True}
    board.fault("sensor_gone", on=False)
    assert board.reading("i2c") == {"bad_crc": True}
    board.fault("sensor_garbled", on=False)
    assert board.reading("i2c") == {}
    assert board.truth()["faults"] == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"fault": "broken"}, "fault 'broken' is not one of wifi_off"),
        ({"fault": "sensor_gone", "chip": "bme280"}, "chip 'bme280' is not one of sht4x"),
        ({"temperature": "hot"}, "temperature 'hot' is not a number"),
        ({"temperature": True}, "temperature True is not a number"),
        ({"motion": 1}, "motion 1 is not true or false"),
    ],
)
def test_nonsense_changes_nothing(board: Trained, asked: dict[str, Any], why: str) -> None:
    """It is told what would be right."""
    with pytest.raises(ValueError, match=why):
        board.control(**asked)
    assert board.truth()["faults"] == []


def test_it_takes_its_interpreter_with_it(board: Trained) -> None:
    """However it ends, and also one that hangs."""
    pid = board.pid()
    assert pid
    board.fault("hang")
    board.kill()
    until(gone(pid), "the interpreter is gone")


def test_it_ends_in_order(board: Trained) -> None:
    """And leaves no socket behind."""
    pid = board.pid()
    assert pid
    assert board.program.terminate(signal.SIGINT).code == 0
    assert gone(pid)()
    assert not Path(f"{board.link}.control").exists()
    assert "Traceback" not in board.said()


def test_what_came_over_the_air_stays_until_the_firmware_changes(board: Trained, node: Path) -> None:
    """A restart of the supervisor is no flashing."""
    app = next(board.file("app_a").glob("app.*"))
    app.rename(app.with_name("other"))
    board.file("app_a/app.py").write_text("import time\nprint('updated')\nwhile True:\n    time.sleep(1)\n")
    board.stop()
    board.start()
    board.until_said("updated")
    board.stop()
    (node / "main.py").write_text(PROGRAM + "# changed\n")
    board.start()
    board.until_starts(POWER_ON, POWER_ON)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--node", "lab-senso"], "no node 'lab-senso'"),
        (["--node", "lab-sensor", "--broker", "here"], "--broker"),
        (["--node", "lab-sensor", "--setting", "x"], "--setting"),
        (["--node", "lab-sensor", "--config", "/nowhere"], "/nowhere"),
        (["--node", "{node}", "--micropython", "/nowhere/micropython"], "/nowhere/micropython"),
    ],
)
def test_a_wrong_command_line_is_told(words: list[str], why: str, node: Path, tmp_path: Path) -> None:
    """Without a traceback."""
    from tests.broker.program import Program  # noqa: PLC0415

    usual = ["--device-id", "x", "--broker", "127.0.0.1:1"]
    program = Program(
        [*usual, *(word.format(node=node) for word in words)], tmp_path / "log", "lab2mqtt.simulators.board"
    )
    program.start()
    assert program.wait() in (1, 2)
    assert why in program.said()
    assert "Traceback" not in program.said()
