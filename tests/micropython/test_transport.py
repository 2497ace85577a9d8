"""The link of a board: MicroPython against real brokers, and against one that misbehaves.

``test_mqtt_as.py`` runs those that hold for every link with mqtt_as.
"""

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
import signal
import time

import pytest
from tests.broker.brokers import Amqtt, Broker
from tests.broker.observer import Observer, retained, until
from tests.micropython.transport_rig import COMMAND, STATUS, STOP, LinkBoard, Peer

MakeLink = Callable[..., LinkBoard]


@pytest.fixture
def link() -> dict[str, object]:
    """Which link is tried."""
    return {"link": "own"}


@pytest.fixture
def make_link(micropython: Path, tmp_path: Path, link: dict[str, object]) -> Iterator[MakeLink]:
    """``make_link(port, …)``: boards that have started, and end with the test."""
    with contextlib.ExitStack() as stack:
        made: list[LinkBoard] = []

        def make(port: int, *, interpreter: Path = micropython, **options: object) -> LinkBoard:
            folder = tmp_path / f"board-{len(made)}"
            folder.mkdir()
            made.append(LinkBoard(interpreter, folder, port, **(link | options)))  # type: ignore[arg-type]
            return stack.enter_context(made[-1])

        yield make


@pytest.fixture
def watcher(broker: Broker) -> Iterator[Observer]:
    """Hears what the board says, on a broker that runs and keeps nothing of an earlier test."""
    if broker.pid is None:
        broker.start()
    with Observer(broker.port, "x/#") as seen:
        for topic in {one.topic for one in seen.heard("") if one.retain}:
            seen.publish(topic, b"", retain=True)
        seen.barrier()
        yield seen


def test_messages_go_both_ways(broker: Broker, watcher: Observer, make_link: MakeLink) -> None:
    """QoS 0 and 1, retained or not, empty, and longer than the link takes."""
    board = make_link(broker.port)
    board.wait("said")
    for qos in (0, 1):
        watcher.publish(COMMAND, f"told with {qos}", qos=qos)
        watcher.publish(COMMAND, ["publish", f"x/answer/{qos}", 4000, 0, qos])
    watcher.publish(COMMAND, "größer als 80 °C")
    watcher.publish(COMMAND, b"")
    watcher.publish(COMMAND, ["pieces", "x/b1/description", 3000])
    for qos in (0, 1):
        assert watcher.wait(f"x/answer/{qos}").payload == b"x" * 4000
    description = b"".join(b"%07d\n" % number for number in range(3000))
    assert watcher.wait("x/b1/description").payload == description
    board.wait("done", lambda told: told["what"] == "pieces")
    assert retained(broker.port, "x/#") == {"x/b1/description": description, STATUS: b"online"}
    plain = [begins for begins in board.messages() if not begins.startswith("[")]
    assert plain == ["told with 0", "told with 1", "größer als 80 °C", ""]
    assert not any(told["retained"] for told in board.told("message"))


def test_the_stop_is_known_before_any_command(broker: Broker, watcher: Observer, make_link: MakeLink) -> None:
    """What is retained on the first topic has come when the link is up."""
    watcher.publish(STOP, "engaged", retain=True)
    watcher.barrier()
    board = make_link(broker.port)
    up = board.wait("up")
    assert board.messages(STOP)[0] == "engaged"
    assert board.told("message")[0]["at"] <= up["at"]


def test_a_board_that_dies_is_called_offline(broker: Broker, watcher: Observer, make_link: MakeLink) -> None:
    """The will is retained."""
    board = make_link(broker.port)
    board.wait("said")
    since = watcher.mark()
    board.kill()
    until(lambda: any(one.payload == b"offline" for one in watcher.heard(STATUS, since)), "the will is said")
    assert retained(broker.port, STATUS) == {STATUS: b"offline"}


@pytest.mark.parametrize("down", [0.0, 6.0])
@pytest.mark.usefixtures("watcher")
def test_it_is_back_within_3_s_of_a_restart(broker: Broker, make_link: MakeLink, down: float) -> None:
    """However long the broker was away, and whether it said goodbye; and it hears again."""
    board = make_link(broker.port)
    board.wait("said")
    for count, end in enumerate((broker.stop, broker.kill), start=2):
        end()
        time.sleep(down)  # the outage itself: there is nothing to wait for
        broker.start()
        began = time.monotonic()
        board.wait("said", count=count)
        assert time.monotonic() - began < 3
    with Observer(broker.port, "x/#") as seen:
        seen.publish(COMMAND, ["status"])
        assert board.wait("status")["reconnects"] == 2


