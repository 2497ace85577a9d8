"""Two of a kind: a second process of one bridge, and a second bridge with the same device. One goes on."""

from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
import time
from typing import Any

import pytest
from tests.broker.bench import DEVICE, ONE_BROKER, Bench, Servo
from tests.broker.observer import until
from tests.broker.program import Program
import yaml

GONE_WITHIN = 45.0  # s; a silent bridge waits for 30 s, and looks every 5 s
KINDS = ("description", "status", "state")


class Twin:
    """Another bridge of the bench's lab, with a state of its own, and a servo of its own unless told."""

    def __init__(self, bench: Bench, folder: Path, bridge: str, servo: Servo | None = None) -> None:
        folder.mkdir()
        self.name = bridge
        self._own = servo is None
        self.servo = servo or Servo(folder)
        if self._own:
            self.servo.start()
        told = yaml.safe_load(bench.config.read_text())
        told |= {"bridge": bridge, "state": str(folder / "kept")}
        told["devices"][DEVICE]["settings"]["device"] = str(self.servo.link)
        config = folder / "twin.yaml"
        config.write_text(yaml.safe_dump(told))
        self.program = Program(["run", str(config)], folder / "twin.log")
        self.health = f"{bench.base}/bridge/{bridge}/health"
        self.status = f"{bench.base}/bridge/{bridge}/status"

    def close(self) -> None:
        """End it."""
        self.program.kill()
        if self._own:
            self.servo.stop()

    def has_opened(self) -> bool:
        """Whether it holds the servo's terminal."""
        terminal = os.path.realpath(self.servo.link)
        descriptors = Path(f"/proc/{self.program.pid}/fd")
        with contextlib.suppress(FileNotFoundError):
            return any(os.path.realpath(one) == terminal for one in descriptors.iterdir())
        return False


@pytest.fixture
def twin(bench: Bench, tmp_path: Path) -> Iterator[Callable[..., Twin]]:
    """More bridges beside the bench's, one for each call; not started."""
    with contextlib.ExitStack() as stack:

        def make(bridge: str, servo: Servo | None = None) -> Twin:
            made = Twin(bench, tmp_path / f"twin-{len(list(tmp_path.iterdir()))}", bridge, servo)
            stack.callback(made.close)
            return made

        yield make
    if bench.broker.pid:
        for topic in bench.kept():
            if bench.name not in topic.split("/")[-2] and "/bridge/" in topic:
                bench.seen.publish(topic, "", retain=True)
        bench.seen.barrier()


def _health(bench: Bench, bridge: str, key: str, value: Any, since: int, within: float = 25.0) -> None:  # noqa: ANN401
    """Wait until a bridge tells this in its health."""
    topic = f"{bench.base}/bridge/{bridge}/health"
    bench.seen.wait(topic, lambda told: bool(told) and told[key] == value, since=since, within=within)


def _clear(bench: Bench) -> None:
    """Let the broker forget the lab."""
    for topic in bench.kept():
        bench.seen.publish(topic, "", retain=True)
    bench.seen.barrier()


def _speaker(bench: Bench) -> str:
    """Who announces the device, as a newcomer is told."""
    announced: str = json.loads(bench.kept()[bench.topic("description")])["announced_by"]
    return announced


def _start_long_move(bench: Bench, servo: Servo) -> str:
    """Send another servo than the bench's on a long way, and wait until it turns; gives the request id."""
    servo.until_still()
    angle = 355.0 if servo.truth()["position"] < 180 else 5.0
    request_id = bench.send("move_to_angle", {"angle": angle})
    servo.until_moving()
    return request_id


def _is_answered(bench: Bench, sent: list[str]) -> bool:
    """Ask once more; whether any such question has been answered out of the instrument."""
    sent.append(bench.send("get_position"))
    results = [one.json for one in bench.seen.heard(bench.topic("result"))]
    return any(one["request_id"] in sent and one["status"] == "success" for one in results)


# One bridge of a name.


@pytest.mark.parametrize("offset", [0.0, 0.003, 0.03, 0.3])
def test_two_that_start_in_one_moment(bench: Bench, twin: Callable[..., Twin], offset: float) -> None:
    """With nothing on the broker: one goes on, the other ends and says who runs; a move is done once."""
    bench.bridge.terminate()
    _clear(bench)
    pair = [twin(bench.name), twin(bench.name)]
    since = bench.seen.mark()
    pair[0].program.start()
    began = time.monotonic()
    until(lambda: time.monotonic() - began >= offset, "it is time for the second", every=0.001)
    pair[1].program.start()
    until(lambda: any(one.program.pid is None for one in pair), "one of them ends", within=15)
    (lost,) = [one for one in pair if one.program.pid is None]
    (won,) = [one for one in pair if one is not lost]
    assert lost.program.wait() == 2
    assert f"as process {won.program.pid}" in lost.program.said()
    bench.until_online(since)
    bench.until_ready(since)
    assert not any(one.servo.goals() for one in pair)
    sent: list[str] = []  # none is answered while the one that goes on looks whether it is alone
    until(lambda: _is_answered(bench, sent), "it takes commands", every=0.2)
    moved = bench.call("move_to_angle", {"angle": 90})
    assert moved["status"] == "success", moved
    assert (won.servo.goals() > 0, lost.servo.goals()) == (True, 0)
    assert won.program.pid


