"""`lab2mqtt forget --prefix`: what props have left behind, on real brokers."""

from collections.abc import Iterator
import json
from pathlib import Path
import threading
import uuid

import pytest
from tests.broker.bench import ON_MOSQUITTO, ONE_BROKER
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained
from tests.broker.program import Program, Said, run

from lab2mqtt.cli.leftovers import BOARD

GONE = {  # of one that was killed, and is not there any more
    "availability": "online",
    "status/availability": "online",
    "state": "started",
    "telemetry/tick": "7",
    "telemetry/deep/er": "on",
    "cmd": "fire 500",
}


class Props:
    """Some props under a prefix and a base of their own."""

    def __init__(self, broker: Broker) -> None:
        self.port = broker.port
        self.prefix, self.base = f"props-{uuid.uuid4().hex[:8]}", f"base-{uuid.uuid4().hex[:8]}"
        self.seen = Observer(broker.port, f"{self.prefix}/#", f"{self.base}/#")

    def say(self, topic: str, payload: object, *, retain: bool = True) -> None:
        """Publish, and wait until it is there."""
        self.seen.publish(topic, payload, retain=retain)
        self.seen.barrier()

    def leave(self, name: str, **more: str) -> None:
        """Leave behind what a prop leaves behind."""
        for kind, payload in {**GONE, **more}.items():
            self.seen.publish(f"{self.prefix}/{name}/{kind}", payload, retain=True)
        self.seen.barrier()

    def kept(self, name: str) -> set[str]:
        """What the broker keeps of a name."""
        front = f"{self.prefix}/{name}/"
        return {topic.removeprefix(front) for topic in retained(self.port, f"{front}#")}

    def forget(self, *words: str) -> Said:
        """Run it."""
        where = ("--broker", f"mqtt://127.0.0.1:{self.port}", "--base", self.base, "--prefix", self.prefix)
        return run("forget", *words, *where)

    def clear(self) -> None:
        """Leave nothing behind."""
        for topic in retained(self.port, f"{self.prefix}/#", f"{self.base}/#"):
            self.seen.publish(topic, "", retain=True)
        self.seen.barrier()
        self.seen.close()


@pytest.fixture
def props(broker: Broker) -> Iterator[Props]:
    """On each broker in turn."""
    made = Props(broker)
    yield made
    made.clear()


@pytest.fixture
def lives(props: Props) -> Iterator[None]:
    """A board that says its telemetry; our test does not wait for five seconds of it."""
    ended = threading.Event()

    def say() -> None:
        while not ended.wait(0.3):
            props.seen.publish(f"{props.prefix}/esp32/telemetry", {"uptime_s": 1}, qos=0)

    thread = threading.Thread(target=say)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_all_that_is_retained_of_a_prop_goes_and_of_no_other(props: Props) -> None:
    """Its command too: it would be refused at every start."""
    props.leave("fogger", availability="offline", **{"status/availability": "offline"})
    props.leave("fogger_2")
    said = props.forget("fogger")
    assert said.code == 0, said.err
    assert said.out.startswith("fogger is forgotten\n")
    assert f"{props.prefix}/fogger/telemetry/deep/er\n" in said.out
    assert props.kept("fogger") == set()
    assert props.kept("fogger_2") == set(GONE)


def test_the_device_goes_with_it(props: Props) -> None:
    """A prop with a worker is one in our own words as well."""
    props.leave("fogger", availability="offline", **{"status/availability": "offline"})
    props.say(f"{props.base}/fogger/status", {"device_id": "fogger", "status": "offline", "timestamp": 1})
    assert props.forget("fogger", "--json").code == 0
    assert props.kept("fogger") == set()
    assert retained(props.port, f"{props.base}/fogger/#") == {}


@ONE_BROKER
def test_what_a_killed_host_left_online_can_be_forgotten(props: Props) -> None:
    """After it has been listened for: nobody will say that it is offline."""
    props.leave("Old.Prop")  # also a name that no device may have today
    said = props.forget("Old.Prop", "--json")
    assert said.code == 0, said.err
    topics = [f"{props.prefix}/Old.Prop/{kind}" for kind in sorted(GONE)]
    assert json.loads(said.out) == {"forgotten": "Old.Prop", "cleared": topics}
    assert props.kept("Old.Prop") == set()


@pytest.mark.usefixtures("lives")
def test_who_lives_is_not_forgotten(props: Props) -> None:
    """It would be there again at once, and be unavailable until then."""
    props.leave("esp32")
    said = props.forget("esp32")
    assert said.code == 2
    assert "esp32 lives (it has just said something)" in said.err
    assert props.kept("esp32") == set(GONE)