@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_that_is_too_long_is_skipped(
    broker: Broker, watcher: Observer, make_link: MakeLink, qos: int
) -> None:
    """300 KB in a heap of 100 KB: no outage, and what comes after it is heard."""
    board = make_link(broker.port, heap="200k")
    board.wait("said")
    watcher.publish(COMMAND, b"x" * 300_000, qos=qos)
    watcher.publish(COMMAND, "y" * 5000, qos=qos)
    watcher.publish(COMMAND, "after it", qos=qos)
    board.wait("message", lambda told: told["begins"] == "after it")
    watcher.publish(COMMAND, ["status"])
    status = board.wait("status")
    assert (status["oversized"], status["reconnects"]) == (2, 0)
    assert board.messages() == ["after it", '["status"]']


def test_a_retained_message_that_is_too_long_is_skipped(
    broker: Broker, watcher: Observer, make_link: MakeLink
) -> None:
    """It comes with the subscription, each time."""
    watcher.publish(COMMAND, b"x" * 300_000, retain=True)
    watcher.barrier()
    board = make_link(broker.port, heap="200k")
    board.wait("said")
    watcher.publish(COMMAND, ["status"])
    status = board.wait("status")
    assert status["oversized"] >= 1  # amqtt says it with the connection, too
    assert status["reconnects"] == 0
    watcher.publish(COMMAND, b"", retain=True)
    watcher.barrier()


def test_it_asks_for_a_sign_of_life(broker: Broker, watcher: Observer, make_link: MakeLink) -> None:
    """So often that somebody who must know within 1 s that the link is lost can know it."""
    board = make_link(broker.port, safe_after=1)
    board.wait("said")
    for _ in range(8):
        watcher.publish(COMMAND, ["after", 390, ["status"]])
    board.wait("status", count=8)
    assert max(told["silent"] for told in board.told("status")) < 600


@pytest.mark.usefixtures("watcher")
def test_a_broker_that_hangs_is_left(broker: Broker, make_link: MakeLink) -> None:
    """It keeps the connection open and says nothing."""
    board = make_link(broker.port, safe_after=1)
    board.wait("said")
    assert broker.pid
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        board.until_said("silent" if board.own else "mqtt:", within=12)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    board.wait("said", count=2, within=12)


def test_wifi_comes_and_goes(watcher: Observer, broker: Broker, make_link: MakeLink) -> None:
    """A board without Wi-Fi hears and says nothing; it joins the network again by itself."""
    board = make_link(broker.port, safe_after=1)
    board.wait("said")
    board.world.say(wifi=False)
    board.until_said("mqtt:", within=12)
    heard = len(board.told("message"))
    watcher.publish(COMMAND, "nobody hears it")
    watcher.barrier()
    assert len(board.told("message")) == heard
    board.world.say(wifi=True)
    board.wait("said", count=2, within=12)
    watcher.publish(COMMAND, ["status"])
    assert board.wait("status")["rssi"] == -50


def test_what_fails_at_a_new_link_is_tried_again(
    watcher: Observer, broker: Broker, make_link: MakeLink
) -> None:
    """Where the board's first words cannot be said, the link is made anew."""
    board = make_link(broker.port)
    board.wait("said")
    watcher.publish(COMMAND, ["fail"])
    board.wait("done")
    broker.kill()
    broker.start()
    board.wait("up", count=3)
    board.wait("said", count=2)


def test_what_cannot_be_said_is_told(broker: Broker, watcher: Observer, make_link: MakeLink) -> None:
    """Without a link at once, and when it is lost on the way."""
    board = make_link(broker.port)
    board.wait("said")
    watcher.publish(COMMAND, ["after", 500, ["publish", "x/late", 10, 0, 1]])
    board.wait("message")
    broker.kill()
    told = board.wait("failed", within=3)
    assert "link" in told["why"]
    broker.start()
    board.wait("said", count=2)


def test_a_topic_that_the_broker_refuses(make_link: MakeLink) -> None:
    """It goes on with the others and says so, and does not connect again and again."""
    with Peer() as peer:
        board = make_link(peer.port, safe_after=1)
        peer.accept()
        assert peer.subscribe() == STOP
        assert peer.subscribe("80") == COMMAND
        if not board.own:  # it cannot keep that link, but the next one
            peer.accept()
            assert peer.subscribe() == STOP
        peer.expect(0x30)
        board.until_said(f"does not let us read {COMMAND}")
        peer.expect(0xC0)
        peer.publish(STOP, b"heard", flags=0)
        board.wait("message")
        assert peer.connections == (1 if board.own else 2)


def test_without_the_stop_nothing_runs(make_link: MakeLink) -> None:
    """A board that could not hear a stop does not go up."""
    with Peer() as peer:
        board = make_link(peer.port)
        for _ in range(2):
            peer.accept()
            assert peer.subscribe("80") == STOP
        board.until_said("without which nothing may run")
        assert not board.told("up")
        peer.accept()
        for topic in (STOP, COMMAND):
            assert peer.subscribe() == topic
        board.wait("up")


