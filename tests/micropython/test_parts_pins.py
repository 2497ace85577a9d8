"""Parts on pins, on a real MicroPython: what comes out of them stands in the simulated board's journal."""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

import pytest
from tests.micropython.rig import Script

from lab2mqtt.boards import firmware

Journal = list[dict[str, Any]]
Run = Callable[..., tuple[list[Any], Journal]]

LATE = 500  # ms that a busy machine may hold up a board, or its world
PINS = {"fan": 16, "tacho": 18, "motion": 4, "solenoid": 25, "player_tx": 17, "player_rx": 5}
BEGIN = """
import asyncio, json, os, time
from machine import ADC, PWM, UART, Pin, Timer
import wire

def tell(value):
    print("told", json.dumps(value))

def world(**values):
    with open("/sim/.world", "w") as file:
        json.dump(values, file)
    os.rename("/sim/.world", "/sim/world.json")

def refused(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except (ValueError, wire.WireError) as error:
        tell(str(error))
    else:
        tell("not refused")

async def refused_later(coroutine):
    try:
        await coroutine
    except (OSError, ValueError, wire.WireError) as error:
        tell(str(error))
    else:
        tell("not refused")

async def until(true, within=5000):
    began = time.ticks_ms()
    while not true():
        if time.ticks_diff(time.ticks_ms(), began) > within:
            raise RuntimeError("not within %d ms" % within)
        await asyncio.sleep_ms(5)
    return time.ticks_diff(time.ticks_ms(), began)

"""


@pytest.fixture
def run(micropython: Path, tmp_path: Path) -> Run:
    """Run a program on a board with all parts; gives what it told, and what its outputs did."""

    def run(program: str, *, code: int = 0) -> tuple[list[Any], Journal]:
        config = {"device_id": "bench", "broker": {"host": "127.0.0.1"}, "pins": PINS}
        script = Script(micropython, tmp_path, BEGIN + program, config=config, heap="2m")
        shutil.copytree(firmware() / "parts", script.flash / "parts")
        script.start()
        ended = script.wait(30)
        assert ended == code, script.said()
        told = [json.loads(line[5:]) for line in script.said().splitlines() if line.startswith("told ")]
        return told, script.journal()

    return run


def _of(journal: Journal, output: str) -> Journal:
    return [line for line in journal if line["output"] == output]


def _ms(before: dict[str, Any], after: dict[str, Any]) -> float:
    return float(after["at_us"] - before["at_us"]) / 1000


def test_a_voltage_is_the_mean_of_its_readings(run: Run) -> None:
    """Noise that cancels out does not show; what is past the scale stands at its end."""
    told, _ = run("""
from parts.voltage import Voltage

class Noisy(ADC):
    def read_u16(self):
        self.count = getattr(self, "count", -1) + 1
        return super().read_u16() + (300, -300, 100, -100)[self.count % 4]

world(voltage_26=1.65, voltage_27=9)
tell(Voltage(Noisy(26), samples=16).measure())
tell(Voltage(Noisy(26), "low", samples=16).read())
tell(Voltage(ADC(27)).measure())
""")
    (raw, volts), read, full = told
    assert raw in (32767, 32768)
    assert volts == pytest.approx(1.65, abs=1e-4)
    assert read == {"low": 1.65}
    assert full == [65535, pytest.approx(3.3)]


def test_a_led_says_what_its_pin_does(run: Run) -> None:
    """Switched, and safe."""
    told, journal = run("""
from parts.led import Led
led = Led(Pin("LED", Pin.OUT))
tell(led.switch(True))
tell(led.read())
led.safe()
tell(led.read())
""")
    assert told == [{"state": True}, {"led": True}, {"led": False}]
    assert [line["value"] for line in _of(journal, "pin_LED")] == [0, 1, 0]


