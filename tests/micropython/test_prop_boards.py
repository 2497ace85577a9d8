"""Boards of props, which speak the older dialect alone: what they say, do, refuse, and never do."""

from collections.abc import Callable, Iterator
import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from tests.broker.bench import ON_MOSQUITTO
from tests.broker.brokers import Broker
from tests.broker.observer import retained, until
from tests.micropython.conftest import MakeBoard
from tests.micropython.prop_rig import COFFIN, FOGGER, HEAP, SHAKER, Prop

SOLENOID, HEATER, PUMP, MOTOR = 25, 26, 27, 25  # pins
LATE = 0.6  # s that a busy machine may hold up a board or what it says
QUICK = {
    COFFIN: {
        "motion": {"warm_up": 0.3, "hold": 0.2},
        "relay": {"max_on": 1, "min_off": 0.1},
        "jumper": {"solenoid": 0.3, "action": 0.6, "lockout": 1.2},
    },
    FOGGER: {"pump": {"max_on": 10, "min_off": 0}},
    SHAKER: {},
}
ALWAYS = {"fw", "uptime_s", "rssi"}
KEYS = {
    COFFIN: {
        *("triggers", "pir", "relay", "relay_pin_state", "blocked", "vol"),
        *("solenoid_pin_state", "solenoid_power"),
    },
    FOGGER: {"heater", "warm", "fog"},
    SHAKER: {"shaking", "intensity", "shakes"},
}

Up = Callable[..., Prop]


@pytest.fixture
def up(broker: Broker, make_board: MakeBoard) -> Iterator[Up]:
    """Start the board of a prop, with quick times and more settings; gives it with its observer."""
    with contextlib.ExitStack() as stack:

        def start(node: Path, **settings: Any) -> Prop:  # noqa: ANN401 - JSON
            config = {"keepalive": 5, "settings": QUICK[node] | settings}
            board = make_board(broker, node=node, config=config, heap=HEAP)
            prop = Prop(board, settings.get("prefix", "halloween"))
            stack.callback(prop.close)
            return prop.start()

        yield start


@pytest.mark.parametrize("node", QUICK, ids=lambda node: node.parent.name)
def test_it_comes_and_goes(up: Up, broker: Broker, node: Path) -> None:
    """What it says, which of it is kept, and its will."""
    prop = up(node)
    assert prop.telemetry().keys() == KEYS[node] | ALWAYS
    assert prop.telemetry()["fw"]
    kept = retained(broker.port, prop.topic("#"))
    assert kept[prop.topic("availability")] == b"online"
    assert kept.keys() == {prop.topic("availability"), prop.topic("state")}
    since = prop.seen.mark()
    prop.seen.publish(prop.topic("availability"), "offline", retain=True)  # a late will of its last link
    prop.hear("availability", "online", since)
    since = prop.seen.mark()
    prop.board.kill()
    prop.hear("availability", "offline", since)
    assert "Traceback" not in prop.board.said()


@ON_MOSQUITTO
def test_it_tells_how_it_is_every_five_seconds(up: Up) -> None:
    """Also where nothing changes."""
    prop = up(SHAKER)
    topic = prop.topic("telemetry")
    until(lambda: len(prop.seen.heard(topic)) > 1, "two telemetries", within=10)
    first, second = prop.seen.heard(topic)[:2]
    assert 4.9 < second.at - first.at < 5 + LATE
    assert second.json["uptime_s"] - first.json["uptime_s"] == 5


def test_the_coffin_jumps_for_who_comes_near(up: Up) -> None:
    """It is armed → action → lockout → armed; whoever stands there is not seen twice."""
    prop = up(COFFIN)
    assert prop.seen.heard(prop.topic("state"))[0].payload == b"booting"
    prop.state("armed")
    since = prop.seen.mark()
    prop.board.control(motion=True)
    began = prop.state("action", since)
    prop.telemetry(since, pir=True, relay=True, relay_pin_state=1, solenoid_power=True, triggers=1)
    locked = prop.state("lockout", since)
    armed = prop.state("armed", since)
    assert 0.5 < locked.at - began.at < 0.6 + LATE
    assert 1.1 < armed.at - locked.at < 1.2 + LATE
    prop.board.control(motion=False)
    prop.telemetry(since, pir=False, relay=False, solenoid_pin_state=0, triggers=1)
    assert prop.levels(SOLENOID) == [0, 1, 0]
    assert _longest_on(prop) < 0.3 + LATE


def _longest_on(prop: Prop) -> float:
    """In s."""
    line = prop.line(SOLENOID)
    return max((off["at_us"] - on["at_us"]) / 1e6 for on, off in itertools.pairwise(line) if on["value"])


