"""``lab2mqtt simulate-board``, as it is typed."""

from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
import signal

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.certificates import Authority
from tests.broker.guarded_lab import Guarded
from tests.broker.observer import Observer, until
from tests.broker.program import Program, run

from lab2mqtt.cli import EXIT_FAILED, EXIT_NO_BROKER, EXIT_USAGE
from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.ports import LOOPBACK, free_port

pytestmark = pytest.mark.usefixtures("micropython")

FIRST, SECOND = "pico-w-lab-001", "pico-w-lab-001-2"  # the node's own id, and the next free one
NOBODY = "mqtt://127.0.0.1:1"

Typed = Callable[..., Program]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home of its own, in which no demo of this user is found."""
    return {"XDG_STATE_HOME": str(tmp_path / "home")}


@pytest.fixture
def typed(tmp_path: Path, home: dict[str, str]) -> Iterator[Typed]:
    """Type a command that goes on; it is ended with the test."""
    with contextlib.ExitStack() as stack:
        count = 0

        def start(*words: str, **environment: str) -> Program:
            nonlocal count
            count += 1
            program = Program(
                ["simulate-board", *words], tmp_path / f"{count}.log", environment=home | environment
            )
            program.start()
            stack.callback(program.terminate)
            return program

        yield start


@ON_MOSQUITTO
def test_a_board_runs_until_ctrl_c(broker: Broker, typed: Typed, home: dict[str, str]) -> None:
    """It says where it is and what to try; that works; it leaves nothing running."""
    url = f"mqtt://{LOOPBACK}:{broker.port}"
    program = typed("lab-sensor", "--broker", url, "--setting", 'servo={"hold": true}')
    program.until_said(f"{FIRST} is online")
    assert f"lab2mqtt fault {FIRST}" in program.said()
    called = run("call", FIRST, "move_servo", "pin=15", "angle=90", "--broker", url)
    assert called.code == 0, called.err
    truth = json.loads(run("fault", FIRST, "temperature=31", environment=home).out)
    assert truth["world"]["temperature"] == 31
    assert truth["outputs"]["pin_15"] == {"freq": 50, "duty_ns": 1_500_000}
    with Observer(broker.port, f"lab2mqtt/{FIRST}/#") as seen:
        assert program.terminate(signal.SIGINT).code == 0
        seen.wait(f"lab2mqtt/{FIRST}/status", lambda told: told["status"] == "offline", within=45)
    assert "Traceback" not in program.said()
    with pytest.raises(ProcessLookupError):
        os.kill(truth["pid"], 0)
    said = run("fault", FIRST, environment=home)
    assert said.code == EXIT_USAGE


@ON_MOSQUITTO
def test_two_of_a_node_have_two_ids(broker: Broker, typed: Typed, home: dict[str, str]) -> None:
    """Of two with one id each would throw the other out; an id that was asked for is not changed."""
    url = f"mqtt://{LOOPBACK}:{broker.port}"
    typed("lab-sensor", "--broker", url, "--base", "two").until_said(f"{FIRST} is online")
    typed("lab-sensor", "--broker", url, "--base", "two").until_said(f"{SECOND} is online")
    said = run("simulate-board", "fan", "--id", FIRST, "--broker", url, "--base", "two", environment=home)
    assert said.code == EXIT_USAGE
    assert "choose another id: --id ID" in said.err
    with Observer(broker.port, "two/#") as seen:
        assert seen.last(f"two/{SECOND}/description")["name"] == "Lab sensor 2"


@ON_MOSQUITTO
def test_its_flash_is_kept_where_it_is_told(broker: Broker, typed: Typed, tmp_path: Path) -> None:
    """An emergency stop outlives the board's power."""
    url, kept = f"mqtt://{LOOPBACK}:{broker.port}", tmp_path / "kept"
    words = ("fan", "--id", "kept-fan", "--broker", url, "--state", str(kept))
    program = typed(*words)
    program.until_said("kept-fan is online")
    assert run("stop", "kept-fan", "--broker", url).code == 0
    until((kept / "flash" / "latch.json").exists, "the stop is on its flash")
    program.terminate(signal.SIGINT)
    typed(*words).until_said("kept-fan is online")
    with Observer(broker.port, "lab2mqtt/kept-fan/#") as seen:
        seen.wait("lab2mqtt/kept-fan/state", lambda told: told["readiness"] == "emergency_stopped")


def test_it_trusts_the_ca_alone(typed: Typed, home: dict[str, str], tmp_path: Path) -> None:
    """By TLS, with name and password; without a CA it is told what is missing."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("broker", "DNS:localhost", "IP:127.0.0.1")
    port = free_port()
    settings = f"listener {port} {LOOPBACK}\nallow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n"
    with Guarded(mosquitto.find_or_unpack(print), port=port, settings=settings):
        url = f"mqtts://localhost:{port}"
        typed("fan", "--broker", url, "--ca", str(authority.certificate)).until_said("fan-01 is online")
        trusted = {"SSL_CERT_FILE": str(authority.certificate)}
        said = run("simulate-board", "fan", "--broker", url, environment=home | trusted)
        assert said.code == EXIT_USAGE
        assert "--ca FILE" in said.err


@ON_MOSQUITTO
@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("lab-senso",), EXIT_USAGE, "no node 'lab-senso' (did you mean 'lab-sensor'?); there are balance"),
        (("lab-sensor", "--id", "A b"), EXIT_USAGE, "'A b' is no device id"),
        (("lab-sensor", "--broker", NOBODY), EXIT_NO_BROKER, f"no broker at {NOBODY}"),
        (("lab-sensor", "--broker", "http://x"), EXIT_USAGE, "is not mqtt://"),
        (("lab-sensor", "--setting", "x", "--broker", "{url}"), EXIT_USAGE, "'x' is not key=json"),
    ],
)
def test_what_is_wrong_is_told(
    broker: Broker, home: dict[str, str], words: tuple[str, ...], code: int, why: str
) -> None:
    """In a line, with what would be right."""
    url = f"mqtt://{LOOPBACK}:{broker.port}"
    said = run("simulate-board", *(word.format(url=url) for word in words), environment=home)
    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert "Traceback" not in said.err


def test_without_micropython_it_says_how_to_get_it(home: dict[str, str], tmp_path: Path) -> None:
    """Before it looks for a broker."""
    said = run("simulate-board", "fan", environment=home | {"MICROPYTHON": str(tmp_path / "nowhere")})
    assert said.code == EXIT_FAILED
    assert "pip install 'lab2mqtt[micropython]'" in said.err
    assert "nowhere, which is not there" in said.err
