"""The device program of the lab's MicroPython guide, on a real MicroPython, with our bridge and our clients.

``guide/device.py`` is that program word for word: the device side of the guide, as its users have it. What is
changed before it runs stands here: whom it connects to, and what without which it does not run at all. Its
MQTT library, mqtt_as, is no part of this repository: where ``$MQTT_AS_DIR`` names the folder of a clone it is
the real one, and else a stand-in on our own transport.
"""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import shutil
import time

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.old_bench import OldBench
from tests.micropython.rig import LOST, Script

from lab2mqtt import wire
from lab2mqtt.boards import firmware
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.orchestration import MicroPythonOrchestrator, TaskFailed

DEVICE = "pico-w-lab-001"
GUIDE = Path(__file__).with_name("guide")
UP_WITHIN = 20.0  # s; mqtt_as takes six of them

# Each with what it is mended to, and why: firmware.md tells more of what is wrong with it.
MENDS = (
    # MicroPython's functions keep no docstring: AttributeError at the first task.
    ("'doc': func.__doc__ or \"\"", "'doc': getattr(func, '__doc__', None) or \"\""),
    # mqtt_as has no set_callback. What it calls is named in its config, and is no coroutine.
    ("        self.client.set_callback(self.message_handler)\n", ""),
    (
        "        self.client = MQTTClient(config)\n",
        (
            "        config['subs_cb'] = lambda *told: asyncio.create_task(self.message_handler(*told))\n"
            "        self.client = MQTTClient(config)\n"
        ),
    ),
)


def program(port: int, prefix: str) -> str:
    """The guide's program, for this broker, Wi-Fi and prefix, and mended."""
    text = (GUIDE / "device.py").read_text("utf-8")
    settings = (
        ('MQTT_BROKER = "broker.hivemq.com"', f'MQTT_BROKER = "{LOOPBACK}"'),
        ("MQTT_PORT = 1883\n", f"MQTT_PORT = {port}\nconfig['ssid'], config['wifi_pw'] = 'lab', ''\n"),
    )
    for original, other in (*settings, *MENDS):
        assert text.count(original) == 1, original
        text = text.replace(original, other)
    return text.replace("'ot2/", f"'{prefix}/").replace('"ot2/', f'"{prefix}/')


@pytest.fixture(scope="module", params=["stand-in", "mqtt_as"])
def library(request: pytest.FixtureRequest) -> Path:
    """Where its MQTT library is."""
    if request.param == "stand-in":
        return GUIDE / "mqtt_as.py"
    folder = os.environ.get("MQTT_AS_DIR")
    if not folder:
        pytest.skip("no mqtt_as: set $MQTT_AS_DIR to the folder of a clone")
    return Path(folder) / "mqtt_as"


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldBench]:
    """A bridge that adopts what it hears of."""
    with OldBench(broker, tmp_path_factory.mktemp("guide")) as made:
        yield made


@pytest.fixture(scope="module")
def board(
    bench: OldBench, micropython: Path, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Script]:
    """The board with the guide's program, up and adopted."""
    made = Script(
        micropython, tmp_path_factory.mktemp("board"), program(bench.broker.port, bench.prefix), config={}
    )
    to = made.file(f"/lib/{library.name}")
    (shutil.copytree if library.is_dir() else shutil.copy)(library, to)
    if library.is_file():  # it uses our transport from within, whose names are other ones in an image
        shutil.rmtree(made.file("/lib/labboard"))
        made.file("/lib/wire.mpy").unlink(missing_ok=True)
        shutil.copytree(firmware() / "labboard", made.file("/lib/labboard"))
        shutil.copy(wire.__file__, made.file("/lib/wire.py"))
    since = bench.seen.mark()
    with made:
        made.until_said(f"MicroPython device {DEVICE} running", UP_WITHIN)
        bench.until_ready(DEVICE, since)
        yield made
    assert LOST not in made.said()


@pytest.fixture(params=["its own topics", "through the bridge"])
def pico(request: pytest.FixtureRequest, bench: OldBench, board: Script) -> Iterator[MicroPythonOrchestrator]:
    """The guide's orchestrator, as ours, on either way."""
    assert board.pid, board.said()
    prefix = bench.prefix if request.param == "its own topics" else bench.name
    with MicroPythonOrchestrator(LOOPBACK, DEVICE, bench.broker.port, topic_prefix=prefix) as made:
        yield made


