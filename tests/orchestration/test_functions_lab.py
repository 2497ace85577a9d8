"""What our MQTT device server is to a lab: one full device, with stop, history and Home Assistant."""

from collections.abc import Iterator
import contextlib
import json
from pathlib import Path
import time
import uuid

import pytest
from tests.broker.brokers import Amqtt, Broker, running_mosquitto
from tests.broker.observer import Observer, until
from tests.broker.program import Program, Said, run
from tests.orchestration import paho_releases
from tests.orchestration.our_device import OurDevice
from tests.orchestration.peer import Peer
import yaml

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.orchestration import MQTTOrchestratorClient

WITHIN = 15.0  # s
HEALTH = "lab2mqtt/bridge/adopting/health"


class Lab:
    """A broker of its own with an adopting bridge, a device server of ours and one of a stranger."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.device = OurDevice(broker.port, folder)
        self.device_id = self.device.device_id
        self.stranger = f"stranger-{uuid.uuid4().hex[:6]}"
        config = folder / "bridge.yaml"
        told = {
            "bridge": "adopting",
            "broker": {"port": broker.port},
            "state": "kept",
            "adopt": True,
            "adopt_prefixes": ["ot2"],
            "devices": {},
        }
        config.write_text(yaml.safe_dump(told))
        self.bridge = Program(["run", str(config)], folder / "bridge.log")
        self.seen = Observer(broker.port, "lab2mqtt/#", "homeassistant/#", "ot2/#")

    def client(self, prefix: str = "ot2") -> MQTTOrchestratorClient:
        """A client of the device."""
        return MQTTOrchestratorClient(LOOPBACK, self.device_id, self.broker.port, topic_prefix=prefix)

    def typed(self, *words: str) -> Said:
        """Run a command of ours."""
        return run(*words, "--broker", f"mqtt://{LOOPBACK}:{self.broker.port}")

    def state(self) -> dict[str, object]:
        """What the device said of its state last."""
        found: dict[str, object] = self.seen.last(f"lab2mqtt/{self.device_id}/state")
        return found


@pytest.fixture(scope="module", params=["mosquitto", "amqtt"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab, with a broker of its own, which may end."""
    with contextlib.ExitStack() as stack:
        own: Broker
        if request.param == "amqtt":
            own = Amqtt(tmp_path_factory.mktemp("amqtt"))
            own.start()
            stack.callback(own.stop)
        else:
            own = stack.enter_context(running_mosquitto())
        made = Lab(own, tmp_path_factory.mktemp("lab"))
        python = paho_releases.python("2.1.0")
        with made.seen, made.device, Peer(python, "mqtt_device.py", own.port, "ot2", made.stranger):
            made.bridge.start()
            try:
                made.seen.wait(f"lab2mqtt/{made.stranger}/description", within=WITHIN)
                yield made
            finally:
                made.bridge.terminate()


def test_home_assistant_is_told_of_it_and_no_bridge_adopts_it(lab: Lab) -> None:
    """Announced once, by itself; the strangers' devices beside it are adopted."""
    other = f"stranger-{uuid.uuid4().hex[:6]}"
    topic = f"homeassistant/device/lab2mqtt_{lab.device_id}/config"
    told = lab.seen.wait(topic, within=WITHIN).json
    assert told["device"]["name"] == lab.device_id
    assert {"last_task", "last_result", "stop", "do_jam"} <= told["components"].keys()
    lab.seen.wait(f"homeassistant/device/lab2mqtt_{lab.stranger}/config", within=WITHIN)
    description = lab.seen.last(f"lab2mqtt/{lab.device_id}/description")
    for device_id, bridge in ((lab.stranger, "adopting"), (lab.device_id, lab.device_id)):
        assert lab.seen.wait(f"lab2mqtt/{device_id}/status").json["bridge"] == bridge
    assert description["tasks"]["mix_colors"]["parameters"]["r"] == {"type": "integer"}
    assert len(lab.seen.heard(topic)) == 1
    with lab.client() as client:
        since = lab.seen.mark()
        assert client.execute_task("dose", volume=5.0) == 1
        assert client.execute_task("dose", volume=5.0) == 2
    answers = f"ot2/{lab.device_id}/result"
    lab.seen.wait(answers, lambda told: told["result"] == 2, since=since)
    results = [one.json for one in lab.seen.heard(answers, since)]
    assert [one["result"] for one in results] == [1, 2]  # each answered once, done once
    with Peer(paho_releases.python("2.1.0"), "mqtt_device.py", lab.broker.port, "ot2", other):
        lab.seen.wait(f"lab2mqtt/{other}/description", within=WITHIN)  # what came before was looked at, too
    commands = lab.seen.heard(f"ot2/{lab.device_id}/command")
    asked = [one.json["task"] for one in commands if one.payload]
    assert asked == ["dose", "dose"]  # and not what it can do
    health = lab.seen.wait(HEALTH, lambda told: told["devices"] == 2).json
    assert (health["silent"], health["refused"]) == ({}, {})


