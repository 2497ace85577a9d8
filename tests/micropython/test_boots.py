"""Which application a board starts: counted boots, the way back to an old one, safe mode, and power cuts."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.micropython.conftest import MakeBoard
from tests.micropython.rig import Script

from lab2mqtt.boards.manifest import MANIFEST, Manifest

# One boot of what stands in /app_a and /app_b: says what was chosen, then what the words in /do say.
BOOT = """\
from labboard.boots import Boots
boots = Boots()
boots.began()
print("starts", boots.folder, boots.safe_mode or "-", boots.application()[1])
for word in open("/do").read().split():
    if word == "crash":
        try:
            raise ValueError("the servo is not there")
        except ValueError as error:
            boots.crashed(error)
    else:
        getattr(boots, word)()
"""

# Cuts the power at the N-th block that is written, for every N, while a file on a real LittleFS is replaced.
POWER_CUT = """\
import os, vfs
from labboard import whole_file

class Cut(Exception):
    pass

class Flash:
    def __init__(self):
        self.data = bytearray(64 * 512)
        self.left = None
    def readblocks(self, number, into, offset=0):
        at = number * 512 + offset
        into[:] = self.data[at : at + len(into)]
    def writeblocks(self, number, content, offset=0):
        if self.left is not None:
            if not self.left:
                raise OSError(5)
            self.left -= 1
        at = number * 512 + offset
        self.data[at : at + len(content)] = content
    def ioctl(self, what, argument):
        if what == 4:
            return 64
        if what == 5:
            return 512
        if what == 6 and self.left == 0:
            raise OSError(5)
        return 0

found = []
for cut in range(100):
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(flash, "/flash")
    whole_file.write("/flash/boots.json", {"app": "old"})
    flash.left = cut
    try:
        whole_file.write("/flash/boots.json", {"app": "new" * 300})
        done = True
    except OSError:
        done = False
    flash.left = None
    vfs.umount("/flash")
    vfs.mount(flash, "/flash")
    found.append(whole_file.read("/flash/boots.json", {})["app"][:3])
    vfs.umount("/flash")
    if done:
        break
print("old", found.count("old"), "new", found.count("new"), "last", found[-1])
"""


class Bench:
    """A board that boots again and again, without a network."""

    def __init__(self, interpreter: Path, folder: Path) -> None:
        folder.mkdir()
        self.script = Script(interpreter, folder, BOOT, config={})
        for app in ("app_a", "app_b"):
            self.application(app, "1.0.0")
        self.drop("app_b")

    def application(self, folder: str, version: str) -> None:
        """Put an application into a folder."""
        place = self.script.file(folder)
        place.mkdir(exist_ok=True)
        (place / "app.py").write_text(f"# {version}\n")
        (place / MANIFEST).write_text(Manifest.of(place, "node", version).text())

    def drop(self, folder: str) -> None:
        """Half of an application: without a manifest."""
        (self.script.file(folder) / MANIFEST).unlink(missing_ok=True)

    def boot(self, *words: str) -> str:
        """Boot once, and do these things; gives what was started."""
        self.script.file("do").write_text(" ".join(words))
        return self.script.run().strip()

    def kept(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What is counted."""
        return self.script.kept("boots.json")


@pytest.fixture
def bench(micropython: Path, tmp_path: Path) -> Bench:
    """A board of one application."""
    return Bench(micropython, tmp_path / "bench")


def test_five_bad_boots_lead_to_safe_mode_and_a_good_one_gives_one_more_try(bench: Bench) -> None:
    """A crash is told as the reason; who repaired what was broken gets the application back."""
    for _ in range(5):
        assert bench.boot("crash") == "starts /app_a - 1.0.0"
    safe = "starts /app_a ValueError: the servo is not there 1.0.0"
    assert bench.boot() == safe
    assert bench.boot("good") == safe
    assert bench.boot("crash") == "starts /app_a - 1.0.0"
    assert bench.boot("good") == safe
    assert bench.boot("good") == "starts /app_a - 1.0.0"
    assert bench.kept()["bad"] == 0


