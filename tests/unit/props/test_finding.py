"""Which workers there are."""

from collections.abc import Callable
import logging
from pathlib import Path

import pytest

from lab2mqtt.props.finding import OURS, find
from lab2mqtt.props.settings import PropsSettings, Selection
from lab2mqtt.runtime.address import Broker

NO_BUILTINS = Selection(disable_all=True)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make an empty file in a folder of this test's."""

    def make(*names: str) -> Path:
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return make


def names(settings: PropsSettings, kind: str = "prop") -> list[str]:
    """What is found of a kind."""
    return [one.name for one in find(settings) if one.kind == kind]


def test_a_prop_is_a_folder_with_a_worker_in_its_backend(write: Write) -> None:
    """In the order of their names; other folders and files do not matter."""
    root = write(
        *("witch/backend/worker.py", "coffin_jumper/backend/worker.py", "fogger/backend/__init__.py"),
        *("readme/worker.py", ".trash/backend/worker.py", "worker.py"),
    )
    (root / "folder" / "backend" / "worker.py").mkdir(parents=True)
    found = find(PropsSettings(root, Broker(), builtins=NO_BUILTINS))
    assert [(one.name, one.kind) for one in found] == [("coffin_jumper", "prop"), ("witch", "prop")]
    assert found[1].file == root / "witch/backend/worker.py"


def test_a_relative_root_gives_absolute_files(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may change the working directory."""
    monkeypatch.chdir(write("props/witch/backend/worker.py"))
    (found,) = find(PropsSettings(Path("props"), Broker(), builtins=NO_BUILTINS))
    assert found.file.is_absolute()


def test_our_built_ins_are_there_without_any_folder(tmp_path: Path) -> None:
    """The heartbeat needs no props."""
    found = find(PropsSettings(tmp_path, Broker()))
    assert "heartbeat" in [one.name for one in found]
    assert {one.kind for one in found} == {"builtin"}
    assert not [one for one in found if one.name.startswith("_")]


def test_built_ins_of_ones_own_stand_beside_ours_and_go_before_them(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """And the log says which."""
    caplog.set_level(logging.INFO)
    own = write("heartbeat.py", "smoketest.py", "_shared.py", "notes.txt")
    found = {
        one.name: one.file.parent for one in find(PropsSettings(own / "no", Broker(), builtin_folder=own))
    }
    assert found["heartbeat"] == found["smoketest"] == own
    assert "_shared" not in found
    assert f"{own / 'heartbeat.py'} takes the place of our own built-in heartbeat" in caplog.text
    assert "built-in smoketest" not in caplog.text


def test_the_selections_are_heeded_each_for_its_kind(write: Write) -> None:
    """A prop called as a built-in is not left out with it."""
    root = write("heartbeat/backend/worker.py", "witch/backend/worker.py")
    settings = PropsSettings(
        root,
        Broker(),
        builtins=Selection(disable=("heartbeat",)),
        props=Selection(allow=("heartbeat",)),
    )
    assert "heartbeat" not in names(settings, "builtin")
    assert names(settings) == ["heartbeat"]
    assert OURS.is_dir()


def test_a_name_that_nobody_has_is_warned_of(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """What should be left out for safety would run for a letter."""
    root = write("coffin_jumper/backend/worker.py")
    settings = PropsSettings(
        root,
        Broker(),
        builtins=Selection(allow=("hartbeat",)),
        props=Selection(disable=("coffin_jumpr", "coffin_jumper")),
    )
    assert find(settings) == []
    assert [one.message for one in caplog.records] == [
        "WORKER_BUILTINS_ALLOW: there is no built-in 'hartbeat' (did you mean 'heartbeat'?)",
        "WORKER_PROPS_DISABLE: there is no prop 'coffin_jumpr' (did you mean 'coffin_jumper'?)",
    ]


def test_a_folder_that_is_missing_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may come yet; the rest runs."""
    settings = PropsSettings(tmp_path / "props", Broker(), builtin_folder=tmp_path / "own")
    assert "heartbeat" in names(settings, "builtin")
    assert [one.message.partition(" ")[0] for one in caplog.records] == ["--root", "--builtins"]
    assert all(one.message.endswith("there is no such folder") for one in caplog.records)