def test_a_bridge_that_was_away_finds_another_in_its_place(bench: Bench, twin: Callable[..., Twin]) -> None:
    """It ends when it comes back to the broker, and the one that runs by then goes on undisturbed."""
    bench.broker.kill()
    bench.bridge.hang()
    bench.broker.start()
    bench.observe_anew()
    other = twin(bench.name)
    other.program.start()
    bench.until_online()
    bench.until_ready()
    running = _start_long_move(bench, other.servo)
    since = bench.seen.mark()
    bench.bridge.hang(hangs=False)
    assert bench.bridge.wait(15) == 2
    assert f"as process {other.program.pid}" in bench.bridge.said()
    assert bench.result(running)["status"] == "success"
    told = [one.json["status"] for one in bench.seen.heard(bench.bridge_status, since)]
    told += [one.json["status"] for one in bench.seen.heard(bench.topic("status"), since)]
    assert "offline" not in told


def test_a_bridge_that_hung_commands_nothing_when_it_wakes_up(
    bench: Bench, twin: Callable[..., Twin]
) -> None:
    """What was sent meanwhile waits in its link, too; but before it stands that another has taken over."""
    before = bench.servo.goals()
    bench.bridge.hang()
    other = twin(bench.name)
    since = bench.seen.mark()
    other.program.start()
    bench.until_online(since)
    bench.until_ready(since)
    moves = [bench.send("move_to_angle", {"angle": angle}) for angle in (20, 60)]
    for move in moves:
        assert bench.result(move)["status"] == "success"
    goals = other.servo.goals()
    woken = bench.seen.mark()
    bench.bridge.hang(hangs=False)
    assert bench.bridge.wait(15) == 2
    assert f"as process {other.program.pid}" in bench.bridge.said()
    assert bench.servo.goals() == before
    assert bench.call("get_position")["status"] == "success"
    assert other.servo.goals() == goals
    assert [len(bench.results(move)) for move in moves] == [1, 1]
    assert [
        one for one in bench.seen.heard(bench.bridge_status, woken) if one.json["status"] == "offline"
    ] == []


def test_a_bridge_that_hung_alone_goes_on(bench: Bench) -> None:
    """Nobody took its place: what came meanwhile is done."""
    bench.bridge.hang()
    move = bench.send("move_to_angle", {"angle": 33})
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 3, "it hangs for longer than a claim waits")
    bench.bridge.hang(hangs=False)
    assert bench.result(move)["status"] == "success"


def test_somebody_who_only_says_that_he_is_the_bridge(bench: Bench) -> None:
    """Is asked, and does not answer: the bridge goes on, and says again that it is online."""
    pid = bench.bridge.pid
    since = bench.seen.mark()
    lie = {"status": "online", "instance": "somebody", "timestamp": 0}
    bench.seen.publish(bench.bridge_status, lie, retain=True)
    bench.seen.wait(bench.bridge_status, lambda told: told["instance"] != "somebody", since=since, within=10)
    assert bench.call("get_position")["status"] == "success"
    assert bench.bridge.pid == pid


# One speaker for a device.


def test_a_second_speaker_is_silent(bench: Bench, twin: Callable[..., Twin]) -> None:
    """It says so, and opens nothing; the first goes on undisturbed, its move in the middle included."""
    announced = bench.seen.wait(bench.announcement())
    until(lambda: time.monotonic() - announced.at > 2.5, "a later announcement was said, too")
    running = bench.start_long_move()
    since = bench.seen.mark()
    second = twin("another", bench.servo)
    second.program.start()
    _health(bench, "another", "silent", {DEVICE: bench.name}, since)
    _health(bench, bench.name, "rivals", {DEVICE: "another"}, since)
    assert bench.result(running)["status"] == "success"
    assert bench.call("get_position")["status"] == "success"
    assert not second.has_opened()
    assert f"{DEVICE}: bridge {bench.name} (on " in second.program.said()
    assert f"process {bench.bridge.pid})" in second.program.said()
    assert "Take it out of one of the two configurations" in second.program.said()
    assert f"{DEVICE}: bridge another has it too" in bench.bridge.said()
    said = [
        one.json for kind in ("description", "status") for one in bench.seen.heard(bench.topic(kind), since)
    ]
    assert said == []
    assert bench.seen.heard(bench.announcement(), since) == []
    assert bench.results(running) == [bench.result(running)]
    bench.engage("silent-too")
    stopped = bench.seen.wait(
        bench.topic("event"), lambda told: told["event_type"] == "emergency_stopped", since=since
    )
    assert stopped.json["stop_id"] == "silent-too"
    assert bench.call("get_position")["status"] == "success"
    stops = [one for one in bench.seen.heard(bench.topic("event"), since) if "stop_id" in one.json]
    assert stops == [stopped]


