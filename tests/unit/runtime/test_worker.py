"""One device without a broker: every command gets one result, and nothing is done twice or after a stop."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import replace
from datetime import timedelta
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.unit.kitchen_sink import DEVICE, KitchenSinkDriver, make_config
from tests.unit.runtime.test_stop import stalled

from lab2mqtt import wire
from lab2mqtt.core.entities import Picture
from lab2mqtt.runtime import (
    execution as execution_module,
    running as running_module,
    worker as worker_module,
)
from lab2mqtt.runtime.fitting import TEXT
from lab2mqtt.runtime.holds import Holds
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.others import Others
from lab2mqtt.runtime.permits import Shared
from lab2mqtt.runtime.stop import Latches
from lab2mqtt.runtime.worker import Worker

NOW = 1_763_690_000.0
LAB = "lab2mqtt/emergency_stop"
WITHIN = 5.0  # s; only a test that fails waits so long


class Said(NamedTuple):
    """One message that the worker published."""

    kind: str
    message: dict[str, Any]
    qos: int
    retain: bool


class Bench:
    """A worker with a sink, and all that it said."""

    def __init__(self, state: Path | None = None, poll: float | None = None) -> None:
        self.now = NOW
        config = make_config()
        if poll:
            config = replace(config, device=replace(config.device, poll=timedelta(seconds=poll)))
        self.driver: KitchenSinkDriver = config.driver(config.settings)
        self.latches = Latches(state, LAB)
        self.holds = Holds(None, [config.instance.device_id], lambda: self.now, lambda: self.now)
        others = Others("lab2mqtt", lambda: self.now)
        shared = Shared(self.latches, self.holds, Ledger(None), others)
        self.said: list[Said] = []
        self.pictures: list[bytes] = []
        self._more = asyncio.Event()
        self._ids = 0
        self.worker = Worker(config, self.driver, shared, self.say, lambda: self.now)

    def say(
        self, kind: str, message: dict[str, Any] | str | bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Take a message as the broker would, which gets text, or a picture."""
        if isinstance(message, bytes):
            self.pictures.append(message)
            message = {}
        text = message if isinstance(message, str) else wire.encode(message)
        self.said.append(Said(kind, json.loads(text), qos, retain))
        self._more.set()

    def of(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """The messages of a kind that have these fields."""
        return [
            one.message
            for one in self.said
            if one.kind == kind and all(one.message.get(key) == value for key, value in fields.items())
        ]

    async def heard(self, kind: str, **fields: object) -> dict[str, Any]:
        """The first message of a kind that has these fields, once it has been said."""
        async with asyncio.timeout(WITHIN):
            while not (found := self.of(kind, **fields)):
                self._more.clear()
                await self._more.wait()
        return found[0]

    def send(self, task: str, parameters: dict[str, Any] | None = None, **more: Any) -> str:  # noqa: ANN401
        """Send a command; gives its id."""
        self._ids += 1
        command = {"request_id": f"c{self._ids}", "task": task, "parameters": parameters or {}} | more
        self.worker.receive(json.dumps(command).encode())
        return str(command["request_id"])

    async def result(self, request_id: str) -> dict[str, Any]:
        """The result of a command."""
        return await self.heard("result", request_id=request_id)

    async def call(self, task: str, parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Send a command and wait for its result."""
        return await self.result(self.send(task, parameters, **more))

    async def begun(self) -> None:
        """Wait until the driver is inside ``fill``, ``soak`` or ``stare``."""
        entered = await asyncio.to_thread(self.driver.entered.wait, WITHIN)
        assert entered
        self.driver.entered.clear()

    def engage_lab(self, stop_id: str = "lab-1") -> None:
        """Stop the lab, as the bridge does."""
        stop = wire.stop_message(
            engaged=True, stop_id=stop_id, by="a person", reason="smoke", timestamp=int(self.now)
        )
        self.worker.stop_now(stop, self.now)
        self.latches.hear(LAB, stop)
        self.worker.stop_changed()

    def release_lab(self, stop_id: str = "lab-1") -> None:
        """Release the lab's stop."""
        release = wire.stop_message(
            engaged=False, stop_id=stop_id, by="a person", reason="", timestamp=int(self.now)
        )
        self.latches.hear(LAB, release)
        self.worker.stop_changed()


@contextlib.asynccontextmanager
async def running_bench(bench: Bench) -> AsyncIterator[Bench]:
    """A bench whose worker runs; whatever the test left hanging is let go."""
    work = asyncio.create_task(bench.worker.run())
    try:
        yield bench
    finally:
        bench.driver.go.set()
        bench.driver.pours_go.set()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await bench.worker.close()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A worker that is connected to its sink."""
    async with running_bench(Bench()) as made:
        await made.heard("state", readiness="ready")
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that does not end a task is given up soon."""
    for module in (running_module, execution_module, worker_module):
        monkeypatch.setattr(module, "GRACE", 0.05)


def results(bench: Bench) -> dict[str, int]:
    """How many results each command got."""
    ids = [one["request_id"] for one in bench.of("result")]
    return {one: ids.count(one) for one in ids}


# Presence


async def test_what_it_is_and_how_it_is_stands_on_the_broker(bench: Bench) -> None:
    """Retained, so that whoever comes later knows; the results are not."""
    await bench.call("set_flow", {"flow": 3})
    retained = {one.kind: (one.retain, one.qos) for one in bench.said}
    assert retained == {
        "description": (True, 1),
        "status": (True, 1),
        "state": (True, 1),
        "picture/picture": (True, 1),
        "progress": (False, 0),
        "event": (False, 1),
        "result": (False, 1),
    }
    assert (await bench.heard("description", device_id="sink"))["kind"] == "kitchen_sink"
    assert (await bench.heard("status", status="online"))["data"]["tasks"] == list(make_config().tasks)


async def test_it_is_starting_until_the_instrument_answers_for_the_first_time() -> None:
    """Starting is no fault."""
    bench = Bench()
    bench.worker.say_everything()
    assert bench.of("state")[-1]["readiness"] == "starting"
    assert bench.of("state")[-1]["temperature"] is None
    assert bench.of("status")[-1]["status"] == "offline"
    await bench.worker.close()


async def test_values_are_measured_and_rounded_to_what_is_shown(bench: Bench) -> None:
    """Noise below the last digit shown would be published as change."""
    assert (await bench.heard("state", readiness="ready"))["temperature"] == 21.0
    said = len(bench.of("state"))
    bench.driver.temperature = 21.01
    await bench.call("set_light", {"on": False})
    assert {one["temperature"] for one in bench.of("state")[said:]} <= {21.0}


async def test_reasons_why_it_cannot_work_are_told(bench: Bench) -> None:
    """A fault counts more than homing, and both say why."""
    bench.driver.clogged, bench.driver.cold = ("the left drain",), ("the pipe",)
    state = await bench.heard("state", readiness="fault")
    assert state["readiness_reasons"] == ["the left drain", "the pipe"]
    bench.driver.clogged = ()
    await bench.heard("state", readiness="needs_homing", readiness_reasons=["the pipe"])


async def test_somebody_else_at_the_instrument_makes_it_busy(bench: Bench) -> None:
    """Whoever uses it past the bridge; the reason is told, beside what runs here."""
    bench.driver.borrowed = ("a run of the cook's own app",)
    state = await bench.heard("state", readiness="busy", task=None)
    assert state["readiness_reasons"] == ["a run of the cook's own app"]
    bench.send("pour")
    state = await bench.heard("state", readiness="busy", task="pour")
    assert state["readiness_reasons"] == ["pour runs", "a run of the cook's own app"]


async def test_a_part_is_told_of_while_it_is_attached(bench: Bench) -> None:
    """With its entities; what it leaves behind in the state is unknown, for the hub may still look there."""
    parts = bench.driver.parts
    with_it = await bench.heard("description", parts=parts)
    assert with_it["entities"]["dry"]["part"] == "dishwasher"
    bench.driver.parts = {}
    without = await bench.heard("description", parts={})
    assert with_it["entities"].keys() - without["entities"].keys() == {"washing_temperature", "dry"}
    bench.said.clear()
    bench.worker.say_everything()
    assert bench.of("state")[0]["washing_temperature"] is None
    bench.driver.parts = parts
    assert await bench.heard("description", parts=parts) == with_it


async def test_a_part_that_never_was_there_leaves_nothing_in_the_state() -> None:
    """Before the instrument has answered nobody knows of any."""
    bench = Bench()
    bench.driver.parts = {}
    bench.worker.say_everything()
    assert "parts" not in bench.of("description")[0]
    async with running_bench(bench):
        await bench.heard("description", parts={})
        assert "washing_temperature" not in await bench.heard("state", readiness="ready")


async def test_what_the_instrument_tells_of_itself_is_asked_again(bench: Bench) -> None:
    """A description for each change, and none without."""
    bench.driver.parts["dishwasher"] = {"name": "Dishwasher", "model": "Washer 4"}
    await bench.heard("description", parts=bench.driver.parts)
    await bench.call("look")
    await bench.worker.instrument.read()
    assert [one["parts"]["dishwasher"]["model"] for one in bench.of("description")[-2:]] == [
        "Washer 3",
        "Washer 4",
    ]


async def test_a_picture_is_said_once_before_the_state_that_tells_of_it(bench: Bench) -> None:
    """And another one when it was taken anew."""
    await bench.heard("state", picture=1_763_690_000.123)
    bench.driver.picture = Picture(b"empty", 1_763_690_007.0)
    await bench.heard("state", picture=1_763_690_007.0)
    bench.driver.picture = Picture(b"the same", 1_763_690_007.0)
    await bench.worker.instrument.read()
    bench.driver.picture = None
    await bench.heard("state", picture=None, readiness="ready")
    assert bench.pictures == [b"\xff\xd8 a sink \xff\xd9", b"empty"]
    told = bench.said.index(next(one for one in bench.said if one.message.get("picture") == 1_763_690_007.0))
    assert [one.kind for one in bench.said[:told]].count("picture/picture") == 2


async def test_everything_can_be_said_anew(bench: Bench) -> None:
    """A broker that came back empty knows nothing."""
    bench.said.clear()
    bench.worker.say_everything()
    assert [one.kind for one in bench.said] == ["description", "status", "picture/picture", "state"]


# One result


async def test_a_task_gets_its_parameters_and_its_result_goes_out_once(bench: Bench) -> None:
    """The plainest command of all."""
    result = await bench.call("set_flow", {"flow": 3}, request_id="abc")
    assert result == {
        "request_id": "abc",
        "task": "set_flow",
        "status": "success",
        "result": {"flow": 3.0},
        "timestamp": int(NOW),
    }
    event = bench.of("event", event_type="task_succeeded")
    assert [(one["task"], one["request_id"]) for one in event] == [("set_flow", "abc")]
    assert results(bench) == {"abc": 1}


async def test_a_task_that_is_data_tells_its_method_which_one_it_is(bench: Bench) -> None:
    """One method of the driver does them all; what was not given is not made up."""
    washed = await bench.call("wash", {"temperature": 60})
    assert washed["result"] == {"task": "wash", "arguments": {"temperature": 60.0}}
    assert (await bench.call("dry"))["result"] == {"task": "dry", "arguments": {}}
    assert bench.of("progress", percent=50)[0]["message"] == "wash"
    wrong = await bench.call("wash", {"temperature": 95, "sugar": 1})
    assert wrong["error_code"] == "invalid_parameters"
    assert "temperature 95 is out of range: a number, 30 to 70 °C" in wrong["error"]
    assert "wash has no 'sugar': it takes temperature, salt" in wrong["error"]
    assert bench.driver.calls.count("wash") == 1


async def test_the_state_that_a_task_caused_is_said_before_its_result(bench: Bench) -> None:
    """Who has the result may look at the state."""
    await bench.call("set_flow", {"flow": 3.5}, request_id="abc")
    kinds = [(one.kind, one.message.get("flow"), one.message.get("request_id")) for one in bench.said]
    assert kinds.index(("state", 3.5, None)) < kinds.index(("result", None, "abc"))


async def test_the_state_before_the_result_no_longer_says_busy(bench: Bench) -> None:
    """A client that waits for the result and then for ready would wait for ever."""
    await bench.call("rinse", {"seconds": 1})
    until = [one.kind for one in bench.said].index("result")
    state = [one.message for one in bench.said[:until] if one.kind == "state"][-1]
    assert (state["readiness"], state["task"]) == ("ready", None)


async def test_a_command_without_an_id_is_given_one(bench: Bench) -> None:
    """A person with mosquitto_pub gets an answer too."""
    bench.worker.receive(b'{"task": "look"}')
    result = await bench.heard("result", task="look")
    assert (result["status"], len(result["request_id"]) > 8) == ("success", True)


@pytest.mark.parametrize(
    ("task", "parameters", "code", "text"),
    [
        ("set_flwo", {}, "unknown_task", "no task 'set_flwo' (did you mean 'set_flow'?)"),
        ("set_flow", {"flow": 99}, "invalid_parameters", "flow 99 is out of range: a number, 0 to 12 L/min"),
        ("set_flow", {"flow": "3"}, "invalid_parameters", "flow '3' is not a number"),
        ("set_flow", {}, "invalid_parameters", "flow is missing"),
        ("pause", {}, "invalid_parameters", "nothing runs on sink"),
        ("resume", {}, "invalid_parameters", "nothing runs on sink"),
        ("cancel", {}, "invalid_parameters", "nothing runs on sink"),
        ("cancel", {"request_id": "x"}, "invalid_parameters", "no command 'x' runs or waits on sink"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    bench: Bench, task: str, parameters: dict[str, Any], code: str, text: str
) -> None:
    """The instrument has not been touched."""
    result = await bench.call(task, parameters)
    assert (result["status"], result["error_code"]) == ("error", code)
    assert result["error"].startswith(text)
    assert bench.driver.calls == ["open"]
    assert len(results(bench)) == 1


@pytest.mark.parametrize(
    ("politely", "text"),
    [(True, "the pipe burst"), (False, "ZeroDivisionError: a bug in the driver")],
)
async def test_what_the_driver_raises_is_answered_with_its_words(
    bench: Bench,
    politely: bool,  # noqa: FBT001
    text: str,
) -> None:
    """A bug in a driver ends one task, not the bridge."""
    result = await bench.call("explode", {"politely": politely})
    assert (result["error_code"], result["error"]) == ("device_error", text)
    assert bench.of("event", event_type="task_failed")[0]["error"] == text
    assert (await bench.call("look"))["status"] == "success"


async def test_a_result_that_json_cannot_hold_is_an_error_that_says_what_was_done(bench: Bench) -> None:
    """The task ran; silence would make somebody repeat it."""
    result = await bench.call("conjure")
    assert result["error_code"] == "device_error"
    assert "was done" in result["error"]
    assert "object" in result["error"]


async def test_a_result_that_is_too_long_is_an_error_that_says_so(bench: Bench) -> None:
    """The command has an answer all the same; one that just fits is said as it is."""
    frame = len(wire.encode(await bench.call("overflow", {"letters": 0}, request_id="length")).encode())
    most = (wire.MAX_MESSAGE - frame) // 2
    fits = await bench.call("overflow", {"letters": most}, request_id="fits--")
    assert fits["result"] == "ä" * most
    result = await bench.call("overflow", {"letters": most + 1}, request_id="excess")
    size = frame + 2 * (most + 1)
    assert result["error_code"] == "device_error"
    assert result["error"] == (
        f"overflow was done, but what it returned has {size} bytes; at most {wire.MAX_MESSAGE} are allowed"
    )


async def test_an_error_of_a_driver_is_cut(bench: Bench) -> None:
    """And tells how long it was."""
    result = await bench.call("overflow", {"letters": 10_000_000, "fails": True})
    assert result["error"] == "ä" * TEXT + "… (10000000 characters)"


async def test_a_coroutine_that_is_dropped_inside_the_driver_is_answered_too(bench: Bench) -> None:
    """Or the device would be busy for ever, with nobody told."""
    result = await bench.call("drip")
    assert result["error_code"] == "device_error"
    assert (await bench.call("set_light", {"on": True}))["status"] == "success"


async def test_what_breaks_the_protocol_is_answered_where_an_id_can_be_read(bench: Bench) -> None:
    """And is the caller's to drop and count where none can."""
    bench.worker.receive(b'{"request_id": "abc", "task": "look", "parameters": 3}')
    assert (await bench.result("abc"))["error_code"] == "malformed"
    with pytest.raises(wire.WireError, match="no JSON"):
        bench.worker.receive(b"look")


async def test_a_retained_command_is_refused(bench: Bench) -> None:
    """It was meant for a moment that has passed."""
    bench.worker.receive(b'{"request_id": "abc", "task": "pour"}', retained=True)
    assert (await bench.result("abc"))["error_code"] == "retained_command"
    assert bench.driver.calls == ["open"]


@pytest.mark.parametrize(
    ("payload", "retained"),
    [
        (b'{"request_id": "a", "task": "emergency_stop"}', True),
        (b'{"request_id": "a", "task": "emergency_stop", "expires_at": 5}', False),
        (b'{"request_id": "a", "task": "emergency_stop", "parameters": []}', False),
        (b'{"request_id": "a", "task": "emergency_stop", "timeout": 0}', False),
    ],
)
async def test_a_stop_stops_whatever_else_is_wrong_with_it(
    bench: Bench, payload: bytes, *, retained: bool
) -> None:
    """Nobody in a hurry is to be told about a malformed key first."""
    bench.worker.receive(payload, retained=retained)
    await bench.result("a")
    await bench.heard("event", event_type="emergency_stopped", confirmed=True)
    assert "stop" in bench.driver.calls
    assert (await bench.call("pour"))["error_code"] == "emergency_stopped"


async def test_a_stop_that_cannot_even_be_answered_stops(bench: Bench) -> None:
    """Only its task could be read; who sent it sees the event."""
    with pytest.raises(wire.WireError, match="request_id 5"):
        bench.worker.receive(b'{"request_id": 5, "task": "emergency_stop"}')
    await bench.heard("event", event_type="emergency_stopped", confirmed=True)
    assert "stop" in bench.driver.calls


# At most once


async def test_the_same_command_twice_is_done_once_and_answered_twice(bench: Bench) -> None:
    """A client that lost the result asks again, and the tap does not move again."""
    first = await bench.call("choose_basin", {"basin": "right"}, request_id="abc")
    bench.send("choose_basin", {"basin": "right"}, request_id="abc")
    await bench.heard("result", replayed=True)
    assert bench.of("result") == [first, first | {"replayed": True}]
    assert bench.driver.calls.count("choose_basin right") == 1


async def test_a_refusal_is_final_for_its_id(bench: Bench) -> None:
    """What was refused an hour ago must not start now."""
    first = await bench.call("set_flow", {"flow": 99}, request_id="abc")
    bench.send("set_flow", {"flow": 99}, request_id="abc")
    await bench.heard("result", replayed=True)
    assert bench.of("result") == [first, first | {"replayed": True}]


async def test_the_same_id_with_other_content_is_a_conflict(bench: Bench) -> None:
    """One of the two senders made a mistake, and must hear of it."""
    await bench.call("choose_basin", {"basin": "right"}, request_id="abc")
    bench.send("choose_basin", {"basin": "left"}, request_id="abc")
    assert (await bench.heard("result", error_code="conflict"))["request_id"] == "abc"
    assert bench.driver.basin == "right"


async def test_a_repetition_of_what_runs_or_waits_is_dropped(bench: Bench) -> None:
    """The first one answers it."""
    for _ in range(2):
        bench.send("pour", request_id="runs")
        bench.send("choose_basin", {"basin": "right"}, request_id="waits")
    bench.driver.pours_go.set()
    await bench.result("waits")
    assert results(bench) == {"runs": 1, "waits": 1}
    assert bench.driver.pours == 1


# Expiry


async def test_an_expired_command_is_refused_with_both_clocks(bench: Bench) -> None:
    """A client that was offline delivers it minutes later."""
    result = await bench.call("pour", expires_at=NOW - 1)
    assert result["error_code"] == "expired"
    assert f"{NOW - 1:.0f}" in result["error"]
    assert f"{NOW:.0f}" in result["error"]
    assert bench.driver.pours == 0


async def test_a_command_that_expires_in_the_queue_is_not_started(bench: Bench) -> None:
    """It waited too long: the moment that it was meant for has passed."""
    bench.send("pour")
    waits = bench.send("choose_basin", {"basin": "right"}, expires_at=NOW + 10)
    bench.now += 11
    bench.driver.pours_go.set()
    assert (await bench.result(waits))["error_code"] == "expired"
    assert bench.driver.basin == "left"


async def test_an_expiry_far_ahead_is_refused_because_the_clocks_disagree(bench: Bench) -> None:
    """Such an expiry protects nobody."""
    assert (await bench.call("pour", expires_at=NOW + 3600))["error_code"] == "expired"


async def test_without_a_set_clock_motion_with_an_expiry_is_refused(bench: Bench) -> None:
    """A Raspberry Pi starts in the past; a lamp may be switched all the same."""
    bench.now = 1_000_000.0
    assert (await bench.call("pour", expires_at=NOW))["error_code"] == "expired"
    assert (await bench.call("set_light", {"on": True}, expires_at=NOW))["status"] == "success"


# Order


async def test_commands_run_one_at_a_time_in_the_order_in_which_they_came(bench: Bench) -> None:
    """First come, first served; who waits is told its place."""
    first = bench.send("pour")
    ids = [bench.send("choose_basin", {"basin": basin}) for basin in ("right", "left", "right")]
    assert bench.worker.queued == 3
    assert [one["message"] for one in bench.of("progress", status="accepted")] == [
        f"number {place} in the queue" for place in (1, 2, 3)
    ]
    bench.driver.pours_go.set()
    await bench.result(ids[-1])
    assert [one["request_id"] for one in bench.of("result")] == [first, *ids]
    basins = ["choose_basin right", "choose_basin left", "choose_basin right"]
    assert bench.driver.calls == ["open", "pour", *basins]


async def test_a_full_queue_says_busy_and_the_others_still_run(bench: Bench) -> None:
    """Bounded: a loop that runs wild does not fill the memory."""
    first = bench.send("pour")
    waiting = [bench.send("choose_basin", {"basin": "right"}) for _ in range(DEVICE.waiting)]
    assert (await bench.call("set_light", {"on": True}))["error_code"] == "busy"
    bench.driver.pours_go.set()
    await bench.result(waiting[-1])
    assert results(bench) == dict.fromkeys([first, *waiting, "c18"], 1)
    assert {bench.of("result", request_id=one)[0]["status"] for one in waiting} == {"success"}


async def test_reads_run_at_once_beside_a_task(bench: Bench) -> None:
    """Looking never waits for a move."""
    bench.send("pour")
    assert (await bench.call("look"))["result"] == {"water": 0.5}
    assert bench.of("result", task="pour") == []


async def test_what_stops_runs_at_once_beside_a_task(bench: Bench) -> None:
    """It would come too late behind what it is to end; and there is no too many."""
    pour, waits = bench.send("pour"), bench.send("rinse", {"seconds": 1})
    for _ in range(DEVICE.reads):
        bench.send("stare")
    assert (await bench.call("turn_off"))["status"] == "success"
    assert (await bench.result(pour))["result"] == "poured"
    assert (await bench.result(waits))["status"] == "success"
    bench.driver.go.set()


async def test_the_proof_of_a_stop_stands_in_the_state_however_slow_the_disk_is(tmp_path: Path) -> None:
    """It is told when it is there, and not with the next reading, which may be long after."""
    file = tmp_path / "stop.json"
    async with running_bench(Bench(file, poll=10 * WITHIN)) as bench:
        await bench.heard("state", readiness="ready")
        with stalled(file):
            bench.engage_lab()
            await bench.heard("event", event_type="emergency_stopped", confirmed=True)
            await bench.heard("state", emergency_stop=True, stop_confirmed=True)


async def test_nothing_stands_in_the_way_of_what_stops(bench: Bench) -> None:
    """Neither who has the device, nor a latch; both still stand in the way of what moves."""
    await bench.call("reserve", {"holder": "somebody", "seconds": 60})
    await bench.call("set_maintenance", {"on": True})
    bench.engage_lab()
    assert (await bench.call("turn_off"))["status"] == "success"
    assert bench.driver.calls[-1] == "turn_off"
    assert (await bench.call("pour"))["error_code"] == "emergency_stopped"


async def test_who_stops_something_is_told_of(bench: Bench) -> None:
    """What only reads leaves no event, this does."""
    await bench.call("turn_off")
    assert (await bench.heard("event", event_type="task_succeeded"))["task"] == "turn_off"


async def test_reads_are_bounded_too(bench: Bench) -> None:
    """Each holds a thread."""
    for _ in range(DEVICE.reads):
        bench.send("stare")
    assert (await bench.call("look"))["error_code"] == "busy"
    bench.driver.go.set()
    await bench.heard("result", task="stare")
    assert (await bench.call("look"))["status"] == "success"


async def test_a_read_that_hangs_is_answered_in_time(bench: Bench) -> None:
    """And its place is free again."""
    assert (await bench.call("stare", timeout=0.01))["error_code"] == "timeout"
    assert (await bench.call("look"))["status"] == "success"


# Time, cancel, pause


async def test_a_task_that_runs_out_of_time_brings_the_device_to_rest_and_then_answers(bench: Bench) -> None:
    """Whoever reads timeout may put a hand in."""
    fill = bench.send("fill", timeout=0.2)
    await bench.begun()
    result = await bench.result(fill)
    assert (result["error_code"], result["error"]) == ("timeout", "fill was not done within 0.2 s")
    assert bench.driver.calls == ["open", "fill", "tap closed: timeout"]
    assert (await bench.heard("state", readiness="ready"))["task"] is None


@pytest.mark.usefixtures("impatient")
async def test_a_driver_that_does_not_end_a_task_is_stopped_past_it(bench: Bench) -> None:
    """The answer goes out, but nothing else starts while the driver holds the instrument."""
    soak = bench.send("soak", timeout=0.2)
    await bench.begun()
    waits = bench.send("choose_basin", {"basin": "right"})
    assert (await bench.result(soak))["error_code"] == "timeout"
    assert bench.driver.calls == ["open", "soak", "stop"]
    assert bench.of("result", request_id=waits) == []
    bench.driver.go.set()
    assert (await bench.result(waits))["status"] == "success"
    assert results(bench) == {soak: 1, waits: 1}


async def test_a_timeout_counts_from_receipt_also_in_the_queue(bench: Bench) -> None:
    """Whoever said ten seconds is not to be surprised by a motion after a minute."""
    first = bench.send("fill")
    await bench.begun()
    waits = bench.send("fill", timeout=0.05)
    result = await bench.result(waits)
    assert (result["error_code"], bench.of("result", request_id=first)) == ("timeout", [])
    assert "did not come to its turn within 0.05 s" in result["error"]
    await bench.call("cancel")
    await bench.result(first)
    assert bench.driver.calls.count("fill") == 1


async def test_cancel_ends_a_running_task_in_an_orderly_way(bench: Bench) -> None:
    """The driver brings the device to rest itself; both the task and the cancel are answered."""
    fill = bench.send("fill")
    await bench.begun()
    cancel = await bench.call("cancel", {"request_id": fill})
    assert cancel["result"] == {"cancelled": fill}
    assert (await bench.result(fill))["error_code"] == "cancelled"
    assert bench.driver.calls == ["open", "fill", "tap closed: cancelled"]


async def test_cancel_cancels_a_coroutine(bench: Bench) -> None:
    """It need not ask whether it may go on."""
    pour = bench.send("pour")
    await bench.heard("state", task="pour")
    await bench.call("cancel")
    assert (await bench.result(pour))["error_code"] == "cancelled"
    assert bench.driver.cancelled_pours == 1


@pytest.mark.parametrize("task", ["fill", "pour", "soak"])
async def test_what_is_cancelled_before_it_began_never_begins(bench: Bench, task: str) -> None:
    """Command and cancel come in one packet; the driver must not be asked to move after it."""
    moves = bench.send(task)
    cancel = bench.send("cancel", {"request_id": moves})
    assert (await bench.result(moves))["error_code"] == "cancelled"
    assert (await bench.result(cancel))["status"] == "success"
    assert task not in bench.driver.calls


async def test_cancel_takes_a_waiting_command_out_of_the_queue(bench: Bench) -> None:
    """The one that runs goes on."""
    bench.send("pour")
    waits = bench.send("choose_basin", {"basin": "right"})
    assert (await bench.call("cancel", {"request_id": waits}))["result"] == {"cancelled": waits}
    assert (await bench.result(waits))["error_code"] == "cancelled"
    bench.driver.pours_go.set()
    assert (await bench.heard("result", task="pour"))["status"] == "success"
    assert bench.driver.basin == "left"


async def test_a_paused_task_holds_until_it_is_resumed(bench: Bench) -> None:
    """Somebody looks at it, and then it goes on."""
    fill = bench.send("fill")
    await bench.begun()
    assert (await bench.call("pause"))["result"] == {"paused": True, "request_id": fill}
    assert (await bench.heard("state", readiness="paused"))["readiness_reasons"] == ["fill is paused"]
    assert bench.of("progress", status="paused")[0]["request_id"] == fill
    assert (await bench.call("resume"))["result"] == {"paused": False, "request_id": fill}
    assert bench.of("state")[-1]["readiness"] == "busy"
    bench.driver.go.set()
    assert (await bench.result(fill))["status"] == "success"


async def test_progress_reaches_the_wire(bench: Bench) -> None:
    """From the driver's thread."""
    fill = bench.send("fill")
    told = await bench.heard("progress", status="progress")
    assert (told["request_id"], told["percent"], told["message"]) == (fill, 10, "water comes")
    assert bench.of("progress", status="running")[0]["request_id"] == fill


# The emergency stop


async def test_a_stop_during_a_task_stops_first_and_ends_it(bench: Bench) -> None:
    """With proof: when it was received and when the driver had stopped."""
    fill = bench.send("fill")
    await bench.begun()
    stop = await bench.call("emergency_stop", {"reason": "smoke"}, issued_by="a person")
    assert stop["result"]["confirmed"] is True
    assert (await bench.result(fill))["error_code"] == "emergency_stopped"
    proof = await bench.heard("event", event_type="emergency_stopped")
    assert (proof["confirmed"], proof["by"], proof["reason"]) == (True, "a person", "smoke")
    assert (proof["received_at"], proof["stopped_at"]) == (NOW, NOW)
    state = await bench.heard("state", readiness="emergency_stopped")
    assert state["readiness_reasons"][0] == "emergency stop engaged by a person (smoke)"
    assert "stop" in bench.driver.calls


async def test_a_stop_ends_what_waits_and_passes_a_full_queue(bench: Bench) -> None:
    """A stop never says busy."""
    bench.send("pour")
    waiting = [bench.send("choose_basin", {"basin": "right"}) for _ in range(DEVICE.waiting)]
    assert (await bench.call("emergency_stop"))["status"] == "success"
    assert {(await bench.result(one))["error_code"] for one in waiting} == {"emergency_stopped"}
    assert (await bench.heard("result", task="pour"))["error_code"] == "emergency_stopped"
    assert bench.worker.queued == 0
    assert bench.driver.basin == "left"
    assert set(results(bench).values()) == {1}


@pytest.mark.parametrize("task", ["fill", "pour", "soak"])
async def test_a_motion_that_came_with_the_stop_does_not_begin_after_it(bench: Bench, task: str) -> None:
    """Both are in one packet: the stop finds nothing that moves, and then nothing may move."""
    moves = bench.send(task)
    bench.send("emergency_stop")
    assert (await bench.result(moves))["error_code"] == "emergency_stopped"
    assert task not in bench.driver.calls


@pytest.mark.usefixtures("impatient")
async def test_a_stop_does_not_wait_for_a_driver_that_hangs(bench: Bench) -> None:
    """It has a thread of its own."""
    soak = bench.send("soak")
    await bench.begun()
    stop = await bench.call("emergency_stop")
    assert stop["result"]["confirmed"] is True
    assert bench.driver.calls[:3] == ["open", "soak", "stop"]
    assert (await bench.result(soak))["error_code"] == "emergency_stopped"


async def test_a_stop_is_obeyed_whatever_else_is_wrong_with_it(bench: Bench) -> None:
    """Expired, repeated, with a reason that is none, with the id of another command."""
    await bench.call("look", request_id="used")
    bench.send("emergency_stop", {"reason": 5}, request_id="abc", expires_at=NOW - 100)
    assert (await bench.result("abc"))["status"] == "success"
    bench.send("emergency_stop", {"reason": 5}, request_id="abc")
    await bench.heard("result", request_id="abc", replayed=True)
    bench.send("emergency_stop", request_id="used")
    await bench.heard("result", request_id="used", error_code="conflict")
    async with asyncio.timeout(WITHIN):
        while bench.driver.calls.count("stop") < 3:
            await bench.worker.instrument.read()


async def test_a_stopped_device_refuses_motion_and_lets_reads_and_settings_through(bench: Bench) -> None:
    """Until reset, which moves nothing."""
    await bench.call("emergency_stop")
    refused = await bench.call("pour")
    assert refused["error_code"] == "emergency_stopped"
    assert refused["error"].endswith("; reset it first")
    assert (await bench.call("look"))["status"] == "success"
    assert (await bench.call("set_light", {"on": True}))["status"] == "success"
    before = list(bench.driver.calls)
    assert (await bench.call("reset_emergency_stop"))["status"] == "success"
    assert bench.driver.calls == before
    assert bench.of("event", event_type="emergency_stop_reset")
    bench.driver.pours_go.set()
    assert (await bench.call("pour"))["status"] == "success"


async def test_a_stop_that_the_instrument_does_not_confirm_is_tried_again(bench: Bench) -> None:
    """And each of them is told: a person must know that it has not stopped yet."""
    bench.driver.refuses_stops = 1
    stop = await bench.call("emergency_stop")
    assert stop["result"]["confirmed"] is True
    proofs = bench.of("event", event_type="emergency_stopped")
    assert [(one["confirmed"], one.get("error")) for one in proofs] == [
        (False, "the tap is stuck"),
        (True, None),
    ]


@pytest.mark.usefixtures("impatient")
async def test_a_stop_that_is_not_confirmed_says_so(bench: Bench) -> None:
    """Latched all the same."""
    bench.driver.refuses_stops = 1000
    stop = await bench.call("emergency_stop")
    assert (stop["status"], stop["result"]["confirmed"]) == ("success", False)
    assert (await bench.call("pour"))["error_code"] == "emergency_stopped"


async def test_an_instrument_that_is_gone_confirms_no_stop_and_is_stopped_when_it_is_back(
    bench: Bench,
) -> None:
    """Before anybody may use it."""
    bench.driver.unplugged = True
    await bench.heard("state", readiness="unreachable")
    stop = await bench.call("emergency_stop")
    assert stop["result"]["confirmed"] is False
    bench.said.clear()
    bench.driver.calls.clear()
    bench.driver.unplugged = False
    await bench.heard("status", status="online")
    proof = bench.of("event", event_type="emergency_stopped", stop_id=stop["result"]["stop_id"])
    assert [one["confirmed"] for one in proof] == [True]
    assert bench.driver.calls[-2:] == ["open", "stop"]
    kinds = [one.kind for one in bench.said]
    assert kinds.index("event") < kinds.index("status")


async def test_reset_is_refused_while_the_lab_is_stopped(bench: Bench) -> None:
    """Two latches, and motion needs both released."""
    await bench.call("emergency_stop")
    bench.engage_lab()
    refused = await bench.call("reset_emergency_stop")
    assert refused["error_code"] == "emergency_stopped"
    assert "release the lab's stop first" in refused["error"]
    bench.release_lab()
    assert (await bench.call("pour"))["error_code"] == "emergency_stopped"  # its own still holds
    assert (await bench.call("reset_emergency_stop"))["status"] == "success"


async def test_the_labs_stop_ends_the_task_and_its_release_moves_nothing(bench: Bench) -> None:
    """Nothing goes on by itself."""
    fill = bench.send("fill")
    await bench.begun()
    bench.engage_lab()
    assert (await bench.result(fill))["error_code"] == "emergency_stopped"
    await bench.heard("event", event_type="emergency_stopped", stop_id="lab-1", confirmed=True)
    bench.release_lab()
    assert bench.of("state")[-1]["readiness"] == "ready"
    assert bench.driver.calls.count("fill") == 1


# The link to the instrument


async def test_an_instrument_that_is_unplugged_is_told_and_comes_back(bench: Bench) -> None:
    """Never restarted by hand."""
    bench.driver.unplugged = True
    await bench.heard("status", status="offline")
    state = await bench.heard("state", readiness="unreachable")
    assert state["readiness_reasons"] == ["nothing drips"]
    assert (state["connected"], state["temperature"]) == (False, None)
    refused = await bench.call("set_light", {"on": True})
    assert (refused["error_code"], refused["error"]) == (
        "device_unavailable",
        "the instrument does not answer: nothing drips",
    )
    assert (await bench.call("look"))["error_code"] == "device_unavailable"
    bench.said.clear()
    bench.driver.unplugged = False
    await bench.heard("status", status="online")
    assert (await bench.call("set_light", {"on": True}))["status"] == "success"


async def test_disconnect_stays_until_connect(bench: Bench) -> None:
    """Somebody wants the port for another program."""
    assert (await bench.call("disconnect"))["status"] == "success"
    state = await bench.heard("state", readiness="unreachable")
    assert state["readiness_reasons"] == ["disconnected by the task disconnect"]
    assert (await bench.call("look"))["error_code"] == "device_unavailable"
    assert bench.driver.calls == ["open", "close"]
    bench.said.clear()
    assert (await bench.call("connect"))["result"] == {"status": "connected"}
    await bench.heard("state", readiness="ready")
    assert (await bench.call("look"))["status"] == "success"


# The end


async def test_at_the_end_everything_is_answered_and_the_device_is_offline() -> None:
    """Interrupted, not forgotten; the driver is closed."""
    bench = Bench()
    async with running_bench(bench):
        await bench.heard("state", readiness="ready")
        fill = bench.send("fill")
        waits = bench.send("choose_basin", {"basin": "right"})
        await bench.begun()
        await bench.worker.close()
        codes = [bench.of("result", request_id=one)[0]["error_code"] for one in (fill, waits)]
        assert codes == ["interrupted", "interrupted"]
        assert bench.said[-1].kind == "status"
        assert bench.said[-1].message["status"] == "offline"
        assert bench.driver.calls[-1] == "close"
    assert results(bench) == {fill: 1, waits: 1}


async def test_a_device_stays_stopped_after_a_restart(tmp_path: Path) -> None:
    """A latch that a power cut releases is none."""
    file = tmp_path / "stop.json"
    async with running_bench(Bench(file)) as first:
        await first.heard("state", readiness="ready")
        await first.call("emergency_stop")
    async with running_bench(Bench(file)) as second:
        await second.heard("state", readiness="emergency_stopped")
        assert (await second.call("pour"))["error_code"] == "emergency_stopped"
        assert second.driver.calls[:2] == ["open", "stop"]
