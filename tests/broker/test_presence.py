"""Who is there: birth, will, leave, a broker that comes and goes, a second bridge, and what is withdrawn."""

from collections.abc import Callable
import json
import os
from pathlib import Path
import socket
import time

import pytest
from tests.broker.bench import DEVICE, Bench
from tests.broker.observer import listener, until
from tests.broker.program import Program

from lab2mqtt.hub.ports import free_port

SPREAD = 2.5  # s over which bridges spread their announcements when a hub is born


def _retained_topics(bench: Bench, device: str = DEVICE) -> set[str]:
    """What a bridge with one device says retained."""
    kinds = {bench.topic(kind, device) for kind in ("description", "status", "state")}
    return kinds | {bench.announcement(device), bench.health, bench.bridge_status}


def test_everything_is_said_at_birth_and_online_last(bench: Bench) -> None:
    """Whoever sees the bridge online finds all the rest on the broker already."""
    bench.bridge.terminate()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    online = bench.seen.wait(bench.bridge_status, lambda told: told["status"] == "online", since=since)
    before = {one.topic for one in bench.seen.heard(since=since)[: bench.seen.place(online) - since]}
    assert _retained_topics(bench) - {bench.bridge_status} <= before
    bench.until_ready(since)
    kept = bench.kept()
    assert _retained_topics(bench) <= set(kept)
    description = json.loads(kept[bench.topic("description")])
    assert description["device_id"] == DEVICE
    assert description["announced_by"] == description["bridge"] == bench.name
    assert json.loads(kept[bench.health])["devices"] == 1
    assert json.loads(kept[bench.topic("status")])["data"]["tasks"] == list(description["tasks"])
    assert set(kept) <= _retained_topics(bench), "nothing else is retained"


def test_a_killed_bridge_is_declared_offline(bench: Bench) -> None:
    """By its will, retained, in its own name."""
    instance = bench.seen.last(bench.bridge_status)["instance"]
    since = bench.seen.mark()
    bench.bridge.kill()
    told = bench.seen.wait(bench.bridge_status, since=since).json
    assert told["status"] == "offline"
    assert told["instance"] == instance
    assert json.loads(bench.kept()[bench.bridge_status])["status"] == "offline"


@pytest.mark.parametrize("motion", ["standing", "moving"])
def test_a_bridge_that_is_ended_says_so(bench: Bench, motion: str) -> None:
    """Device and bridge offline, retained, within 5 s, also in the middle of a move, which is answered."""
    running = bench.start_long_move() if motion == "moving" else None
    ended = bench.bridge.terminate()
    assert ended.code == 0, bench.bridge.said()
    assert ended.seconds < 5
    print(f"\nSIGTERM while {motion}: gone after {ended.seconds:.2f} s")  # noqa: T201 - a figure
    kept = bench.kept()
    for topic in (bench.topic("status"), bench.bridge_status):
        assert json.loads(kept[topic])["status"] == "offline"
    if running:
        assert bench.result(running)["error_code"] == "interrupted"
        truth = bench.servo.until_still(0.5)
        assert truth["torque"] is True  # it holds, as its settings say
        assert abs(truth["position"] - bench.aim) > 5


@pytest.mark.parametrize("motion", ["standing", "moving"])
def test_a_bridge_without_a_broker_ends_all_the_same(bench: Bench, motion: str) -> None:
    """Within 5 s, and the servo is brought to rest."""
    if motion == "moving":
        bench.start_long_move()
    bench.broker.kill()
    ended = bench.bridge.terminate()
    assert ended.code == 0, bench.bridge.said()
    assert ended.seconds < 5
    bench.servo.until_still(0.5)


def test_a_daemon_that_never_had_a_broker_ends(bench: Bench) -> None:
    """The first connection is tried for ever, but not against our will."""
    bench.bridge.terminate()
    bench.broker.kill()
    bench.bridge.start()
    bench.bridge.until_said("No link")
    assert bench.bridge.terminate().seconds < 5


