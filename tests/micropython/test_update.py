"""A new application over MQTT: taken whole or not at all, and only from who has the key."""

from collections.abc import Callable
import json
from pathlib import Path
import time
from typing import Any

from paho.mqtt import client as paho
import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, until
from tests.broker.program import Program
from tests.micropython.conftest import MakeBoard
from tests.micropython.rig import Board

from lab2mqtt.boards import image
from lab2mqtt.boards.manifest import MANIFEST, File, Manifest
from lab2mqtt.runtime.mqtt import Message
from lab2mqtt.runtime.updates import Updates

KEY = "a key of nobody"
RESTARTED_WITHIN = 40.0  # s; three bad boots take a while

# The text makes it several pieces long, and each version different.
GOOD = """\
import asyncio
from labboard import Board, Part

class Marker(Part):
    entities = {"marker": {"platform": "sensor", "name": "Marker"}}
    def read(self):
        return {"marker": "%(version)s"}

board = Board("thing", node="thing")
board.add(Marker())

@board.task(effect="set")
async def linger():
    await asyncio.sleep(20)

TEXT = "%(text)s"
board.run()
"""
BAD = "import labboard\nTEXT = '%(text)s'\nraise ValueError('%(version)s is broken')\n"


class Server(Observer):
    """Offers updates, as a bridge does, with a hand in what it sends.

    Attributes:
        spoil: Takes topic and payload of a piece, and gives what is sent instead; None: nothing.
        pieces: The topics of the pieces that were sent.
    """

    def __init__(self, board: Board, folder: Path) -> None:
        self.pieces: list[str] = []
        self.spoil: Callable[[str, bytes], bytes | None] = lambda _, payload: payload
        self.updates = Updates(folder, board.base, self._say)
        super().__init__(board.port, f"{board.base}/{board.device_id}/#")

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        super()._on_message(client, userdata, message)
        if message.topic.endswith("/description") and message.payload:
            told = json.loads(message.payload)
            self.updates.described(told["device_id"], told["node"])
        self.updates.hear(Message(message.topic, message.payload, message.retain))

    def _say(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False, later: bool = True
    ) -> None:
        del later
        if isinstance(payload, bytes):
            self.pieces.append(topic)
            spoilt = self.spoil(topic, payload)
            if spoilt is None:
                return
            payload = spoilt
        self._client.publish(topic, payload, qos, retain)

    def offer(self, topic: str) -> None:
        """Look into the folder, as a bridge does every two seconds, until something is said on a topic."""

        def told() -> bool:
            self.updates.look()
            return bool(self.heard(topic))

        until(told, "something is offered", within=15, every=0.2)


class Bench:
    """A board of the node ``thing``, version 0.1.0, and who offers it updates."""

    def __init__(self, folder: Path, make: Callable[..., Board]) -> None:
        self.folder = folder
        self.offers = folder / "offers"
        self.board = make(self.node("0.1.0", GOOD))

    def node(self, version: str, program: str) -> Path:
        """The sources of a version."""
        node = self.folder / version / "thing"
        node.mkdir(parents=True)
        (node / "main.py").write_text(program % {"version": version, "text": version * 600})
        (node / "node.json").write_text("{}")
        return node

    def offer(self, version: str, program: str = GOOD, key: str = KEY) -> Manifest:
        """Build a version that the server offers from now on."""
        return image.build(self.node(version, program), self.offers / "thing", version=version, key=key)

    def until_offered(self, seen: Observer, version: str, since: int = 0) -> None:
        """Wait until the board shows it."""
        if isinstance(seen, Server):
            seen.offer(self.board.topic("update/manifest"))
        seen.wait(
            self.board.topic("state"),
            lambda told: bool(told) and (told.get("firmware") or {}).get("latest_version") == version,
            since=since,
            within=15,
        )

    def until_runs(self, seen: Observer, version: str, since: int) -> Any:  # noqa: ANN401 - JSON
        """Wait until that version runs and says so; gives the state."""
        return seen.wait(
            self.board.topic("state"),
            lambda told: (
                bool(told)
                and told.get("marker") == version
                and (told.get("firmware") or {}).get("installed_version") == version
            ),
            since=since,
            within=RESTARTED_WITHIN,
        ).json

    def install(self, seen: Observer, **parameters: Any) -> Any:  # noqa: ANN401 - JSON
        """Ask for the update; gives the result."""
        return self.board.ask(seen, "install_update", parameters, within=30)


@pytest.fixture
def bench(make_board: MakeBoard, broker: Broker, tmp_path: Path) -> Bench:
    """A board that takes updates."""

    def make(node: Path) -> Board:
        return make_board(
            broker, node=node, config={"good_after": 1, "keepalive": 5}, secrets={"update_key": KEY}
        )

    return Bench(tmp_path, make)


