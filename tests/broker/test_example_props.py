"""The example props as their users have them: the real host, and a board with the original firmware."""

from collections.abc import Iterator, Mapping
import json
import shutil
import threading
from typing import Any

from paho.mqtt import client as paho
import pytest
from tests.broker.bench import ONE_BROKER
from tests.broker.brokers import Broker
from tests.broker.observer import CONNECT_WITHIN, until
from tests.broker.props_bench import WITHIN, PropsBench
from tests.unit.props.played_props import PROPS, OldCoffin

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.paho_loop import end_loop

pytestmark = ONE_BROKER

COFFIN, BOARD = "coffin_jumper", OldCoffin.board_id
RETAINED = ("availability", "state")


class Line:
    """A board's link to the broker, with its will."""

    def __init__(self, port: int, prefix: str) -> None:
        self.on_command: Any = None
        self.asked: list[Mapping[str, Any]] = []
        self._prefix = prefix
        subscribed = threading.Event()
        self._client = client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"{prefix}-{BOARD}")
        client.will_set(f"{prefix}/{BOARD}/availability", "offline", 1, retain=True)
        client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/{BOARD}/cmd", 1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._hear
        client.connect(LOOPBACK, port)
        client.loop_start()
        assert subscribed.wait(CONNECT_WITHIN)

    def say(self, topic: str, payload: object) -> None:
        """Say something."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self._client.publish(f"{self._prefix}/{topic}", text, 1, topic.endswith(RETAINED))

    def cut(self) -> None:
        """End as a power cut does: the broker says its will."""
        sock = self._client.socket()
        end_loop(self._client)
        if sock:
            sock.close()

    def _hear(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        if message.topic == f"{self._prefix}/{BOARD}/cmd":
            told = json.loads(message.payload)
            self.asked.append(told)
            self.on_command(BOARD, told["action"], told.get("params") or {})


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """One host with all example props, which wait less long for each other."""
    folder = tmp_path_factory.mktemp("props")
    shutil.copytree(PROPS, folder / "props", ignore=shutil.ignore_patterns("firmware", "__pycache__"))
    config = folder / "props" / COFFIN / "backend" / "config.yaml"
    config.write_text(config.read_text().replace("lockout: 7", "lockout: 0.5"))
    with PropsBench(broker, folder) as made:
        yield made


@pytest.fixture
def board(bench: PropsBench) -> Iterator[OldCoffin]:
    """A board that has just come, known to its worker."""
    line = Line(bench.broker.port, bench.prefix)
    board = OldCoffin(line)  # as it is delivered: idle
    since = bench.seen.mark()
    board.come()
    bench.until_text(f"{COFFIN}/state", "armed", since)
    bench.until_ready(COFFIN)
    board.values |= {"triggers": 0, "pir": False, "vol": 20, "solenoid_power": False}

    def heard() -> bool:
        board.tell()  # as it does again and again: it is not retained
        state: dict[str, Any] = bench.last(COFFIN, "state")
        return state["volume"] == 20 and state["readiness"] == "ready"

    until(heard, "the worker hears the telemetry", within=WITHIN, every=0.2)
    yield board
    line.cut()
    until(lambda: bench.texts(f"{COFFIN}/state")[-1] == "offline", "the worker knows that it is gone")


def line_of(board: OldCoffin) -> Line:
    """The board's link."""
    assert isinstance(board.ties, Line)
    return board.ties


def test_home_assistant_is_shown_one_device_in_the_props_words(bench: PropsBench, board: OldCoffin) -> None:
    """Declared entities, and no second one for the same task."""
    board.tell(pir=True, triggers=4)
    state = bench.until(COFFIN, "state", lambda told: told.get("motion")).json
    assert {key: state[key] for key in ("motion", "triggers", "volume", "solenoid", "rssi", "state")} == {
        "motion": True,
        "triggers": 4,
        "volume": 20,
        "solenoid": False,
        "rssi": -60,
        "state": "armed",
    }
    entities = bench.last(COFFIN, "description")["entities"]
    assert entities["motion"]["platform"] == "binary_sensor"
    assert (entities["volume"]["platform"], entities["rssi"]["category"]) == ("number", "diagnostic")
    assert entities["do_trigger"]["platform"] == "button"
    assert "do_set_volume" not in entities


def test_a_trigger_is_answered_by_what_the_board_did(bench: PropsBench, board: OldCoffin) -> None:
    """On both ways to command it."""
    assert bench.call(COFFIN, "trigger")["status"] == "success"
    assert board.state == "action"
    refused = bench.call(COFFIN, "trigger")
    assert (refused["status"], refused["error_code"]) == ("error", "not_allowed")
    assert "in action already" in refused["error"]
    since = bench.cmd(COFFIN, "trigger")
    bench.until_words(f"{COFFIN}/status/warn", "in action already", since)
    assert bench.call(COFFIN, "stop_action")["status"] == "success"
    bench.until_text(f"{COFFIN}/state", "armed", since)


def test_parameters_reach_the_original_as_params(bench: PropsBench, board: OldCoffin) -> None:
    """It knows no ``args``."""
    request = bench.send(COFFIN, "set_volume", {"volume": 12})
    until(lambda: board.values["vol"] == 12, "the board has been told")
    board.tell()
    assert bench.result(COFFIN, request)["status"] == "success"
    assert line_of(board).asked[-1] == {"action": "set_volume", "params": {"volume": 12}}
    refused = bench.call(COFFIN, "set_volume", {"volume": 31})
    assert refused["error_code"] == "invalid_parameters"


def test_a_board_that_is_gone_is_a_fault_and_refuses(bench: PropsBench, board: OldCoffin) -> None:
    """By the board's will."""
    since = bench.seen.mark()
    line_of(board).cut()
    bench.until(COFFIN, "state", lambda told: told["readiness"] == "fault", since)
    told = bench.call(COFFIN, "trigger")
    assert (told["error_code"], "offline" in told["error"]) == ("device_unavailable", True)


def test_the_labs_stop_blocks_the_original_and_its_release_unblocks_it(
    bench: PropsBench, board: OldCoffin
) -> None:
    """Also a stop of less than a second."""
    bench.call(COFFIN, "trigger")
    since = bench.seen.mark()
    bench.stop_lab()
    bench.until(COFFIN, "state", lambda told: told["emergency_stop"] and told["stop_confirmed"], since)
    assert board.state == "blocked"
    assert bench.call(COFFIN, "trigger")["error_code"] == "emergency_stopped"
    bench.stop_lab(engaged=False)  # within the second after it began
    bench.until_text(f"{COFFIN}/state", "armed", since)
    assert board.state == "armed"


def test_the_haunt_fires_and_tells_who_did_not_answer(bench: PropsBench, board: OldCoffin) -> None:
    """The fogger has no board here."""
    told = bench.call("haunt", "fire")
    assert (told["error_code"], told["error"]) == ("not_allowed", "disarmed; `arm` first")
    told = bench.call("haunt", "arm")
    assert "not armed: fogger warm_up" in told["error"]
    assert "offline" in told["error"]
    bench.until_text("haunt/state", "disarmed")
    until(lambda: board.state == "blocked", "the coffin is disarmed again")


def test_the_originals_example_runs(bench: PropsBench) -> None:
    """Loaded by the host as it is."""
    bench.until_text("example_prop/telemetry/tick", "1")
    since = bench.cmd("example_prop", "ping hello")
    bench.until_text("example_prop/telemetry/pong", "hello", since)
