"""What systemd is told, read from a socket as its own: ready, alive and ending, and never anything untrue."""

import asyncio
from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
import uuid

import pytest
from tests.unit.runtime.notify_socket import WITHIN, Listener

from lab2mqtt.runtime import systemd
from lab2mqtt.runtime.systemd import Condition, say, telling

CALLING, ONLINE, BROKEN = (
    Condition("No link yet", online=False),
    Condition("Online", online=True),
    Condition("Broken", online=True, well=False),
)


@pytest.fixture(params=["file", "abstract"])
def listener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Listener]:
    """Both kinds of sockets that systemd uses."""
    name = f"lab2mqtt-{uuid.uuid4().hex}"
    in_file = request.param == "file"
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify") if in_file else f"@{name}")
    with Listener(str(tmp_path / "notify") if in_file else f"\0{name}") as one:
        yield one


async def until(listener: Listener, line: str) -> None:
    """Wait for a line while the loop turns."""
    await asyncio.to_thread(listener.until, line)


async def test_ready_is_said_once_and_not_before_it_is_online(listener: Listener) -> None:
    """What starts after it may count on it; how it is later is told in words."""
    now = CALLING
    async with telling(lambda: now):
        await until(listener, "STATUS=No link yet")
        await asyncio.sleep(3 * systemd.LOOK_FIRST)
        assert listener.count("READY=1") == 0
        now = ONLINE
        await until(listener, "READY=1")
        await until(listener, "STATUS=Online")
        now = CALLING
        listener.heard.clear()
        await until(listener, "STATUS=No link yet")
        now = ONLINE
        await until(listener, "STATUS=Online")
    assert listener.count("READY=1") == 0


async def test_a_broker_that_is_away_does_not_delay_the_start_for_ever(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as started, and what is missing is told."""
    monkeypatch.setattr(systemd, "READY_WITHIN", 0.4)
    began = time.monotonic()
    async with telling(lambda: CALLING):
        await until(listener, "READY=1")
    assert time.monotonic() - began >= 0.4
    assert listener.heard == ["STATUS=No link yet", "READY=1"]


async def test_signs_of_life_come_at_least_at_half_of_the_time(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd advises; also while there is no broker, for which nobody is to be killed."""
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with telling(lambda: CALLING):
        await until(listener, "WATCHDOG=1")
        for _ in range(3):
            listener.heard.clear()
            began = time.monotonic()
            await until(listener, "WATCHDOG=1")
            assert time.monotonic() - began < 1.5


async def test_what_is_broken_gives_no_sign_of_life(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And is said, once, before it is killed."""
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    now = ONLINE
    async with telling(lambda: now):
        await until(listener, "WATCHDOG=1")
        now = BROKEN
        await until(listener, "STATUS=Broken")
        listener.count("")
        listener.heard.clear()
        assert not await asyncio.to_thread(listener.within, 0.5)
    assert [record.getMessage() for record in caplog.records] == ["Broken"]


@pytest.mark.parametrize(("usec", "pid"), [("", None), ("0", None), ("soon", None), ("200000", "1")], ids=str)
async def test_a_watchdog_that_is_not_for_us_is_not_fed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None
) -> None:
    """A simulator has the environment of its bridge."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    async with telling(lambda: ONLINE):
        await until(listener, "READY=1")
        assert not await asyncio.to_thread(listener.within, 0.4)
    assert "WATCHDOG=1" not in listener.heard


async def test_words_are_one_line(listener: Listener) -> None:
    """An error of several lines is no other assignment."""
    async with telling(lambda: Condition("one\nREADY=1\nMAINPID=1", online=False)):
        await until(listener, "STATUS=one READY=1 MAINPID=1")
    assert listener.heard == ["STATUS=one READY=1 MAINPID=1"]


async def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is even asked how it is."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    before = asyncio.all_tasks()
    async with telling(lambda: pytest.fail("it was asked")):
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
    assert say("READY=1") is False


@pytest.mark.parametrize("where", ["/nowhere/notify", "@", "vsock:2:1234", "relative"])
def test_a_socket_that_takes_nothing_stops_nobody(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """The work goes on without systemd."""
    monkeypatch.setenv("NOTIFY_SOCKET", where)
    assert say("READY=1") is False


async def test_what_systemd_does_not_take_is_said_again(listener: Listener) -> None:
    """Its queue may be full just when we are ready: a READY that is lost would never be made up for."""
    filled = 0
    while say("STATUS=noise"):
        filled += 1
    assert filled
    async with telling(lambda: ONLINE):
        await asyncio.sleep(2 * systemd.LOOK_FIRST)
        await until(listener, "READY=1")
        await until(listener, "STATUS=Online")


BLOCKED = """
import asyncio, signal, sys
from lab2mqtt.runtime.processes import run_until_signal
from lab2mqtt.runtime.systemd import Condition, telling

def block():
    print("blocked", flush=True)
    sys.stdin.readline()

async def work():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, block)
    async with telling(lambda: Condition("Online", online=True)):
        await asyncio.Event().wait()

run_until_signal(work())
"""


@contextlib.contextmanager
def process(listener: Listener) -> Iterator["subprocess.Popen[str]"]:
    """One that tells systemd that it lives, and can be blocked."""
    told = {**os.environ, "WATCHDOG_USEC": "200000"}
    told.pop("WATCHDOG_PID", None)
    with subprocess.Popen(
        [sys.executable, "-c", BLOCKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=told
    ) as running:
        listener.until("WATCHDOG=1")
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("listener", ["file"], indirect=True)
def test_a_blocked_event_loop_gives_no_sign_of_life(listener: Listener) -> None:
    """A thread that did would keep a process alive that answers nobody."""
    with process(listener) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.readline() == "blocked\n"
        listener.count("")
        listener.heard.clear()
        assert not listener.within(0.6)
        running.stdin.write("go on\n")
        running.stdin.flush()
        listener.until("WATCHDOG=1")


@pytest.mark.parametrize("listener", ["file"], indirect=True)
def test_the_end_is_told_when_it_begins(listener: Listener) -> None:
    """Not when it is over."""
    with process(listener) as running:
        listener.heard.clear()
        running.send_signal(signal.SIGTERM)
        listener.until("STOPPING=1")
        assert running.wait(WITHIN) == 0
