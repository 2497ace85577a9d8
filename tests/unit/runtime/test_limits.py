"""Files and drivers that say too much: refused or cut, in words, and nothing breaks."""

from pathlib import Path
import time

import pytest

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.runtime import kept, yaml_file
from lab2mqtt.runtime.config import MOST_DEVICES, load
from lab2mqtt.runtime.fitting import encoded
from lab2mqtt.runtime.kept import Kept
from lab2mqtt.runtime.stop import Latches

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
SOON = 5.0  # s; it takes some milliseconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LAUGHS, f"more than {yaml_file.VALUES} values, with those behind aliases"),
        ("a: " + "[" * 40 + "]" * 40, "nested deeper than 16 levels"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested deeper than 16 levels"),
        ("a: &a\n  b: *a\n", "an alias contains itself"),
        ("a: &a [*a]\n", "an alias contains itself"),
        ("a: " + "x" * yaml_file.LONGEST, f"at most {yaml_file.LONGEST} are allowed"),
    ],
    ids=["laughs", "deep", "very deep", "itself", "itself in a list", "large"],
)
def test_a_configuration_that_explodes(tmp_path: Path, text: str, told: str) -> None:
    """A few lines must not fill the memory."""
    file = tmp_path / "lab.yaml"
    file.write_text(text, encoding="utf-8")
    began = time.monotonic()
    with pytest.raises(Misconfigured, match=told):
        load(file)
    assert time.monotonic() - began < SOON


def test_a_configuration_may_use_an_alias(tmp_path: Path) -> None:
    """It is only the exploding that is refused."""
    file = tmp_path / "lab.yaml"
    file.write_text("""\
bridge: bench-pi
devices:
  one: &resort
    model: plate_resort
    settings: {device: /dev/ttyUSB1, hotels: [A, B]}
  two: *resort
""")
    assert [one.instance.device_id for one in load(file).devices] == ["one", "two"]


def test_so_many_devices_and_no_more(tmp_path: Path) -> None:
    """A thousand and one is told, once."""
    file = tmp_path / "lab.yaml"
    devices = "".join(f"  d{number}:\n" for number in range(MOST_DEVICES + 1))
    file.write_text(f"bridge: bench-pi\ndevices:\n{devices}")
    with pytest.raises(Misconfigured, match=r"^\S+:2: devices: 1001; one bridge takes 1000 at most$"):
        load(file)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000], ids=["list", "object"])
def test_a_kept_file_that_is_too_deep(tmp_path: Path, text: str) -> None:
    """Of a stop it counts as engaged."""
    file = tmp_path / "stop.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="nested too deeply"):
        Kept(file).read()
    assert Latches(file, "stop").of("device")


def test_a_kept_file_that_is_too_large(tmp_path: Path) -> None:
    """It is not even read."""
    file = tmp_path / "stop.json"
    with file.open("wb") as made:
        made.truncate(kept.LONGEST + 1)
    with pytest.raises(ValueError, match="at most"):
        Kept(file).read()
    assert Latches(file, "stop").of("device")


def test_a_state_that_is_too_long_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody could read it."""
    assert encoded("lab/x/state", {"value": "x" * wire.MAX_MESSAGE}) is None
    assert encoded("lab/x/picture/y", b"x" * wire.MAX_MESSAGE) == b"x" * wire.MAX_MESSAGE
    assert encoded("lab/x/picture/y", b"x" * (wire.MAX_MESSAGE + 1)) is None
    assert "lab/x/state" in caplog.text