def test_an_update_is_offered_pulled_started_and_kept(bench: Bench) -> None:
    """The board shows both versions, tells how far it is, answers, restarts, and proves the new one."""
    bench.offer("0.2.0")
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.2.0")
        since = seen.mark()
        result = bench.install(seen)
        assert result["result"] == {"version": "0.2.0"}, result
        steps = [one.json for one in seen.heard(board.topic("progress"), since)]
        percents = [one["percent"] for one in steps if "percent" in one]
        assert percents
        assert percents == sorted(percents)
        state = bench.until_runs(seen, "0.2.0", since)
        assert state["firmware"] == {"installed_version": "0.2.0", "latest_version": "0.2.0"}
        until(
            lambda: board.kept("boots.json") and not board.kept("boots.json")["trial"], "it has proved good"
        )
        assert board.kept("boots.json")["app"] == "b"
        assert not board.file("lib/app.mpy").exists()
        # What is offered is installed by now.
        assert "0.2.0 is not newer than 0.2.0" in bench.install(seen)["error"]


@ON_MOSQUITTO
def test_a_bridge_that_adopts_offers_and_serves_what_is_built(bench: Bench, tmp_path: Path) -> None:
    """Also what is built while it runs; Home Assistant is announced an update, and a button for it."""
    config = tmp_path / "bridge.yaml"
    config.write_text(
        f"bridge: updater\nbroker: {{port: {bench.board.port}}}\nstate: kept\nadopt: true\n"
        f"updates: {bench.offers}\ndevices: {{}}\n"
    )
    bridge = Program(["run", str(config)], tmp_path / "bridge.log")
    with (
        bench.board as board,
        Observer(board.port, f"homeassistant/device/lab2mqtt_{board.device_id}/config") as hub,
    ):
        bridge.start()
        try:
            components = hub.wait(
                f"homeassistant/device/lab2mqtt_{board.device_id}/config", bool, within=15
            ).json["components"]
            assert {"update", "button"} <= {one["platform"] for one in components.values()}
            with board.observer() as seen:
                bench.offer("0.2.0")
                bench.until_offered(seen, "0.2.0")
                since = seen.mark()
                assert bench.install(seen)["status"] == "success"
                bench.until_runs(seen, "0.2.0", since)
        finally:
            bridge.terminate()


@ON_MOSQUITTO
def test_a_piece_that_is_lost_or_broken_is_pulled_again(bench: Bench) -> None:
    """One that came with other bytes is found by the hash of its file."""
    bench.offer("0.2.0")
    seen_once: set[str] = set()

    def spoil(topic: str, payload: bytes) -> bytes | None:
        number = len(seen_once)
        if topic in seen_once:
            return payload
        seen_once.add(topic)
        return None if number == 0 else bytes(len(payload)) if number == 1 else payload[1:]

    with bench.board as board, Server(board, bench.offers) as seen:
        seen.spoil = spoil
        bench.until_offered(seen, "0.2.0")
        since = seen.mark()
        assert bench.install(seen)["status"] == "success"
        bench.until_runs(seen, "0.2.0", since)


@ON_MOSQUITTO
def test_an_update_that_stays_broken_changes_nothing(bench: Bench) -> None:
    """The old application goes on, and the half new one is none."""
    bench.offer("0.2.0")
    with bench.board as board, Server(board, bench.offers) as seen:
        seen.spoil = lambda _, payload: bytes(len(payload))
        bench.until_offered(seen, "0.2.0")
        result = bench.install(seen)
        assert result["error_code"] == "device_error"
        assert "other bytes than its manifest says" in result["error"]
        assert not board.file(f"app_b/{MANIFEST}").exists()
        seen.spoil = lambda _, payload: payload
        since = seen.mark()
        assert bench.install(seen)["status"] == "success"
        bench.until_runs(seen, "0.2.0", since)


@pytest.mark.parametrize("key", ["another key", ""])
@ON_MOSQUITTO
def test_an_update_that_is_not_signed_with_the_key_is_refused(bench: Bench, key: str) -> None:
    """No piece of it is even asked for. A bridge offers none without a signature; somebody else might."""
    manifest = bench.offer("0.2.0", key=key)
    with bench.board as board, Server(board, bench.offers) as seen:
        seen.offer(board.topic("update/manifest"))
        seen.publish(board.topic("update/manifest"), json.loads(manifest.text()), retain=True)
        bench.until_offered(seen, "0.2.0")
        result = bench.install(seen)
        assert (result["error_code"], result["error"]) == (
            "not_allowed",
            "the manifest is not signed with this board's update_key",
        )
        assert not seen.heard(board.topic("update/want"))


@ON_MOSQUITTO
def test_a_board_without_a_key_takes_no_update(make_board: MakeBoard, broker: Broker, tmp_path: Path) -> None:
    """Nor does it show any, or a button for it."""
    bench = Bench(tmp_path, lambda node: make_board(broker, node=node))
    with bench.board as board, board.observer() as seen:
        told = seen.wait(board.topic("description")).json
        assert not {"firmware", "install_update"} & set(told["entities"])
        assert bench.install(seen)["error_code"] == "unknown_task"


