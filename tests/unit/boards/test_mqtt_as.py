"""The pinned mqtt_as: one commit in all places, and a look at what is there."""

import hashlib
import json
from pathlib import Path

import pytest

from lab2mqtt.boards import firmware, mqtt_as


def test_mip_gets_the_commit_whose_files_we_know() -> None:
    """The board's list of dependencies and the installation name the same one."""
    package = json.loads((firmware() / "package.json").read_text("utf-8"))
    assert [f"{name}@{commit}" for name, commit in package["deps"]] == [mqtt_as.PACKAGE]


def test_a_file_that_is_missing_or_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by its path, and nothing where all are right."""
    first, second = mqtt_as.FILES
    (tmp_path / "mqtt_as").mkdir()
    (tmp_path / first).write_text("print('no mqtt_as')\n")
    wrong = mqtt_as.verify(tmp_path)
    assert [line.split(" ", 2)[:2] for line in wrong] == [[first, "is"], [second, "is"]]
    assert "another one than at commit 7b6a11d" in wrong[0]
    assert wrong[1].endswith("is missing")
    digest = hashlib.sha256((tmp_path / first).read_bytes()).hexdigest()
    monkeypatch.setattr(mqtt_as, "FILES", {first: digest})
    assert mqtt_as.verify(tmp_path) == []
