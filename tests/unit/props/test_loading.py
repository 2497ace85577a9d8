"""From a file to a worker's class: files of all kinds, and everything that they may do while they load."""

import concurrent.futures
import inspect
import os
from pathlib import Path
import sys
import textwrap
import threading

import pytest
from tests.unit.props.written_props import PLAIN, PropsFolder

from lab2mqtt.props.base import BaseWorker
from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import HOST, Loaded, LoadError, load

# The example of the document that users have, as it is printed there.
EXAMPLE = '''\
from __future__ import annotations
import asyncio
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    """Example prop backend demonstrating telemetry and commands."""

    async def start(self) -> None:
        # Initialize and start background tasks
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self):
        """Publish a counter every few seconds."""
        i = 0
        interval = int(self.config.get("tick_interval", 5))
        try:
          while True:
              self.telemetry("tick", i)
              i += 1
              await asyncio.sleep(interval)
        except asyncio.CancelledError:
          # Optional: cleanup hardware, close files, etc.
          raise

    async def do_ping(self, arg: str | None):
        """Respond to 'ping' command."""
        self.telemetry("pong", arg or "ok")

    async def do_fire(self, arg: str | None):
        """Example of commanding another prop."""
        # Send a command to the fogger prop
        self.command("fogger", "start", arg)
'''

# Its built-in, which some have a copy of, changed.
HEARTBEAT = '''\
from __future__ import annotations
import asyncio
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    """
    Built-in demo worker.
    - Publishes a tick counter every few seconds.
    - Responds to commands on halloween/heartbeat/cmd
    """

    async def start(self) -> None:
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self):
        i = 0
        while True:
            self.telemetry("tick", i)
            i += 1
            await asyncio.sleep(self.config.get("tick_interval", 5))

    async def do_ping(self, arg: str | None):
        self.telemetry("pong", arg or "ok")

    async def do_set_mode(self, arg: str | None):
        mode = (arg or "").strip() or "idle"
        self.telemetry("mode", mode)

    async def do_fire(self, arg: str | None):
        ms = int(arg or "500")
        self.telemetry("event", f"fire start {ms}ms")
        await asyncio.sleep(ms / 1000)
        self.telemetry("event", "fire end")
'''


@pytest.fixture
def prop(tmp_path: Path) -> PropsFolder:
    """Writes props."""
    return PropsFolder(tmp_path / "props")


def value(loaded: Loaded, name: str = "VALUE") -> object:
    """A name of the module that a worker is of."""
    return getattr(sys.modules[loaded.worker.__module__], name)


# Files of all kinds


def test_the_printed_example_loads_unchanged(prop: PropsFolder) -> None:
    """Its base is ours."""
    loaded = load(prop(EXAMPLE, "example_prop", config__json='{"tick_interval": 3, "enabled": true}'))
    assert issubclass(loaded.worker, BaseWorker)
    assert loaded.prop_id == "example_prop"
    assert loaded.config == {"tick_interval": 3, "enabled": True}
    assert inspect.iscoroutinefunction(vars(loaded.worker)["do_fire"])
    assert loaded.warnings == ()


