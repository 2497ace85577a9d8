"""Devices that speak only the older dialect, over both brokers, written without a line of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
import threading
from typing import Any
import uuid

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.old_bench import OldBench
from tests.broker.old_board import OldBoard
from tests.broker.program import Program
import yaml

NEVER = 60.0  # s; longer than any test waits


@pytest.fixture(scope="module")
def bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldBench]:
    """The bridge of this module's tests on one broker."""
    with OldBench(broker, tmp_path_factory.mktemp("old")) as made:
        yield made


@pytest.fixture
def board(bench: OldBench) -> Iterator[Callable[..., OldBoard]]:
    """Boards, each with an id of its own, which have just come up."""
    made: list[OldBoard] = []

    def make(device_id: str = "", **told: Any) -> OldBoard:  # noqa: ANN401
        name = device_id or f"pico-{uuid.uuid4().hex[:6]}"
        one = OldBoard(bench.broker.port, name, prefix=bench.prefix, **told)
        made.append(one)
        return one.start()

    yield make
    for one in made:
        one.stop()


def move_servo(pin: int, angle: int) -> str:
    """Turn, as in the guide."""
    return f"Servo on pin {pin} moved to {angle} degrees"


def test_a_device_that_says_online_is_announced_with_the_tasks_that_it_tells(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """Those with known names have their parameters, the others take anything; all is marked as no promise."""
    pico = board(tasks={"move_servo": move_servo, "blink": lambda **_: None})
    told = bench.until_ready(pico.device_id)
    tasks = told["tasks"]
    assert tasks["read_sensor"]["effect"] == "read"
    assert tasks["read_sensor"]["parameters"]["sensor_pin"]["type"] == "integer"
    assert (tasks["control_led"]["effect"], tasks["move_servo"]["effect"]) == ("set", "move")
    assert tasks["move_servo"]["parameters"]["angle"]["maximum"] == 180
    assert (tasks["blink"]["effect"], tasks["blink"]["open"]) == ("move", True)
    assert "open" not in tasks["move_servo"]
    assert told["at_most_once"] == "no"
    assert "once or twice" in bench.last(pico.device_id, "state")["delivery"]
    assert bench.last(pico.device_id, "state")["free_memory"] == 123456
    assert told["entities"]["do_blink"]["enabled"] is False
    assert bench.seen.last(f"{bench.name}-hub/device/{bench.name}_{pico.device_id}/config")
    assert {command["task"] for command in pico.asked} == {"get_device_status"}


def test_a_status_that_tells_tasks_and_no_others_is_enough(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """A task server without get_device_status is asked for nothing at all."""
    server = board(tells_tasks=True, has_status=False)
    told = bench.until_ready(server.device_id)
    assert {"read_sensor", "control_led"} < set(told["tasks"])
    assert "free_memory" not in told["entities"]
    assert server.asked == []


def test_a_result_for_somebody_else_is_enough(bench: OldBench, board: Callable[..., OldBoard]) -> None:
    """Who was up before the bridge says online no more."""
    pico = board(f"late-{uuid.uuid4().hex[:6]}")
    bench.until_ready(pico.device_id)
    bench.bridge.terminate()
    (bench.config.parent / "kept" / "old-devices.json").unlink()
    since = bench.seen.mark()
    bench.start()
    bench.seen.publish(f"{bench.prefix}/{pico.device_id}/command", {"request_id": "x", "task": "none"})
    bench.until_ready(pico.device_id, since)


def test_what_is_asked_for_is_done_once_and_answered_once(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """However often the same command comes; and in the four keys that a strict reader knows."""
    pico = board(tasks={"move_servo": move_servo, "blink": lambda **given: given})
    bench.until_ready(pico.device_id)
    for _ in range(3):
        answer = bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 90}, request_id=pico.device_id)
        assert answer["result"] == "Servo on pin 15 moved to 90 degrees"
    assert pico.did == [("move_servo", {"pin": 15, "angle": 90})]
    moved = next(command for command in pico.asked if command["task"] == "move_servo")
    assert set(moved) == {"request_id", "task", "parameters", "timestamp"}
    assert bench.call(pico.device_id, "read_sensor", {"sensor_pin": 26})["result"]["voltage"] == 1.65
    assert bench.call(pico.device_id, "blink", {"a": {"b": [1]}})["result"] == {"a": {"b": [1]}}


def test_what_cannot_be_is_refused_before_the_device_hears_of_it(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """Wrong parameters, an unknown task, too late."""
    pico = board(tasks={"move_servo": move_servo})
    bench.until_ready(pico.device_id)
    good = {"pin": 15, "angle": 90}
    answers = [
        bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 181}),
        bench.call(pico.device_id, "move_servo", {**good, "speed": 1}),
        bench.call(pico.device_id, "turn", good),
        bench.call(pico.device_id, "move_servo", good, expires_at=1763690000),
    ]
    assert [answer["error_code"] for answer in answers] == [
        "invalid_parameters",
        "invalid_parameters",
        "unknown_task",
        "expired",
    ]
    assert pico.did == []


