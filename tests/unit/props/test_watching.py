"""``--watch``: which change of which worker is told, and that it is told once."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from dataclasses import replace
import os
from pathlib import Path
import shutil

import pytest

from lab2mqtt.props import watching
from lab2mqtt.props.finding import Found
from lab2mqtt.props.settings import PropsSettings, Selection
from lab2mqtt.props.watching import Watching
from lab2mqtt.runtime.address import Broker

WITHIN = 10.0  # s


class Heard:
    """What the watching has told, in its order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.found: list[Found] = []
        self._more = asyncio.Event()

    def hear(self, what: str) -> Callable[[Found], "asyncio.Future[None]"]:
        """A function that notes a kind of change."""

        async def note(found: Found) -> None:
            self.told.append((what, found.name))
            self.found.append(found)
            self._more.set()

        return note  # type: ignore[return-value]

    async def next(self) -> list[tuple[str, str]]:
        """What is told next, and all that comes with it."""
        async with asyncio.timeout(WITHIN):
            await self._more.wait()
        self._more.clear()
        told, self.told = self.told, []
        return told


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watching looks often."""
    monkeypatch.setattr(watching, "POLL", 0.05)
    monkeypatch.setattr(watching, "QUIET", 0.05)


@pytest.fixture
def settings(tmp_path: Path) -> PropsSettings:
    """Two props and nothing else."""
    for name in ("fogger", "witch"):
        write(tmp_path / "props" / name / "backend" / "worker.py", "x = 1\n")
    return PropsSettings(tmp_path / "props", Broker(), builtins=Selection(disable_all=True))


@contextlib.asynccontextmanager
async def watched(settings: PropsSettings) -> AsyncIterator[Heard]:
    """A watching that runs, and what it tells."""
    heard = Heard()
    told = [heard.hear(what) for what in ("change", "new", "gone")]
    running = asyncio.create_task(Watching(settings).run(*told))
    try:
        yield heard
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def write(file: Path, text: str) -> None:
    """Write a file, its folder too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["worker.py", "parts.py", "deep/er/parts.py", "config.yaml", "config.json"])
async def test_a_change_in_the_backend_is_told_of_its_worker_alone(
    settings: PropsSettings, name: str
) -> None:
    """Also in what it imports, at any depth, and in its configuration."""
    file = settings.root / "witch" / "backend" / name
    write(file, "a: 1\n")
    async with watched(settings) as heard:
        write(file, "a: 22\n")
        assert await heard.next() == [("change", "witch")]


async def test_each_change_is_told_once_and_what_does_not_matter_never(settings: PropsSettings) -> None:
    """The next thing that is told is the next change."""
    backend = settings.root / "witch" / "backend"
    async with watched(settings) as heard:
        for name in ("notes.txt", "__pycache__/worker.cpython-311.py", ".worker.py.swp", ".git/hook.py"):
            write(backend / name, "x\n")
        (backend / ".#worker.py").symlink_to("nobody@nowhere")  # as Emacs locks a file
        (backend / "gone.py").symlink_to("nowhere")
        write(backend / "worker.py", "x = 22\n")
        assert await heard.next() == [("change", "witch")]
        write(settings.root / "fogger" / "backend" / "worker.py", "x = 22\n")
        assert await heard.next() == [("change", "fogger")]


async def test_a_file_that_is_replaced_by_rename_has_changed(settings: PropsSettings) -> None:
    """Even by one of the same size and the same time."""
    file = settings.root / "witch" / "backend" / "worker.py"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    async with watched(settings) as heard:
        part = file.with_name("worker.py~")
        write(part, "x = 2\n")
        os.utime(part, (1_000_000_000, 1_000_000_000))
        part.replace(file)
        assert await heard.next() == [("change", "witch")]


