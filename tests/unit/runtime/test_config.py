"""The configuration: one file, checked whole; everything wrong is told at once, with its line."""

from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.drivers.plate_resort_settings import PlateResortSettings
from lab2mqtt.runtime import config
from lab2mqtt.runtime.config import (
    BridgeSettings,
    BrokerSettings,
    DeviceSettings,
    known_models,
    load,
    make_device,
)
from lab2mqtt.runtime.outline import load_outline

SECRET = "sesame-7f3a"  # noqa: S105 - nobody's
GOOD = """\
bridge: bench-pi
broker:
  host: broker.lab
  username: bench
devices:
  plate-resort:
    model: plate_resort
    name: Carousel
    area: Lab 2
    settings:
      device: /dev/ttyUSB1
      hotels: [A, B]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the configuration stands."""
    return tmp_path / "lab.yaml"


def problems(file: Path, text: str) -> list[str]:
    """What is told about a file, line by line, without its path."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as wrong:
        load(file)
    return [line.removeprefix(str(file)).removeprefix(":") for line in str(wrong.value).splitlines()]


NEAR = " (did you mean 'offset_angle'?)"


def _keys(shape: type) -> str:
    return ", ".join(field.name for field in fields(shape))


def test_a_good_file_becomes_a_bridge_that_can_be_run(file: Path) -> None:
    """With the settings in the types that the driver wants, and the limits that follow from them."""
    file.write_text(GOOD)
    found = load(file)
    assert (found.bridge, str(found.broker)) == ("bench-pi", "mqtt://bench@broker.lab:1883")
    assert (found.base, found.discovery, found.stop_topic) == (
        "lab2mqtt",
        "homeassistant",
        "lab2mqtt/emergency_stop",
    )
    (device,) = found.devices
    assert (device.instance.name, device.instance.area, device.instance.simulated) == (
        "Carousel",
        "Lab 2",
        False,
    )
    assert (device.settings.device, device.settings.hotels) == ("/dev/ttyUSB1", ("A", "B"))
    assert device.tasks["activate_hotel"].schema.parameters["hotel"].choices == ("A", "B")


def test_what_is_not_told_is_usual(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest file is two lines and a model."""
    monkeypatch.setenv("XDG_STATE_HOME", "/var/lib")
    file.write_text("bridge: b\ndevices:\n  x: {model: plate_resort}\n")
    found = load(file)
    assert str(found.broker) == "mqtt://127.0.0.1:1883"
    assert found.state == Path("/var/lib/lab2mqtt/b")
    assert found.devices[0].instance.name == "Plate resort"


def test_the_state_folder_is_beside_the_file_unless_it_is_absolute(file: Path) -> None:
    """The file may be moved with what belongs to it."""
    file.write_text("bridge: b\nstate: kept\ndevices: {}\n")
    assert load(file).state == file.parent / "kept"


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines(file: Path) -> None:
    """Each with file, line, key, value and what is allowed."""
    text = """\
bridge: Bench Pi
brokr: {}
broker:
  port: 99999
  hots: x
devices:
  Plate Resort:
    model: plate_resort
  resort:
    model: plate_resrot
  other:
    model: plate_resort
    simulated: "yes"
    colour: red
  last:
    model: plate_resort
    settings:
      motor_id: 300
      hotels: A
      offset: 3
"""
    assert problems(file, text) == [
        "1: bridge 'Bench Pi' is not an id of a-z, 0-9, - and _, at most 64 long",
        f"2: the file has no 'brokr' (did you mean 'broker'?): it takes {_keys(BridgeSettings)}",
        "4: broker.port 99999 is out of range: a whole number, 1 to 65535",
        f"5: broker has no 'hots' (did you mean 'host'?): it takes {_keys(BrokerSettings)}",
        "7: device id 'Plate Resort' is not made of a-z, 0-9, - and _, at most 64 long",
        f"10: model 'plate_resrot' is not one of {', '.join(known_models())} (did you mean 'plate_resort'?)",
        "13: devices.other.simulated 'yes' is not true or false",
        f"14: devices.other has no 'colour': it takes {_keys(DeviceSettings)}",
        "18: devices.last.settings.motor_id 300 is out of range: a whole number, 0 to 252",
        "19: devices.last.settings.hotels 'A' is not a list (each a text of 1 to 32 characters)",
        f"20: devices.last.settings has no 'offset'{NEAR}: it takes {_keys(PlateResortSettings)}",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("devices: {}\n", ["1: bridge is missing: a text"]),
        ("bridge: b\n", ["1: devices is missing: an object"]),
        ("bridge: b\ndevices:\n", ["2: devices null is not an object"]),
        ("bridge: b\ndevices: [x]\n", ['2: devices ["x"] is not an object']),
        ("bridge: b\ndevices:\n  x: y\n", ["3: devices.x 'y' is not a set of keys with values"]),
        ("bridge: b\ndevices:\n  x:\n", ["3: devices.x.model is missing: a text"]),
        ("bridge: b\nbase: a/#\ndevices: {}\n", None),
        ("bridge: b\ndiscovery: /ha\ndevices: {}\n", None),
        ("bridge: b\ndevices: {bridge: {model: plate_resort}}\n", None),
        ("bridge: b\ndevices: {1: {model: plate_resort}}\nbroker: x\n", None),
    ],
    ids=range(10),
)
def test_each_mistake_has_its_line(file: Path, text: str, told: list[str] | None) -> None:
    """Also where a section is not what it should be."""
    found = problems(file, text)
    assert told is None or found == told
    assert all(line.split(":")[0].isdecimal() for line in found)


