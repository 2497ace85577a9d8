"""``lab2mqtt opentrons``: whether the real package is there, and why not."""

from pathlib import Path

import pytest

from lab2mqtt.cli import EXIT_FAILED, main
from lab2mqtt.hub import opentrons_package


def test_what_is_not_installed_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is downloaded for the question."""
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path))
    assert main(["opentrons"]) == EXIT_FAILED
    assert "is not installed: lab2mqtt opentrons install" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_installed_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a lab2mqtt that came without the worker."""
    monkeypatch.setattr("lab2mqtt.__file__", str(tmp_path / "lab2mqtt" / "__init__.py"))
    assert main(["opentrons", "install"]) == EXIT_FAILED
    assert "is not part of this installation" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a line."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path / "file"))
    assert main(["opentrons", "install"]) == EXIT_FAILED
    assert "Not a directory" in capsys.readouterr().err


def test_what_is_installed_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And installing it again is done in a moment."""
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path))
    venv = opentrons_package.location()
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/bin/sh")
    (venv / "lab2mqtt-complete").touch()
    for words in ([], ["install"]):
        assert main(["opentrons", *words]) == 0
        assert str(venv) in capsys.readouterr().out