def test_a_silent_bridge_speaks_once_the_other_has_let_go(bench: Bench, twin: Callable[..., Twin]) -> None:
    """Taken out of the first's configuration, the device is the second's by itself, and stays it."""
    second = twin("another")
    second.program.start()
    since = bench.seen.mark()
    _health(bench, "another", "silent", {DEVICE: bench.name}, since)
    bench.bridge.terminate()
    told = yaml.safe_load(bench.config.read_text())
    spare = {"model": "plate_resort", "settings": {"device": str(bench.folder / "nothing-here")}}
    bench.config.write_text(yaml.safe_dump(told | {"devices": {"spare": spare}}))
    try:
        bench.bridge.start()
        bench.seen.wait(
            bench.topic("description"),
            lambda told: bool(told) and told["announced_by"] == "another",
            since=since,
            within=15,
        )
        bench.until_ready(bench.seen.mark())
        assert bench.call("move_to_angle", {"angle": 45})["status"] == "success"
        assert second.servo.goals() > 0
        # The first remembers the device as its own: what the other says by now is not its to withdraw.
        kept = bench.kept()[bench.topic("description")]
        since = bench.seen.mark()
        bench.bridge.terminate()
        bench.bridge.start()
        bench.until_online(since)
        assert bench.kept()[bench.topic("description")] == kept
        assert bench.call("get_position")["status"] == "success"
    finally:
        bench.configure()
        bench.bridge.kill()


@ONE_BROKER
def test_a_silent_bridge_takes_over_from_a_dead_one(bench: Bench, twin: Callable[..., Twin]) -> None:
    """After 30 s, by itself; and the first, when it is back, is the one that is silent."""
    second = twin("another")
    second.program.start()
    since = bench.seen.mark()
    _health(bench, "another", "silent", {DEVICE: bench.name}, since)
    bench.bridge.kill()
    killed = time.monotonic()
    taken = bench.seen.wait(
        bench.topic("description"),
        lambda told: told["announced_by"] == "another",
        since=since,
        within=GONE_WITHIN,
    )
    assert taken.at - killed > 24
    print(f"\ntaken over {taken.at - killed:.1f} s after a kill")  # noqa: T201 - a figure
    _health(bench, "another", "silent", {}, since)
    bench.until_ready(since)
    assert bench.call("move_to_angle", {"angle": 45})["status"] == "success"
    since = bench.seen.mark()
    bench.bridge.start()
    _health(bench, bench.name, "silent", {DEVICE: "another"}, since)
    assert _speaker(bench) == "another"
    assert bench.call("get_position")["status"] == "success"
    bench.bridge.kill()


def test_a_dead_speaker_keeps_nobody_out(bench: Bench, twin: Callable[..., Twin]) -> None:
    """Neither a bridge that is offline, nor one that is said to be online and does not answer."""
    bench.bridge.terminate()
    second = twin("another")
    since = bench.seen.mark()
    began = time.monotonic()
    second.program.start()
    bench.wait_for(second.status, lambda told: told["status"] == "online", since)
    assert time.monotonic() - began < 2, "a bridge that took leave need not be waited for"
    assert _speaker(bench) == "another"
    bench.until_ready(since)
    second.program.kill()
    bench.wait_for(second.status, lambda told: told["status"] == "offline", since)
    ghost = {"status": "online", "instance": "ghost", "timestamp": 0}
    bench.seen.publish(second.status, ghost, retain=True)
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    bench.until_ready(since)
    assert _speaker(bench) == bench.name


