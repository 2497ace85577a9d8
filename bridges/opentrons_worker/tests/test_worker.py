"""Protocols that misbehave: every one is answered, and the worker lives on."""

import asyncio
from pathlib import Path
import sys

import pytest

from lab2mqtt.simulators.opentrons_answers import NotDone, WorkerGone
from lab2mqtt.simulators.opentrons_process import OpentronsProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLATE = "p = c.load_labware('corning_96_wellplate_360ul_flat', 1)\n"
HEAD = 'metadata = {"apiLevel": "2.18"}\n'


def files(body: str, before: str = "") -> dict[str, str]:
    """A protocol whose ``run(c)`` has this body."""
    return {
        "it.py": HEAD + before + "\ndef run(c):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    }


@pytest.mark.parametrize(
    ("protocol", "kind", "why"),
    [
        (files("import sys; sys.exit(3)"), "exited", r"SystemExit\(3\)"),
        (
            files("pass", "import sys\ndef add_parameters(p):\n    sys.exit(4)\n"),
            "exited",
            r"SystemExit\(4\)",
        ),
        (files("import os; os._exit(3)"), "died", "exit code 3"),
        (files("import ctypes; ctypes.string_at(0)"), "died", "signal 11"),
        (files("while True: pass"), "timeout", "within 1 s"),
        (files("10 ** 10 ** 8"), "timeout", "within 1 s"),  # without ever letting another thread run
        (files("pass", "while True: print('x' * 1000)"), "timeout", "within 1 s"),
        (files("pass)"), "invalid_files", "it.py, line 4"),
        ({"it.py": "def run(c): pass\n"}, "invalid_files", "apiLevel"),
        (
            {"it.py": HEAD.replace("2.18", "2.99") + "def run(c): pass\n"},
            "invalid_files",
            "2.99 is not supported",
        ),
        ({"rack.json": "{}"}, "invalid_files", "rack.json|protocol file"),
        ({"../it.py": "x"}, "bad_request", "is no file name"),
    ],
)
@pytest.mark.parametrize("do", ["analyze", "simulate"])
async def test_an_error_is_answered(
    worker: OpentronsProcess, do: str, protocol: dict[str, str], kind: str, why: str
) -> None:
    """With its kind and in words, by the same worker."""
    before = await worker.ask("hello")
    with pytest.raises(NotDone, match=why) as failed:
        await worker.ask(do, files=protocol, timeout=1)
    assert failed.value.kind == kind
    assert (await worker.ask("hello"))["import_seconds"] == before["import_seconds"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (PLATE + "p['Z9']", "'Z9'"),
        (
            PLATE + "c.load_instrument('p300_single_gen2', 'right').aspirate(100, p['A1'])",
            "TipNotAttachedError",
        ),
        ("c.load_labware('no_such_plate', 1)", "no_such_plate"),
        ("input()", "EOFError"),
        ("x = [bytes(2 ** 20) + b'1' for _ in range(2 ** 20)]", "MemoryError"),
    ],
)
async def test_a_mistake_is_told_as_the_robot_tells_it(worker: OpentronsProcess, body: str, why: str) -> None:
    """By the analysis, and by the run, with the line."""
    analysis = await worker.analyze(files(body))
    assert not analysis.ok
    outcome = await (await worker.simulate(files(body))).outcome()
    assert outcome.status == "failed"
    for (problem,) in (analysis.problems, outcome.problems):
        assert problem.error_type == "ExceptionInProtocolError"
        assert why in problem.detail
        assert "[line " in problem.detail


@pytest.mark.parametrize(
    "body",
    [
        "print('hello')\nimport os\nos.write(1, b'hi')\nos.system('echo there')",
        "import os\nfor n in range(3, 64):\n    try: os.write(n, b'junk')\n    except OSError: pass",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()",
        "import os, time\nif os.fork() == 0: time.sleep(1000)",
    ],
    ids=["prints", "writes everywhere", "leaves a thread", "leaves a process"],
)
async def test_what_is_odd_but_works_works(worker: OpentronsProcess, body: str) -> None:
    """And nothing of it reaches the pipe or holds the answer up."""
    assert (await worker.analyze(files(body), within=10)).ok