def test_a_servo_gets_pulses_only_while_it_moves(run: Run) -> None:
    """1 to 2 ms at 50 Hz for 0 to 180°, for as long as the way takes; then none, and no angle is told."""
    told, journal = run("""
from parts.servo import Servo
servo = Servo(PWM(Pin(15), freq=50, duty_u16=0), travel=0.2)

async def main():
    for angle in (0, 90, 180):
        moving = asyncio.create_task(servo.move(angle))
        await asyncio.sleep_ms(50)
        tell(servo.read())
        await moving
        tell(servo.read())

asyncio.run(main())
""")
    released = {"servo_target": None}
    assert told == [
        {"servo_target": 0},
        released,
        {"servo_target": 90},
        released,
        {"servo_target": 180},
        released,
    ]
    pulses = _of(journal, "pin_15")
    assert [line["duty_ns"] for line in pulses] == [0, 1_000_000, 0, 1_500_000, 0, 2_000_000, 0]
    assert {line["freq"] for line in pulses} == {50}
    for began, ended in zip(pulses[1::2], pulses[2::2], strict=True):
        assert _ms(began, ended) >= 200


def test_a_servo_refuses_what_is_past_its_stops(run: Run) -> None:
    """Neither its settings nor a command; what holds it lets it go at a stop."""
    told, journal = run("""
from parts.servo import Servo
pwm = PWM(Pin(15), freq=50, duty_u16=0)
servo = Servo(pwm, pulse_min=600, pulse_max=2400, travel=0.01, hold=True)
for pulses in ((400, 2000), (1000, 2600), (2000, 1000)):
    refused(Servo, pwm, "bad", "Bad", *pulses)
refused(Servo, pwm, travel=0)

async def main():
    for angle in (-1, 180.5, float("nan")):
        await refused_later(servo.move(angle))
    await servo.move(180)
    tell(servo.read())
    servo.stop()
    tell(servo.read())

asyncio.run(main())
""")
    assert told[:4] == [
        "pulses of 400 to 2000 µs: it takes 500 to 2500 µs, the shorter first",
        "pulses of 1000 to 2600 µs: it takes 500 to 2500 µs, the shorter first",
        "pulses of 2000 to 1000 µs: it takes 500 to 2500 µs, the shorter first",
        "a travel of 0 s: it takes more than 0, up to 5 s",
    ]
    assert told[4:7] == [f"angle {angle} is not 0 to 180 °" for angle in ("-1", "180.5", "nan")]
    assert told[7:] == [{"servo_target": 180}, {"servo_target": None}]
    assert [line["duty_ns"] for line in _of(journal, "pin_15")] == [0, 2_400_000, 0]


def test_a_servo_is_released_in_the_middle(run: Run) -> None:
    """A move that is cut off gives no more pulses."""
    told, journal = run("""
from parts.servo import Servo
servo = Servo(PWM(Pin(15), freq=50, duty_u16=0), travel=5)

async def main():
    moving = asyncio.create_task(servo.move(180))
    await asyncio.sleep_ms(50)
    moving.cancel()
    try:
        await moving
    except asyncio.CancelledError:
        tell(servo.read())

asyncio.run(main())
""")
    assert told == [{"servo_target": None}]
    _, began, ended = _of(journal, "pin_15")
    assert ended["duty_ns"] == 0
    assert _ms(began, ended) < 1000