def test_the_coffin_says_why_it_does_not_jump(up: Up) -> None:
    """In the lockout, in an action, while it is blocked."""
    prop = up(COFFIN)
    prop.state("armed")
    since = prop.do("trigger", "action")
    prop.refused("trigger", "trigger refused: it is not armed: it is action")
    prop.refused("arm", "arm refused: it cannot be armed: it is action")
    prop.state("lockout", since)
    prop.refused("trigger", "it is not armed: it is lockout")
    prop.do({"action": "arm"}, "armed")
    since = prop.do("block", "blocked")
    prop.telemetry(since, blocked=True)
    prop.refused({"action": "trigger", "params": {"volume": 20}}, "it is not armed: it is blocked")
    prop.board.control(motion=True)
    prop.telemetry(since, pir=True)
    prop.board.control(motion=False)
    since = prop.do("unblock", "armed")
    prop.telemetry(since, blocked=False)
    prop.do("trigger", "action")
    prop.do("stop_action", "lockout")
    prop.telemetry(since, triggers=2)
    since = prop.do("block", "blocked")
    prop.do("reset", "lockout")
    prop.telemetry(since, triggers=0, blocked=False)
    assert prop.levels(SOLENOID) == [0, 1, 0, 1, 0]


def test_the_coffin_plays_its_music(up: Up) -> None:
    """Each command that the first firmware knew, with what its player does."""
    prop = up(COFFIN)
    since = prop.command({"action": "play_music", "params": {"volume": 12, "track": 2}})
    prop.telemetry(since, vol=12)
    _player(prop, track=2, volume=12)
    prop.command("pause_music")
    _player(prop, paused=True)
    prop.command("resume_music")
    _player(prop, paused=False, track=2)
    prop.command("stop_music")
    _player(prop, track=None)
    since = prop.command("set_volume 30")
    prop.telemetry(since, vol=30)
    prop.refused("set_volume 31", "set_volume refused: volume 31 is out of range: a whole number, 0 to 30")
    prop.refused("play_music 2 7", "2 values; it takes track, volume, by name")
    prop.refused({"action": "play_music", "args": {"track": 9}}, "track 9 is out of range")


def _player(prop: Prop, **wanted: object) -> None:
    def plays() -> bool:
        told = prop.board.outputs().get("player", {})
        return all(told.get(key) == value for key, value in wanted.items())

    until(plays, f"the player has {wanted}", more=lambda: str(prop.board.outputs()))


@ON_MOSQUITTO
def test_a_silent_player_keeps_no_solenoid_on(up: Up) -> None:
    """The first firmware waited for the player's word that it had ended."""
    prop = up(COFFIN)
    prop.state("armed")
    since = prop.seen.mark()
    prop.board.world(player={"silent": True})
    prop.hear("status/error", "player: the player does not answer", since)
    prop.telemetry(since, vol=None)
    prop.refused("set_volume 3", "set_volume failed: the player does not answer", kind="error")
    since = prop.do("trigger", "action")
    prop.state("lockout", since)
    assert prop.levels(SOLENOID) == [0, 1, 0]
    assert _longest_on(prop) < 1
    since = prop.seen.mark()
    prop.board.world(player={})
    prop.telemetry(since, vol=25)


def test_the_fogger_heats_and_fogs(up: Up) -> None:
    """Only while it is warm, for a bounded time, and it goes cold by itself."""
    prop = up(FOGGER, heater={"max_on": 3, "min_off": 0})
    prop.state("cold")
    prop.refused("fog", "fog refused: it is cold: heat_on first")
    since = prop.do("heat_on", "heating")
    prop.telemetry(since, heater=True, warm=False, fog=False)
    prop.refused("fog 2", "it heats: wait until it is ready")
    prop.board.control(warm=True)
    prop.state("ready", since)
    prop.refused("fog 11", "fog refused: seconds 11 is out of range: a number, 0.1 to 10 s")
    since = prop.do({"action": "fog", "args": {"seconds": 0.8}}, "fogging")
    prop.telemetry(since, heater=True, warm=True, fog=True)
    prop.refused("fog", "it is on already")
    prop.state("ready", since)
    on, off = prop.line(PUMP)[1:3]
    assert 0.75 < (off["at_us"] - on["at_us"]) / 1e6 < 0.8 + LATE
    prop.telemetry(since, heater=False, within=6)
    begins, ends = prop.line(HEATER)[1:3]
    lasted = (ends["at_us"] - begins["at_us"]) / 1e6
    assert lasted > 3, "fog makes it last"
    assert 2.9 < (ends["at_us"] - on["at_us"]) / 1e6 < 3 + LATE
    prop.board.control(warm=False)
    prop.state("cold", since)


@ON_MOSQUITTO
def test_the_fogger_warms_up_by_itself(up: Up) -> None:
    """As a real one does, unless its thermostat is broken; what becomes cold fogs no more."""
    prop = up(FOGGER)
    prop.board.fault("thermostat")
    since = prop.do("heat_on", "heating")
    prop.board.fault("thermostat", on=False)
    prop.state("ready", since, within=8)
    since = prop.do("fog 9", "fogging")
    prop.board.fault("thermostat")
    prop.state("heating", since)
    assert prop.levels(PUMP) == [0, 1, 0]
    prop.board.fault("thermostat", on=False)
    prop.do("heat_off", "ready")
    assert prop.levels(HEATER) == [0, 1, 0]
    since = prop.do("fog 9", "fogging")
    prop.command("heat_on")
    prop.telemetry(since, heater=True)
    since = prop.command("stop_action")
    prop.telemetry(since, heater=False, fog=False)


