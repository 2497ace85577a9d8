"""``lab2mqtt demo --no-hub``: up in a moment, heals itself, and leaves nothing behind."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import re
import signal
import time
import uuid

import pytest
from tests.broker.observer import Observer, until
from tests.broker.program import Program, Said, run

from lab2mqtt.hub import child, micropython, opentrons_package
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import free_port, listens
from lab2mqtt.simulators import OPENTRONS

UP_WITHIN = 3.0  # s; with the instruments and three boards
ALL_UP_WITHIN = 15.0  # s; 4 to 6 alone, and 10 beside another run of all tests: six boards are built
MIXED_WITHIN = 20.0  # s
DEVICE = "plate-resort"
ROBOT = "ot2"
BOARDS = {"lab-sensor": "temperature", "color-sensor": "clear", "fan": "fan_speed"}  # and a key of its state
PROPS = ("coffin_jumper", "fogger", "grave_shaker", "haunt", "heartbeat", "show")
PROP_BOARDS = ("esp32-coffin-jumper-01", "esp32-fogger-01", "esp32-grave-shaker-01")
MARK = "LAB2MQTT_TEST_MARK"


def _has_boards() -> bool:
    """Whether this machine can have MicroPython; without it the demo goes without boards."""
    try:
        return bool(micropython.find_or_unpack(print))
    except HubError:
        return False


HAS_BOARDS = _has_boards()
# Demo, broker, two simulators, bridge, worker host; of each board its supervisor and its MicroPython.
OF_BOARDS = 2 * (len(BOARDS) + len(PROP_BOARDS)) * HAS_BOARDS
PROCESSES = 6 + OF_BOARDS


class Demo(Program):
    """A demo, whose processes are known by a mark in their environment."""

    def __init__(self, folder: Path, opentrons: str | None = "") -> None:
        self.port = free_port()
        super().__init__(["demo", "--no-hub", "--broker-port", str(self.port)], folder / "demo.log")
        self.mark = uuid.uuid4().hex
        # Of its own, so that neither this user's running demo nor this one is taken for the other.
        self.environment = os.environ | {MARK: self.mark, "XDG_STATE_HOME": str(folder / "state")}
        # Empty: without the real package, so that every machine has the same processes.
        self.environment |= {} if opentrons is None else {OPENTRONS: opentrons}
        self.up_after = 0.0

    def start(self) -> None:
        """Start it; returns once it says that it is up."""
        began = time.monotonic()
        self._process = child.start(self.command, self.log, self.environment)
        self.until_said("Ctrl-C ends everything", within=20)
        self.up_after = time.monotonic() - began

    def processes(self) -> set[int]:
        """Everything that runs and was started by this demo, itself included."""
        found = set()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    environment = (folder / "environ").read_bytes()
                except OSError:
                    continue
                if f"{MARK}={self.mark}".encode() in environment:
                    found.add(int(folder.name))
        return found

    def part(self, name: str) -> int:
        """The process id of one of its parts, as it told."""
        found = re.findall(rf"^  {name}: (\d+)$", self.said(), re.MULTILINE)
        assert found, self.said()
        return int(found[-1])

    def call(self, *words: str, device: str = DEVICE) -> Said:
        """Call a task."""
        return run("call", device, *words, "--broker", f"mqtt://127.0.0.1:{self.port}")

    def fault(self, *words: str) -> Said:
        """Let something fail, by the id of the device."""
        return run("fault", *words, environment=self.environment)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that runs, shared by those tests that do not end it."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        demo.start()
        yield demo
    finally:
        demo.terminate(signal.SIGINT)
    until(lambda: not demo.processes(), "nothing is left")


def test_the_demo_is_up_within_three_seconds(tmp_path: Path) -> None:
    """Without the props, of which three have a board of their own."""
    demo = Demo(tmp_path)
    devices = [DEVICE, ROBOT, *(BOARDS if HAS_BOARDS else ())]
    demo.command += [word for device in devices for word in ("--device", device)]
    try:
        demo.start()
        print(f"\ndemo up after {demo.up_after:.2f} s")  # noqa: T201 - a figure
        assert demo.up_after < UP_WITHIN
    finally:
        demo.terminate(signal.SIGINT)


def test_the_whole_demo_is_up_soon(running: Demo) -> None:
    """Told is what a user waits for, and where everything is; instruments are connected and ready."""
    print(f"\nwhole demo up after {running.up_after:.2f} s")  # noqa: T201 - a figure
    assert running.up_after < ALL_UP_WITHIN
    assert f"mqtt://127.0.0.1:{running.port}" in running.said()
    assert len(running.processes()) == PROCESSES
    said = running.call("activate_hotel", "hotel=B", "--json")
    assert said.code == 0, said.err
    assert '"result": "reached"' in said.out


def test_the_robot_mixes_twice(running: Demo) -> None:
    """Soon enough for somebody who looks on, and without a hand in between."""
    for well in ("B2", "B3"):
        said = running.call("mix_color", "R=100", "Y=50", "B=80", f"well={well}", "--json", device=ROBOT)
        assert said.code == 0, said.err
        assert said.seconds < MIXED_WITHIN
        print(f"\nmixed after {said.seconds:.1f} s")  # noqa: T201 - a figure
    wells = json.loads(running.fault(ROBOT).out)["wells"]
    assert wells["1/B2"] == wells["1/B3"] == {"3/B1": 100, "3/B2": 50, "3/B3": 80}


@pytest.mark.skipif(not opentrons_package.is_installed(), reason="no opentrons: lab2mqtt opentrons install")
def test_the_robot_mixes_through_the_real_package(tmp_path: Path) -> None:
    """As soon; the package's own start included, and nothing of it is left."""
    demo = Demo(tmp_path, opentrons=None)
    try:
        demo.start()
        assert "opentrons install" not in demo.said()
        said = demo.call("mix_color", "R=100", "Y=50", "B=80", "well=B2", device=ROBOT)
        assert said.code == 0, said.err
        assert said.seconds < MIXED_WITHIN
        print(f"\nmixed by the real package after {said.seconds:.1f} s")  # noqa: T201 - a figure
        assert len(demo.processes()) == PROCESSES + 1
    finally:
        demo.terminate(signal.SIGINT)
    until(lambda: not demo.processes(), "nothing is left")