def test_the_command_line_calls_it_and_tells_its_history(lab: Lab) -> None:
    """What was asked on the older topics stands in its history, too."""
    called = lab.typed("call", lab.device_id, "mix_colors", "r=1", "g=2", "b=3", "well=B2")
    assert (called.code, called.out.strip()) == (0, "Mixed RGB(1,2,3) in B2"), called.err
    refused = lab.typed("call", lab.device_id, "mix_colors", "r=1", "g=2", "b=3")
    assert refused.code == 1
    assert "well" in refused.err
    with lab.client() as older:
        older.execute_task("mix_colors", r=7, g=7, b=7, well="C3")
    told = lab.typed("history", lab.device_id, "--json")
    assert told.code == 0, told.err
    done = [json.loads(line) for line in told.out.splitlines()]
    newest = max(done, key=lambda one: one["seq"])
    assert (newest["task"], newest["status"], newest["parameters"]["well"]) == ("mix_colors", "success", "C3")


def test_the_labs_stop_ends_its_task_and_refuses_more(lab: Lab) -> None:
    """Reading goes on; after the release it works again, and nothing has begun by itself."""
    with Peer(
        paho_releases.python("1.6.1"), "mqtt_client.py", lab.broker.port, "ot2", lab.device_id
    ) as stranger:
        stranger.wait("up")
        began = time.monotonic()
        stranger.send({"call": {"task": "turn", "parameters": {"seconds": 30}}})
        lab.seen.wait(f"lab2mqtt/{lab.device_id}/progress", within=WITHIN)
        stopped = lab.typed("stop", "--reason", "to see")
        assert f"{lab.device_id} stopped within" in stopped.err
        answer = stranger.wait("answer")["answer"]
        assert answer["status"] == "error"
        assert "stop" in answer["error"]
        assert time.monotonic() - began < 10
        with lab.client() as client:
            with pytest.raises(RuntimeError, match="emergency stop"):
                client.execute_task("mix_colors", r=1, g=2, b=3, well="A1")
            assert client.execute_task("look", number=3)["number"] == 3
            assert lab.typed("reset").code == 0
            until(lambda: not lab.state()["emergency_stop"], "it is released", within=WITHIN)
            assert client.execute_task("mix_colors", r=1, g=2, b=3, well="A1")
        assert len(stranger.said("answer")) == 1


def test_one_device_is_stopped_and_a_task_is_cancelled(lab: Lab) -> None:
    """By the command line; the script hears it."""
    with Peer(
        paho_releases.python("2.1.0"), "mqtt_client.py", lab.broker.port, "ot2", lab.device_id
    ) as stranger:
        stranger.wait("up")
        for number, (words, error) in enumerate(
            ((("cancel", lab.device_id), "cancel"), (("stop", lab.device_id), "stop")), 1
        ):
            since = lab.seen.mark()
            stranger.send({"call": {"task": "turn", "parameters": {"seconds": 30}}})
            lab.seen.wait(f"lab2mqtt/{lab.device_id}/progress", since=since, within=WITHIN)
            assert lab.typed(*words).code == 0
            assert error in stranger.wait("answer", count=number)["answer"]["error"]
        assert lab.typed("reset", lab.device_id).code == 0


def test_who_moves_over_to_it_has_one_device(lab: Lab, tmp_path: Path) -> None:
    """A script of the older dialect that was adopted gives way to ours, under the same id."""
    moving = OurDevice(lab.broker.port, tmp_path)
    topics = [f"lab2mqtt/{moving.device_id}/{kind}" for kind in ("description", "status")]
    with Peer(paho_releases.python("1.6.1"), "mqtt_device.py", lab.broker.port, "ot2", moving.device_id):
        lab.seen.wait(topics[0], lambda told: told and told["announced_by"] == "adopting", within=WITHIN)
    since = lab.seen.mark()
    with moving:
        own = moving.device_id
        lab.seen.wait(
            topics[0], lambda told: told and told["announced_by"] == own, since=since, within=WITHIN
        )
        lab.seen.wait(topics[1], lambda told: told and told["status"] == "online", since=since, within=WITHIN)
        lab.seen.wait(f"homeassistant/device/lab2mqtt_{own}/config", lambda told: told, since=since)
        with MQTTOrchestratorClient(LOOPBACK, own, lab.broker.port) as client:
            assert client.execute_task("dose", volume=1.0) == 1
        lab.seen.wait(HEALTH, lambda told: (told["devices"], told["silent"]) == (2, {}), since=since)


def test_an_answer_comes_although_the_broker_was_away(lab: Lab) -> None:
    """The broker ends in the midst of a task, and comes back empty: of ours and of the stranger."""
    python = paho_releases.python("1.6.1")
    with Peer(python, "mqtt_client.py", lab.broker.port, "ot2", lab.device_id) as stranger:
        stranger.wait("up")
        stranger.send({"call": {"task": "wait", "parameters": {"seconds": 4}}})
        lab.seen.wait(f"lab2mqtt/{lab.device_id}/state", lambda told: told["task"] == "wait", within=WITHIN)
        lab.broker.kill()
        lab.broker.start()
        assert stranger.wait("answer")["answer"]["result"] == "waited 4 s"
        assert stranger.said("up") == [1, 2]
        status = stranger.wait("status", lambda told: told["status"] == "online", count=2)["status"]
        assert status["data"]["tasks"]