def test_a_fan_turns_and_a_stall_is_noticed(run: Run) -> None:
    """Two pulses a turn; its safe speed is not that of a stop."""
    told, journal = run("""
from parts.fan import Fan
fan = Fan(PWM(Pin(16), freq=25000, duty_u16=0), Pin(18, Pin.IN, Pin.PULL_UP), safe_speed=30)

async def main():
    tell(fan.read())
    tell(fan.set_speed(50))
    await asyncio.sleep_ms(500)
    fan.read()
    await asyncio.sleep_ms(1000)
    tell(fan.read())
    world(fan_stalled=True)
    await until(lambda: fan.read()["fan_stalled"])
    await asyncio.sleep_ms(500)
    tell(fan.read())
    fan.safe()
    tell(fan.speed())
    fan.stop()
    tell(fan.read()["fan_stalled"])
    refused(fan.set_speed, 101)
    refused(fan.set_speed, -1)
    refused(Fan, PWM(Pin(16)), Pin(18), safe_speed=101)

asyncio.run(main())
""")
    assert told[0] == {"fan_speed": 0, "fan_rpm": None, "fan_stalled": False}
    assert told[1] == {"speed": 50}
    assert told[2] == {"fan_speed": 50, "fan_rpm": pytest.approx(1500, rel=0.1), "fan_stalled": False}
    assert told[3] == {"fan_speed": 50, "fan_rpm": 0, "fan_stalled": True}
    assert told[4:6] == [30, False]
    assert told[6:] == [
        "speed 101 is not 0 to 100 %",
        "speed -1 is not 0 to 100 %",
        "safe_speed 101 is not 0 to 100 %",
    ]
    driven = _of(journal, "pin_16")
    assert {line["freq"] for line in driven} == {25000}
    assert [round(line["duty_ns"] / 400) for line in driven] == [0, 50, 30, 0]  # % of 40 µs


def test_a_relay_cannot_stay_on(run: Run) -> None:
    """Off by the timer; by a reading where that misses; by a stop. It rests in between."""
    told, journal = run("""
from parts.relay import Relay

class Misses(Timer):
    def init(self, **named):
        pass

async def main():
    relay = Relay(Pin(2, Pin.OUT), Timer(0), max_on=0.3, min_off=0.4)
    refused(relay.switch_on, 0.3)  # nobody knows when it was on before the power came
    await until(lambda: relay.rests() <= 0)
    refused(relay.switch_on, 0.31)
    refused(relay.switch_on, 0)
    relay.switch_on(0.2)
    refused(relay.switch_on, 0.1)
    await until(lambda: not relay._pin.value())  # no reading: this is the timer
    refused(relay.switch_on, 0.1)
    await until(lambda: relay.rests() <= 0)
    relay.switch_on(0.3)
    await asyncio.sleep_ms(20)
    relay.stop()
    tell(relay.read())

    other = Relay(Pin(3, Pin.OUT), Misses(1), "other", max_on=0.1, min_off=0)
    other.switch_on(0.1)
    tell(other.read())
    time.sleep_ms(150)
    tell(other.read())
    refused(Relay, Pin(3), Timer(0), max_on=0)
    refused(Relay, Pin(3), Timer(0), max_on=601)

asyncio.run(main())
""")
    rests, too_long, zero, on_already, rests_again, *reads, no_time, too_much = told
    assert too_long == "0.31 s is not more than 0 to 0.3 s"
    assert zero == "0 s is not more than 0 to 0.3 s"
    assert on_already == "it is on already"
    for refusal in (rests, rests_again):
        words, seconds = refusal.removesuffix(" s").rsplit(" ", 1)
        assert words == "it rests for another"
        assert 0.2 < float(seconds) <= 0.4
    assert reads == [{"relay": False}, {"other": True}, {"other": False}]
    for refusal in (no_time, too_much):
        assert refusal.endswith("it takes more than 0 to 600 s, 0 to 3600 s")
    off, on, timed, again, stopped = _of(journal, "pin_2")
    assert [line["value"] for line in (off, on, timed, again, stopped)] == [0, 1, 0, 1, 0]
    assert 195 <= _ms(on, timed) < 200 + LATE
    assert _ms(timed, again) >= 400
    assert 15 <= _ms(again, stopped) < 200


