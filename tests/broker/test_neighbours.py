"""One device asks another, over both brokers, on the same bridge and on another one."""

import asyncio
from collections.abc import Iterator
import time
from typing import Any

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer
from tests.broker.old_lab import OldLab

from lab2mqtt.core.errors import Unreachable
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.runtime.address import Broker as Address
from lab2mqtt.runtime.mqtt import Connection, Message
from lab2mqtt.runtime.neighbours import Neighbourhood

ASKER, NEAR, FAR = "cell", "near-sensor", "far-sensor"
WITHIN = 10.0  # s


@pytest.fixture(scope="module")
def lab(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldLab]:
    """Two bridges: the one that asks has a neighbour of its own."""
    made = OldLab(broker, tmp_path_factory.mktemp("neighbours"))
    try:
        made.add("bench-pi", cell={}, near_sensor={})
        made.add("other-pi", far_sensor={})
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("other", [NEAR, FAR])
def test_a_neighbour_does_what_it_is_asked_and_its_result_comes_back(lab: OldLab, other: str) -> None:
    """From the first question on: the answer to one that was sent too soon would be lost."""
    for name in ("Ada", "Bob"):
        answer = lab.ask(ASKER, other, "greet", {"name": name})
        assert answer["result"] == f"good day, {name}", answer


def test_what_is_asked_is_a_command_that_names_its_sender_and_ends(lab: OldLab) -> None:
    """As of any client: an id of its own, when it was sent, and for how long it is worth anything."""
    since, before = lab.seen.mark(), time.time()
    lab.ask(ASKER, FAR, "greet", {"name": "Ada"}, within=7.0)
    lab.ask(ASKER, FAR, "greet", {"name": "Ada"}, within=600.0)
    first, second = [heard.json for heard in lab.seen.heard(lab.topic(FAR, "command"), since)]
    assert first["request_id"] != second["request_id"]
    assert first["issued_by"] == ASKER
    assert first["timeout"] == 7
    assert int(before) <= first["timestamp"] <= time.time()
    assert 7 <= first["expires_at"] - before <= 7 + 2 + (time.time() - before)
    assert second["expires_at"] - time.time() < 150  # more than 300 s ahead is refused


@pytest.mark.parametrize("other", [NEAR, FAR])
def test_what_a_neighbour_refuses_is_refused_in_its_words(lab: OldLab, other: str) -> None:
    """With its code, so that who asked the first of the two learns what to do."""
    answer = lab.ask(ASKER, other, "greet", {"nane": "Ada"})
    assert answer["error_code"] == "invalid_parameters"
    assert f"{other}: " in answer["error"]
    assert "nane" in answer["error"]
    failed = lab.ask(ASKER, other, "mix_and_measure", {"R": 1, "Y": 1, "B": 1, "well": "H12"})
    assert (failed["error_code"], failed["error"]) == ("device_error", f"{other}: the tip fell off")


def test_who_does_not_answer_in_time_cannot_be_reached(lab: OldLab) -> None:
    """And that it may have done it all the same is said."""
    began = time.monotonic()
    answer = lab.ask(ASKER, "nobody", "greet", {"name": "Ada"}, within=0.5)
    assert 0.5 <= time.monotonic() - began < 5
    assert answer["error_code"] == "device_unavailable"
    assert "nobody did not answer greet within 0.5 s; whether it did that is not known" in answer["error"]


@pytest.mark.parametrize(
    ("other", "told"),
    [(ASKER, "cannot ask itself"), ("no/device", "is no device id"), ("+", "is no device id")],
)
def test_what_is_no_other_device_is_not_asked(lab: OldLab, other: str, told: str) -> None:
    """Nothing is sent."""
    since = lab.seen.mark()
    answer = lab.ask(ASKER, other, "greet", {"name": "Ada"})
    assert answer["error_code"] == "invalid_parameters"
    assert told in answer["error"]
    commands = [heard for heard in lab.seen.heard(since=since) if heard.topic.endswith("/command")]
    assert [heard.json["task"] for heard in commands] == ["ask"]