def test_it_is_announced_with_all_its_tasks(bench: OldBench, board: Script) -> None:
    """Told by its get_device_status, as its status tells none."""
    assert board.pid
    told = bench.last(DEVICE, "description")
    assert {"read_sensor", "control_led", "move_servo", "get_device_status"} < set(told["tasks"])
    assert told["tasks"]["move_servo"]["effect"] == "move"
    assert (told["at_most_once"], told["platform"]) == ("no", "micropython")
    assert bench.last(DEVICE, "state")["free_memory"] > 10_000


def test_the_guides_experiment(pico: MicroPythonOrchestrator, board: Script) -> None:
    """As in its example, number for number."""
    board.world.say(voltage_26=1.0, voltage_27=2.0, voltage_28=3.0)
    status = pico.get_device_info()
    assert (status["device_id"], status["platform"]) == (DEVICE, "micropython")
    assert status["free_memory"] > 10_000
    found = pico.run_sensor_experiment(sensors=[26, 27, 28], led_pin=25)
    assert (found["experiment"], found["sensors_tested"], found["device_id"]) == ("sensor_reading", 3, DEVICE)
    assert [one["sensor_pin"] for one in found["results"]] == [26, 27, 28]
    assert found["average_voltage"] == pytest.approx(2.0, abs=0.01)
    lamp = [line["value"] for line in board.journal() if line["output"] == "pin_25"][-2:]
    assert lamp == [1, 0]


def test_its_servo_moves_once(pico: MicroPythonOrchestrator, bench: OldBench, board: Script) -> None:
    """By the program's own pulses; and not while the lab is stopped, where it is asked through the bridge."""
    before = len(board.journal())
    assert pico.move_device_servo(pin=15, angle=90) == "Servo on pin 15 moved to 90 degrees"
    pulses = [line for line in board.journal()[before:] if line["output"] == "pin_15" and line.get("duty_ns")]
    assert len(pulses) == 1, pulses
    bench.call(DEVICE, "emergency_stop")
    with (
        MicroPythonOrchestrator(LOOPBACK, DEVICE, bench.broker.port, topic_prefix=bench.name) as bridged,
        pytest.raises(TaskFailed, match="emergency stop engaged"),
    ):
        bridged.move_device_servo(pin=15, angle=0)
    assert bench.call(DEVICE, "reset_emergency_stop")["status"] == "success"
    assert [line for line in board.journal()[before:] if line.get("duty_ns")] == pulses


def test_its_tasks_and_its_errors(pico: MicroPythonOrchestrator) -> None:
    """In its own words, or in the bridge's, which refuses sooner."""
    assert "read_sensor" in pico.client.get_available_tasks()
    with pytest.raises(TaskFailed, match=r"Task 'fly' not found|no task 'fly'"):
        pico.client.execute_task("fly")
    with pytest.raises(RuntimeError):
        pico.client.execute_task("read_sensor")


def test_rubbish_does_not_end_it(pico: MicroPythonOrchestrator, bench: OldBench) -> None:
    """Nor does an answer of its own that is no JSON hurt the bridge."""
    for payload in (b"", b"{", b"7", b"\xff", json.dumps({"task": "read_sensor"}).encode()):
        bench.seen.publish(f"{bench.prefix}/{DEVICE}/command", payload)
    bench.seen.publish(
        f"{bench.prefix}/{DEVICE}/result", b'{"request_id": "x", "status": "success", "v": nan}'
    )
    bench.seen.barrier()
    assert pico.read_sensor_data(26)["sensor_pin"] == 26


def test_it_is_offline_when_it_dies_and_back_when_it_starts(bench: OldBench, board: Script) -> None:
    """By its will; its retained "offline" does not hide it from a bridge that starts later."""
    since = bench.seen.mark()
    board.kill()
    bench.until_offline(DEVICE, since)
    since = bench.seen.mark()
    board.start()
    bench.until_ready(DEVICE, since)
    kept = bench.kept()[f"{bench.prefix}/{DEVICE}/status"]
    assert kept == {"status": "offline"}  # as the guide's program is
    since = bench.seen.mark()
    began = time.monotonic()
    bench.restart()
    bench.until_ready(DEVICE, since)
    assert time.monotonic() - began < UP_WITHIN
    until(lambda: bench.call(DEVICE, "read_sensor", {"sensor_pin": 26})["status"] == "success", "it answers")
