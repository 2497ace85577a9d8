"""A device kept for one holder: from scripts and the command line, over both brokers, through every loss."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
from datetime import datetime
import json
from pathlib import Path
import re
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from tests.broker.bench import DEVICE, ON_MOSQUITTO, ONE_BROKER, SLOW, Bench
from tests.broker.observer import until
from tests.broker.test_demo import Demo

from lab2mqtt import client
from lab2mqtt.client import Lab, RemoteDevice, SyncLab
from lab2mqtt.client.errors import error_of
from lab2mqtt.core.house import RESERVATION_ENDED, TAKEN_OVER

ROOT = Path(__file__).parents[2]
SHORT = 3.0  # s; renewed every second


@pytest.fixture
def bench(bench: Bench) -> Iterator[Bench]:
    """A bench whose device nobody has, before and after."""
    _free(bench)
    yield bench
    if bench.broker.pid and bench.bridge.pid:
        _free(bench)


def _free(bench: Bench) -> None:
    bench.call("set_maintenance", {"on": False})
    bench.call("reserve", {"holder": "the test", "seconds": 60, "reason": "tidy up"})
    bench.call("release", {"holder": "the test"})
    bench.wait_for(bench.topic("state"), lambda state: state["reserved_by"] is None)


@pytest.fixture
async def lab(bench: Bench) -> AsyncIterator[Lab]:
    """A client of the bench."""
    async with Lab(_url(bench), base=bench.base) as found:
        yield found


@pytest.fixture
async def other(bench: Bench) -> AsyncIterator[RemoteDevice]:
    """The device, as a client sees it that has no reservation."""
    async with Lab(_url(bench), base=bench.base) as found:
        yield found[DEVICE]


def _url(bench: Bench) -> str:
    return f"mqtt://127.0.0.1:{bench.broker.port}"


def _reservers(bench: Bench, since: int = 0) -> list[str]:
    """The ids of the commands ``reserve`` that were answered."""
    told = [heard.json for heard in bench.seen.heard(bench.topic("result"), since)]
    return [one["request_id"] for one in told if one["task"] == "reserve" and one["status"] == "success"]


def _take(bench: Bench, holder: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Take the device for another holder; gives the result."""
    told = bench.call("reserve", {"holder": holder, "seconds": 60, **more})
    assert told["status"] == "success", told
    found: dict[str, Any] = told["result"]
    return found


# The client.


async def test_only_the_holder_moves_the_device_and_the_end_gives_it_back(
    lab: Lab, other: RemoteDevice
) -> None:
    """Through the view, and not through the device itself, in the same program either."""
    async with lab[DEVICE].reserved("colour-loop", reason="to see") as resort:
        assert (await resort.activate_hotel(hotel="B"))["result"] == "reached"
        assert resort.state["reserved_by"] == "colour-loop"
        for device in (lab[DEVICE], other):
            with pytest.raises(client.Reserved, match=r"'colour-loop' until 2\d{3}-.*to see") as caught:
                await device.activate_hotel(hotel="A")
            assert caught.value.error_code == "reserved"
            assert (await device.get_position())["active_hotel"] == "B"
        assert (await other.call("activate_hotel", {"hotel": "B"}, reservation="colour-loop"))["hotel"] == "B"
    await other.activate_hotel(hotel="B")
    assert other.state["reserved_by"] is None


async def test_an_error_in_the_body_gives_it_back(lab: Lab, other: RemoteDevice) -> None:
    """And comes through as it was."""
    with pytest.raises(ZeroDivisionError):
        async with lab[DEVICE].reserved("colour-loop"):
            raise ZeroDivisionError
    await other.set_speed(speed=SLOW)


async def test_who_comes_second_is_told_who_is_first_and_until_when(lab: Lab, other: RemoteDevice) -> None:
    """Also under the same name: it may be the same script, started twice. What is there goes on."""
    async with lab[DEVICE].reserved("first") as resort:
        for name in ("second", "first"):
            with pytest.raises(client.Reserved, match=r"reserved by 'first' until 2\d{3}-.*reason"):
                async with other.reserved(name):
                    raise AssertionError("it was let in")
        await resort.set_speed(speed=SLOW)