def test_many_questions_at_once_are_told_apart(lab: OldLab) -> None:
    """Each gets the answer to its own."""
    names = [f"{number}" for number in range(8)]
    asked = {
        name: lab.send(ASKER, "ask", device=FAR, task="greet", parameters={"name": name}, within=WITHIN)
        for name in names
    }
    told = {name: lab.result(ASKER, request_id).get("result") for name, request_id in asked.items()}
    assert told == {name: f"good day, {name}" for name in names}


@pytest.mark.parametrize("other", [NEAR, FAR])
def test_an_answer_is_heard_on_the_next_link_too(lab: OldLab, other: str) -> None:
    """The broker is lost between question and answer; and who asks anew is answered as well."""
    before = lab.seen.last(lab.topic(other, "state"))["asked"]
    asked = lab.send(ASKER, "ask", device=other, task="wait", parameters={}, within=40.0)
    lab.seen.wait(lab.topic(other, "state"), lambda state: state and state["asked"] > before)
    lab.lose_broker()
    assert lab.call(other, "go_on")["status"] == "success"
    assert lab.result(ASKER, asked).get("result") == "waited"
    assert lab.ask(ASKER, other, "greet", {"name": "Ada"}).get("result") == "good day, Ada"


async def test_without_a_link_nobody_is_asked_then_or_later(broker: Broker) -> None:
    """Nobody waits for it by the time that the link is there."""
    if broker.pid is None:
        broker.start()
    heard: list[Message] = []

    async def up(connection: Connection) -> None:
        await connection.listen([("unlinked/#", 1)])
        connection.publish("unlinked/end", "end")

    ended = asyncio.Event()

    def take(message: Message) -> None:
        heard.append(message)
        if message.topic == "unlinked/end":
            ended.set()

    connection = Connection(Address(LOOPBACK, broker.port), take, up)
    neighbours = Neighbourhood("unlinked", connection).of(ASKER)
    with pytest.raises(Unreachable, match="sensor cannot be asked for greet: no link to"):
        await neighbours.call("sensor", "greet", {}, WITHIN)
    link = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(WITHIN):
            await ended.wait()
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
    told = [message.topic for message in heard if not message.retained]  # amqtt tells what nobody asked for
    assert told == ["unlinked/end"]


async def test_what_is_no_result_or_somebody_elses_is_not_taken_for_ours(broker: Broker) -> None:
    """Only the device that was asked answers, with the id that it was asked with."""
    if broker.pid is None:
        broker.start()
    base = "doubtful"
    found: list[Any] = []

    def take(message: Message) -> None:
        if not message.retained:  # amqtt tells what nobody asked for
            found.append(neighbourhood.hear(message.topic, message.payload))

    async def up(connection: Connection) -> None:
        await connection.listen([("doubtful/other/result", 1)])

    connection = Connection(Address(LOOPBACK, broker.port), take, up)
    neighbourhood = Neighbourhood(base, connection)
    link = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(WITHIN):
            await connection.wait_up()
            with Observer(broker.port, f"{base}/#") as seen:
                asking = asyncio.create_task(neighbourhood.of(ASKER).call("sensor", "greet", {}, WITHIN))
                command = (await asyncio.to_thread(seen.wait, f"{base}/sensor/command")).json
                answer = {"request_id": command["request_id"], "status": "success", "result": "wrong"}
                seen.publish(f"{base}/other/result", answer)
                seen.publish(f"{base}/sensor/result", b"rubbish")
                seen.publish(f"{base}/sensor/result", answer | {"request_id": "another"})
                seen.publish(f"{base}/sensor/result", answer | {"result": "right"})
                seen.publish(f"{base}/sensor/result", answer | {"result": "late"})
                assert await asking == "right"
                await asyncio.to_thread(seen.barrier)
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
    assert found[:4] == [False, True, True, True]