async def test_time_passes_as_on_a_robot(worker: OpentronsProcess) -> None:
    """Faster by the factor, delays too; a pause comes into force after the command that runs."""
    going = await worker.simulate(files("c.delay(seconds=40)\nc.comment('a')\nc.comment('b')"), speed=100)
    started = asyncio.get_running_loop().time()
    kinds = []
    async for step in going.steps():
        kinds.append((step.kind, step.command.get("commandType")))
        if kinds[-1] == ("started", "waitForDuration"):
            await going.pause()
            with pytest.raises(NotDone, match="the run is paused"):
                await going.pause()
        if kinds[-1] == ("ended", "waitForDuration"):
            await going.resume()
            with pytest.raises(NotDone, match="the run is not paused"):
                await going.resume()
    assert (await going.outcome()).status == "succeeded"
    assert asyncio.get_running_loop().time() - started > 0.4
    assert kinds[2:6] == [
        ("started", "waitForDuration"),
        ("paused", None),
        ("ended", "waitForDuration"),
        ("resumed", None),
    ]


async def test_a_cancel_ends_a_command_that_takes_long(worker: OpentronsProcess) -> None:
    """At once, and the command is told as failed, as the robot does."""
    going = await worker.simulate(files("c.delay(seconds=1000)\nc.comment('a')"), speed=20)
    last = None
    async for step in going.steps():
        last = step
        if step.kind == "started" and step.command["commandType"] == "waitForDuration":
            await going.cancel()
    assert last
    assert last.command["error"]["detail"] == "Run was cancelled"
    assert (await going.outcome()).status == "stopped"


async def test_a_pause_may_last(worker: OpentronsProcess) -> None:
    """Longer than the time without a step that ends a protocol which hangs."""
    going = await worker.simulate(files("c.pause('look')"), within=0.5)
    async for step in going.steps():
        if step.kind == "paused":
            await asyncio.sleep(1.5)
            await going.resume()
    assert (await going.outcome()).status == "succeeded"


async def test_a_protocol_that_clings_to_life_is_ended(worker: OpentronsProcess) -> None:
    """One that catches its own end."""
    body = "while True:\n    try: c.delay(seconds=1000)\n    except BaseException: pass"
    going = await worker.simulate(files(body), speed=20, within=1)
    async for step in going.steps():
        if step.kind == "started" and step.command["commandType"] == "waitForDuration":
            await going.cancel()
            break
    with pytest.raises(NotDone, match="no step of the protocol within 1 s"):
        await going.outcome()


async def test_four_at_once_and_no_more(worker: OpentronsProcess) -> None:
    """A fifth is refused; none of them holds the others up."""
    going = [await worker.simulate(files("c.pause()")) for _ in range(4)]
    for one in going:
        async for step in one.steps():
            if step.kind == "paused":
                break
    with pytest.raises(NotDone, match="4 protocols"):
        await worker.analyze(files("pass"))
    for one in going:
        await one.cancel()
    assert [(await one.outcome()).status for one in going] == ["stopped"] * 4
    assert (await worker.analyze(files("pass"))).ok


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when it next listens")
async def test_no_run_outlives_a_worker_that_is_killed(worker: OpentronsProcess) -> None:
    """However busy it is."""
    process = OpentronsProcess(worker._command, worker._environment)
    going = await process.simulate(files("import os\nc.pause(str(os.getpid()))"))
    child = 0
    async for step in going.steps():
        if step.kind == "paused":
            child = int(step.message)
            assert process._process
            process._process.kill()
    with pytest.raises(WorkerGone, match="signal 9"):
        await going.outcome()
    async with asyncio.timeout(10):
        while runs(child):  # noqa: ASYNC110 - nobody tells the end of a grandchild
            await asyncio.sleep(0.05)
    await process.close()


def runs(pid: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_the_package_is_the_one_that_simulates_an_ot2(worker: OpentronsProcess) -> None:
    """Its version is pinned, and its memory is told."""
    about = await worker.hello()
    assert (about.opentrons, about.problem) == ("9.0.0", "")
    assert about.memory_mb < 200
    assert (await worker.analyze(files("pass"))).memory_mb < 200