def test_settings_that_contradict_each_other_are_told_in_their_own_words(file: Path) -> None:
    """What no single key shows, the model knows."""
    text = GOOD.replace("[A, B]", "[A, B, A]")
    assert problems(file, text) == [
        "10: devices.plate-resort.settings: hotels has 'A' twice: each name may stand there once"
    ]
    text = GOOD.replace("hotels: [A, B]", "voltage_min: 20")
    assert problems(file, text) == [
        "10: devices.plate-resort.settings: voltage_min 20 V is not below voltage_max 14 V"
    ]


def test_the_same_settings_without_a_file_are_refused_too() -> None:
    """The demo makes its devices without one."""
    with pytest.raises(Misconfigured, match="hotels has 'A' twice"):
        make_device("x", "b", DeviceSettings("plate_resort", settings={"hotels": ["A", "A"]}))
    with pytest.raises(Misconfigured, match=r"motor_id 300 is out of range.*; settings has no 'hotel'"):
        make_device("x", "b", DeviceSettings("plate_resort", settings={"motor_id": 300, "hotel": 1}))


# A declaration that grows with its settings

GARDEN = """\
bridge: b
devices:
  garden:
    model: garden
    settings:
      beds: plants/beds
"""


@pytest.fixture
def beds(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to which the configuration of a garden points; its model is known while a test lasts."""
    models = str(Path(__file__).with_name("more_models"))
    monkeypatch.setattr(config.devices, "__path__", [*config.devices.__path__, models])
    folder = file.parent / "plants" / "beds"
    folder.mkdir(parents=True)
    (folder / "roses.bed").write_text("7")
    return folder


def test_what_the_settings_lead_to_becomes_tasks_and_entities(file: Path, beds: Path) -> None:
    """As if they stood in the declaration, for file and demo alike; a path is seen from the file."""
    file.write_text(GARDEN)
    (found,) = load(file).devices
    made = make_device("garden", "b", DeviceSettings("garden", settings={"beds": str(beds)}))
    assert (found.settings.beds, found.settings.shed) == (beds, None)
    for device in (found, made):
        assert device.tasks["water_roses"].arguments({"litres": 7}) == {
            "task": "water_roses",
            "arguments": {"litres": 7.0},
        }
        told = cast("dict[str, Any]", device.describe())
        assert (told["entities"]["water_roses"]["maximum"], told["tasks"]["fill"]["effect"]) == (7.0, "move")


def test_a_path_is_the_one_that_was_written_where_it_is_absolute(file: Path, beds: Path) -> None:
    """And null where there need not be one."""
    file.write_text(GARDEN.replace("plants/beds", f"{beds}\n      shed: /srv/shed"))
    assert load(file).devices[0].settings.shed == Path("/srv/shed")
    file.write_text(GARDEN.replace("plants/beds", f"{beds}\n      shed: null"))
    assert load(file).devices[0].settings.shed is None


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("roses.txt", "7", "beds {beds} has no file *.bed"),
        ("Roses.bed", "7", "entity key 'water_Roses' is not snake case of at most 64 characters"),
    ],
)
def test_what_is_wrong_with_what_they_lead_to_is_told_with_the_line_of_the_settings(
    file: Path, beds: Path, name: str, text: str, told: str
) -> None:
    """By the model itself, or by what holds for every declaration."""
    (beds / "roses.bed").unlink()
    (beds / name).write_text(text)
    text = told.format(beds=beds)
    assert problems(file, GARDEN) == [f"5: devices.garden.settings: {text}"]
    with pytest.raises(Misconfigured) as wrong:
        make_device("garden", "b", DeviceSettings("garden", settings={"beds": str(beds)}))
    assert str(wrong.value) == text


@pytest.mark.parametrize(("beds_told", "why"), [("''", "has 0 characters: a path"), ("3", "3 is not a path")])
def test_what_is_no_path_is_told(file: Path, beds: Path, beds_told: str, why: str) -> None:
    """With the key, as for every setting."""
    del beds
    (line,) = problems(file, GARDEN.replace("plants/beds", beds_told))
    assert line.startswith("6: devices.garden.settings.beds ")
    assert why in line


# The file itself


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ":1: the file must hold keys with values, such as `bridge: bench-pi`"),
        (b"# nothing\n", ":1: the file must hold keys with values, such as `bridge: bench-pi`"),
        (b"- bridge\n", ":1: the file must hold keys with values, such as `bridge: bench-pi`"),
        (b"bridge: b\ndevices:\n\tx: 1\n", ":3: no YAML: found character '\\t' that cannot start any token"),
        (b"bridge: [b\n", ":2: no YAML: "),
        (b"bridge: b\xff\n", ": not UTF-8 text: invalid start byte at byte 9"),
        (b"bridge: b\x00\n", ": no YAML: "),
        (b"bridge: 2026-13-45\n", ": no YAML: "),
        (b"a: &a\n  b: *a\n", ": no YAML: "),
        (b"? [a]\n: b\n", ":1: no YAML: "),
    ],
    ids=range(10),
)
def test_what_is_no_configuration_at_all_is_told_without_a_traceback(
    file: Path, content: bytes, told: str
) -> None:
    """Tabs, half of an edit, another encoding."""
    file.write_bytes(content)
    with pytest.raises(Misconfigured) as wrong:
        load(file)
    assert str(wrong.value).startswith(f"{file}{told}")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """And so does a folder."""
    with pytest.raises(Misconfigured, match=r"none\.yaml: No such file or directory"):
        load(tmp_path / "none.yaml")
    with pytest.raises(Misconfigured, match="Is a directory"):
        load(tmp_path)


def test_a_key_that_stands_twice_is_told(file: Path) -> None:
    """YAML would silently take the last one, and the first device would be gone."""
    text = GOOD.replace("area: Lab 2", "name: Other")
    assert problems(file, text) == ["9: devices.plate-resort.name stands here a second time"]
    assert problems(file, GOOD + "  plate-resort: {model: plate_resort}\n")[0] == (
        "13: devices.plate-resort stands here a second time"
    )


# Passwords


def test_a_password_in_the_file_is_refused_and_not_repeated(file: Path) -> None:
    """The file is copied, shown and committed."""
    text = GOOD.replace("username: bench", f"password: {SECRET}")
    assert problems(file, text) == [
        "4: broker.password: a password does not belong in this file; use password_env or password_file"
    ]


def test_a_password_comes_from_the_environment_or_a_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And is never shown."""
    monkeypatch.setenv("BENCH_PASSWORD", SECRET)
    (file.parent / "secret").write_text(f"{SECRET}\n")
    for line in ("password_env: BENCH_PASSWORD", "password_file: secret"):
        file.write_text(GOOD.replace("username: bench", f"username: bench\n  {line}"))
        found = load(file)
        assert found.broker.password == SECRET
        assert SECRET not in f"{found} {found!r} {found.broker} {found.broker!r} {caplog.text}"


def test_a_password_that_is_not_there_is_told_with_where_it_was_looked_for(file: Path) -> None:
    """An empty password would be tried for ever."""
    text = GOOD.replace("username: bench", "password_env: NO_SUCH_PASSWORD\n  password_file: nowhere")
    assert problems(file, text) == [
        "4: broker.password_env: the environment has no NO_SUCH_PASSWORD",
        "5: broker.password_file 'nowhere': No such file or directory",
    ]


# Simulated


def test_a_bridge_that_only_adopts_needs_no_device(file: Path) -> None:
    """It looks under its base, and under the one of the older dialect unless told."""
    file.write_text("bridge: adopter\nadopt: true\ndevices: {}\n")
    found = load(file)
    assert (found.devices, found.adopt, found.adopt_prefixes) == ((), True, ("ot2",))
    assert load_outline(file).adopts == ("lab2mqtt", "ot2")
    file.write_text("bridge: adopter\nbase: ot2\ndevices: {}\n")
    found = load(file)
    assert (found.adopt, found.adopt_prefixes) == (False, ())
    assert load_outline(file).adopts == ()


@pytest.mark.parametrize(
    ("prefixes", "told"),
    [
        ("[a b, a.b]", "'a.b' and 'a b' are one to Home Assistant"),
        ("[lab2mqtt/x]", "'lab2mqtt/x' and 'lab2mqtt' lie in each other"),
        ("['#']", "'#' is not a topic without wildcards"),
    ],
)
def test_prefixes_that_cannot_be_told_apart_are_refused(file: Path, prefixes: str, told: str) -> None:
    """A topic would be of two."""
    (line,) = problems(file, f"bridge: adopter\ndevices: {{}}\nadopt_prefixes: {prefixes}\n")
    assert line.startswith("3: adopt_prefixes: ")
    assert told in line


def test_a_simulated_device_says_so(file: Path) -> None:
    """In its description, and so in its name."""
    file.write_text(GOOD.replace("area: Lab 2", "simulated: true"))
    assert load(file).devices[0].instance.simulated is True


def test_every_example_is_a_good_file() -> None:
    """It is what people start from."""
    examples = sorted((Path(config.__file__).parents[3] / "examples").glob("*.yaml"))
    bridges = [example for example in examples if example.name != "gateway.yaml"]
    assert len(bridges) == len(examples) - 1  # the gateway has a test of its own
    for example in bridges:
        assert load(example).devices