async def test_a_file_that_is_away_for_a_moment_is_a_change_and_not_gone(
    settings: PropsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some editors rename the old file first, and write the new one then."""
    monkeypatch.setattr(watching, "QUIET", 0.5)
    file = settings.root / "witch" / "backend" / "worker.py"
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()
    there_are = watching.there_are

    def look(asked: PropsSettings) -> list[Found]:
        found = there_are(asked)
        if len(found) == 1:
            loop.call_soon_threadsafe(looked.set)
        return found

    monkeypatch.setattr(watching, "there_are", look)
    async with watched(settings) as heard:
        file.rename(file.with_name("worker.py~"))
        await asyncio.wait_for(looked.wait(), WITHIN)
        write(file, "x = 22\n")
        assert await heard.next() == [("change", "witch")]


async def test_a_change_is_told_when_it_has_been_quiet(
    settings: PropsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is another each time it is looked at is told once, with the last."""
    file = settings.root / "witch" / "backend" / "worker.py"
    there_are, sizes = watching.there_are, [*range(20)]

    def look(asked: PropsSettings) -> list[Found]:
        if sizes:
            write(file, "#" * sizes.pop())
        return there_are(asked)

    monkeypatch.setattr(watching, "there_are", look)
    async with watched(settings) as heard:
        assert await heard.next() == [("change", "witch")]
        assert not sizes
        write(settings.root / "fogger" / "backend" / "worker.py", "x = 22\n")
        assert await heard.next() == [("change", "fogger")]


async def test_folders_come_and_go(settings: PropsSettings) -> None:
    """A prop that is copied there is new, and one that is taken away is gone."""
    async with watched(settings) as heard:
        write(settings.root / "new" / "backend" / "worker.py", "x = 1\n")
        assert await heard.next() == [("new", "new")]
        shutil.rmtree(settings.root / "new")
        assert await heard.next() == [("gone", "new")]
        write(settings.root / "new" / "backend" / "worker.py", "x = 1\n")
        assert await heard.next() == [("new", "new")]
        assert heard.found[-1].file == settings.root / "new" / "backend" / "worker.py"


async def test_a_root_may_come_later_and_go_again(settings: PropsSettings, tmp_path: Path) -> None:
    """As a volume that is mounted late."""
    later = replace(settings, root=tmp_path / "later")
    async with watched(later) as heard:
        shutil.copytree(settings.root, later.root)
        told = await heard.next()
        while len(told) < 2:
            told += await heard.next()
        assert sorted(told) == [("new", "fogger"), ("new", "witch")]
        shutil.rmtree(later.root)
        told = await heard.next()
        while len(told) < 2:
            told += await heard.next()
        assert sorted(told) == [("gone", "fogger"), ("gone", "witch")]


async def test_what_is_not_selected_is_not_watched(settings: PropsSettings) -> None:
    """It is not run either."""
    chosen = replace(settings, props=Selection(disable=("witch",)))
    async with watched(chosen) as heard:
        write(settings.root / "witch" / "backend" / "worker.py", "x = 22\n")
        write(settings.root / "fogger" / "backend" / "worker.py", "x = 22\n")
        assert await heard.next() == [("change", "fogger")]


async def test_a_change_between_loading_and_watching_is_told(settings: PropsSettings) -> None:
    """It counts from when the watching is made."""
    heard = Heard()
    made = Watching(settings)
    write(settings.root / "witch" / "backend" / "worker.py", "x = 22\n")
    running = asyncio.create_task(made.run(*[heard.hear(what) for what in ("change", "new", "gone")]))
    assert await heard.next() == [("change", "witch")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_built_ins_of_ones_own_are_watched_with_what_they_share(tmp_path: Path) -> None:
    """One that appears in the place of ours is a change of ours, and its end another."""
    own = tmp_path / "own"
    for name in ("one.py", "two.py", "_shared.py"):
        write(own / name, "x = 1\n")
    chosen = Selection(allow=("one", "two", "heartbeat"))
    settings = PropsSettings(tmp_path / "props", Broker(), builtins=chosen, builtin_folder=own)
    async with watched(settings) as heard:
        write(own / "one.py", "x = 22\n")
        assert await heard.next() == [("change", "one")]
        write(own / "heartbeat.py", "x = 1\n")
        assert await heard.next() == [("change", "heartbeat")]
        assert heard.found[-1].file == own / "heartbeat.py"
        (own / "heartbeat.py").unlink()
        assert await heard.next() == [("change", "heartbeat")]
        assert heard.found[-1].file == watching.OURS / "heartbeat.py"
        write(own / "_shared.py", "x = 22\n")
        told = await heard.next()
        while len(told) < 2:
            told += await heard.next()
        assert sorted(told) == [("change", "one"), ("change", "two")]


async def test_a_built_in_of_ours_changes_with_its_configuration(tmp_path: Path) -> None:
    """Which lies beside the props, and may come and go."""
    chosen = Selection(allow=("heartbeat", "show"))
    settings = PropsSettings(tmp_path / "props", Broker(), builtins=chosen)
    async with watched(settings) as heard:
        write(settings.root / "heartbeat.yaml", "tick_interval: 1\n")
        assert await heard.next() == [("change", "heartbeat")]
        (settings.root / "heartbeat.yaml").unlink()
        assert await heard.next() == [("change", "heartbeat")]


async def test_one_that_is_slow_to_load_holds_up_nobody_and_gets_its_next_change_after_it(
    settings: PropsSettings,
) -> None:
    """Nor does one whose reload fails."""
    let_go = asyncio.Event()
    heard = Heard()
    note = heard.hear("change")

    async def change(found: Found) -> None:
        await note(found)
        if found.name == "witch":
            await let_go.wait()
        raise ValueError("a fault of the host")

    running = asyncio.create_task(Watching(settings).run(change, heard.hear("new"), heard.hear("gone")))
    witch, fogger = (settings.root / name / "backend" / "worker.py" for name in ("witch", "fogger"))
    write(witch, "x = 22\n")
    assert await heard.next() == [("change", "witch")]
    write(witch, "x = 333\n")
    for text in ("x = 22\n", "x = 333\n"):
        write(fogger, text)
        assert await heard.next() == [("change", "fogger")]
    let_go.set()
    assert await heard.next() == [("change", "witch")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
