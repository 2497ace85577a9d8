"""The command line: what a newcomer types, and what it says when that is wrong."""

import argparse
import importlib
from pathlib import Path
import subprocess
import sys

import pytest

from lab2mqtt import __version__
from lab2mqtt.cli import EXIT_USAGE, _parser, main

GOOD = """\
bridge: bench-pi
devices:
  plate-resort: {model: plate_resort, simulated: true}
"""


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command, with its parser."""
    for action in _parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("there are no commands")


def ended(*words: str) -> int | str | None:
    """The exit code of a command line that ends in the parser."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code


def test_every_command_that_was_promised_is_there() -> None:
    """Scripts and the documentation call them."""
    promised = "run demo check devices call watch stop reset pause resume cancel forget broker simulate-board"
    assert set(promised.split()) <= set(commands())


@pytest.mark.parametrize("name", [*commands()])
def test_every_command_explains_itself_and_each_of_its_words(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--help`` is the manual that everybody finds."""
    assert ended(name, "--help") == 0
    assert f"usage: lab2mqtt {name}" in capsys.readouterr().out
    parser = commands()[name]
    assert parser.description
    options = [action for action in parser._actions if action.option_strings]
    assert [action.option_strings[0] for action in options if not action.help] == []


@pytest.mark.parametrize("name", [*commands()])
def test_every_command_leads_to_a_function(name: str) -> None:
    """It is loaded only when it is called."""
    module, _, function = str(commands()[name].get_default("run")).partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_help_starts_with_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    """And names the exit codes that scripts look at."""
    assert ended("--help") == 0
    told = capsys.readouterr().out
    assert "lab2mqtt demo" in told
    assert "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no broker" in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A report about a fault begins with it."""
    assert ended("--version") == 0
    assert capsys.readouterr().out.strip() == f"lab2mqtt {__version__}"


def test_a_typo_gets_the_nearest_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The most frequent mistake."""
    assert ended("devcies") == EXIT_USAGE
    told = capsys.readouterr().err
    assert "no command 'devcies' (did you mean 'devices'?)" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "COMMAND"),
        (("call",), "DEVICE"),
        (("call", "plate-resort"), "TASK"),
        (("run",), "CONFIG"),
        (("forget",), "DEVICE"),
        (("broker", "--port", "many"), "invalid int value: 'many'"),
        (("devices", "--jsn"), "--jsn"),
        (("it's",), "it's"),
    ],
    ids=range(8),
)
def test_wrong_usage_ends_with_2_and_says_what_is_missing(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script can tell it from a task that failed."""
    assert ended(*words) == EXIT_USAGE
    said = capsys.readouterr()
    assert told in said.err
    assert "--help" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("devices", "--broker", "http://x"), "is not mqtt://"),
        (("devices", "--broker", "mqtt://h:port"), "is not mqtt://"),
        (("devices", "--config", "/nowhere.yaml"), "/nowhere.yaml: No such file or directory"),
        (("check", "/nowhere.yaml"), "/nowhere.yaml: No such file or directory"),
        (("run", "/nowhere.yaml"), "/nowhere.yaml: No such file or directory"),
    ],
    ids=range(5),
)
def test_what_cannot_be_right_is_told_before_anything_is_done(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, without a traceback."""
    assert main(words) == EXIT_USAGE
    assert told in capsys.readouterr().err


def test_a_good_configuration_is_told_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was understood: bridge, broker, devices and their tasks."""
    file = tmp_path / "lab.yaml"
    file.write_text(GOOD)
    assert main(["check", str(file)]) == 0
    said = capsys.readouterr()
    assert "bridge bench-pi on mqtt://127.0.0.1:1883" in said.out
    assert "plate-resort: Plate resort, simulated" in said.out
    assert "activate_hotel" in said.out
    assert said.err == ""


def test_several_files_are_checked_against_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loops through bridges are refused; a device that stands in no file is told with what was meant."""
    rule = "interlocks: [{forbid: motion, while: {device: %s, key: moving, is: true}}]"
    files = {name: tmp_path / f"{name}.yaml" for name in ("arm", "turntable")}
    for name, other in (("arm", "turntable"), ("turntable", "arms")):
        text = f"bridge: {name}-pi\ndevices:\n  {name}:\n    model: plate_resort\n    {rule % other}\n"
        files[name].write_text(text)
    assert main(["check", *map(str, files.values())]) == 0
    said = capsys.readouterr().out
    assert "    interlock: no motion while turntable moving is true\n" in said
    assert "      arms is not in these files (did you mean 'arm'?); it must be on another bridge\n" in said
    assert "turntable is not in these files" not in said
    assert main(["check", str(files["arm"])]) == 0
    assert "      turntable is not in these files; it must be on another bridge\n" in capsys.readouterr().out
    files["turntable"].write_text(files["turntable"].read_text().replace("arms", "arm"))
    assert main(["check", *map(str, files.values())]) == EXIT_USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        f"{files['arm']}:5: arm forbids motion while turntable moving is true, and turntable forbids motion "
        "while arm moving is true: a loop, in which each could wait for the others for ever\n"
    )


def test_a_bad_configuration_is_told_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mistake with its line, all at once, on stderr."""
    file = tmp_path / "lab.yaml"
    file.write_text(GOOD.replace("bench-pi", "Bench Pi").replace("plate_resort", "plate_resrot"))
    assert main(["check", str(file)]) == EXIT_USAGE
    said = capsys.readouterr()
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [f"{file}:1", f"{file}:3"]
    assert said.out == ""


def test_a_driver_whose_library_is_missing_says_what_to_install(tmp_path: Path) -> None:
    """A Raspberry Pi has only what its own devices need."""
    file = tmp_path / "lab.yaml"
    file.write_text(GOOD)
    program = (
        "import sys; sys.modules['dynamixel_sdk'] = None; from lab2mqtt.cli import main; "
        f"sys.exit(main(['check', {str(file)!r}]))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert told.returncode == EXIT_USAGE
    assert f"{file}:3: Plate resort needs dynamixel_sdk, which is not installed" in told.stderr
    assert "pip install" in told.stderr
    assert "Traceback" not in told.stderr


def test_checking_a_file_loads_no_broker_no_hub_and_no_simulator(tmp_path: Path) -> None:
    """Each command loads what it needs: a small machine has a small daemon."""
    file = tmp_path / "lab.yaml"
    file.write_text(GOOD)
    program = f"""
import sys
from lab2mqtt.cli import main
main(["check", {str(file)!r}])
heavy = ("amqtt", "lab2mqtt.demo", "lab2mqtt.hub", "lab2mqtt.client", "lab2mqtt.simulators")
print([name for name in sys.modules if name.startswith(heavy)], file=sys.stderr)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stderr.strip() == "[]"