def test_what_a_bridge_runs_is_not_forgotten(props: Props) -> None:
    """Though its prop is silent."""
    props.leave("quiet")
    props.say(f"{props.base}/bridge/worker_host/status", {"status": "online", "timestamp": 1})
    props.say(f"{props.base}/quiet/description", {"device_id": "quiet", "bridge": "worker_host"})
    props.say(f"{props.base}/quiet/status", {"device_id": "quiet", "status": "online", "timestamp": 1})
    said = props.forget("quiet")
    assert said.code == 2
    assert "quiet lives (bridge worker_host runs it)" in said.err
    props.leave("worker_host")
    assert "worker_host lives (it is a bridge that runs)" in props.forget("worker_host").err
    assert props.kept("quiet") == props.kept("worker_host") == set(GONE)


@ON_MOSQUITTO
@pytest.mark.usefixtures("lives")
def test_the_list_names_those_for_whom_nobody_speaks_and_clears_nothing(props: Props) -> None:
    """Leftovers of props that were renamed; a living board is none, and a command makes nobody live."""
    props.leave("renamed", availability="offline", **{"status/availability": "offline"})
    said = props.forget("--list", "--json")
    assert said.code == 0, said.err
    topics = [f"{props.prefix}/renamed/{kind}" for kind in sorted(GONE)]
    assert json.loads(said.out) == {"renamed": {"topics": topics, "says_online": False}}
    props.leave("killed")
    props.leave("esp32")
    props.say(f"{props.prefix}/killed/cmd", "ping", retain=False)
    killed, renamed, hint = props.forget("--list").out.splitlines()
    assert killed.startswith("killed                   6 retained, says online, and nothing for 6 s: ")
    assert renamed == f"{'renamed':24} 6 retained: {' '.join(topics)}"
    assert f"`lab2mqtt forget NAME --prefix {props.prefix}`" in hint
    assert props.kept("renamed") == props.kept("killed") == props.kept("esp32") == set(GONE)


def test_nothing_is_left(props: Props) -> None:
    """And a name that was mistyped is near another."""
    assert f"nothing is left of anybody under {props.prefix}" in props.forget("--list").out
    props.leave("fogger", availability="offline", **{"status/availability": "offline"})
    said = props.forget("foger")
    assert (said.code, said.out) == (0, "foger is forgotten; nothing was kept (did you mean 'fogger'?)\n")
    assert props.kept("fogger") == set(GONE)


def test_a_running_host_lets_a_board_go_and_keeps_its_own(props: Props, tmp_path: Path) -> None:
    """It withdraws the device of a board that is forgotten; a worker of its own is not."""
    where = ("--broker", f"mqtt://127.0.0.1:{props.port}", "--base", props.base, "--prefix", props.prefix)
    hub = ("--discovery", f"{props.base}/hub")
    folders = ("--root", str(tmp_path), "--state", str(tmp_path))
    props.say(f"{props.prefix}/esp32/availability", "online")
    host = Program(["props", *folders, *hub, *where], tmp_path / "log")
    host.start()
    try:
        told = f"{props.base}/esp32/description"
        props.seen.wait(told, lambda one: one and one["model"] == BOARD, within=15)
        props.say(f"{props.prefix}/esp32/availability", "offline")
        assert props.forget("esp32", *hub).code == 0
        props.seen.wait(told, lambda one: one is None, within=15)
        assert "heartbeat lives (bridge worker_host runs it)" in props.forget("heartbeat", *hub).err
        assert "worker_host lives (it is a bridge that runs)" in props.forget("worker_host", *hub).err
        assert "availability" in props.kept("heartbeat")
        assert f"nothing is left of anybody under {props.prefix}" in props.forget("--list").out
    finally:
        host.terminate()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "one of the arguments DEVICE --list is required"),
        (("--list",), "--list wants --prefix TOPIC"),
        (("fogger", "--list", "--prefix", "halloween"), "not allowed with argument"),
        (("fogger", "--prefix", "halloween/#"), "has an empty level, a wildcard"),
        (("+", "--prefix", "halloween"), "'+' is no device id"),
        (("Old.Prop",), "'Old.Prop' is no device id"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_asked(words: tuple[str, ...], told: str) -> None:
    """No broker is needed for that."""
    said = run("forget", *words, "--broker", "mqtt://127.0.0.1:1")
    assert said.code == 2
    assert told in said.err
