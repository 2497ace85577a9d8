"""The OT-2 and others: a sender of the older dialect, a fan, a colour sensor, and who forbids motion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import Observer
from tests.broker.program import Program
from tests.broker.wet_bench import MIX, MIXED, WITHIN, WetBench
import yaml

pytestmark = ON_MOSQUITTO  # what others say over both brokers: test_older_dialect, test_neighbours

KNOWS_COMPANIONS = "tests.broker.with_more_models"
COMMANDS, ANSWERS = "command/ot2/SIM-OT2-1/pipette", "status/ot2/SIM-OT2-1/complete"
FAN, SENSOR = "fan", "colour-sensor"
NO_DRAUGHT = {
    "name": "no draught",
    "forbid": ["mix_color"],
    "while": {"device": FAN, "key": "speed", "above": 50},
    "max_age": 90,
    "on_break": "stop",
}


class Company(WetBench):
    """A fan on the robot's bridge, a colour sensor on another one, and a sender of the older dialect."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        super().__init__(broker, folder)
        self.cell.configure(
            {FAN: {"model": "companion"}},
            [NO_DRAUGHT],
            older_dialect=True,
            cooling_fan=FAN,
            color_sensor=SENSOR,
        )
        config = self.cell.config
        self.bridge = self.cell.bridge = Program(["run", str(config)], self.bridge.log, KNOWS_COMPANIONS)
        other = folder / "other.yaml"
        sensor = {"model": "companion", "settings": {"red": 42}}
        told = {"bridge": "other", "broker": {"port": broker.port}, "state": "other"}
        other.write_text(yaml.safe_dump(told | {"devices": {SENSOR: sensor}}))
        self.other = Program(["run", str(other)], folder / "other.log", KNOWS_COMPANIONS)
        self.old = Observer(broker.port, COMMANDS, ANSWERS)

    def start(self) -> None:
        """Start both bridges."""
        self.other.start()
        super().start()
        for device in (FAN, SENSOR):
            self.seen.wait(
                self.topic("status", device), lambda told: told["status"] == "online", within=WITHIN
            )

    def ready(self) -> WetBench:
        """The fan stands, too."""
        self.call("set_speed", {"speed": 0}, FAN)
        return super().ready()

    def tell(self, experiment: str, **command: object) -> dict[str, Any]:
        """Send a message of the older dialect, and wait for the answer."""
        since = self.old.mark()
        self.old.publish(
            COMMANDS, {"command": command, "experiment_id": experiment, "session_id": "s-1"}, qos=2
        )
        heard = self.old.wait(
            ANSWERS, lambda told: told["experiment_id"] == experiment, since=since, within=WITHIN
        )
        found: dict[str, Any] = heard.json
        return found

    def close(self) -> None:
        """End both bridges."""
        self.old.close()
        if self.other.pid:
            self.other.terminate()
        super().close()


@pytest.fixture(scope="module")
def shared_bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The company of all tests on one broker."""
    with Company(broker, tmp_path_factory.mktemp("company")) as made:
        yield made


@pytest.fixture
def bench(shared_bench: Company) -> Company:
    """One whose robot is ready, with nothing used."""
    shared_bench.ready()
    return shared_bench


def test_the_older_dialect_mixes_holds_the_sensor_and_puts_it_back(bench: Company) -> None:
    """Word for word what its senders wait for; what comes again is answered and not done again."""
    in_place = {"status": {"sensor_status": "in_place"}, "experiment_id": "e-1", "session_id": "s-1"}
    assert bench.tell("e-1", **MIX) == in_place
    truth = bench.truth()
    assert (truth["sensor"], truth["place"], truth["wells"]["1/B2"]) == ("held", "1/B2", MIXED)
    assert bench.state["plate"]["1/B2"]["experiment"] == "e-1"
    now = bench.truth()["at"]
    assert bench.tell("e-1", **MIX) == in_place
    assert bench.moved(since=now) == []

    charging = in_place | {"status": {"sensor_status": "charging"}}
    assert bench.tell("e-1", sensor_status="read") == charging
    assert bench.truth()["sensor"] == "parked"
    bench.until_ready()
    refused = bench.tell("e-2", **MIX)
    assert refused["status"] == {"sensor_status": "error"}
    assert refused["error_code"] == "not_allowed"
    assert "mix_and_measure: well B2 is used by experiment 'e-1'" in refused["error"]


def test_after_a_timeout_of_the_sensor_it_homes_too(bench: Company) -> None:
    """As the first program did."""
    assert bench.tell("e-3", **MIX | {"well": "C5"})["status"] == {"sensor_status": "in_place"}
    now = bench.truth()["at"]
    assert bench.tell("e-3", sensor_status="sensor_timeout")["status"] == {"sensor_status": "charging"}
    done = bench.moved("drop", "home", since=now)
    assert [each["what"] for each in done] == ["drop", "home", "home"]  # the first is the end of every run
    assert done[1]["by"] != done[2]["by"]
    assert bench.truth()["sensor"] == "parked"


def test_without_a_module_the_fan_cools(bench: Company) -> None:
    """The one that the settings name; with a module that one is set."""
    assert bench.done("adjust_cooling", {"target": 18})["module"] == "SIMTEMPERATURE1"
    bench.truth(fault="module_unplugged")
    bench.done("get_position")  # it looks at everything
    assert bench.done("adjust_cooling", {"target": 18}) == {"speed": 100, "fan": {"speed": 100}}
    bench.seen.wait(bench.topic("state", FAN), lambda state: state["speed"] == 100)
    asked = [heard.json for heard in bench.seen.heard(bench.topic("command", FAN))][-1]
    assert (asked["task"], asked["issued_by"]) == ("set_speed", "ot2")
    assert bench.done("adjust_cooling", {"target": 30})["speed"] == 0


def test_the_colour_sensor_of_another_bridge_is_asked(bench: Company) -> None:
    """What it answers comes back. For one that is not there nobody waits longer than was asked for."""
    assert bench.done("read_color") == {"red": 42}
    bench.other.terminate()
    try:
        assert bench.call("read_color", timeout=0.5)["error_code"] == "timeout"
    finally:
        bench.other.start()


def test_an_interlock_forbids_a_mix_and_ends_it(bench: Company) -> None:
    """Before it begins, with the rule and the value; and while it runs, which leaves the run paused."""
    bench.call("set_speed", {"speed": 100}, FAN)
    bench.seen.wait(bench.topic("state", FAN), lambda state: state["speed"] == 100)
    now = bench.truth()["at"]
    refused = bench.call("mix_color", MIX)
    assert refused["error_code"] == "interlocked"
    assert "no draught" in refused["error"]
    assert "100" in refused["error"]
    assert bench.moved(since=now) == []

    bench.call("set_speed", {"speed": 0}, FAN)
    bench.until_ready(bench.seen.mark())
    running = bench.start_mixing()
    bench.call("set_speed", {"speed": 100}, FAN)
    result = bench.result(running)
    assert result["error_code"] == "interlocked"
    assert "no draught" in result["error"]
    bench.until_state(lambda state: state["run_status"] == "paused")
    assert bench.moved("home", since=now)[1:] == []  # its own at the start
    bench.call("set_speed", {"speed": 0}, FAN)
    assert bench.done("resume_run")["status"] == "succeeded"
    assert bench.state["plate"]["1/D6"]["volume"] == 300