@ON_MOSQUITTO  # amqtt drops one of two that come in the same moment
async def test_of_two_of_a_name_in_the_same_moment_one_gets_it(bench: Bench) -> None:
    """Neither sees the other before it asks; the order of the answers decides."""
    got: list[int] = []
    refused: list[str] = []
    at_once, all_tried = asyncio.Barrier(3), asyncio.Barrier(3)

    async def try_it(number: int) -> None:
        async with Lab(_url(bench), base=bench.base) as one:
            await at_once.wait()
            try:
                async with one[DEVICE].reserved("colour-loop") as resort:
                    got.append(number)
                    await all_tried.wait()
                    await resort.set_speed(speed=SLOW)
            except client.Reserved as error:
                refused.append(str(error))
                await all_tried.wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in (1, 2, 3):
            group.create_task(try_it(number))
    assert len(got) == 1
    assert len(refused) == 2
    assert "'colour-loop'" in refused[0]


async def test_it_is_renewed_for_as_long_as_the_script_lives(bench: Bench, lab: Lab) -> None:
    """Each third of its time, so that it is there much longer than that."""
    since = bench.seen.mark()
    began = time.monotonic()
    async with lab[DEVICE].reserved("colour-loop", seconds=1.5) as resort:
        await asyncio.to_thread(until, lambda: len(_reservers(bench, since)) > 6, "it is renewed")
        assert 2.5 <= time.monotonic() - began < 5
        await resort.set_speed(speed=SLOW)
        states = [heard.json["reserved_by"] for heard in bench.seen.heard(bench.topic("state"), since)]
        assert states
        assert set(states) == {"colour-loop"}


async def test_what_was_taken_over_is_not_taken_back(bench: Bench, lab: Lab) -> None:
    """The next call raises, the renewal ends, and leaving the context does nothing to the other one."""
    async with lab[DEVICE].reserved("colour-loop", seconds=SHORT) as resort:
        await resort.set_speed(speed=SLOW)
        taken = await asyncio.to_thread(_take, bench, "ada", reason="urgent")
        assert taken["taken_from"] == "colour-loop"
        since = bench.seen.mark()
        with pytest.raises(client.Reserved, match=r"'ada' until 2\d{3}-.*\(urgent\)") as caught:
            await resort.set_speed(speed=SLOW)
        assert caught.value.error_code == "reserved"
        assert (await resort.get_position())["moving"] is False
        # Past the time of a renewal, it has not asked again.
        ended = await asyncio.to_thread(_take, bench, "ada")
        await asyncio.sleep(SHORT / 2)
        assert len(_reservers(bench, since)) == 1
    await asyncio.to_thread(bench.seen.barrier)
    assert bench.seen.last(bench.topic("state"))["reserved_by"] == "ada"
    assert ended["holder"] == "ada"
    told = [heard.json for heard in bench.seen.heard(bench.topic("event"))]
    (event,) = [one for one in told if one["event_type"] == TAKEN_OVER and one["taken_from"] == "colour-loop"]
    assert (event["holder"], event["reason"]) == ("ada", "urgent")


async def test_what_was_taken_over_and_given_back_is_not_taken_back_either(bench: Bench, lab: Lab) -> None:
    """Somebody else has used the device meanwhile: nothing is as the script left it."""
    async with lab[DEVICE].reserved("colour-loop", seconds=SHORT) as resort:
        await asyncio.to_thread(_take, bench, "ada", reason="urgent")
        await asyncio.to_thread(bench.call, "release", {"holder": "ada"})
        with pytest.raises(client.Reserved, match=r"taken over: reserved by 'ada'"):
            await resort.set_speed(speed=SLOW)
        with pytest.raises(client.Reserved):
            await resort.call("resume")
        await resort.call("emergency_stop")
        await resort.call("reset_emergency_stop")
    await lab[DEVICE].set_speed(speed=SLOW)


async def test_a_reason_takes_over_also_from_a_namesake(lab: Lab, other: RemoteDevice) -> None:
    """The first of them notices, and does not end the second's."""
    async with (
        lab[DEVICE].reserved("colour-loop") as first,
        other.reserved("colour-loop", reason="the first one hangs") as second,
    ):
        with pytest.raises(client.Reserved, match="'colour-loop' has been ended"):
            await first.set_speed(speed=SLOW)
        await second.set_speed(speed=SLOW)
        async with other.reserved("ada", reason="urgent") as third:
            await third.set_speed(speed=SLOW)
        with pytest.raises(client.Reserved, match="ada"):
            await second.set_speed(speed=SLOW)


