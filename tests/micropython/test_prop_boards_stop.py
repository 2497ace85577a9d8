"""What stops the board of a prop: the lab, a command, a lost broker; and what outlives its power."""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import signal
import time
from typing import Any

import pytest
from tests.broker.brokers import Amqtt, Broker
from tests.broker.observer import Observer, until
from tests.micropython.conftest import MakeBoard
from tests.micropython.prop_rig import COFFIN, FOGGER, HEAP, LAB_STOP, SHAKER, Prop
from tests.micropython.test_prop_boards import MOTOR, PUMP, QUICK, SOLENOID

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.mosquitto import Mosquitto

SAFE_AFTER = 2.0  # s
STOP = {"engaged": True, "stop_id": "s-1", "by": "panel", "reason": "smoke"}
RELEASE = {"engaged": False, "stop_id": "s-1"}
STOPPED_WITHIN = 0.3  # s, from the word on the broker to the pin


@pytest.fixture(params=["mosquitto", "amqtt"])
def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, on which the lab may be stopped, and which may be killed."""
    if request.param == "amqtt":
        made = Amqtt(tmp_path)
        made.start()
        yield made
        if made.pid:
            made.stop()
    else:
        with Mosquitto(mosquitto.find_or_unpack(print)) as running:
            yield running


on_mosquitto = pytest.mark.parametrize("own_broker", ["mosquitto"], indirect=True)


@contextlib.contextmanager
def running(broker: Broker, make_board: MakeBoard, node: Path, **settings: Any) -> Iterator[Prop]:  # noqa: ANN401
    """A prop's board that is online."""
    board = make_board(
        broker, node=node, config={"keepalive": 5, "settings": QUICK[node] | settings}, heap=HEAP
    )
    prop = Prop(board)
    with contextlib.closing(prop):
        yield prop.start()


def long_fog(prop: Prop) -> int:
    """Let it fog for as long as it can; gives the place in the record before."""
    prop.board.control(warm=True)
    prop.state("ready")
    prop.command("heat_on")
    return prop.do("fog 10", "fogging")


def off_at(prop: Prop, pin: int) -> float:
    """When a pin went low last, in s since 1970."""
    last = prop.line(pin)[-1]
    assert not last.get("value", last.get("duty_ns")), last
    return float(last["at_us"]) / 1e6


def test_the_labs_stop_reaches_every_output(own_broker: Broker, make_board: MakeBoard) -> None:
    """At once, for as long as it is engaged, over a loss of power; its release moves nothing."""
    long = {"jumper": {"solenoid": 0.9, "action": 9, "lockout": 0.3}}
    with contextlib.ExitStack() as stack:
        coffin, fogger, shaker = (
            stack.enter_context(running(own_broker, make_board, node, **more))
            for node, more in ((COFFIN, long), (FOGGER, {}), (SHAKER, {}))
        )
        props = {coffin: (SOLENOID,), fogger: (26, PUMP), shaker: (MOTOR,)}
        coffin.state("armed")
        long_fog(fogger)
        shaker.do("shake 15", "shaking")
        coffin.do("trigger", "action")
        since = {prop: prop.seen.mark() for prop in props}
        said = time.time()
        coffin.seen.publish(LAB_STOP, STOP, retain=True)
        for prop, pins in props.items():
            prop.state("stopped", since[prop])
            for pin in pins:
                assert off_at(prop, pin) - said < STOPPED_WITHIN
        coffin.refused("trigger", "trigger refused: emergency stop engaged by panel (smoke); reset it first")
        fogger.refused("heat_on", "emergency stop engaged by panel (smoke)")
        shaker.refused("shake", "emergency stop engaged by panel (smoke)")
        shaker.refused("reset_emergency_stop", "release the lab's stop first")
        mark = coffin.seen.mark()
        coffin.board.control(motion=True)
        coffin.telemetry(mark, pir=True)
        lines = {prop: len(prop.board.journal()) for prop in props}
        assert not coffin.line(SOLENOID)[-1]["value"]
        for prop in props:
            mark = prop.seen.mark()
            prop.board.power_cycle()
            prop.hear("availability", "offline", mark)
            prop.state("stopped", mark, within=15)
        coffin.seen.publish(LAB_STOP, RELEASE, retain=True)
        coffin.hear("state", lambda word: word in ("armed", "booting"), mark)
        for prop, pins in props.items():
            new = prop.board.journal()[lines[prop] :]
            moved = [one for one in new if one["output"] in {f"pin_{pin}" for pin in pins}]
            assert not [one for one in moved if one.get("value") or one.get("duty_ns")]
        shaker.state("idle", since[shaker])
        shaker.do("shake 0.3", "shaking")