def test_motion_is_seen_once_it_is_warm_and_held(run: Run) -> None:
    """One event when it begins, and motion until some time after its last sign."""
    told, _ = run("""
from parts.motion import Motion
happened = []

async def main():
    motion = Motion(Pin(4, Pin.IN), happened.append, hold=0.2, warm_up=0.2)
    world(motion=True)
    tell(motion.read())
    await asyncio.sleep_ms(50)
    world(motion=False)
    await until(lambda: motion.read()["motion"] is not None)
    tell([motion.read(), motion.began(), happened])  # what it saw while it was cold does not count
    world(motion=True)
    await until(lambda: motion.read()["motion"])
    tell([motion.began(), motion.began(), happened])
    world(motion=False)
    await until(lambda: not Pin(4).value())
    await asyncio.sleep_ms(20)
    world(motion=True)
    await until(motion.began)  # another edge, while it still holds
    tell(happened)
    world(motion=False)
    await until(lambda: not Pin(4).value())
    motion.read()
    held = await until(lambda: not motion.read()["motion"])
    tell(held)

asyncio.run(main())
""")
    assert told[0] == {"motion": None}
    assert told[1] == [{"motion": False}, False, []]
    assert told[2] == [True, False, ["motion_detected"]]
    assert told[3] == ["motion_detected"]
    assert 150 <= told[4] < 1000


PIPETTE = """
from parts.pipette import Pipette
fast = {"flow": 3000, "flow_max": 12000}
pipette = Pipette(PWM(Pin(0), freq=50, duty_u16=0), capacity=3000, smallest=10, **fast)
"""


def test_a_pipette_moves_volumes_only_once_it_is_homed(run: Run) -> None:
    """Pulse by pulse to the exact place, and no volume that it has no room for or does not hold."""
    told, journal = run(
        PIPETTE
        + """
async def main():
    await refused_later(pipette.aspirate(600, 3000))
    tell(pipette.read())
    tell(await pipette.home())
    tell(await pipette.aspirate(600, 3000))
    await refused_later(pipette.aspirate(2500, 3000))
    await refused_later(pipette.dispense(601, 3000))
    await refused_later(pipette.dispense(9, 3000))
    tell(await pipette.dispense(200, 3000))
    tell(pipette.read())
    tell(await pipette.empty(3000))

asyncio.run(main())
"""
    )
    assert told == [
        "where the plunger is, is not known: home it first",
        {"volume": None, "homed": False},
        {"volume": 0},
        {"volume": 600},
        "volume 2500 µL: there is room for 2400 µL",
        "volume 601 µL: it holds 600 µL",
        "volume 9 µL is less than 10 µL",
        {"volume": 400},
        {"volume": 400, "homed": True},
        {"volume": 0},
    ]
    pulses = [line["duty_ns"] / 1000 for line in _of(journal, "pin_0")]
    assert pulses.pop(0) == 0
    assert all(pulse == 0 or 1100 <= pulse <= 1900 for pulse in pulses)
    homed, aspirated, dispensed, emptied = _moves(pulses)
    assert homed == [1900]  # no pulse that would draw something in
    assert emptied[-1] == 1900
    assert aspirated == sorted(aspirated, reverse=True)
    assert aspirated[-1] == 1900 - 800 * 600 / 3000
    assert dispensed == sorted(dispensed)
    assert dispensed[-1] == pytest.approx(1900 - 800 * 400 / 3000, abs=0.01)
    # 60 µL in each pulse: 16 µs of 800.
    assert aspirated[0] - aspirated[1] == pytest.approx(16, abs=0.01)


def _moves(pulses: list[float]) -> list[list[float]]:
    moves: list[list[float]] = [[]]
    for pulse in pulses:
        if pulse:
            moves[-1].append(pulse)
        else:
            moves.append([])
    return moves[:-1]