async def test_a_restart_of_the_bridge_keeps_it(bench: Bench, lab: Lab, other: RemoteDevice) -> None:
    """Killed, not told: who has the device is in a file before the holder hears of it."""
    async with lab[DEVICE].reserved("colour-loop", seconds=60) as resort:
        await asyncio.to_thread(bench.bridge.kill)
        await lab.wait_until(lambda one: not one[DEVICE].reachable)
        since = bench.seen.mark()
        await asyncio.to_thread(bench.bridge.start)
        await asyncio.to_thread(bench.until_online, since)
        await lab.wait_until(lambda one: one[DEVICE].reachable)
        await _reachable(other)
        with pytest.raises(client.Reserved, match="'colour-loop'"):
            await other.set_speed(speed=SLOW)
        await resort.set_speed(speed=SLOW)
    assert bench.call("set_speed", {"speed": SLOW})["status"] == "success"


async def _reachable(device: RemoteDevice) -> None:
    await device._lab.wait_until(lambda _: device.reachable, 15)


async def test_a_broker_that_was_away_for_a_while_does_not_end_it(bench: Bench, lab: Lab) -> None:
    """Nor does the silence of renewals meanwhile: the device counts by itself."""
    async with lab[DEVICE].reserved("colour-loop", seconds=30) as resort:
        await asyncio.to_thread(bench.broker.kill)
        since = bench.seen.mark()
        await asyncio.to_thread(bench.broker.start)
        await asyncio.to_thread(bench.until_online, since)
        await _reachable(resort)
        await asyncio.wait_for(_works(resort), 15)
        assert resort.state["reserved_by"] == "colour-loop"


async def _works(device: RemoteDevice) -> None:
    while True:
        with contextlib.suppress(client.BrokerError, client.NoAnswer, client.DeviceUnavailable):
            await device.call("set_speed", {"speed": SLOW})
            return
        await asyncio.sleep(0.05)


async def test_a_bridge_that_was_away_for_too_long_ends_it(bench: Bench, lab: Lab) -> None:
    """It is not taken anew behind the script's back."""
    async with lab[DEVICE].reserved("colour-loop", seconds=1.5) as resort:
        await asyncio.to_thread(bench.bridge.kill)
        await asyncio.sleep(1.6)
        with pytest.raises(client.Reserved, match=r"could not be renewed for 1\.5 s"):
            await resort.set_speed(speed=SLOW)
        since = bench.seen.mark()
        await asyncio.to_thread(bench.bridge.start)
        await asyncio.to_thread(bench.until_ready, since)
        await lab.wait_until(lambda one: one[DEVICE].reachable)
        with pytest.raises(client.Reserved):
            await resort.set_speed(speed=SLOW)
    assert bench.seen.last(bench.topic("state"))["reserved_by"] is None


async def test_waiting_for_it_can_be_given_up(bench: Bench, lab: Lab) -> None:
    """Whoever gives up before the answer leaves no reservation behind."""
    bench.bridge.hang()
    taking = asyncio.create_task(_hold(lab[DEVICE]))
    await asyncio.sleep(0.1)
    taking.cancel()
    await asyncio.sleep(0.1)
    bench.bridge.hang(hangs=False)
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert (await asyncio.to_thread(bench.call, "set_speed", {"speed": SLOW}))["status"] == "success"


async def _hold(device: RemoteDevice) -> None:
    async with device.reserved("colour-loop"):
        raise AssertionError("nobody answered")


@pytest.mark.parametrize("seconds", [0, 0.5, 86_401, -1])
async def test_a_time_that_cannot_be_is_refused(lab: Lab, seconds: float) -> None:
    """By the device, with what would be right."""
    with pytest.raises(client.InvalidParameters, match="seconds"):
        async with lab[DEVICE].reserved("colour-loop", seconds=seconds):
            raise AssertionError("it was let in")


