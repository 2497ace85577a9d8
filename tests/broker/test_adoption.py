"""Boards that speak for themselves: one bridge announces them, whatever comes and goes."""

from collections.abc import Iterator
import json
from pathlib import Path
import time

import pytest
from tests.broker.adopting_lab import WITHIN, AdoptingLab
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.played_board import PlayedBoard
from tests.broker.program import Program


@pytest.fixture
def lab(broker: Broker, tmp_path: Path) -> Iterator[AdoptingLab]:
    """A lab without anything."""
    if broker.pid is None:
        broker.start()
    made = AdoptingLab(broker, tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_a_board_is_announced_whichever_comes_first(lab: AdoptingLab) -> None:
    """From its description alone; its availability is its own word."""
    lab.board("first").start()
    lab.bridge()
    lab.board("second", area="Cold room").start()
    for device_id in ("first", "second"):
        told = lab.until_announced(device_id)
        lamp = told["components"]["lamp"]
        assert lamp["command_topic"] == f"{lab.base}/{device_id}/command"
        assert [one["topic"] for one in lamp["availability"]] == [f"{lab.base}/{device_id}/status"]
    assert told["device"]["suggested_area"] == "Cold room"
    assert lab.until_health(adopted=2, refused={})["devices"] == 0


def test_a_board_of_another_base_is_announced_with_that(lab: AdoptingLab) -> None:
    """One of ours whose base is that of the older dialect; the same id under both is two devices."""
    lab.bridge()
    lab.board().start()
    lab.board(base=lab.prefix).start()
    for base in (lab.base, lab.prefix):
        told = lab.until_announced(base=base)
        assert told["components"]["lamp"]["state_topic"] == f"{base}/pico-1/state"
        assert told["device"]["identifiers"] == [f"{base}_pico-1"]
    lab.until_health(adopted=2)


def test_changes_are_announced_and_what_is_gone_is_removed(lab: AdoptingLab) -> None:
    """An entity that is gone is told to the hub by its platform alone, also after a restart of the bridge."""
    bridge = lab.bridge()
    board = lab.board().start()
    lab.until_announced()
    since = lab.seen.mark()
    board.describe(name="Renamed")
    assert lab.until_announced(since=since)["device"]["name"] == "Renamed"
    bridge.kill()
    lab.start(bridge)
    since = lab.seen.mark()
    board.describe(entities={key: one for key, one in board.description["entities"].items() if key != "lamp"})
    lab.seen.wait(
        lab.announcement(),
        lambda told: told and told["components"]["lamp"] == {"platform": "switch"},
        since=since,
        within=WITHIN,
    )


def test_a_hub_that_is_born_is_told_of_boards(lab: AdoptingLab) -> None:
    """As of all devices."""
    lab.bridge()
    lab.board().start()
    lab.until_announced()
    since = lab.seen.mark()
    lab.seen.publish(f"{lab.discovery}/status", "online")
    lab.until_announced(since=since)


def test_a_restart_of_the_bridge_withdraws_nothing(lab: AdoptingLab) -> None:
    """The hub would forget what people have changed there: not even for a moment."""
    board = lab.board().start()
    bridge = lab.bridge()
    lab.until_announced()
    board.switch_off()
    bridge.terminate()
    since = lab.seen.mark()
    lab.start(bridge)
    lab.until_health(adopted=1)
    assert all(one.payload for one in lab.seen.heard(lab.announcement(), since))
    assert lab.announcement() in lab.kept()


@pytest.mark.parametrize("running", [True, False], ids=["running", "away"])
def test_a_board_whose_description_is_cleared_is_withdrawn(lab: AdoptingLab, *, running: bool) -> None:
    """At once, or when the bridge is back; its other words are its own."""
    board = lab.board().start()
    bridge = lab.bridge()
    lab.until_announced()
    lab.until_health(adopted=1)
    if not running:
        bridge.terminate()
    lab.seen.publish(board.topic("description"), "", retain=True)
    lab.seen.barrier()
    since = lab.seen.mark()
    if not running:
        lab.start(bridge)
    topic = lab.announcement()
    until(lambda: topic not in lab.kept(), "it is withdrawn", within=WITHIN, more=bridge.said)
    assert {board.topic("status"), board.topic("state")} <= lab.kept().keys()
    lab.until_health(adopted=0)
    since = lab.seen.mark()
    board.describe()
    lab.until_announced(since=since)


def test_a_broker_that_comes_back_empty_does_not_tell_that_a_board_is_gone(lab: AdoptingLab) -> None:
    """A board that is switched off just then is not forgotten by the hub."""
    board = lab.board().start()
    bridge = lab.bridge()
    lab.until_announced()
    board.switch_off()
    bridge.terminate()
    lab.broker.kill()
    lab.broker.start()
    lab.observe_anew()
    lab.start(bridge)
    other = lab.board("other").start()
    lab.until_announced("other")
    assert lab.seen.heard(lab.announcement()) == []
    board.start()
    lab.until_announced()
    # From now on the broker remembers: what is cleared is gone.
    bridge.terminate()
    lab.seen.publish(other.topic("description"), "", retain=True)
    lab.seen.barrier()
    lab.start(bridge)
    until(lambda: lab.announcement("other") not in lab.kept(), "it is withdrawn", within=WITHIN)
    assert lab.announcement() in lab.kept()


def test_what_cannot_be_announced_is_told_with_the_reason(lab: AdoptingLab) -> None:
    """In the health, and once in the log; what was announced before stays, until it is said well again."""
    bridge = lab.bridge()
    board = lab.board().start()
    lab.until_announced()
    lamp = board.description["entities"]["lamp"]
    board.describe(entities={"lamp": {**lamp, "platform": "knob"}})
    told = lab.until_health(adopted=1)
    until(lambda: lab.until_health()["refused"], "it is told", within=WITHIN)
    why = lab.until_health()["refused"]["pico-1"]
    assert why.startswith("entities.lamp.platform 'knob' is not one of")
    assert lab.announcement() in lab.kept()
    lab.board(base=lab.prefix, name="").start()
    until(lambda: len(lab.until_health()["refused"]) == 2, "both are told", within=WITHIN)
    assert lab.until_health()["refused"][f"{lab.prefix}/pico-1"].startswith("name ''")
    assert bridge.said().count("knob") == 1
    board.describe(entities={"lamp": lamp})
    until(lambda: "pico-1" not in lab.until_health()["refused"], "it is mended", within=WITHIN)
    assert told["refused"] in ({}, {"pico-1": why})


def test_what_a_bridge_or_the_device_announces_is_not_touched(lab: AdoptingLab) -> None:
    """Its announcement is on the same topic, and its."""
    lab.seen.publish(lab.announcement("theirs"), {"their": "own"}, retain=True)
    lab.bridge()
    board = lab.board("theirs", bridge="bench").start()
    lab.board("own", announced_by="own").start()
    lab.board("last").start()
    lab.until_announced("last")
    kept = lab.kept()
    assert json.loads(kept[lab.announcement("theirs")]) == {"their": "own"}
    assert lab.announcement("own") not in kept
    # A board that comes under a bridge is announced by that from then on.
    since = lab.seen.mark()
    board.describe(bridge=None)
    lab.until_announced("theirs", since)
    since = lab.seen.mark()
    board.describe(bridge="bench")
    lab.until_health(adopted=1)
    lab.seen.publish(board.topic("description"), "", retain=True)
    lab.board("very-last").start()
    lab.until_announced("very-last", since)
    assert lab.seen.heard(lab.announcement("theirs"), since) == []


def test_exactly_one_of_several_adopts(lab: AdoptingLab) -> None:
    """The one that does it for longest; the next takes over when it is killed, and nothing is withdrawn."""
    first = lab.bridge("b-first")
    board = lab.board().start()
    lab.until_announced()
    since = lab.seen.mark()
    until(lambda: _second_passed(lab, "b-first"), "another second has begun", within=WITHIN)
    second = lab.bridge("a-second")
    lab.until_health("a-second", adopter="b-first", adopted=0)
    assert "adopter" not in lab.until_health("b-first", adopted=1)
    board.describe(name="Renamed")
    lab.until_announced(since=since)
    lab.seen.barrier()
    assert len(lab.seen.heard(lab.announcement(), since)) == 1
    since = lab.seen.mark()
    first.kill()
    lab.until_announced(since=since)
    assert "adopter" not in lab.until_health("a-second", adopted=1)
    since = lab.seen.mark()
    lab.start(first, "b-first")  # it begins anew, behind the other
    lab.until_health("b-first", adopter="a-second", adopted=0)
    lab.seen.publish(board.topic("description"), "", retain=True)
    until(lambda: lab.announcement() not in lab.kept(), "it is withdrawn", within=WITHIN)
    assert all(not one.payload for one in lab.seen.heard(lab.announcement(), since))
    assert second.pid


def _second_passed(lab: AdoptingLab, bridge: str) -> bool:
    return time.time() >= lab.seen.last(lab.status(bridge))["adopts"] + 1


def test_the_clients_use_a_board_as_any_device(lab: AdoptingLab) -> None:
    """List it, call it, watch it, stop it, forget it."""
    lab.bridge()
    board = lab.board().start()
    lab.until_announced()
    (row,) = json.loads(lab.run("devices", "--json").out).values()
    assert (row["device"], row["readiness"], row["bridge"]) == ("pico-1", "ready", None)
    assert "pico-1" in lab.run("devices").out
    said = lab.run("call", "pico-1", "set_lamp", "on=true")
    assert said.code == 0, said.err
    assert board.lamp is True
    assert (
        json.loads(lab.run("call", "pico-1", "get_device_status", "--json").out)["platform"] == "micropython"
    )
    assert "unknown_task" in lab.run("call", "pico-1", "fly").err
    said = lab.run("forget", "pico-1", "--discovery", lab.discovery)
    assert said.code == 2
    assert "first switch it off" in said.err

    said = lab.run("stop", "--reason", "to see")
    assert said.code == 0, said.err
    assert "pico-1 stopped within" in said.err
    assert board.stopped
    (row,) = json.loads(lab.run("devices", "--json").out).values()
    assert row["readiness"] == "emergency_stopped"

    board.switch_off()
    lab.seen.wait(board.topic("status"), lambda told: told and told["status"] == "offline", within=WITHIN)
    said = lab.run("forget", "pico-1", "--discovery", lab.discovery)
    assert said.code == 0, said.err
    assert not [topic for topic in lab.kept() if "pico-1" in topic]
    lab.until_health(adopted=0)
    since = lab.seen.mark()
    lab.seen.publish(f"{lab.discovery}/status", "online")
    board.start()
    lab.until_announced(since=since)


def test_a_watch_shows_what_a_board_says(lab: AdoptingLab, tmp_path: Path) -> None:
    """As of any device."""
    board = lab.board().start()
    where = ["--broker", f"mqtt://127.0.0.1:{lab.broker.port}", "--base", lab.base]
    watch = Program(["watch", "--json", *where], tmp_path / "watch.log")
    watch.start()
    try:
        until(lambda: _says_and_shows(board, watch), "it is shown", within=WITHIN, every=0.2)
    finally:
        watch.terminate()
    assert '"from": "pico-1"' in watch.said()


def _says_and_shows(board: PlayedBoard, watch: Program) -> bool:
    board.say_state()
    return '"kind": "state"' in watch.said()
