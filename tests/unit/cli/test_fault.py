"""``lab2mqtt fault``, as it is typed: one way for every simulator."""

from collections.abc import Callable, Iterator
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.cli import EXIT_USAGE, main
from lab2mqtt.runtime import config, running_demo
from lab2mqtt.runtime.simulated import simulator

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """A command line; gives exit code, output and what was said."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["fault", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A simulator of each kind, and where it is."""
    folder = tmp_path_factory.mktemp("simulated")
    found = {}
    with contextlib.ExitStack() as running:
        for model in ("plate_resort", "ot2"):
            found[model] = str(folder / model)
            running.enter_context(simulator(config.load_device(model).simulator, folder / model))
        yield found


@pytest.mark.parametrize(
    ("model", "words", "faults"),
    [
        ("plate_resort", ["stalled"], ["stalled"]),
        ("plate_resort", ["stalled", "off"], []),
        ("plate_resort", ["slow", "seconds=0.2"], ["slow"]),
        ("plate_resort", ["slow", "off"], []),
        ("ot2", ["door_open"], ["door_open"]),
        ("ot2", ["error_500", "path=/runs", "times=2"], ["door_open", "error_500"]),
        ("ot2", ["error_500", "off"], ["door_open"]),
        ("ot2", ["door_open", "off"], []),
    ],
)
def test_a_fault_comes_and_goes(
    typed: Typed, links: dict[str, str], model: str, words: list[str], faults: list[str]
) -> None:
    """Told is how it is then."""
    code, out, err = typed(links[model], *words)
    assert (code, err) == (0, "")
    assert json.loads(out)["faults"] == faults


def test_hands(typed: Typed, links: dict[str, str]) -> None:
    """What a person does once."""
    assert json.loads(typed(links["plate_resort"], "turn=90")[1])["position"] == pytest.approx(90, abs=0.1)
    assert json.loads(typed(links["ot2"], "reboot")[1])["phase"] == "off"


@pytest.mark.parametrize("model", ["plate_resort", "ot2"])
def test_without_a_name_it_tells_what_there_is(typed: Typed, links: dict[str, str], model: str) -> None:
    """The truth for scripts, the names for people."""
    code, out, err = typed(links[model])
    assert code == 0
    assert "faults" in json.loads(out)
    assert "answers late" in err
    assert "(once, by hand)" in err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["door_opne"], "did you mean 'door_open'?"),
        (["coffee"], "off               no power"),
        (["slow", "second=1"], "this fault takes: seconds"),
        (["slow", "soon"], "'soon' is neither off nor option=value"),
        (["new_plate", "off"], "new_plate is done once"),
        (["door_open=1"], "no fault 'door_open=1'"),
    ],
)
def test_what_is_wrong_is_told(typed: Typed, links: dict[str, str], words: list[str], why: str) -> None:
    """With what would be right."""
    code, out, err = typed(links["ot2"], *words)
    assert (code, out) == (EXIT_USAGE, "")
    assert why in err


def test_a_device_of_the_demo_is_called_by_its_id(
    typed: Typed, links: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that it does not have is told, with those that it has."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    told: Any = {"plate-resort": links["plate_resort"]}
    with running_demo.tell("mqtt://127.0.0.1:1", told):
        assert json.loads(typed("plate-resort", "alert")[1])["faults"] == ["alert"]
        assert json.loads(typed("plate-resort", "alert", "off")[1])["faults"] == []
        code, _, err = typed("plate-resrot", "alert")
    assert code == EXIT_USAGE
    assert "(did you mean 'plate-resort'?); the demo has plate-resort" in err
    assert "no simulated device 'plate-resort' runs here\n" in typed("plate-resort")[2]