def test_the_shaker_rests_as_long_as_it_shook(up: Up) -> None:
    """What is too long is refused with the limit; the motor is off when its time is over."""
    prop = up(SHAKER)
    prop.refused("shake 15.5", "shake refused: seconds 15.5 is out of range: a number, 0.1 to 15 s")
    prop.refused("shake 1 0", "intensity 0 is out of range: a whole number, 1 to 100 %")
    prop.refused("shake 1 50 3", "3 values; it takes intensity, seconds, by name")
    since = prop.do("shake 1 40", "shaking")
    prop.telemetry(since, shaking=True, intensity=40, shakes=1)
    prop.refused("shake", "it shakes already")
    rests = prop.state("resting", since)
    text = prop.refused("shake", "shake refused: it rests for another", "as long as it shook")
    assert 0 < float(text.split("another ")[1].split(" s")[0]) <= 1
    idle = prop.state("idle", since)
    assert 0.8 < idle.at - rests.at < 1 + LATE
    prop.telemetry(since, shaking=False, intensity=0, shakes=1)
    _, on, off = prop.line(MOTOR)
    assert 0.95 < (off["at_us"] - on["at_us"]) / 1e6 < 1 + LATE
    assert (on["duty_ns"], off["duty_ns"]) == (400_000, 0)
    prop.do("shake", "shaking")
    prop.do("stop_action", "idle")
    assert prop.line(MOTOR)[-1]["duty_ns"] == 0


@ON_MOSQUITTO
@pytest.mark.parametrize(
    "spoken",
    [
        "shake 9 30",
        " shake\t9   30\n",
        {"action": "shake", "args": {"seconds": 9, "intensity": 30}},
        {"action": "shake", "params": {"seconds": "9", "intensity": "30"}},
        {"action": "shake", "args": [9, 30]},
        {"action": "shake", "args": "9 30"},
        {"action": "shake", "args": '{"seconds": 9, "intensity": 30}'},
        {"action": "shake", "args": None, "params": {"seconds": 9, "intensity": 30, "more": None}},
    ],
    ids=str,
)
def test_a_command_is_read_as_it_is_spoken(shared_shaker: Prop, spoken: object) -> None:
    """Text and JSON, ``args`` and ``params``, by name and by place."""
    prop = shared_shaker
    since = prop.command(spoken)
    prop.telemetry(since, shaking=True, intensity=30)
    prop.command("stop_action")
    prop.state("idle", since)


@pytest.fixture
def shared_shaker(up: Up) -> Prop:
    """A grave shaker that does nothing."""
    return up(SHAKER)


GARBAGE = [
    b"\xff\xfe",
    b"{",
    b'{"action": 5}',
    b'{"action": ""}',
    b'{"args": 1}',
    b'{"action": "' + b"x" * 65 + b'"}',
    b'{"action": "shake", "args": {"seconds": {}}}',
    b'{"action": "shake", "args": {"seconds": 1e999}}',
    b'{"action": "shake", "args": ' + b"[" * 400 + b"]" * 400 + b"}",
    b'{"action": "shake", "args": {"second": 1}}',
    b"[]",
    b"   ",
    b"shake nan",
    b"frobnicate",
    b'"shake"',
    b"shake " + b"9" * 4000,
    b"shake " + b"x" * 300_000,
]


def test_nonsense_is_refused_and_harms_nothing(up: Up) -> None:
    """Every one with a warning; the board goes on as it was."""
    prop = up(SHAKER)
    for payload in GARBAGE:
        since = prop.command(payload)
        warning = prop.hear("status/warn", "", since).payload.decode()
        assert warning, payload
    prop.refused("frobnicate", "no such action; there are emergency_stop, reset_emergency_stop, shake")
    assert len(prop.line(MOTOR)) == 1, "it did not move"
    prop.do("shake 0.5", "shaking")
    truth = prop.board.truth()
    assert (truth["starts"], truth["ended"]) == (1, None)
    assert "MemoryError" not in prop.board.said()


def test_a_retained_command_is_refused_and_cleared(up: Up, broker: Broker) -> None:
    """It came from who knows when; after the next start nobody finds it."""
    prop = up(SHAKER)
    prop.board.stop()
    prop.seen.publish(prop.topic("cmd"), "shake 9", retain=True)
    since = prop.seen.mark()
    prop.board.start()
    text = prop.hear("status/warn", "", since, within=15).payload.decode()
    assert text == "shake refused: commands must not be retained; this one has been cleared"
    until(lambda: not retained(broker.port, prop.topic("cmd")), "it is cleared")
    prop.state("idle", since)
    assert all(one["duty_ns"] == 0 for one in prop.line(MOTOR))
    prop.do("shake 0.5", "shaking")


@ON_MOSQUITTO
def test_it_listens_below_its_prefix(up: Up) -> None:
    """A setting of the node."""
    prop = up(SHAKER, prefix="haunted/house")
    prop.do(json.dumps({"action": "shake"}), "shaking")