def test_faults_are_switched_by_the_id_of_a_device(running: Demo) -> None:
    """Of each simulator in the same way; the bridge finds out by itself."""
    with Observer(running.port, f"lab2mqtt/{ROBOT}/state") as seen:
        assert running.fault(ROBOT, "door_open").code == 0
        until(lambda: seen.last(f"lab2mqtt/{ROBOT}/state")["door"] is True, "the open door is seen")
        assert running.fault(ROBOT, "door_open", "off").code == 0
        until(lambda: seen.last(f"lab2mqtt/{ROBOT}/state")["door"] is False, "the closed door is seen")
    assert json.loads(running.fault(DEVICE).out)["faults"] == []
    said = running.fault(ROBOT, "stalled")
    assert said.code == 2
    assert "door_open" in said.err


def test_boards_are_announced_and_do_what_they_are_told(running: Demo) -> None:
    """Beside the instruments, by the same bridge; the robot asks them."""
    if not HAS_BOARDS:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MicroPython")
    with Observer(running.port, "lab2mqtt/#", "homeassistant/#") as seen:
        for board, key in BOARDS.items():
            assert seen.last(f"homeassistant/device/lab2mqtt_{board}/config")["components"]
            assert seen.last(f"lab2mqtt/{board}/description")["bridge"] is None
            assert seen.last(f"lab2mqtt/{board}/state")[key] is not None
        assert running.call("set_speed", "speed=60", device="fan").code == 0
        seen.wait("lab2mqtt/fan/state", lambda told: told["fan_speed"] == 60)
        assert running.fault("lab-sensor", "temperature=31.5").code == 0
        seen.wait("lab2mqtt/lab-sensor/state", lambda told: abs(told["temperature"] - 31.5) < 0.2)
    asked = running.call("read_color", "--json", device=ROBOT)
    assert asked.code == 0, asked.err
    assert json.loads(asked.out)["clear"] > 0
    assert "lab2mqtt fault lab-sensor temperature" in running.said()


def test_props_are_there_and_answer(running: Demo) -> None:
    """Each a device of the worker host; the coffin jumps when somebody comes near."""
    if not HAS_BOARDS:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MicroPython")
    assert running.call("ping", "arg=hello", device="heartbeat").code == 0
    with Observer(running.port, "lab2mqtt/#", "homeassistant/#") as seen:
        for prop in PROPS:
            assert seen.last(f"homeassistant/device/lab2mqtt_{prop}/config")["components"]
        state = "lab2mqtt/coffin_jumper/state"
        seen.wait(state, lambda told: told["state"] == "armed", within=MIXED_WITHIN)
        assert running.fault(PROP_BOARDS[0], "motion=true").code == 0
        seen.wait(state, lambda told: told["state"] == "action")
        assert running.fault(PROP_BOARDS[0], "motion=false").code == 0
        refused = running.call("trigger", device="coffin_jumper")
        assert refused.code != 0
        assert "in action already" in refused.err