def test_the_printed_built_in_loads_from_ones_own_folder(tmp_path: Path) -> None:
    """A built-in's id is its file's name, and its configuration lies beside it."""
    file = tmp_path / "heartbeat.py"
    file.write_text(HEARTBEAT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text("tick_interval: 1\n", encoding="utf-8")
    loaded = load(Found("heartbeat", file, "builtin"))
    assert (loaded.prop_id, loaded.config) == ("heartbeat", {"tick_interval": 1})
    assert inspect.getsourcefile(loaded.worker) == str(file)


@pytest.mark.parametrize(
    "line",
    [
        "from worker_host.base import BaseWorker",
        "from worker_host import BaseWorker",
        "import worker_host.base; BaseWorker = worker_host.base.BaseWorker",
        "from worker_host.builtin_workers.heartbeat import Worker as BaseWorker",
        "from lab2mqtt.props import BaseWorker",
    ],
)
def test_the_base_may_be_imported_in_any_of_its_names(prop: PropsFolder, line: str) -> None:
    """They are one class."""
    assert issubclass(load(prop(f"{line}\nclass Worker(BaseWorker): pass\n")).worker, BaseWorker)


def test_an_installed_package_of_that_name_goes_first(
    prop: PropsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the error tells what to do about it."""
    site = tmp_path / "site" / "worker_host"
    site.mkdir(parents=True)
    (site / "__init__.py").touch()
    (site / "base.py").write_text("class BaseWorker: pass\n", encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == HOST]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(site.parent))
    found = prop(EXAMPLE)
    with pytest.raises(LoadError, match=r"Worker's BaseWorker is of worker_host.base, another package"):
        load(found)
    for name in [name for name in sys.modules if name.partition(".")[0] == HOST]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("package", [True, False], ids=["with __init__", "without"])
def test_relative_imports_work_in_a_package_and_without(prop: PropsFolder, package: bool) -> None:  # noqa: FBT001
    """As deep as they go, and under the names that the original gives."""
    worker = PLAIN + "\n    from .parts import VALUE\n    from ..common import SHARED\n"
    found = prop(worker, parts__py="from .wheels.rim import VALUE\n")
    wheels = found.file.parent / "wheels"
    wheels.mkdir()
    (wheels / "rim.py").write_text("VALUE = 42\n", encoding="utf-8")
    (found.file.parents[1] / "common.py").write_text("SHARED = 'of the prop'\n", encoding="utf-8")
    if package:
        (found.file.parent / "__init__.py").write_text("STARTED = True\n", encoding="utf-8")
        (found.file.parents[1] / "__init__.py").touch()
        found.file.write_text(found.file.read_text() + "from . import STARTED\n", encoding="utf-8")
    loaded = load(found)
    assert loaded.worker.__module__ == "props.witch.backend.worker"
    assert (value(loaded), value(loaded, "SHARED")) == (42, "of the prop")


def test_props_may_import_from_each_other_by_their_full_names(prop: PropsFolder) -> None:
    """As in the original, whose folder of props is a package."""
    prop(PLAIN, "cauldron", limits__py="LONGEST = 10\n")
    loaded = load(prop(PLAIN + "\n    from props.cauldron.backend.limits import LONGEST as VALUE\n"))
    assert value(loaded) == 10


def test_two_props_may_have_modules_of_the_same_names(prop: PropsFolder) -> None:
    """And the folder of neither is searched for what others import."""
    worker = PLAIN + "\n    from .parts import VALUE\n"
    one = load(prop(worker, "one", parts__py="VALUE = 1\n"))
    two = load(prop(worker, "two", parts__py="VALUE = 2\n"))
    assert (value(one), value(two)) == (1, 2)
    assert not [entry for entry in sys.path if "backend" in entry]


def test_two_built_ins_share_a_file_and_each_has_its_own_copy(tmp_path: Path) -> None:
    """What one changes in it does not reach the other."""
    (tmp_path / "_shared.py").write_text("VALUES = []\n", encoding="utf-8")
    for name in ("one", "two"):
        text = textwrap.dedent(PLAIN) + f"from ._shared import VALUES\nVALUES.append({name!r})\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    loaded = [load(Found(name, tmp_path / f"{name}.py", "builtin")) for name in ("one", "two")]
    assert [value(one, "VALUES") for one in loaded] == [["one"], ["two"]]


@pytest.mark.parametrize("name", ["coffin-jumper", "2nd.floor", "a%2Eb", "class", "Größe"])
def test_a_folder_may_be_called_as_no_module_can(prop: PropsFolder, name: str) -> None:
    """Its name is its id."""
    loaded = load(prop(PLAIN + "\n    from .parts import VALUE\n", name, parts__py=f"VALUE = {name!r}\n"))
    assert (loaded.prop_id, value(loaded)) == (name, name)


# The id


def test_a_prop_without_an_id_has_its_folders_name(prop: PropsFolder) -> None:
    """The original calls each of them ``worker``."""
    assert load(prop(PLAIN, "witch")).prop_id == "witch"
    assert load(prop(PLAIN + "\n    PROP_ID = 'old_witch'\n", "witch")).prop_id == "old_witch"


@pytest.mark.parametrize("wrong", ["", "a b", "a/b", "a+", "#", "a\nb", "\0", 7, ["a"], HOST])
def test_an_id_that_is_no_level_of_a_topic_is_refused(prop: PropsFolder, wrong: object) -> None:
    """With what would be right."""
    found = prop(PLAIN + f"\n    PROP_ID = {wrong!r}\n")
    with pytest.raises(LoadError, match=r"PROP_ID .* is not a text without blanks|PROP_ID gives another"):
        load(found)


def test_a_folder_whose_name_is_no_id_needs_one(prop: PropsFolder) -> None:
    """It says so."""
    with pytest.raises(LoadError, match="the name 'old witch' is no id; PROP_ID gives one"):
        load(prop(PLAIN, "old witch"))


# What does not load


@pytest.mark.parametrize(
    ("worker", "text"),
    [
        ("x = 1\ndef broken(:\n", "SyntaxError: invalid syntax (worker.py, line 2)"),
        ("x = 1\n\nimport not_there_at_all\n", "No module named 'not_there_at_all' (worker.py, line 3)"),
        ("raise ValueError('no such\\n pin')", "ValueError: no such pin (worker.py, line 1)"),
        ("import sys; sys.exit(3)", "SystemExit: 3 (worker.py, line 1)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt (worker.py, line 1)"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError (worker.py, line 1)"),
        ("class Odd(Exception):\n  def __str__(self): return 1/0\nraise Odd", "Odd (worker.py, line 3)"),
        ("from .gone import x", "No module named 'props.witch.backend.gone' (worker.py, line 1)"),
        ("from .bad import x", "ZeroDivisionError: division by zero (bad.py, line 2)"),
        ("import bad", "No module named 'bad' (worker.py, line 1); what lies beside it: `from . import bad`"),
        ("x = '\0'", "null bytes"),
        ("# -*- coding: nothing -*-", "SyntaxError: "),
        ("x = 1", "worker.py has no class Worker"),
        (
            "from worker_host.base import BaseWorker\nclass Witch(BaseWorker): pass",
            "has no class Worker (Witch must be called so)",
        ),
        ("class Worker: pass", "Worker is no BaseWorker: write `class Worker(BaseWorker):`"),
        ("from worker_host.base import BaseWorker as Worker", "Worker is no BaseWorker"),
        ("Worker = 3", "Worker is no BaseWorker"),
    ],
)
def test_what_does_not_load_says_why_in_one_line(prop: PropsFolder, worker: str, text: str) -> None:
    """And where."""
    with pytest.raises(LoadError) as error:
        load(prop(worker, bad__py="x = 0\ny = 1 / x\n"))
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_gone_says_so(prop: PropsFolder) -> None:
    """It may vanish between finding and loading."""
    found = prop()
    found.file.unlink()
    with pytest.raises(LoadError, match=r"No module named 'props\.witch\.backend\.worker'"):
        load(found)


# Again


def test_a_reload_sees_what_changed_within_the_same_second(prop: PropsFolder) -> None:
    """In the worker and in what it imports; a .pyc file would say that nothing has."""
    worker = PLAIN + "\n    OWN = {}\n    from .parts import VALUE\n"
    for number in range(5):
        found = prop(worker.replace("{}", str(number)), parts__py=f"VALUE = {number}\n")
        for file in found.file.parent.glob("*.py"):
            os.utime(file, (1_000_000_000, 1_000_000_000))
        loaded = load(found)
        assert (value(loaded, "OWN"), value(loaded)) == (number, number)
    assert not [*found.file.parent.rglob("*.pyc")]


def test_a_reload_sees_a_module_that_is_new_and_one_that_is_gone(prop: PropsFolder) -> None:
    """Whatever the import system remembers of the folder."""
    load(prop())
    assert value(load(prop(PLAIN + "\n    from .parts import VALUE\n", parts__py="VALUE = 1\n"))) == 1
    found = prop(PLAIN + "\n    from .parts import VALUE\n")
    (found.file.parent / "parts.py").unlink()
    with pytest.raises(LoadError, match=r"No module named 'props\.witch\.backend\.parts'"):
        load(found)


def test_after_an_error_the_mended_file_loads(prop: PropsFolder) -> None:
    """Nothing of the failure is left."""
    worker = PLAIN + "\n    from .parts import VALUE\n"
    with pytest.raises(LoadError):
        load(prop(worker, parts__py="VALUE = \n"))
    assert value(load(prop(worker, parts__py="VALUE = 1\n"))) == 1


def test_a_reload_leaves_other_workers_alone(prop: PropsFolder) -> None:
    """Their modules stay the very same."""
    worker = PLAIN + "\n    from .parts import VALUE\n"
    one = load(prop(worker, "one", parts__py="VALUE = []\n"))
    kept = value(one)
    for _ in range(2):
        load(prop(worker, "one_more", parts__py="VALUE = []\n"))
    assert value(one) is kept
    again = load(prop(worker, "one", parts__py="VALUE = []\n"))
    assert value(again) is not kept


# Several at the same time


def test_many_load_at_the_same_time(prop: PropsFolder) -> None:
    """Each in its thread, with modules of the same names, some of them again and again."""
    worker = PLAIN + "\n    from .parts import VALUE\n    from worker_host.base import BaseWorker\n"
    found = [prop(worker, f"prop_{number}", parts__py=f"VALUE = {number}\n") for number in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        loaded = [*pool.map(load, found * 5)]
    assert [value(one) for one in loaded] == [*range(20)] * 5
    assert [one.prop_id for one in loaded] == [one.name for one in found] * 5


@pytest.mark.parametrize("hangs", ["worker", "parts"])
def test_one_that_hangs_at_import_holds_up_nobody_not_even_itself(prop: PropsFolder, hangs: str) -> None:
    """Others load meanwhile, and so does the file itself once it is mended."""
    reached, go_on = threading.Event(), threading.Event()
    sys.modules["held"] = type(sys)("held")
    vars(sys.modules["held"]).update(reached=reached, go_on=go_on)
    hang = "import held; held.reached.set(); held.go_on.wait(); VALUE = 'late'\n"
    worker = textwrap.dedent(PLAIN) + "from .parts import VALUE\n"
    bad = prop(hang + worker, parts__py="VALUE = 0\n") if hangs == "worker" else prop(worker, parts__py=hang)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(load, bad)
        try:
            assert reached.wait(10)
            assert pool.submit(load, prop(name="other")).result(10).prop_id == "other"
            mended = prop(worker, parts__py="VALUE = 'mended'\n")
            second = pool.submit(load, mended).result(10)
            assert (second.prop_id, value(second)) == ("witch", "mended")
        finally:
            go_on.set()
            del sys.modules["held"]
        assert first.result(10).prop_id == "witch"
    assert value(second) == "mended"
    assert value(load(mended)) == "mended"
