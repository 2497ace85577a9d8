"""Interlocks, over both brokers: by the truth of the servo that may not turn because of others."""

from collections.abc import Iterator
import time
from typing import Any

import pytest
from tests.broker.bench import DEVICE, ONE_BROKER, Bench, Servo
from tests.broker.brokers import Broker
from tests.broker.observer import until

OTHER = "other-resort"  # a real one, on the same bridge
SHELF = "shelf"  # one that speaks for itself; here the test does
SHELF_BRIDGE = "shelf-pi"
AGE = 3.0  # s that the shelf's door is believed
CREEP = 15  # 21 °/s: a way of half a turn takes eight seconds

RULES = [
    {
        "name": "the other one stands still",
        "forbid": "motion",
        "while": {"device": OTHER, "key": "moving", "is": True},
    },
    {
        "name": "the door is closed",
        "forbid": ["go_home"],
        "while": {"device": SHELF, "key": "door", "is_not": "closed"},
        "max_age": AGE,
    },
    {
        "name": "it is dark",
        "forbid": "activate_hotel",
        "while": {"device": SHELF, "key": "lux", "above": 10},
        "on_break": "finish",
    },
]


class Lab:
    """A bench with a second servo, and a shelf that says what the test wants."""

    def __init__(self, bench: Bench, other: Servo) -> None:
        self.bench = bench
        self.other = other

    def say_shelf(self, door: str | None = "closed", lux: object = 3, age: float = 0) -> None:
        """The shelf says how it is."""
        state = {"door": door, "lux": lux, "updated_at": time.time() - age}
        self.bench.seen.publish(self.bench.topic("state", SHELF), state, retain=True)
        self.bench.seen.barrier()

    def say_online(self, word: str = "online", bridge: str | None = None) -> None:
        """The shelf says whether it can be reached."""
        message = {"device_id": SHELF, "status": word, "timestamp": int(time.time()), "bridge": bridge}
        self.bench.seen.publish(self.bench.topic("status", SHELF), message, retain=True)
        self.bench.seen.barrier()

    def say_bridge(self, word: str) -> None:
        """The shelf's bridge says whether it lives."""
        topic = f"{self.bench.base}/bridge/{SHELF_BRIDGE}/status"
        self.bench.seen.publish(topic, {"status": word, "instance": "1", "timestamp": 1}, retain=True)
        self.bench.seen.barrier()

    def why_not(self, task: str = "go_home", **parameters: object) -> str:
        """Why a task is refused; empty when it was done."""
        result = self.bench.call(task, parameters)
        if result["status"] == "success":
            return ""
        assert result["error_code"] == "interlocked", result
        return str(result["error"])

    def call_other(self, task: str, **parameters: object) -> str:
        """Send the other resort a command; gives its id."""
        request_id = f"{task}-{time.monotonic()}"
        command = {"task": task, "parameters": parameters, "request_id": request_id}
        self.bench.seen.publish(self.bench.topic("command", OTHER), command)
        return request_id

    def start_other(self) -> str:
        """Let the other one turn for seconds."""
        self.other.until_still(within=30)
        self.other_result(self.call_other("set_speed", speed=CREEP))
        aim = 355.0 if self.other.truth()["position"] < 180 else 5.0
        request_id = self.call_other("move_to_angle", angle=aim)
        until(lambda: abs(self.other.truth()["velocity"]) > 5, "the other one turns")
        return request_id

    def stop_other(self) -> None:
        """Let the other one stand, wherever it is."""
        self.other_result(self.call_other("cancel"))
        self.other.until_still()
        self.bench.until_ready()

    def other_result(self, request_id: str) -> dict[str, Any]:
        """How a command to the other one ended."""
        topic = self.bench.topic("result", OTHER)
        found: dict[str, Any] = self.bench.seen.wait(
            topic, lambda told: told["request_id"] == request_id
        ).json
        return found

    def creep(self) -> str:
        """Send the servo slowly on a long way; gives the request id."""
        self.bench.call("set_speed", {"speed": CREEP})
        self.bench.servo.until_still(within=30)
        self.bench.aim = 355.0 if self.bench.servo.truth()["position"] < 180 else 5.0
        request_id = self.bench.send("move_to_angle", {"angle": self.bench.aim})
        self.until_turning()
        return request_id

    def until_turning(self) -> None:
        """Wait until the servo turns."""
        until(lambda: abs(self.bench.servo.truth()["velocity"]) > 5, "the servo turns")


