"""What is done with the firmware of props from a PC: built, installed, simulated; and the memory it takes."""

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import signal
from typing import Any

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, until
from tests.broker.program import Program, run
from tests.micropython.conftest import MakeBoard
from tests.micropython.prop_rig import COFFIN, FOGGER, SHAKER, Prop
from tests.micropython.serial_board import SerialBoard
from tests.micropython.test_flashing import Desk
from tests.micropython.test_prop_boards import QUICK

from lab2mqtt.boards import image
from lab2mqtt.boards.manifest import Manifest
from lab2mqtt.boards.settings import check_pins, check_settings
from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.hub.ports import LOOPBACK

ESP32 = "MicroPython v1.25.0; Generic ESP32 module with ESP32"
PARTS = {
    COFFIN: {"jumper", "motion", "player", "relay"},
    FOGGER: {"fogger", "relay"},
    SHAKER: {"shaker"},
}
TOPICS = "halloween/esp32-grave-shaker-01"


@pytest.mark.parametrize("node", PARTS, ids=lambda node: node.parent.name)
def test_it_is_built_under_the_name_of_its_prop(node: Path, tmp_path: Path) -> None:
    """Three folders called ``firmware`` become three images; their defaults are ones that a board takes."""
    name = node.parent.name
    said = run("board", "build", str(node), "--out", str(tmp_path))
    assert said.code == 0, said.err
    assert said.out.startswith(f"{name} ")
    built = tmp_path / name / "app_a"
    assert Manifest.read((built / "manifest.json").read_text()).node == name
    assert {file.stem for file in (built / "parts").iterdir()} == PARTS[node]
    config = image.over(image.defaults(node), {"broker": {"host": "any"}})
    check_settings(config, {})
    check_pins(config, ESP32)
    pins = config["pins"]
    assert isinstance(pins, dict)
    assert not {0, 2, 5, 12, 15} & set(pins.values()), "a strapping pin"


@ON_MOSQUITTO
def test_it_is_installed_and_checked(micropython: Path, tmp_path: Path, broker: Broker) -> None:
    """By real mpremote; it restarts as the board of the prop."""
    with SerialBoard(micropython, tmp_path / "board") as board:
        desk = Desk(tmp_path, board, broker.port)
        topics = "halloween/pico-1"
        with Observer(broker.port, f"{topics}/#") as seen:
            done = desk.install(str(SHAKER))
            assert done.returncode == 0, done.stderr
            assert "Writing grave_shaker " in done.stderr
            until(
                lambda: [one.payload for one in seen.heard(f"{topics}/availability")] == [b"online"],
                "it is online",
                within=15,
            )
        done = desk.run("check")
        assert done.returncode == 0, done.stdout
        assert "/app_a: grave_shaker " in done.stdout
        assert "configuration: valid" in done.stdout


@ON_MOSQUITTO
def test_it_is_simulated(broker: Broker, tmp_path: Path) -> None:
    """It says what to try, which works; a second one gets another id; an id that is taken is refused."""
    home = {"XDG_STATE_HOME": str(tmp_path / "home")}
    url = f"mqtt://{LOOPBACK}:{broker.port}"
    words = ["simulate-board", str(SHAKER), "--broker", url]
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(Observer(broker.port, "halloween/#"))

        def start(device_id: str) -> Program:
            program = Program(words, tmp_path / f"{device_id}.log", environment=home)
            program.start()
            stack.callback(program.terminate)
            program.until_said(f"{device_id} is online. In another terminal:")
            return program

        first = start("esp32-grave-shaker-01")
        assert f"-p {broker.port} -t {TOPICS}/cmd -m 'shake 3 60'" in first.said()
        start("esp32-grave-shaker-01-2")
        taken = run(*words, "--id", "esp32-grave-shaker-01", environment=home)
        assert taken.code == EXIT_USAGE
        assert "choose another id: --id ID" in taken.err
        since = seen.mark()
        seen.publish(f"{TOPICS}/cmd", "shake 3 60")
        heard = lambda: [one.payload for one in seen.heard(f"{TOPICS}/state", since)]  # noqa: E731
        until(lambda: b"shaking" in heard(), "it shakes")
        told = run("fault", "esp32-grave-shaker-01", "power_cycle", environment=home)
        assert json.loads(told.out)["starts"] == 1, told.err
        until(lambda: b"idle" in heard(), "it starts anew", within=15)
        assert first.terminate(signal.SIGINT).code == 0
        assert "Traceback" not in first.said()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"dialect": "klingon"}, "dialect 'klingon' is not 'halloween'"),
        ({"dialect": "halloween", "try": "shake"}, "try is not a list"),
    ],
    ids=str,
)
def test_a_node_that_makes_no_sense_is_told(micropython: Path, tmp_path: Path, told: Any, why: str) -> None:  # noqa: ANN401
    """Before anything runs."""
    del micropython
    (tmp_path / "main.py").write_text("")
    (tmp_path / "node.json").write_text(json.dumps(told))
    said = run("simulate-board", str(tmp_path), "--broker", "mqtt://127.0.0.1:1")
    assert said.code == EXIT_USAGE
    assert why in said.err


@pytest.fixture
def small(broker: Broker, make_board: MakeBoard, micropython32: Path) -> Iterator[Prop]:
    """The coffin on words of 32 bits, with a third of an ESP32's memory less what its stand-ins take."""
    config = {"keepalive": 5, "settings": QUICK[COFFIN]}
    board = make_board(broker, interpreter=micropython32, node=COFFIN, config=config, heap="128k")
    with contextlib.closing(Prop(board)) as prop:
        yield prop.start()


@ON_MOSQUITTO
def test_it_does_everything_in_little_memory(small: Prop) -> None:
    """Without a reset, and without a command that memory was too short for."""
    small.state("armed")
    for number in range(20):
        since = small.command({"action": "set_volume", "params": {"volume": number}})
        small.telemetry(since, vol=number)
        small.do("block", "blocked")
        small.refused("trigger", "it is blocked")
        small.do("unblock", "armed")
    small.command(b"trigger " + b"x" * 300_000)
    since = small.do("trigger", "action")
    small.do("emergency_stop", "stopped")
    small.do("reset_emergency_stop", "lockout")
    small.state("armed", since)
    assert small.board.truth()["starts"] == 1
    assert "MemoryError" not in small.board.said()
