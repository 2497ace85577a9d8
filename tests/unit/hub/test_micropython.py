"""Which MicroPython is taken, and why there is none."""

from pathlib import Path

import pytest

from lab2mqtt.hub import debian, micropython
from lab2mqtt.hub.errors import NotAvailable


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any."""
    for variable in ("MICROPYTHON", "MICROPYTHON32"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv" / "bin" / "python"))
    return tmp_path


def _program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_named_comes_first(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then that of this Python environment, that on PATH, and one that was unpacked before."""
    assert micropython.find() is None
    unpacked = _program(empty / "cache" / "debian" / debian.SUITE / "micropython" / "usr/bin/micropython")
    assert micropython.find() == unpacked
    on_path = _program(empty / "micropython")
    assert micropython.find() == on_path
    beside = _program(empty / "venv" / "bin" / "micropython")
    assert micropython.find() == beside
    named = _program(empty / "mine")
    monkeypatch.setenv("MICROPYTHON", str(named))
    assert micropython.find_or_unpack(print) == named
    monkeypatch.setenv("MICROPYTHON32", str(named))
    assert micropython.find_or_unpack_32(print) == named


@pytest.mark.parametrize("variable", ["MICROPYTHON", "MICROPYTHON32"])
def test_one_that_is_named_and_not_there_is_told(
    empty: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Another one in its place would be a surprise."""
    _program(empty / "micropython")
    monkeypatch.setenv(variable, str(empty / "nowhere"))
    find = micropython.find_or_unpack_32 if variable.endswith("32") else micropython.find_or_unpack
    with pytest.raises(NotAvailable, match=rf"\${variable} names .*nowhere, which is not there"):
        find(print)


@pytest.mark.usefixtures("empty")
def test_32_bits_need_a_processor_that_runs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's i386 is of no use to a Raspberry Pi."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(NotAvailable, match="i386 run on x86-64, and not on aarch64"):
        micropython.find_or_unpack_32(print)