def test_an_error_is_told_in_the_devices_words(bench: OldBench, board: Callable[..., OldBoard]) -> None:
    """As what it is: the device's."""

    def jam(**_: object) -> None:
        raise ValueError("the horn is loose")

    pico = board(tasks={"move_servo": jam})
    bench.until_ready(pico.device_id)
    answer = bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 1})
    assert (answer["error_code"], answer["error"]) == ("device_error", "the horn is loose")


def test_no_answer_in_time_leaves_open_whether_it_was_done(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """And the same command again does not do it again."""
    go = threading.Event()
    pico = board(tasks={"blink": lambda: go.wait(NEVER)})
    bench.until_ready(pico.device_id)
    request_id = bench.send(pico.device_id, "blink", timeout=0.5)
    answer = bench.result(pico.device_id, request_id)
    assert answer["error_code"] == "timeout"
    assert "whether it was done is not known" in answer["error"]
    go.set()
    since = bench.seen.mark()
    bench.send(pico.device_id, "blink", timeout=0.5, request_id=request_id)
    assert bench.result(pico.device_id, request_id, since)["replayed"] is True
    until(lambda: len(pico.did) == 1, "it ended")
    bench.until_ready(pico.device_id, since)  # it was silent meanwhile, and is there again


def test_a_device_without_a_stop_is_told_to_be_one(bench: OldBench, board: Callable[..., OldBoard]) -> None:
    """Once in the log, however often it is stopped; and it gets nothing to move while it is stopped."""
    pico = board(tasks={"move_servo": move_servo})
    bench.until_ready(pico.device_id)
    for _ in range(3):
        answer = bench.call(pico.device_id, "emergency_stop", {"reason": "to see"})
        assert answer["result"]["confirmed"] is False
    event = bench.until(pico.device_id, "event", lambda told: told["event_type"] == "emergency_stopped").json
    assert (event["confirmed"], event["stopped_at"]) == (False, None)
    assert "it cannot be stopped from here" in event["error"]
    refused = bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 1})
    assert refused["error_code"] == "emergency_stopped"
    assert bench.call(pico.device_id, "read_sensor", {"sensor_pin": 26})["status"] == "success"
    bench.until(
        pico.device_id, "state", lambda told: told["emergency_stop"] and told["stop_confirmed"] is False
    )
    assert bench.bridge.said().count(f"{pico.device_id} did not stop") == 1
    released = bench.call(pico.device_id, "reset_emergency_stop")
    assert "cannot be stopped from here" in released["result"]["look_at"]
    assert bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 1})["status"] == "success"
    assert [name for name, _ in pico.did] == ["move_servo"]