def test_a_pipette_that_was_stopped_must_be_homed(run: Run) -> None:
    """Nobody knows how far it came."""
    told, journal = run(
        PIPETTE
        + """
async def main():
    await pipette.home()
    moving = asyncio.create_task(pipette.aspirate(3000, 1000))
    await until(lambda: PWM.duty_u16(pipette._pwm) > 0)
    await asyncio.sleep_ms(100)
    pipette.stop()
    moving.cancel()
    try:
        await moving
    except asyncio.CancelledError:
        pass
    tell(pipette.read())
    await refused_later(pipette.dispense(100, 1000))

asyncio.run(main())
"""
    )
    assert told == [
        {"volume": None, "homed": False},
        "where the plunger is, is not known: home it first",
    ]
    assert _of(journal, "pin_0")[-1]["duty_ns"] == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("pulse_empty=2200", "a pulse of 2200 µs: it takes 900 to 2100 µs"),
        ("pulse_empty=1500, pulse_full=1450", "pulse_empty and pulse_full are 1500 and 1450 µs: too near"),
        (
            "flow=700",
            "flow 700, flow_max 600, smallest 10, capacity 3000: "  # noqa: ISC004
            "it takes 1 <= flow <= flow_max, 0 < smallest < capacity",
        ),
    ],
)
def test_a_pipette_refuses_a_bad_calibration(run: Run, wrong: str, words: str) -> None:
    """Before it gives a pulse."""
    told, journal = run(f"""
from parts.pipette import Pipette
pwm = PWM(Pin(0))
refused(Pipette, pwm, {wrong})
""")
    assert told == [words]
    assert journal == []


def test_a_player_says_what_it_does(run: Run) -> None:
    """Values are its own answers; silence and refusals are errors."""
    told, journal = run("""
from parts.player import Player
player = Player(UART(2, tx=Pin(17), rx=Pin(5)), tracks=9, track=1)

async def main():
    tell(await player.read())
    tell(await player.set_volume(12))
    await player.play(2)
    tell(await player.read())
    await player.silence()
    tell(await player.read())
    await refused_later(player.set_volume(31))
    await refused_later(player.play(7))
    player.begin()
    tell(await player.read())
    player.stop()
    world(player={"silent": True})
    await refused_later(player.read())

asyncio.run(main())
""")
    assert told == [
        {"music": "stopped", "music_volume": 25},
        {"volume": 12},
        {"music": "playing", "music_volume": 12},
        {"music": "stopped", "music_volume": 12},
        "volume 31 is not 0 to 30",
        "the player refuses: no such track",
        {"music": "playing", "music_volume": 12},
        "the player does not answer",
    ]
    assert [line["track"] for line in _of(journal, "player") if "track" in line] == [2, None, 1, None]


JUMPER = """
from parts.jumper import Jumper
from parts.motion import Motion
from parts.player import Player
from parts.relay import Relay

happened = []
forbidden = [""]
times = {"solenoid": 0.15, "action": 0.5, "lockout": 0.4}

def jumper():
    relay = Relay(Pin(25, Pin.OUT), Timer(0), "solenoid", max_on=1, min_off=0.1)
    motion = Motion(Pin(4, Pin.IN), hold=0.1, warm_up=0.3)
    player = Player(UART(2, tx=Pin(17), rx=Pin(5)))
    event = lambda kind, by: happened.append([kind, by])
    return Jumper(relay, motion, player, lambda: forbidden[0], event, **times)

def comes(true):
    world(motion=true, player={"seconds": 60})

async def state(jumper, word):
    return await until(lambda: jumper.read()["jumper"] == word)
"""