def test_a_broker_that_acknowledges_nothing(make_link: MakeLink) -> None:
    """Who says something is told after 5 s; the link stays."""
    with Peer() as peer:
        board = make_link(peer.port)
        peer.accept()
        peer.subscribe()
        peer.subscribe()
        peer.expect(0x30)
        peer.send("4002 0003")  # of the status
        board.wait("said") if board.own else None
        peer.publish(COMMAND, b'["publish", "x/lost", 3, 0, 1]', flags=0)
        kind, body = peer.read()
        assert (kind, body[2:8]) == (0x32, b"x/lost")
        began = time.monotonic()
        assert "acknowledge" in board.wait("failed")["why"]
        assert 4 < time.monotonic() - began < 7
        assert peer.connections == 1


def test_a_repeat_of_the_broker_is_taken_once(make_link: MakeLink) -> None:
    """It comes with the DUP flag when the broker missed our acknowledgement, and is acknowledged again."""
    with Peer() as peer:
        board = make_link(peer.port)
        peer.accept()
        peer.subscribe()
        peer.subscribe()
        for flags in (2, 10):
            peer.publish(COMMAND, b"first", flags=flags, pid="0102")
            assert peer.expect(0x40) == bytes.fromhex("0102")
        # A broker that hands the sender's flag on: nobody had this one yet.
        peer.publish(COMMAND, b"second", flags=10, pid="0103")
        assert peer.expect(0x40) == bytes.fromhex("0103")
        assert board.messages() == ["first", "second"]


@pytest.mark.parametrize(
    "nonsense",
    [
        "30ffffffff7f",  # a length of five bytes
        "34080004782f622f0001",  # QoS 2
        "3003000961",  # a topic longer than its packet
        "4040" + 64 * "00",  # an acknowledgement of 64 bytes
        "f0ffff03",  # a packet that there is none of
    ],
)
def test_nonsense_ends_the_connection_and_no_more(make_link: MakeLink, nonsense: str) -> None:
    """Whatever comes, the board comes back."""
    with Peer() as peer:
        board = make_link(peer.port, safe_after=1)
        peer.accept()
        peer.subscribe()
        peer.subscribe()
        board.wait("up")
        peer.send(nonsense)
        with contextlib.suppress(ConnectionError):  # the board may have left already
            peer.send("00" * 400)
        peer.accept()
        peer.subscribe()
        peer.subscribe()
        board.wait("up", count=2)


def test_a_topic_that_is_no_text_is_passed_over(make_link: MakeLink) -> None:
    """Brokers should not send one; a message of ours comes after it all the same."""
    with Peer() as peer:
        board = make_link(peer.port)
        peer.accept()
        peer.subscribe()
        peer.subscribe()
        peer.send("3006 0002 ff62 6162")
        peer.publish(COMMAND, b"after it", flags=0)
        board.wait("message")
        board.prints_errors = True
        assert board.messages() == ["after it"]
        assert peer.connections == 1


def test_a_broker_that_lets_us_not_in(make_link: MakeLink) -> None:
    """The reason is told, once, and the attempts become rarer."""
    with Peer() as peer:
        board = make_link(peer.port, user="b1", password="wrong")  # noqa: S106
        times = []
        for _ in range(3):
            peer.refuse("05")
            times.append(time.monotonic())
        if board.own:
            board.until_said("mqtt: the broker refuses us: not authorised")
            assert board.said().count("not authorised") == 1
        assert times[2] - times[1] > 0.9
        hello = peer.accept()
        assert hello.endswith(b"\0\x02b1\0\x05wrong")


def test_a_broker_that_is_restarted_again_and_again_is_not_taken_for_another_client(
    make_link: MakeLink,
) -> None:
    """Who works on the broker restarts it more than once: the board is back at once each time."""
    with Peer() as peer:
        board = make_link(peer.port, keepalive=16)
        if not board.own:
            pytest.skip("what both transports have in common")
        for _ in range(4):
            peer.accept()
            peer.subscribe()
            peer.subscribe()
            peer.expect(0xC0)  # the ping, after 8 s
            peer.drop()
            began = time.monotonic()
        peer.accept(within=3)
        assert time.monotonic() - began < 1.9


@pytest.mark.usefixtures("watcher")
def test_another_client_of_its_name_is_no_reason_to_fight(broker: Broker, make_link: MakeLink) -> None:
    """Each time that it is put out it waits for longer, and says what it suspects."""
    if isinstance(broker, Amqtt):
        pytest.skip("amqtt lets several clients of one name in")
    board = make_link(broker.port)
    pauses = []
    for count in range(1, 6):
        board.wait("said", count=count)
        began = time.monotonic()
        board.put_out(broker.port)
        board.wait("up", count=count + 1, within=12)
        pauses.append(time.monotonic() - began)
    assert pauses[-1] > 1.9 > pauses[0]
    assert "is there another client called b1?" in board.said()