def test_a_stop_of_the_lab_reaches_a_device_that_has_one(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """By its own task, past what it was waiting for."""
    go = threading.Event()
    pico = board(tasks={"blink": lambda: go.wait(NEVER), "emergency_stop": lambda: "stopped"})
    told = bench.until_ready(pico.device_id)
    assert told["tasks"]["emergency_stop"]["effect"] == "stop"
    running = bench.send(pico.device_id, "blink")
    until(lambda: any(one["task"] == "blink" for one in pico.asked), "it began")
    topic = f"{bench.name}/emergency_stop"
    since = bench.seen.mark()
    bench.seen.publish(topic, {"engaged": True, "stop_id": "s1", "by": "test", "reason": ""}, retain=True)
    ended = bench.result(pico.device_id, running)
    assert ended["error_code"] == "emergency_stopped"
    assert "whether it was done is not known" in ended["error"]
    go.set()  # it does one after the other
    confirmed = bench.until(pico.device_id, "event", lambda told: told.get("confirmed") is True, since).json
    assert confirmed["stop_id"] == "s1"
    assert ("emergency_stop", {}) in pico.did
    bench.seen.publish(topic, {"engaged": False, "stop_id": "s1"}, retain=True)
    bench.until(pico.device_id, "state", lambda told: not told["emergency_stop"], since)
    bench.seen.publish(topic, "", retain=True)


def test_it_is_offline_by_its_will_and_back_when_it_speaks(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """What is asked of it meanwhile is refused, and not kept for it."""
    pico = board(tasks={"move_servo": move_servo})
    bench.until_ready(pico.device_id)
    since = bench.seen.mark()
    pico.die()
    bench.until_offline(pico.device_id, since)
    refused = bench.call(pico.device_id, "move_servo", {"pin": 15, "angle": 1})
    assert refused["error_code"] == "device_unavailable"
    assert "offline" in refused["error"]
    since = bench.seen.mark()
    pico.start()
    bench.until_ready(pico.device_id, since)
    assert pico.did == []


@pytest.mark.parametrize("answer", ['"v": nan}', '"v": NaN}', '"v": 1,]}'])
def test_an_answer_that_is_no_json_is_told_at_once(
    bench: OldBench, board: Callable[..., OldBoard], answer: str
) -> None:
    """As a fault of the device, of which nobody knows whether it did it."""
    pico = board(tasks={"blink": lambda: pico.go.wait(NEVER)})
    bench.until_ready(pico.device_id)
    asked = bench.send(pico.device_id, "blink")
    until(lambda: any(one["task"] == "blink" for one in pico.asked), "it began")
    request_id = next(one["request_id"] for one in pico.asked if one["task"] == "blink")
    pico.say("result", f'{{"request_id": "{request_id}", "status": "success", "result": {{{answer}}}')
    told = bench.result(pico.device_id, asked)
    assert told["error_code"] == "device_error"
    assert "whether it was done is not known" in told["error"]


def test_rubbish_hurts_nobody(bench: OldBench, board: Callable[..., OldBoard]) -> None:
    """On its topics, on those of nobody, and on topics that are none."""
    pico = board()
    bench.until_ready(pico.device_id)
    rubbish = [b"\xff\xfe", b"[1,2]", b"null", b"{", b'{"status": 7}', b'{"status": "online", "data": 7}']
    rubbish += [b'{"status": "online", "data": {"tasks": [1, null, "\\u0000", {"a": 1}]}}', b"x" * 300_000]
    for payload in rubbish:
        for name in (pico.device_id, "nobody", "", "a/b", "Ü"):
            for kind in ("status", "result"):
                bench.seen.publish(f"{bench.prefix}/{name}/{kind}", payload)
    bench.seen.barrier()
    assert bench.call(pico.device_id, "read_sensor", {"sensor_pin": 26})["status"] == "success"
    assert bench.bridge.said().count("said a result that cannot be read") >= 1


def test_an_id_that_is_none_of_ours_is_written_as_one_or_refused(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """The refusal stands in the log and in the health."""
    mark = uuid.uuid4().hex[:6]
    loud = board(f"Pico.{mark}")
    told = bench.until_ready(f"pico-{mark}")
    assert told["name"] == f"Pico.{mark}"
    assert bench.call(f"pico-{mark}", "control_led", {"pin": 25, "state": True})["status"] == "success"
    assert loud.lamp is True
    board(f"PICO.{mark}")
    board("…")
    for name, why in ((f"PICO.{mark}", "another device already"), ("…", "no id of ours")):
        topic = f"{bench.name}/bridge/{bench.name}/health"
        bench.seen.wait(
            topic,
            lambda told, name=name, why=why: why in told["refused"].get(f"{bench.prefix}/{name}", ""),
            within=10,
        )
        assert f"{bench.prefix}/{name} is not adopted" in bench.bridge.said()


def test_it_can_be_forgotten_and_comes_back_when_it_speaks(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """Nothing is left of it on the broker but its own will."""
    pico = board()
    bench.until_ready(pico.device_id)
    assert "is online and would be announced again" in bench.run("forget", pico.device_id).err
    since = bench.seen.mark()
    pico.die()
    bench.until_offline(pico.device_id, since)
    said = bench.run("forget", pico.device_id)
    assert (said.code, said.out) == (0, f"{pico.device_id} is forgotten\n"), said
    bench.bridge.until_said(f"{pico.device_id} is no longer here")
    bench.seen.barrier()
    assert [topic for topic in bench.kept() if pico.device_id in topic] == [
        f"{bench.prefix}/{pico.device_id}/status"
    ]
    since = bench.seen.mark()
    pico.start()
    bench.until_ready(pico.device_id, since)


def test_more_tasks_are_told_as_soon_as_it_tells_them(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """After an update of its program."""
    pico = board(tells_tasks=True)
    assert "wave" not in bench.until_ready(pico.device_id)["tasks"]
    pico.learn(wave=lambda: "waved")
    since = bench.seen.mark()
    pico.say_online()
    bench.until(pico.device_id, "description", lambda told: "wave" in told["tasks"], since)
    bench.until_ready(pico.device_id, since)
    assert bench.call(pico.device_id, "wave")["result"] == "waved"


def test_it_is_known_after_a_restart_of_the_bridge_and_nothing_is_done_twice(
    bench: OldBench, board: Callable[..., OldBoard]
) -> None:
    """Its entities stay; it is asked whether it is there, and commands of before keep their answers."""
    pico = board(tasks={"move_servo": move_servo})
    bench.until_ready(pico.device_id)
    request_id = bench.send(pico.device_id, "move_servo", {"pin": 15, "angle": 7})
    first = bench.result(pico.device_id, request_id)
    since = bench.seen.mark()
    bench.restart()
    bench.until_ready(pico.device_id, since)
    announced = f"{bench.name}-hub/device/{bench.name}_{pico.device_id}/config"
    assert all(heard.payload for heard in bench.seen.heard(announced, since))
    again = bench.seen.mark()
    bench.send(pico.device_id, "move_servo", {"pin": 15, "angle": 7}, request_id=request_id)
    assert bench.result(pico.device_id, request_id, again) == {**first, "replayed": True}
    assert pico.did == [("move_servo", {"pin": 15, "angle": 7})]


@ON_MOSQUITTO
def test_another_adopter_goes_on_with_it(broker: Broker, tmp_path: Path) -> None:
    """Where the first one has died: it knows it by what that one retained, and does nothing before."""
    bench = OldBench(broker, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    told = {**yaml.safe_load(bench.config.read_text()), "bridge": "second"}
    (other / "bridge.yaml").write_text(yaml.safe_dump(told))
    second = Program(["run", str(other / "bridge.yaml")], other / "bridge.log")
    try:
        with OldBoard(broker.port, "pico", {"move_servo": move_servo}, prefix=bench.prefix) as pico:
            bench.start()
            pico.say_online()
            assert bench.until_ready("pico")["announced_by"] == bench.name
            second.start()
            status = f"{bench.name}/bridge/second/status"
            bench.seen.wait(status, lambda told: told and told["status"] == "online", within=10)
            bench.call("pico", "move_servo", {"pin": 15, "angle": 1})
            since = bench.seen.mark()
            bench.bridge.kill()
            bench.until("pico", "description", lambda told: told["announced_by"] == "second", since)
            bench.until_ready("pico", since)
            assert bench.call("pico", "move_servo", {"pin": 15, "angle": 2})["status"] == "success"
            assert [given["angle"] for _, given in pico.did] == [1, 2]
    finally:
        if second.pid:
            second.terminate()
        bench.close()


def test_it_is_there_again_when_the_broker_is(bench: OldBench, board: Callable[..., OldBoard]) -> None:
    """On a broker that has forgotten everything."""
    pico = board(tasks={"move_servo": move_servo})
    bench.until_ready(pico.device_id)
    bench.lose_broker()
    bench.until_ready(pico.device_id)
    # paho reconnects, and subscribes again; then it does what it is asked for.
    until(
        lambda: (
            bench.call(pico.device_id, "read_sensor", {"sensor_pin": 26}, timeout=1)["status"] == "success"
        ),
        "it answers again",
        within=15,
    )


def test_a_device_of_the_configuration_is_there_before_it_speaks(broker: Broker, tmp_path: Any) -> None:  # noqa: ANN401
    """With its name, tasks, stop and polling; and it need not say online to be found."""
    bench = OldBench(broker, tmp_path)
    tasks = {
        "read_sensor": {
            "parameters": {"sensor_pin": {"type": "integer", "enum": [26, 27]}},
            "effect": "read",
        },
        "wave": {"parameters": {}, "effect": "set", "timeout": 3, "description": "Wave."},
        "read_environmental_sensors": {},
    }
    told = {
        "prefix": bench.prefix,
        "name": "Window",
        "area": "Lab 3",
        "tasks": tasks,
        "stop": "wave",
        "poll": 0.5,
    }
    bench.configure(adopted={"pico-window": told})
    air = {"temperature": 21.34, "humidity": 40}
    try:
        bench.start()
        bench.until_offline("pico-window")
        description = bench.last("pico-window", "description")
        assert (description["name"], description["area"]) == ("Window", "Lab 3")
        assert description["tasks"]["read_sensor"]["parameters"]["sensor_pin"]["enum"] == [26, 27]
        assert description["tasks"]["wave"]["timeout"] == 3
        assert "open" not in description["tasks"]["wave"]
        assert "enabled" not in description["entities"]["do_wave"]
        assert description["at_most_once"] == "no"
        mine = {"wave": lambda: "waved", "read_environmental_sensors": lambda: air}
        with OldBoard(broker.port, "pico-window", mine, prefix=bench.prefix) as pico:
            bench.until_ready("pico-window")
            bench.until(
                "pico-window", "state", lambda now: now["temperature"] == 21.3 and now["humidity"] == 40
            )
            assert bench.call("pico-window", "emergency_stop")["result"]["confirmed"] is True
            assert ("wave", {}) in pico.did
            air["humidity"] = 55
            bench.until("pico-window", "state", lambda now: now["humidity"] == 55)
    finally:
        bench.close()