@pytest.fixture(scope="module")
def made(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of these tests."""
    folder = tmp_path_factory.mktemp("interlocks")
    bench = Bench(broker, folder)
    (folder / "other").mkdir()
    other = Servo(folder / "other")
    other.start()
    servo = {"model": "plate_resort", "simulated": True}
    devices: dict[str, dict[str, Any]] = {
        OTHER: servo | {"settings": {"device": str(other.link)}},
        DEVICE: servo | {"settings": {"device": str(bench.servo.link)}, "interlocks": RULES},
    }
    bench.configure(**devices)
    try:
        yield Lab(bench, other)
    finally:
        bench.close()
        other.stop()


@pytest.fixture
def lab(made: Lab) -> Lab:
    """The lab, with everything at rest, and nothing known of the shelf."""
    made.bench.ready()
    for topic in (made.bench.topic("state", SHELF), made.bench.topic("status", SHELF)):
        made.bench.seen.publish(topic, "", retain=True)
    made.bench.seen.barrier()
    return made


def test_nothing_moves_while_another_device_turns(lab: Lab) -> None:
    """The refusal names the rule and the value; the readiness says it; reading and setting go on."""
    bench = lab.bench
    stood = bench.servo.truth()["position"]
    since = bench.seen.mark()
    lab.start_other()
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "interlocked", since)
    assert "interlocked: the other one stands still: other-resort moving is true" in lab.why_not(
        "move_to_angle", angle=180
    )
    state = bench.seen.last(bench.topic("state"))
    assert state["readiness_reasons"] == [
        "interlocked: the other one stands still: other-resort moving is true"
    ]
    assert bench.call("get_position")["status"] == "success"
    assert bench.call("set_speed", {"speed": 100})["status"] == "success"
    assert bench.servo.truth()["position"] == pytest.approx(stood, abs=0.2)
    lab.stop_other()
    assert lab.why_not("move_to_angle", angle=180) == ""


def test_a_task_is_stopped_when_another_device_begins_to_turn(lab: Lab) -> None:
    """``on_break: stop``: the servo stands before its aim, and holds."""
    bench = lab.bench
    running = lab.creep()
    waiting = bench.send("move_to_angle", {"angle": 90})
    lab.start_other()
    result = bench.result(running)
    assert result["error_code"] == "interlocked"
    assert "other-resort moving is true" in result["error"]
    assert bench.result(waiting)["error_code"] == "interlocked"
    stood = bench.servo.until_still()
    assert stood["position"] != pytest.approx(bench.aim, abs=5)
    assert stood["torque"] is True
    bench.call("get_position")
    assert bench.events(running) == ["task_failed"]
    lab.stop_other()
    assert lab.why_not("move_to_angle", angle=round(stood["position"])) == ""  # near by, so slow as it is


def test_a_task_that_may_finish_is_let_finish(lab: Lab) -> None:
    """``on_break: finish``: it comes to its end, and the next one is refused."""
    bench = lab.bench
    lab.say_online()
    lab.say_shelf()
    bench.call("move_to_angle", {"angle": 300})
    bench.call("set_speed", {"speed": CREEP})
    running = bench.send("activate_hotel", {"hotel": "A"})
    lab.until_turning()
    lab.say_shelf(lux=40)
    assert "it is dark: shelf lux is 40, measured" in lab.why_not("activate_hotel", hotel="B")
    assert bench.result(running, within=30)["status"] == "success"


def test_what_is_not_known_forbids_the_one_task_that_the_rule_names(lab: Lab) -> None:
    """Never heard, half heard, offline, the bridge dead, the wrong type; and well again after each."""
    lab.say_bridge("online")
    assert "shelf has not said whether it is online" in lab.why_not()
    assert lab.why_not("move_to_angle", angle=90) == ""
    lab.say_online(bridge=SHELF_BRIDGE)
    assert "no state of shelf is known" in lab.why_not()
    lab.say_shelf(door=None)
    assert "the door is closed: shelf door is unknown" in lab.why_not()
    lab.say_shelf(door="open")
    assert "the door is closed: shelf door is 'open', measured 0 s ago" in lab.why_not()
    lab.say_shelf()
    assert lab.why_not() == ""
    lab.say_bridge("offline")
    lab.say_shelf()
    assert "shelf-pi, the bridge of shelf, is offline" in lab.why_not()
    lab.say_bridge("online")
    lab.say_online("offline", SHELF_BRIDGE)
    assert "shelf is offline" in lab.why_not()
    lab.say_online(bridge=SHELF_BRIDGE)
    lab.say_shelf()
    assert lab.why_not() == ""
    lab.say_shelf(lux="dark")
    assert "shelf lux is 'dark', not a number" in lab.why_not("activate_hotel", hotel="A")
    lab.bench.seen.publish(lab.bench.topic("state", SHELF), b'{"door": "closed", "door"', retain=True)
    lab.bench.seen.barrier()
    assert "no state of shelf is known" in lab.why_not()


def test_what_is_too_old_or_from_the_future_forbids(lab: Lab) -> None:
    """One of the two clocks is wrong, or the shelf hangs."""
    lab.say_online()
    lab.say_shelf(age=41)
    assert "the door is closed: shelf door was last said 41 s ago; at most 3 s are trusted" in lab.why_not()
    lab.say_shelf(age=-20)
    assert "ahead of the clock here: one of the clocks is wrong" in lab.why_not()
    lab.say_shelf()
    assert lab.why_not() == ""


def test_a_value_that_becomes_too_old_stops_the_task_that_runs(lab: Lab) -> None:
    """With nothing heard: the bridge looks at its clock."""
    bench = lab.bench
    bench.call("move_to_angle", {"angle": 300})
    bench.call("set_speed", {"speed": CREEP})
    lab.say_online()
    lab.say_shelf()
    said = time.monotonic()
    running = bench.send("go_home")
    lab.until_turning()
    result = bench.result(running)
    assert result["error_code"] == "interlocked"
    assert "shelf door was last said 3 s ago" in result["error"]
    assert AGE < time.monotonic() - said < AGE + 2
    assert bench.servo.until_still()["position"] > 20


def test_a_servo_that_is_lost_forbids_until_it_is_back(lab: Lab) -> None:
    """Offline is not still."""
    bench = lab.bench
    since = bench.seen.mark()
    lab.other.fault("unplugged")
    try:
        bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "interlocked", since)
        assert "other-resort is offline" in lab.why_not("move_to_angle", angle=200)
    finally:
        lab.other.fault("unplugged", on=False)
    bench.until_ready()
    assert lab.why_not("move_to_angle", angle=200) == ""


def test_a_paused_task_does_not_go_on_against_a_rule(lab: Lab) -> None:
    """The rule lets it finish, but not begin again."""
    bench = lab.bench
    lab.say_online()
    lab.say_shelf()
    bench.call("move_to_angle", {"angle": 300})
    bench.call("set_speed", {"speed": CREEP})
    running = bench.send("activate_hotel", {"hotel": "A"})
    lab.until_turning()
    assert bench.call("pause")["status"] == "success"
    lab.say_shelf(lux=40)
    assert "it is dark" in lab.why_not("resume")
    assert bench.call("emergency_stop")["status"] == "success"  # nothing stands in its way
    assert bench.result(running)["error_code"] == "emergency_stopped"


@ONE_BROKER
def test_a_lost_broker_forbids_nothing_by_itself(lab: Lab) -> None:
    """What was heard ages, and the task that runs comes to its end."""
    bench = lab.bench
    lab.creep()
    bench.broker.kill()
    bench.broker.start()
    bench.observe_anew()
    stood = bench.servo.until_still(within=30)
    assert stood["position"] == pytest.approx(bench.aim, abs=1)


@ONE_BROKER
def test_what_the_broker_kept_counts_after_a_restart_if_it_is_young_enough(lab: Lab) -> None:
    """The bridge itself remembers nothing of others."""
    bench = lab.bench
    lab.say_online()
    lab.say_shelf(age=AGE)
    bench.restart_bridge()
    assert "shelf door was last said" in lab.why_not()
    assert lab.why_not("activate_hotel", hotel="A") == ""  # its rule believes it for longer