def test_the_same_without_async(bench: Bench) -> None:
    """With ``with``, and with the same end."""
    with SyncLab(_url(bench), base=bench.base) as lab:
        with lab[DEVICE].reserved("colour-loop") as resort:
            resort.set_speed(speed=SLOW)
            with pytest.raises(client.Reserved, match="colour-loop"):
                lab[DEVICE].set_speed(speed=SLOW)
            assert lab[DEVICE].call("set_speed", {"speed": SLOW}, reservation="colour-loop")
            with (
                pytest.raises(client.Reserved, match="another program"),
                lab[DEVICE].reserved("colour-loop"),
            ):
                raise AssertionError("it was let in")
        with pytest.raises(ZeroDivisionError), lab[DEVICE].reserved("colour-loop"):
            raise ZeroDivisionError
        lab[DEVICE].set_speed(speed=SLOW)


SCRIPT = """
import asyncio, sys
from lab2mqtt.client import Lab

async def main(broker, base):
    async with Lab(broker, base=base) as lab, lab["plate-resort"].reserved("colour-loop", seconds=3):
        print("reserved", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def script(bench: Bench) -> Iterator[subprocess.Popen[str]]:
    """A script that has the device."""
    command = [sys.executable, "-c", SCRIPT, _url(bench), bench.base]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "reserved\n"
        yield process
        process.kill()


def test_a_script_that_is_killed_leaves_the_device_to_others(
    bench: Bench, script: subprocess.Popen[str]
) -> None:
    """Within the seconds that it had asked for, and with an event that says so."""
    since = bench.seen.mark()
    # It lives longer than its three seconds.
    until(lambda: len(_reservers(bench, since)) > 3, "it is renewed")
    since = bench.seen.mark()
    script.kill()
    killed = time.monotonic()
    assert bench.call("set_speed", {"speed": SLOW})["error_code"] == "reserved"
    bench.seen.wait(
        bench.topic("event"), lambda told: told["event_type"] == RESERVATION_ENDED, since=since, within=4
    )
    assert time.monotonic() - killed < SHORT + 0.5
    assert bench.call("set_speed", {"speed": SLOW})["status"] == "success"


def test_ctrl_c_gives_it_back_at_once(bench: Bench, script: subprocess.Popen[str]) -> None:
    """Not only in time."""
    script.send_signal(signal.SIGINT)
    script.wait(5)
    assert bench.call("set_speed", {"speed": SLOW})["status"] == "success"


def test_each_refusal_has_its_own_type() -> None:
    """All of them a NotNow, for who does not care."""
    for code, kind in (
        ("reserved", client.Reserved),
        ("interlocked", client.Interlocked),
        ("maintenance", client.InMaintenance),
    ):
        error = error_of({"error_code": code, "error": "no"})
        assert type(error) is kind
        assert isinstance(error, client.NotNow)
        assert error.error_code == code


# The command line.


def test_reserve_call_release(bench: Bench) -> None:
    """Who has it, and until when, is told to everybody; a reason takes it over, in words."""
    said = bench.run("reserve", DEVICE, "colour-loop", "--seconds", "600", "--reason", "dose series")
    assert said.code == 0, said.err
    shown = re.fullmatch(rf"{DEVICE} is reserved by colour-loop until (.*)\n", said.out)
    assert shown, said.out
    ends = datetime.strptime(shown[1], "%Y-%m-%d %H:%M:%S %z").timestamp()
    assert abs(ends - time.time() - 600) < 10
    assert "reserved by 'colour-loop' until" in bench.run("devices").out

    refused = bench.run("call", DEVICE, "set_speed", f"speed={SLOW}")
    assert refused.code == 1
    assert "reserved: reserved by 'colour-loop' until" in refused.err
    assert "dose series" in refused.err
    said = bench.run("call", DEVICE, "set_speed", f"speed={SLOW}", "--reservation", "colour-loop")
    assert said.code == 0, said.err

    refused = bench.run("reserve", DEVICE, "ada")
    assert refused.code == 1
    assert "reserved by 'colour-loop' until" in refused.err
    refused = bench.run("release", DEVICE, "ada")
    assert refused.code == 1
    assert "'colour-loop'" in refused.err
    said = bench.run("reserve", DEVICE, "ada", "--reason", "urgent", "--json")
    assert json.loads(said.out)["taken_from"] == "colour-loop"
    assert "taken over from ada" in bench.run("reserve", DEVICE, "bob", "--reason", "me").out

    assert bench.run("release", DEVICE, "bob").out == f"{DEVICE} is free\n"
    assert bench.run("release", DEVICE, "bob").out == f"{DEVICE} was not reserved\n"
    assert bench.run("call", DEVICE, "set_speed", f"speed={SLOW}").code == 0


def test_reads_and_stops_pass_a_reservation_and_resume_does_not(bench: Bench) -> None:
    """Nothing stands in the way of a stop."""
    bench.call("set_speed", {"speed": SLOW})
    _take(bench, "colour-loop")
    bench.start_long_move(reservation="colour-loop")
    assert bench.run("call", DEVICE, "get_position").code == 0
    assert bench.run("pause", DEVICE).code == 0
    refused = bench.run("resume", DEVICE)
    assert refused.code == 1
    assert "'colour-loop'" in refused.err
    assert bench.run("resume", DEVICE, "--reservation", "colour-loop").code == 0
    assert bench.run("cancel", DEVICE).code == 0
    bench.start_long_move(reservation="colour-loop")
    assert bench.run("stop", DEVICE).code == 0
    bench.servo.until_still()
    said = bench.run("reset", DEVICE)
    assert said.code == 0, said.err


def test_maintenance_refuses_work_and_lets_reads_through(bench: Bench) -> None:
    """By whom, since when and why; a reservation is no way round."""
    _take(bench, "colour-loop")
    said = bench.run("maintenance", DEVICE, "on", "--reason", "new belt")
    assert said.code == 0, said.err
    assert said.out.startswith(f"{DEVICE} is in maintenance")
    refused = bench.run("call", DEVICE, "set_speed", f"speed={SLOW}", "--reservation", "colour-loop")
    assert refused.code == 1
    assert refused.err.startswith("maintenance: in maintenance by ")
    assert "new belt" in refused.err
    assert "maintenance (in maintenance by " in bench.run("devices").out
    assert bench.run("call", DEVICE, "get_position").code == 0
    bench.bridge.kill()
    since = bench.seen.mark()
    bench.bridge.start()
    bench.until_online(since)
    bench.wait_for(bench.topic("state"), lambda state: state["readiness"] == "maintenance", since)
    said = bench.run("maintenance", DEVICE, "off")
    assert said.out == f"{DEVICE} is not in maintenance any more\n"
    assert bench.call("set_speed", {"speed": SLOW}, reservation="colour-loop")["status"] == "success"
    assert bench.run("maintenance", DEVICE, "maybe").code == 2


def test_a_reset_tells_what_to_look_at(bench: Bench) -> None:
    """Of one device, and of each device of the lab."""
    for stop, reset in ((["stop", DEVICE], ["reset", DEVICE]), (["stop"], ["reset"])):
        assert bench.run(*stop).code == 0
        said = bench.run(*reset)
        assert said.code == 0, said.err
        (line,) = [line for line in said.out.splitlines() if line.startswith(f"{DEVICE}: ")]
        assert "look" in line
        bench.until_ready()
        assert bench.run(*stop).code == 0
        told = json.loads(bench.run(*reset, "--json").out)
        told = told["devices"][DEVICE] if "devices" in told else told
        assert told["needs_homing"] == []
        assert told["look_at"] in line
        bench.until_ready()


# The documentation.


@ONE_BROKER
def test_what_the_documentation_says_works(bench: Bench) -> None:
    """Each command and each script of docs/reservations.md, in its order."""
    text = (ROOT / "docs/reservations.md").read_text()
    ran = 0
    for kind, block in re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL):
        if kind == "python":
            code = block.replace('"mqtt://127.0.0.1:18830"', f'"{_url(bench)}", base="{bench.base}"')
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
            )
            assert done.returncode == 0, (block, done.stderr)
            ran += 1
            continue
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            said = bench.run(*words[1:])
            expected = 1 if "# refused" in line else 0
            assert said.code == expected, (line, said)
            ran += 1
    assert ran >= 6


def test_the_example_runs_against_the_demo(tmp_path: Path) -> None:
    """As its first lines say; a second one in the same moment is refused, and told by whom."""
    demo = Demo(tmp_path)
    command = [sys.executable, str(ROOT / "examples/reserved_loop.py"), f"mqtt://127.0.0.1:{demo.port}"]
    try:
        demo.start()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
            assert first.stdout
            assert "reserved" in first.stdout.readline()
            second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
            out, err = first.communicate(timeout=40)
        assert first.returncode == 0, err
        assert "round 2" in out
        assert second.returncode == 1
        assert "reserved by 'colour-loop' until" in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        demo.terminate(signal.SIGINT)