def test_a_board_alone(tmp_path: Path) -> None:
    """Chosen as every device is."""
    if not HAS_BOARDS:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no MicroPython")
    demo = Demo(tmp_path)
    demo.command += ["--device", "fan"]
    try:
        demo.start()
        assert len(demo.processes()) == 5  # demo, broker, bridge, supervisor, MicroPython
        assert "lab2mqtt call fan set_speed speed=60" in demo.said()
        assert demo.call("set_speed", "speed=60", device="fan").code == 0
    finally:
        demo.terminate(signal.SIGINT)
    until(lambda: not demo.processes(), "nothing is left")


def test_without_micropython_there_are_no_boards(tmp_path: Path) -> None:
    """And the demo says why, and how to get it."""
    demo = Demo(tmp_path)
    demo.environment["MICROPYTHON"] = str(tmp_path / "nowhere")
    try:
        demo.start()
        assert "No boards" in demo.said()
        assert "lab2mqtt[micropython]" in demo.said()
        assert len(demo.processes()) == PROCESSES - OF_BOARDS
    finally:
        demo.terminate(signal.SIGINT)
    said = run("demo", "--no-hub", "--device", "fan", environment={"MICROPYTHON": "/nowhere"})
    assert said.code == 1
    assert "$MICROPYTHON names /nowhere" in said.err


PARTS = ["bridge", "broker", "worker host", f"simulator of {DEVICE}", f"simulator of {ROBOT}"]


@pytest.mark.parametrize("part", [*PARTS, *(["simulator of fan"] * HAS_BOARDS)])
def test_a_part_that_is_killed_is_started_again(running: Demo, part: str) -> None:
    """As systemd would; the lab works again by itself."""
    pid = running.part(part)
    if pid not in running.processes():  # it was started again since it was told
        pytest.fail(f"{part} is not running as {pid}")
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    until(
        lambda: pid not in running.processes() and len(running.processes()) == PROCESSES,
        "it is back",
        within=10,
    )
    running.until_said(f"{part} has ended")

    def works() -> bool:
        if not listens(running.port):
            return False
        with Observer(running.port, "lab2mqtt/#") as seen:
            everybody = ("bridge/demo", DEVICE, ROBOT, *PROPS, *(BOARDS if HAS_BOARDS else ()))
            said = [seen.last(f"lab2mqtt/{who}/status") for who in everybody]
        online = all(each and each["status"] == "online" for each in said)
        calls = (running.call("get_position", device=device) for device in (DEVICE, ROBOT))
        return online and all(said.code == 0 for said in calls)

    until(works, "the lab works again", within=20, every=0.1)
    print(f"\n{part} killed: the lab works again after {time.monotonic() - killed:.1f} s")  # noqa: T201 - a figure


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_of_the_demo_is_the_end_of_all(tmp_path: Path, number: signal.Signals) -> None:
    """Also in the middle of a move, and whoever presses Ctrl-C twice leaves nothing behind either."""
    demo = Demo(tmp_path)
    demo.start()
    processes = demo.processes()
    assert len(processes) == PROCESSES
    with Observer(demo.port, "lab2mqtt/#") as seen:
        seen.publish(f"lab2mqtt/{DEVICE}/command", {"task": "move_to_angle", "parameters": {"angle": 355}})
        seen.wait(f"lab2mqtt/{DEVICE}/progress")
    os.kill(demo.pid or 0, number)
    os.kill(demo.pid or 0, number)
    assert demo.wait() == 0, demo.said()
    assert demo.processes() == set()
    assert not listens(demo.port)
    assert "Traceback" not in demo.said()
    assert list((tmp_path / "state").rglob("*.json")) == []


def test_a_demo_that_is_killed_takes_its_parts_with_it(tmp_path: Path) -> None:
    """However it ends."""
    demo = Demo(tmp_path)
    demo.start()
    demo.kill()
    until(lambda: not demo.processes(), "nothing is left", within=10)


def test_a_port_that_is_taken_is_told(running: Demo) -> None:
    """With what to do; the demo that runs there is not touched."""
    said = run("demo", "--no-hub", "--broker-port", str(running.port))
    assert said.code == 1
    assert "--broker-port" in said.err
    assert running.call("get_position").code == 0


def test_an_unknown_device_is_told_the_nearest() -> None:
    """Before anything is started."""
    said = run("demo", "--no-hub", "--device", "plate-resrot")
    assert said.code == 1
    assert DEVICE in said.err
