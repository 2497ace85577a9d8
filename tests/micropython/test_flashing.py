"""``lab2mqtt board``: real mpremote, and a real MicroPython behind a pseudo-terminal."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import Observer
from tests.micropython.serial_board import SerialBoard

from lab2mqtt.boards import mqtt_as
from lab2mqtt.boards.manifest import sha256

SECRETS = {"ssid": "lab", "wifi_password": "correct horse", "update_key": "battery staple"}


@pytest.fixture
def serial_board(micropython: Path, tmp_path: Path) -> Iterator[SerialBoard]:
    """An empty board that is plugged in."""
    with SerialBoard(micropython, tmp_path / "board") as board:
        yield board


class Desk:
    """Who sits at the board, with the files for it."""

    def __init__(self, folder: Path, board: SerialBoard, port: int = 1) -> None:
        self.board = board
        self.config = folder / "config.json"
        self.secrets = folder / "secrets.json"
        self.write(port=port)

    def write(self, port: int, **more: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Write both files."""
        broker = {"host": "127.0.0.1", "port": port}
        config = {"device_id": "pico-1", "broker": broker, "simulated": True, "watchdog": False, **more}
        self.config.write_text(json.dumps(config))
        self.secrets.write_text(json.dumps(SECRETS))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``lab2mqtt board …`` at this port; no secret may stand in what it says."""
        command = [sys.executable, "-m", "lab2mqtt", "board", *words, "--port", self.board.port]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=55,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        for hidden in ("correct horse", "battery staple"):
            assert hidden not in done.stdout + done.stderr
        return done

    def install(self, node: str = "lab-sensor", *more: str) -> subprocess.CompletedProcess[str]:
        """Install a node."""
        return self.run("install", node, "--config", str(self.config), "--secrets", str(self.secrets), *more)


@pytest.fixture
def desk(serial_board: SerialBoard, tmp_path: Path) -> Desk:
    """With a configuration whose broker is not there."""
    return Desk(tmp_path, serial_board)


@ON_MOSQUITTO
def test_an_empty_board_becomes_a_device_of_the_lab(
    serial_board: SerialBoard, tmp_path: Path, broker: Broker
) -> None:
    """All is compiled and verified; it restarts by itself and says that it is online."""
    desk = Desk(tmp_path, serial_board, broker.port)
    with Observer(broker.port, "lab2mqtt/pico-1/#") as seen:
        done = desk.install()
        assert done.returncode == 0, done.stderr
        assert "files are there as they were sent" in done.stderr
        assert "restarts as pico-1" in done.stderr
        seen.wait("lab2mqtt/pico-1/status", lambda told: told["status"] == "online", within=15)
    flash = serial_board.flash
    assert not (flash / "hold").exists()
    assert (flash / "lib/labboard/board.mpy").is_file()
    assert not list((flash / "lib").rglob("*.py"))
    assert json.loads((flash / "secrets.json").read_text()) == SECRETS
    assert json.loads((flash / "config.json").read_text())["pins"]["servo"] == 15


def test_a_second_installation_writes_what_is_new_and_keeps_what_the_board_wrote(desk: Desk) -> None:
    """Latch, boots and crash stay; what is no longer part of it goes."""
    assert desk.install().returncode == 0
    flash = desk.board.flash
    kept = {"latch.json": '{"lab": null}', "crash.txt": "ValueError: once"}
    for name, content in kept.items():
        (flash / name).write_text(content)
    (flash / "lib/labboard/old.mpy").write_bytes(b"x")
    (flash / "lib/labboard/board.mpy").write_bytes(b"broken")
    (flash / "lib/mine.py").write_text("pass")
    desk.write(port=2)
    done = desk.install()
    assert done.returncode == 0, done.stderr
    assert "2 of " in done.stderr, done.stderr
    assert {name: (flash / name).read_text() for name in kept} == kept
    assert (flash / "boots.json").is_file()
    assert not (flash / "lib/labboard/old.mpy").exists()
    assert (flash / "lib/mine.py").is_file()
    assert (flash / "lib/labboard/board.mpy").stat().st_size > 100


def test_check_tells_what_is_there(desk: Desk) -> None:
    """Versions, room, every file by its hash, and whether the configuration is valid."""
    desk.install()
    starts = desk.board.starts
    done = desk.run("check")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("micropython 1.")
    assert "KB are free" in lines[0]
    assert "/app_a: lab-sensor 0.1.0" in lines
    told = {line.split()[2]: line for line in lines if line.startswith("  ")}
    config = sha256(desk.board.flash / "config.json")
    assert told["/config.json"].split()[0] == config[:12]
    assert told["/lib/wire.mpy"].endswith("as here")
    assert told["/app_a/app.mpy"].endswith("as built")
    assert lines[-1] == "configuration: valid"
    assert desk.board.starts > starts


def test_check_finds_what_is_not_as_it_should_be(desk: Desk) -> None:
    """A damaged file, one that is missing, and a configuration that somebody edited on the board."""
    desk.install()
    flash = desk.board.flash
    (flash / "lib/wire.mpy").write_bytes((flash / "lib/wire.mpy").read_bytes() + b"x")
    (flash / "app_a/parts/led.mpy").unlink()
    (flash / "config.json").write_text('{"device_id": "Pico 1"}')
    done = desk.run("check")
    assert done.returncode == 1
    told = {line.split()[2]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "other than in lab2mqtt" in told["/lib/wire.mpy"]
    assert told["/app_a/parts/led.mpy"].endswith("missing")
    assert "device_id 'Pico 1' is not" in done.stdout.splitlines()[-1]


def test_a_wrong_configuration_is_refused_before_anything_is_written(desk: Desk) -> None:
    """And the text says what would be right."""
    desk.write(port=0, device_id="Pico 1")
    done = desk.install()
    assert done.returncode == 2
    assert "device_id 'Pico 1' is not 1 to 64 of a-z" in done.stderr
    desk.write(port=1, keepaliv=20)
    assert "config.json has no 'keepaliv' (did you mean 'keepalive'?)" in desk.install().stderr
    desk.write(port=1, pins={"servo": 23})
    done = desk.install()
    assert (done.returncode, "the Pico W's Wi-Fi chip needs it" in done.stderr) == (2, True)
    assert not list(desk.board.flash.iterdir())
    desk.secrets.write_text('{"ssid": "correct horse", }')
    done = desk.install()
    assert (done.returncode, "is no JSON, line 1" in done.stderr) == (2, True)


def test_tls_needs_a_certificate_to_trust(desk: Desk) -> None:
    """Else the board would be installed, and never connect."""
    desk.write(port=8883)
    config = json.loads(desk.config.read_text())
    config["broker"]["tls"] = True
    desk.config.write_text(json.dumps(config))
    done = desk.install()
    assert (done.returncode, "name it by --ca" in done.stderr) == (1, True)


def test_somebodys_own_program_is_kept(desk: Desk) -> None:
    """Under another name."""
    (desk.board.flash / "main.py").write_text("print('mine')")
    done = desk.install()
    assert done.returncode == 0, done.stderr
    assert (desk.board.flash / "main.before.py").read_text() == "print('mine')"
    assert "labboard" in (desk.board.flash / "main.py").read_text()


def test_a_port_where_nothing_is_says_so(desk: Desk) -> None:
    """In one line."""
    desk.board.port = "/dev/no-such-board"
    done = desk.install()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("/dev/no-such-board: there is no such port")


def test_mqtt_as_that_cannot_be_got_leaves_a_board_that_starts_nothing(desk: Desk) -> None:
    """Without its files the board could not speak; the next installation ends it."""
    done = desk.install("lab-sensor", "--transport", "mqtt_as")
    if done.returncode == 0:  # where GitHub can be reached
        assert mqtt_as.verify(desk.board.flash / "lib") == []
        return
    assert (desk.board.flash / "hold").is_file()
    assert "mqtt_as" in done.stderr
    assert desk.install().returncode == 0
    assert not (desk.board.flash / "hold").exists()