def test_the_daemon_starts_before_its_broker(bench: Bench) -> None:
    """And is there once the broker is."""
    bench.bridge.terminate()
    bench.broker.stop()
    bench.bridge.start()
    bench.bridge.until_said("No link")
    assert bench.bridge.pid
    bench.broker.start()
    bench.observe_anew()
    bench.until_online()
    bench.until_ready()
    assert bench.call("get_position")["status"] == "success"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_comes_back_empty_gets_everything_again(bench: Bench, end: str) -> None:
    """By itself, and commands work as before."""
    pid = bench.bridge.pid
    reconnects = bench.seen.last(bench.health)["reconnects"]
    getattr(bench.broker, end)()
    bench.broker.start()
    began = time.monotonic()
    bench.observe_anew()
    bench.until_online()
    bench.until_ready()
    assert time.monotonic() - began < 10
    # The announcement to the hub is held back for a moment after the last one.
    until(lambda: _retained_topics(bench) <= set(bench.kept()), "everything is there", every=0.2)
    assert bench.seen.last(bench.health)["reconnects"] > reconnects
    assert bench.call("get_position")["status"] == "success"
    assert bench.bridge.pid == pid


def test_a_result_that_came_about_while_the_broker_was_away(bench: Bench) -> None:
    """The move goes on, is done once, and whoever asks again by its id learns how it ended."""
    request_id = bench.start_long_move(request_id=f"offline-{bench.name}")
    bench.broker.kill()
    assert bench.servo.until_still()["position"] == pytest.approx(bench.aim, abs=0.5)
    bench.broker.start()
    bench.observe_anew()
    bench.until_online()
    bench.send("move_to_angle", {"angle": bench.aim}, request_id=request_id)
    assert bench.result(request_id)["status"] == "success"
    assert bench.servo.truth()["position"] == pytest.approx(bench.aim, abs=0.5)


def test_the_first_connection_backs_off(tmp_path: Path) -> None:
    """Something that takes connections and drops them is not hammered, and not given up."""
    device = {"model": "plate_resort", "settings": {"device": str(tmp_path / "nothing-here")}}
    told = {"bridge": "lonely", "broker": {"port": (port := free_port())}, "state": "kept", "devices": {}}
    (file := tmp_path / "lonely.yaml").write_text(json.dumps(told | {"devices": {"lonely": device}}))
    lonely = Program(["run", str(file)], tmp_path / "log")
    with listener(port) as came:
        lonely.start()
        try:
            until(lambda: len(came) >= 6, "it tries again and again", within=20)
        finally:
            lonely.terminate()
    assert came[-1] - came[0] > 0.5
    assert lonely.said().count("No link") <= 2, lonely.said()


def test_a_live_bridge_that_is_called_dead_objects(bench: Bench) -> None:
    """As when the will of a predecessor comes late."""
    since = bench.seen.mark()
    lie = {"status": "offline", "instance": "somebody", "timestamp": 0}
    bench.seen.publish(bench.bridge_status, lie, retain=True)
    bench.seen.wait(bench.bridge_status, lambda told: told["status"] == "online", since=since)
    since = bench.seen.mark()
    bench.seen.publish(bench.bridge_status, b"", retain=True)
    bench.seen.wait(bench.bridge_status, lambda told: bool(told) and told["status"] == "online", since=since)
    assert json.loads(bench.kept()[bench.bridge_status])["status"] == "online"


def test_a_second_bridge_of_the_same_id_does_not_start(bench: Bench, tmp_path: Path) -> None:
    """It says who runs; the first goes on undisturbed, its move in the middle included."""
    running = bench.start_long_move()
    since = bench.seen.mark()
    second = Program(["run", str(bench.config)], tmp_path / "second.log")
    second.start()
    assert second.wait(10) == 2, second.said()
    assert socket.gethostname() in second.said()
    assert str(bench.bridge.pid) in second.said()
    result = bench.result(running)
    assert result["status"] == "success", result
    assert bench.call("get_position")["status"] == "success"
    told = [one.json["status"] for one in bench.seen.heard(bench.bridge_status, since)]
    told += [one.json["status"] for one in bench.seen.heard(bench.topic("status"), since)]
    assert "offline" not in told
    assert json.loads(bench.kept()[bench.bridge_status])["status"] == "online"


def test_after_a_kill_a_new_bridge_starts_soon(bench: Bench) -> None:
    """Nobody has to clean up behind the dead one."""
    bench.bridge.kill()
    since = bench.seen.mark()
    began = time.monotonic()
    bench.bridge.start()
    bench.seen.wait(bench.bridge_status, lambda told: told["status"] == "online", since=since, within=10)
    seconds = time.monotonic() - began
    print(f"\nfrom start after a kill to online: {seconds:.2f} s")  # noqa: T201 - a figure
    assert seconds < 3.5