def test_a_new_application_that_is_bad_three_times_gives_way_to_the_old_one(bench: Bench) -> None:
    """Whether it crashes or only never gets a link."""
    bench.application("app_b", "2.0.0")
    assert bench.boot("good", "switch") == "starts /app_a - 1.0.0"
    for _ in range(3):
        assert bench.boot() == "starts /app_b - 2.0.0"
    assert bench.boot() == "starts /app_a - 1.0.0"
    assert "not connected for long enough in 3 boots" in bench.script.file("crash.txt").read_text()
    assert bench.kept()["bad"] == 1


def test_a_new_application_that_was_good_once_stays(bench: Bench) -> None:
    """From then on it is as any other: five bad boots, and safe mode."""
    bench.application("app_b", "2.0.0")
    bench.boot("good", "switch")
    assert bench.boot("good") == "starts /app_b - 2.0.0"
    for _ in range(5):
        assert bench.boot() == "starts /app_b - 2.0.0"
    assert bench.boot() == "starts /app_b 5 boots in a row ended badly 2.0.0"


def test_a_lab_without_a_broker_sends_no_board_into_safe_mode(bench: Bench) -> None:
    """A proven application is forgiven what is not its fault; a new one has to prove itself first."""
    for _ in range(8):
        assert bench.boot("forgive") == "starts /app_a - 1.0.0"
    bench.application("app_b", "2.0.0")
    bench.boot("good", "switch")
    for _ in range(3):
        assert bench.boot("forgive") == "starts /app_b - 2.0.0"
    assert bench.boot() == "starts /app_a - 1.0.0"


def test_an_application_that_was_installed_anew_is_counted_anew(bench: Bench) -> None:
    """By a cable, with the count of the old one still on the flash."""
    for _ in range(6):
        bench.boot()
    bench.application("app_a", "1.0.1")
    assert bench.boot() == "starts /app_a - 1.0.1"
    assert bench.kept()["bad"] == 1


def test_half_an_application_is_none(bench: Bench) -> None:
    """What an update left behind that a power cut ended, and a flash that was emptied."""
    bench.application("app_b", "2.0.0")
    bench.boot("good", "switch", "good")
    bench.drop("app_b")
    assert bench.boot() == "starts /app_a - 1.0.0"
    bench.drop("app_a")
    assert bench.boot().startswith("starts None there is no application")


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"app": 7, "bad": "x", "trial": 1}', '{"bad": null}'])
def test_a_count_that_cannot_be_read_begins_anew(bench: Bench, kept: str) -> None:
    """Whatever stands there, the board starts."""
    bench.script.file("boots.json").write_text(kept)
    assert bench.boot() == "starts /app_a - 1.0.0"
    assert bench.kept()["bad"] == 1


def test_a_power_cut_leaves_the_old_file_or_the_new_one(micropython: Path, tmp_path: Path) -> None:
    """On LittleFS, as boards have it, at every block that is written."""
    folder = tmp_path / "cut"
    folder.mkdir()
    # Before the last line stand complaints of files whose last block could not be written.
    said = Script(micropython, folder, POWER_CUT, config={}, heap="2m").run().splitlines()[-1].split()
    assert said[0] == "old", said
    assert int(said[1]) >= 3, said
    assert said[-2:] == ["last", "new"]


def test_a_board_whose_application_crashes_ends_in_safe_mode_and_says_why(
    make_board: MakeBoard, broker: Broker, tmp_path: Path
) -> None:
    """It stays a device of the lab that can be asked, and that can be updated."""
    node = tmp_path / "broken"
    node.mkdir()
    (node / "main.py").write_text("from labboard import Board\nBoard()\nraise ValueError('no such chip')\n")
    (node / "node.json").write_text("{}")
    board = make_board(broker, node=node, config={"good_after": 1}, secrets={"update_key": "k"})
    with board.observer() as seen:
        board.start()
        board.until_online(seen, within=40)
        state = seen.wait(board.topic("state"), lambda told: bool(told) and told["readiness"] == "fault").json
        assert state["readiness_reasons"] == ["safe mode: ValueError: no such chip"]
        assert state["last_crash"] == "ValueError: no such chip"
        status = board.ask(seen, "get_device_status")
        assert "install_update" in status["result"]["tasks_available"]
    until(lambda: json.loads(board.file("boots.json").read_text())["bad"] == 4, "it gets one more try")