@ON_MOSQUITTO
def test_a_manifest_cannot_write_beside_its_folder(bench: Bench) -> None:
    """Not even one that is signed."""
    names = (
        "../boot.py",
        "/main.py",
        "parts/../../main.py",
        "secrets.json",
        "a/b/c.py",
        ".py",
        "manifest.json",
    )
    with bench.board as board, board.observer() as seen:
        for number, name in enumerate(names):
            wrong = Manifest(
                "thing", f"0.2.{number}", (File(name, 1, "0" * 64), File("app.mpy", 1, "0" * 64))
            )
            seen.publish(board.topic("update/manifest"), json.loads(wrong.sign(KEY).text()), retain=True)
            bench.until_offered(seen, wrong.version)
            result = bench.install(seen)
            assert result["error_code"] == "not_allowed", name
            assert "one that a board does not take" in result["error"], name


@ON_MOSQUITTO
def test_a_power_cut_in_the_middle_leaves_the_old_application(bench: Bench) -> None:
    """The next attempt begins anew, and succeeds."""
    bench.offer("0.2.0")
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.2.0")
        seen.spoil = lambda _, payload: payload if len(seen.pieces) < 3 else None
        seen.publish(board.topic("command"), {"request_id": "cut", "task": "install_update"})
        until(lambda: len(seen.pieces) >= 3, "it is in the middle", within=20)
        since = seen.mark()
        board.power_cycle()
        booted = seen.wait(board.topic("description"), since=since, within=RESTARTED_WITHIN)
        since = seen.place(booted)
        bench.until_runs(seen, "0.1.0", since)
        seen.spoil = lambda _, payload: payload
        bench.until_offered(seen, "0.2.0", since)
        since = seen.mark()
        assert bench.install(seen)["status"] == "success"
        bench.until_runs(seen, "0.2.0", since)


def test_a_link_that_is_lost_in_the_middle_is_waited_for(bench: Bench) -> None:
    """It goes on where it was."""
    bench.offer("0.2.0")
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.2.0")
        seen.spoil = lambda _, payload: payload if len(seen.pieces) < 3 else None
        since = seen.mark()
        seen.publish(board.topic("command"), {"request_id": "gap", "task": "install_update"})
        until(lambda: len(seen.pieces) >= 3, "it is in the middle", within=20)
        board.world(wifi=False)
        seen.wait(board.topic("status"), lambda told: told["status"] == "offline", since=since, within=40)
        seen.spoil = lambda _, payload: payload
        before = len(seen.pieces)
        board.world(wifi=True)
        bench.until_runs(seen, "0.2.0", since)
        assert not [topic for topic in seen.pieces[before:] if topic.endswith("/0/0")]


@ON_MOSQUITTO
def test_a_new_application_that_crashes_gives_way_to_the_old_one(bench: Bench) -> None:
    """After three bad boots; the reason is shown."""
    bench.offer("0.2.0", BAD)
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.2.0")
        assert bench.install(seen)["status"] == "success"
        until(lambda: (board.kept("boots.json") or {}).get("app") == "b", "it is tried", within=20)
        state = bench.until_runs(seen, "0.1.0", seen.mark())
        assert state["last_crash"] == "ValueError: 0.2.0 is broken"


@ON_MOSQUITTO
def test_an_older_version_is_taken_only_where_the_command_says_so(bench: Bench) -> None:
    """And another version than the one that is meant is not."""
    bench.offer("0.0.9")
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.0.9")
        result = bench.install(seen)
        assert result["error_code"] == "not_allowed"
        assert result["error"].startswith("0.0.9 is not newer than 0.1.0")
        assert (
            bench.install(seen, version="3.0", downgrade=True)["error"] == "version 0.0.9 is offered, not 3.0"
        )
        since = seen.mark()
        assert bench.install(seen, version="0.0.9", downgrade=True)["status"] == "success"
        bench.until_runs(seen, "0.0.9", since)


@ON_MOSQUITTO
def test_an_update_waits_for_nothing_and_respects_a_stop(bench: Bench) -> None:
    """Nor does it come late: as any command it expires."""
    bench.offer("0.2.0")
    with bench.board as board, Server(board, bench.offers) as seen:
        bench.until_offered(seen, "0.2.0")
        late = board.ask(seen, "install_update", expires_at=int(time.time()) - 5)
        assert late["error_code"] == "expired"
        seen.publish(board.topic("command"), {"request_id": "long", "task": "linger"})
        seen.wait(board.topic("state"), lambda told: bool(told) and told["task"] == "linger")
        assert bench.install(seen)["error_code"] == "busy"
        since = seen.mark()
        board.ask(seen, "cancel")
        seen.wait(board.topic("result"), lambda told: told["request_id"] == "long", since=since)
        board.ask(seen, "emergency_stop")
        assert bench.install(seen)["error_code"] == "emergency_stopped"
        board.ask(seen, "reset_emergency_stop")
        since = seen.mark()
        assert bench.install(seen)["status"] == "success"
        bench.until_runs(seen, "0.2.0", since)