def test_the_jumper_jumps_once_for_who_comes_near(run: Run) -> None:
    """A whole cycle: solenoid and sound end by themselves, and the lockout sees nobody."""
    told, journal = run(
        JUMPER
        + """
async def main():
    it = jumper()
    comes(False)
    tell(it.state())
    refused(it.trigger)
    await state(it, "armed")
    comes(True)
    await state(it, "action")
    tell(it.read())
    refused(it.trigger)
    await state(it, "lockout")
    comes(False)
    comes(True)
    tell(await state(it, "armed"))
    comes(False)
    await asyncio.sleep_ms(200)
    tell([it.read(), happened])

asyncio.run(main())
"""
    )
    assert told[:2] == ["lockout", "it is not armed: it is lockout"]
    assert told[2] == {"jumper": "action", "forbidden_by": None, "triggers": 1, "solenoid": True}
    assert told[3] == "it is not armed: it is action"
    assert 300 <= told[4] < 800 + LATE
    last, happened = told[5]
    assert last == {"jumper": "armed", "forbidden_by": None, "triggers": 1, "solenoid": False}
    assert happened == [["action_began", "motion"], ["action_ended", "its time"]]
    off, on, released = _of(journal, "pin_25")
    assert [line["value"] for line in (off, on, released)] == [0, 1, 0]
    assert 145 <= _ms(on, released) < 150 + LATE
    began, ended = _of(journal, "player")
    assert (began["track"], ended["track"]) == (1, None)
    assert 495 <= _ms(began, ended) < 500 + LATE


def test_the_jumper_is_blocked_stopped_and_forbidden(run: Run) -> None:
    """Each ends the action at once; motion begins none where nothing may move."""
    told, journal = run(
        JUMPER
        + """
times["solenoid"] = 0.9
times["action"] = 5

async def main():
    it = jumper()
    comes(False)
    await state(it, "armed")
    tell(it.trigger())
    tell(it.block())
    refused(it.trigger)
    refused(it.arm)
    tell(it.unblock())
    tell(it.arm())
    await until(lambda: it._relay.rests() <= 0)
    it.trigger()
    await asyncio.sleep_ms(30)
    it.stop()
    tell(it.read())
    forbidden[0] = "the emergency stop is engaged"
    comes(True)
    await asyncio.sleep_ms(600)
    tell(it.read())
    comes(False)
    await until(lambda: not it._motion.read()["motion"])
    forbidden[0] = ""
    tell(it.read())
    tell(it.trigger())
    tell(it.stop_action())
    tell(it.reset())
    tell([it.read(), happened])

asyncio.run(main())
"""
    )
    assert told[:2] == [{"state": "action"}, {"state": "blocked"}]
    assert told[2:4] == ["it is not armed: it is blocked", "it cannot be armed: it is blocked"]
    assert told[4:6] == [{"state": "lockout"}, {"state": "armed"}]
    assert told[6] == {"jumper": "lockout", "forbidden_by": None, "triggers": 2, "solenoid": False}
    why = "the emergency stop is engaged"
    assert told[7] == {"jumper": "blocked", "forbidden_by": why, "triggers": 2, "solenoid": False}
    assert told[8] == {"jumper": "armed", "forbidden_by": None, "triggers": 2, "solenoid": False}
    assert told[9:12] == [{"state": "action"}, {"state": "lockout"}, {"state": "lockout"}]
    last, happened = told[12]
    assert last == {"jumper": "lockout", "forbidden_by": None, "triggers": 0, "solenoid": False}
    assert [by for _, by in happened] == ["a command"] * 3 + ["a stop"] + ["a command"] * 2
    pulses = _of(journal, "pin_25")
    assert [line["value"] for line in pulses] == [0, 1, 0, 1, 0, 1, 0]
    for on, off in zip(pulses[1::2], pulses[2::2], strict=True):
        assert _ms(on, off) < 200


def test_a_starved_watchdog_restarts_the_board(run: Run) -> None:
    """Fed, it stays; not fed, the process ends as by a reset."""
    told, journal = run(
        """
from machine import WDT, reset_cause, PWRON_RESET

async def main():
    tell(reset_cause() == PWRON_RESET)
    dog = WDT(timeout=1000)
    for _ in range(5):
        await asyncio.sleep_ms(300)
        dog.feed()
    tell("fed")
    await asyncio.sleep_ms(4000)
    tell("alive")

asyncio.run(main())
""",
        code=99,
    )
    assert told == [True, "fed"]
    assert [(line["output"], line["cause"]) for line in journal] == [("reset", 3)]