def test_a_dead_bridge_whose_will_never_came_is_replaced(bench: Bench) -> None:
    """A retained ``online`` of a process that is no more costs two seconds, no more."""
    bench.bridge.terminate()
    ghost = {"status": "online", "instance": "ghost", "timestamp": int(time.time())}
    bench.seen.publish(bench.bridge_status, ghost, retain=True)
    since = bench.seen.mark()
    began = time.monotonic()
    bench.bridge.start()
    bench.seen.wait(
        bench.bridge_status,
        lambda told: told["status"] == "online" and told["instance"] != "ghost",
        since=since,
        within=10,
    )
    assert 2 < time.monotonic() - began < 5


def test_a_device_that_was_taken_out_is_withdrawn(bench: Bench) -> None:
    """Nothing of it stays on the broker after the next start; the other device is as it was."""
    spare = {"model": "plate_resort", "settings": {"device": str(bench.folder / "nothing-here")}}
    bench.configure(spare=spare)
    try:
        bench.bridge.terminate()
        since = bench.seen.mark()
        bench.bridge.start()
        bench.seen.wait(
            bench.topic("state", "spare"),
            lambda state: state["readiness"] == "unreachable",
            since=since,
            within=10,
        )
        bench.until_ready(since)
        assert _retained_topics(bench, "spare") <= set(bench.kept())
        unplugged = json.loads(bench.kept()[bench.topic("status", "spare")])
        assert unplugged["status"] == "offline"
    finally:
        bench.configure()
    bench.bridge.terminate()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    kept = bench.kept()
    assert [topic for topic in kept if "spare" in topic] == []
    assert _retained_topics(bench) <= set(kept)


def test_an_entity_that_is_no_more_is_removed(bench: Bench) -> None:
    """Home Assistant is told so, by its platform and nothing else; what there is stays."""
    bench.bridge.terminate()
    (file,) = bench.folder.glob("kept/**/announced.json")
    announced = json.loads(file.read_text())
    announced[DEVICE]["components"]["old_one"] = "sensor"
    file.write_text(json.dumps(announced))
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    components = bench.seen.last(bench.announcement())["components"]
    assert components["old_one"] == {"platform": "sensor"}
    assert len(components["active_hotel"]) > 1


def test_a_hub_that_is_born_is_told_everything_once(bench: Bench) -> None:
    """Within 5 s, and once for several births: a second message in quick succession would confuse it."""
    # What was announced for other reasons is to be over.
    _quiet(bench, 2.2)
    since = bench.seen.mark()
    born = time.monotonic()
    for _ in range(3):
        bench.seen.publish(bench.birth, "online", qos=0)
    first = bench.seen.wait(bench.announcement(), since=since, within=5)
    bench.seen.wait(bench.topic("state"), since=since, within=5)
    until(lambda: time.monotonic() - born > SPREAD, "all answers to these births are there")
    assert bench.seen.heard(bench.announcement(), since) == [first]


def _quiet(bench: Bench, seconds: float) -> None:
    """Wait until a device was not announced for so long."""

    def quiet() -> bool:
        said = bench.seen.heard(bench.announcement())
        return not said or time.monotonic() - said[-1].at > seconds

    until(quiet, "the announcements end", within=15, every=0.05)


def test_a_hub_that_goes_is_told_nothing(bench: Bench, another_bench: Callable[[], Bench]) -> None:
    """And one that is born for another lab is none of ours."""
    other = another_bench()
    _quiet(bench, 2.2)
    since = bench.seen.mark()
    bench.seen.publish(bench.birth, "offline", qos=0)
    bench.seen.publish(bench.birth, b"\xff\x00", qos=0)
    bench.seen.publish(other.birth, "online", qos=0)
    assert bench.call("get_hotels")["status"] == "success"
    assert bench.seen.heard(bench.announcement(), since) == []


def test_the_bridge_holds_its_own_with_little(bench: Bench) -> None:
    """No file handle is left behind by a broker that comes and goes."""

    def handles() -> int:
        return len(os.listdir(f"/proc/{bench.bridge.pid}/fd"))  # noqa: PTH208 - only their number

    before = handles()
    for _ in range(2):
        bench.broker.kill()
        bench.broker.start()
        bench.observe_anew()
        bench.until_online()
    until(lambda: handles() <= before, "the handles are given back")