@pytest.mark.parametrize("offset", [0.0, 0.003, 0.03])
def test_two_speakers_on_an_empty_broker(bench: Bench, twin: Callable[..., Twin], offset: float) -> None:
    """They find out which of them goes on, and a command is done by that one alone."""
    bench.bridge.terminate()
    _clear(bench)
    pair = [twin("twin-a"), twin("twin-b")]
    since = bench.seen.mark()
    pair[0].program.start()
    began = time.monotonic()
    until(lambda: time.monotonic() - began >= offset, "it is time for the second", every=0.001)
    pair[1].program.start()
    silent = until(lambda: [one for one in pair if _is_silent(bench, one)], "one is silent", within=15)
    (lost,) = silent
    (won,) = [one for one in pair if one is not lost]
    bench.wait_for(lost.health, lambda told: told["silent"] == {DEVICE: won.name}, since)
    bench.wait_for(won.health, lambda told: told["rivals"] == {DEVICE: lost.name}, since)
    bench.until_ready(since)
    until(lambda: not lost.has_opened(), "the silent one lets go of its servo")
    assert _speaker(bench) == won.name
    moved = bench.call("move_to_angle", {"angle": 90})
    assert moved["status"] == "success", moved
    assert (won.servo.goals() > 0, lost.servo.goals()) == (True, 0)
    assert bench.seen.last(won.health)["silent"] == {}


def _is_silent(bench: Bench, one: Twin) -> bool:
    told = bench.seen.last(one.health)
    return bool(told and told["silent"])


def test_a_speaker_that_hung_finds_another_when_it_wakes_up(bench: Bench, twin: Callable[..., Twin]) -> None:
    """Who has been there longer goes on; nothing that was sent meanwhile is done twice."""
    before = bench.servo.goals()
    bench.bridge.hang()
    second = twin("another")
    since = bench.seen.mark()
    second.program.start()
    bench.wait_for(second.status, lambda told: told["status"] == "online", since)
    bench.until_ready(since)
    move = bench.send("move_to_angle", {"angle": 60})
    assert bench.result(move)["status"] == "success"
    running = _start_long_move(bench, second.servo)
    since = bench.seen.mark()
    bench.bridge.hang(hangs=False)
    _health(bench, "another", "silent", {DEVICE: bench.name}, since)
    _health(bench, bench.name, "rivals", {DEVICE: "another"}, since)
    assert bench.result(running)["error_code"] == "interrupted"
    until(lambda: not second.has_opened(), "it lets go of its servo")
    bench.until_ready(since)
    assert _speaker(bench) == bench.name
    assert bench.servo.goals() == before
    assert [len(bench.results(one)) for one in (move, running)] == [1, 1]
    kept = {kind: json.loads(bench.kept()[bench.topic(kind)]) for kind in KINDS}
    assert kept["status"]["bridge"] == bench.name
    assert kept["status"]["status"] == "online"
    assert kept["state"]["readiness"] == "ready"
    assert kept["state"]["position"] == pytest.approx(bench.servo.truth()["position"], abs=0.5)


def test_a_broker_that_comes_back_empty_finds_them_as_they_were(
    bench: Bench, twin: Callable[..., Twin]
) -> None:
    """The silent one stays silent although nothing on the broker says why."""
    second = twin("another")
    second.program.start()
    _health(bench, "another", "silent", {DEVICE: bench.name}, 0)
    for _ in range(3):
        bench.broker.kill()
        bench.broker.start()
        bench.observe_anew()
        bench.until_online()
        _health(bench, "another", "silent", {DEVICE: bench.name}, 0, within=15)
        bench.until_ready()
        assert bench.call("get_position")["status"] == "success"
        assert _speaker(bench) == bench.name
        heard = bench.seen.heard(bench.topic("description"))
        assert {one.json["announced_by"] for one in heard} == {bench.name}
        assert not second.has_opened()


def test_a_board_speaks_for_itself(bench: Bench) -> None:
    """A device with a link of its own keeps a bridge out while it is online, and not when it is offline."""
    bench.bridge.terminate()
    description = {"protocol": 1, "device_id": DEVICE, "bridge": None, "announced_by": None}
    status = {"device_id": DEVICE, "status": "online", "timestamp": 0, "bridge": None, "data": {"tasks": []}}
    bench.seen.publish(bench.topic("description"), description, retain=True)
    bench.seen.publish(bench.topic("status"), status, retain=True)
    since = bench.seen.mark()
    bench.bridge.start()
    _health(bench, bench.name, "silent", {DEVICE: DEVICE}, since)
    assert "which has a link of its own" in bench.bridge.said()
    assert json.loads(bench.kept()[bench.topic("description")]) == description
    bench.bridge.terminate()
    bench.seen.publish(bench.topic("status"), status | {"status": "offline"}, retain=True)
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    bench.until_ready(since)
    assert _speaker(bench) == bench.name
    bench.seen.publish(bench.topic("status"), status, retain=True)
    _health(bench, bench.name, "silent", {DEVICE: DEVICE}, since)
    bench.bridge.kill()
    _clear(bench)
