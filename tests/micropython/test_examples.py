"""The examples for boards, as their first lines say: against a demo that runs here."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal
import subprocess
import sys

import pytest
from tests.broker.observer import Observer
from tests.broker.program import Program, run as typed
from tests.broker.test_demo import Demo

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHIN = 40.0  # s

pytestmark = pytest.mark.usefixtures("micropython")


@pytest.fixture(scope="module")
def demo(micropython: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo."""
    assert micropython
    made = Demo(tmp_path_factory.mktemp("demo"))
    made.start()
    try:
        yield made
    finally:
        made.terminate(signal.SIGINT)


def run(demo: Demo, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an example beside the demo."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env=demo.environment,
        check=False,
    )


def test_all_boards_are_read_in_turn_and_at_once(demo: Demo) -> None:
    """It finds the demo and its boards by itself."""
    done = run(demo, "sensor_network.py")
    assert done.returncode == 0, done.stderr
    first, in_turn, at_once = done.stdout.splitlines()
    assert first.split()[0] == "lab-sensor"
    assert first.endswith(" V")
    assert in_turn.startswith("1 in turn")
    assert at_once.startswith("1 at once")


def test_one_that_is_not_there_does_not_keep_others_from_being_read(demo: Demo) -> None:
    """By name and by broker."""
    url = f"mqtt://127.0.0.1:{demo.port}"
    done = run(demo, "sensor_network.py", "--broker", url, "lab-sensor", "pico-w-404", "--pin", "27")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].endswith(" V")
    assert "pico-w-404 did not answer" in lines[1]


def test_above_25_degrees_the_cell_is_cooled_once(demo: Demo) -> None:
    """And not below that."""
    with Observer(demo.port, "lab2mqtt/ot2/#") as seen:
        assert run(demo, "environment_guard.py", "--once").stdout.endswith("°C\n")
        seen.barrier()
        asked = seen.heard("lab2mqtt/ot2/command")
        assert asked == []
        assert demo.fault("lab-sensor", "temperature=27").code == 0
        command = [sys.executable, str(EXAMPLES / "environment_guard.py"), "--every", "0.2"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=demo.environment
        ) as guard:
            cooled = seen.wait(
                "lab2mqtt/ot2/result", lambda told: told["task"] == "adjust_cooling", within=WITHIN
            )
            assert cooled.json["status"] == "success", cooled.json
            assert guard.stdout
            lines = [guard.stdout.readline() for _ in range(6)]
            guard.send_signal(signal.SIGINT)
            _, err = guard.communicate(timeout=WITHIN)
        assert (guard.returncode, err) == (0, "")
        assert "above 25 °C: ot2 is cooled to 20 °C\n" in lines
        sent = [heard.json for heard in seen.heard("lab2mqtt/ot2/command")]
        assert [one["parameters"] for one in sent if one["task"] == "adjust_cooling"] == [{"target": 20.0}]


def test_a_board_of_ones_own_blinks_until_it_is_cancelled(demo: Demo, tmp_path: Path) -> None:
    """As docs/boards.md has it; the lamp is dark at the end, in the middle of a blink too."""
    board = Program(
        ["simulate-board", str(EXAMPLES / "board")], tmp_path / "log", environment=demo.environment
    )
    url = f"mqtt://127.0.0.1:{demo.port}"
    with Observer(demo.port, "lab2mqtt/bench-lamp/#") as seen:
        try:
            board.start()
            board.until_said("bench-lamp is online", within=WITHIN)
            blinked = typed("call", "bench-lamp", "blink", "times=2", "--broker", url)
            assert (blinked.code, blinked.out) == (0, "2\n"), blinked.err
            seen.publish(
                "lab2mqtt/bench-lamp/command",
                {"request_id": "long", "task": "blink", "parameters": {"times": 20}},
            )
            seen.wait("lab2mqtt/bench-lamp/state", lambda told: told["task"] == "blink" and told["lamp"])
            cancelled = typed("cancel", "bench-lamp", "--broker", url)
            assert cancelled.code == 0, cancelled.err
            ended = seen.wait("lab2mqtt/bench-lamp/result", lambda told: told["request_id"] == "long")
            assert ended.json["error_code"] == "cancelled"
            truth = json.loads(typed("fault", "bench-lamp", environment=demo.environment).out)
            assert truth["outputs"]["pin_14"] == {"value": 0}
        finally:
            assert board.terminate(signal.SIGINT).code == 0


def test_without_a_demo_it_says_what_to_do(tmp_path: Path) -> None:
    """In words, and nothing is guessed."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    for name in ("sensor_network.py", "environment_guard.py"):
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / name)],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            env=environment,
            check=False,
        )
        assert done.returncode == 2
        assert "lab2mqtt demo" in done.stderr