@on_mosquitto
def test_a_stop_that_nobody_retains_is_kept(own_broker: Broker, make_board: MakeBoard) -> None:
    """A broker that comes back empty is told of it, by a board that starts anew."""
    with running(own_broker, make_board, SHAKER) as prop:
        prop.seen.publish(LAB_STOP, STOP, retain=True)
        prop.state("stopped")
        own_broker.kill()
        prop.board.power_cycle()
        own_broker.start()
        with Observer(own_broker.port, LAB_STOP) as seen:
            told = seen.wait(LAB_STOP, lambda told: told["engaged"], within=15).json
            assert told["stop_id"] == "s-1"


def test_its_own_stop_is_latched(own_broker: Broker, make_board: MakeBoard) -> None:
    """However badly it is said; until it is reset, over a loss of power."""
    with running(own_broker, make_board, SHAKER) as prop:
        for payload in (
            "emergency_stop",
            {"action": "emergency_stop", "args": "arm caught"},
            b"{emergency_stop",
        ):
            prop.do("shake 15", "shaking")
            said = time.time()
            prop.do(payload, "stopped")
            assert off_at(prop, MOTOR) - said < STOPPED_WITHIN
            prop.refused("shake", "shake refused: emergency stop engaged (", "; reset it first")
            prop.do("reset_emergency_stop", "idle")
        prop.do("emergency_stop", "stopped")
        since = prop.seen.mark()
        prop.board.power_cycle()
        prop.state("stopped", since, within=15)
        prop.refused("shake", "emergency stop engaged")
        prop.do({"action": "reset_emergency_stop"}, "idle")
        prop.do("shake 0.3", "shaking")


@pytest.mark.parametrize("lost", [signal.SIGSTOP, signal.SIGKILL], ids=["hangs", "dies"])
def test_a_lost_broker_brings_the_outputs_to_rest(
    own_broker: Broker, make_board: MakeBoard, lost: signal.Signals
) -> None:
    """Two seconds after its last sign; and it is back within three when the broker is."""
    with running(own_broker, make_board, FOGGER) as prop:
        long_fog(prop)
        assert own_broker.pid
        gone = time.time()
        if lost == signal.SIGSTOP:
            os.kill(own_broker.pid, signal.SIGSTOP)
        else:
            own_broker.kill()
        for pin in (PUMP, 26):
            until(lambda pin=pin: prop.levels(pin)[-1] == 0, "it is off", within=SAFE_AFTER + 1)
            assert SAFE_AFTER - 1 < off_at(prop, pin) - gone < SAFE_AFTER + 0.5
        since = prop.seen.mark()
        if lost == signal.SIGSTOP:
            os.kill(own_broker.pid, signal.SIGCONT)
            prop.state("ready", since)
        else:
            own_broker.start()
            began = time.monotonic()
            prop.close()
            with contextlib.closing(Prop(prop.board)) as again:
                again.until_online()
                assert time.monotonic() - began < 3
                again.do("fog 0.3", "fogging")
        assert prop.levels(26)[-1] == 0, "what was switched off stays off"


@on_mosquitto
def test_the_coffin_lies_still_without_a_link(own_broker: Broker, make_board: MakeBoard) -> None:
    """Nobody could stop it: motion begins nothing until the link is back."""
    with running(own_broker, make_board, COFFIN) as prop:
        prop.state("armed")
        since = prop.seen.mark()
        prop.board.fault("wifi_off")
        prop.hear("availability", "offline", since, within=15)
        prop.board.control(motion=True)
        prop.board.fault("wifi_off", on=False)
        prop.until_online(since)
        prop.telemetry(since, pir=True, triggers=0)
        assert prop.levels(SOLENOID) == [0]


@on_mosquitto
def test_a_loss_of_power_ends_all(own_broker: Broker, make_board: MakeBoard) -> None:
    """It comes back at rest, and counts from 0."""
    with running(own_broker, make_board, SHAKER) as prop:
        since = prop.do("shake 15", "shaking")
        prop.telemetry(since, shakes=1)
        since = prop.seen.mark()
        prop.board.power_cycle()
        prop.hear("availability", "offline", since)
        prop.state("idle", since, within=15)
        prop.telemetry(since, shakes=0, shaking=False)
        assert prop.line(MOTOR)[-1]["duty_ns"] == 0
