"""The ``interlocks:`` of configurations: read, checked against the devices they look at, and for loops."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import kitchen_sink
import yaml

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.interlock import Interlock
from lab2mqtt.runtime.config import load, load_lab
from lab2mqtt.runtime.interlock_rules import Placed, Rules, _forbidden, check_rules
from lab2mqtt.runtime.yaml_file import YamlFile

STILL = {"forbid": "motion", "while": {"device": "resort", "key": "moving", "is": True}}
SEVERAL = """\
bridge: b
devices:
  resort: {model: plate_resort}
  robot:
    model: plate_resort
    interlocks:
      - name: the carousel stands still
        forbid: motion
        while: {device: resort, key: moving, is: true}
      - forbid: [reboot, go_home]
        while:
          device: elsewhere
          key: temperature
          above: 40
        max_age: 60
        on_break: finish
"""


def write(folder: Path, name: str = "b", **devices: list[dict[str, Any]]) -> Path:
    """A file with plate resorts, each with its interlocks."""
    told = {device: {"model": "plate_resort", "interlocks": rules} for device, rules in devices.items()}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"bridge": name, "devices": told}))
    return file


def looks_at(device: str, key: str = "moving", /, **comparison: object) -> dict[str, Any]:
    """A rule on all motion."""
    return {"forbid": "motion", "while": {"device": device, "key": key, **(comparison or {"is": True})}}


def problems(*files: Path) -> list[str]:
    """What is told about files, without their folder and their lines."""
    with pytest.raises(Misconfigured) as wrong:
        load_lab(files)
    return [line.split(": ", 1)[1] for line in str(wrong.value).splitlines()]


def problem(folder: Path, rule: object) -> str:
    """The one thing that is told about one rule of ``robot``, without the rule's place."""
    found = problems(write(folder, resort=[], robot=[rule]))  # type: ignore[list-item]
    assert len(found) == 1
    assert found[0].startswith("devices.robot.interlocks")
    return found[0].removeprefix("devices.robot.interlocks[0]")


def test_rules_are_read_with_what_is_usual(tmp_path: Path) -> None:
    """A rule without a name is called what it says."""
    file = tmp_path / "lab.yaml"
    file.write_text(SEVERAL)
    resort, robot = load(file).devices
    assert resort.interlocks == ()
    assert robot.interlocks == (
        Interlock("the carousel stands still", ("motion",), "resort", "moving", "is", value=True),
        Interlock(
            "no reboot or go_home while elsewhere temperature is above 40",
            ("reboot", "go_home"),
            "elsewhere",
            "temperature",
            "above",
            40,
            60,
            "finish",
        ),
    )
    assert [(rule.max_age, rule.on_break) for rule in robot.interlocks] == [(30, "stop"), (60, "finish")]


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """Also inside of lists, and in both files."""
    file = tmp_path / "lab.yaml"
    file.write_text(SEVERAL.replace("forbid: motion", "forbid: moton").replace("above: 40", "above: hot"))
    other = tmp_path / "other.yaml"
    other.write_text(
        "bridge: c\ndevices:\n  x:\n    model: plate_resort\n    interlocks:\n      - forbid: 5\n"
    )
    nothing = tmp_path / "nothing.yaml"
    with pytest.raises(Misconfigured) as wrong:
        load_lab([file, other, nothing])
    assert [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in str(wrong.value).splitlines()] == [
        "nothing.yaml",
        "lab.yaml:8",
        "lab.yaml:14",
        "other.yaml:6",
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("motion", " 'motion' is not an object"),
        ({"while": STILL["while"]}, ".forbid is missing: any value"),
        ({"forbid": "motion"}, ".while is missing: an object"),
        (STILL | {"until": 3}, " has no 'until': it takes name, forbid, while, max_age, on_break"),
        (STILL | {"forbid": []}, ".forbid [] is not motion, a task, or a list of tasks"),
        (STILL | {"forbid": [5]}, ".forbid [5] is not motion, a task, or a list of tasks"),
        (
            STILL | {"forbid": "activate_hotels"},
            ".forbid: 'activate_hotels' is not one of motion, connect, disconnect, activate_hotel, go_home",
        ),
        (STILL | {"forbid": "reboo"}, "activate_plate (did you mean 'reboot'?)"),
        (STILL | {"forbid": "status"}, ".forbid: 'status' only reads"),
        (
            STILL | {"forbid": ["motion", "emergency_stop"]},
            ".forbid: 'emergency_stop' is a task that nothing may forbid",
        ),
        (STILL | {"forbid": "cancel"}, ".forbid: 'cancel' is a task that nothing may forbid"),
        (STILL | {"max_age": 0}, ".max_age 0 is out of range: a number, 1 to 3600 s"),
        (STILL | {"max_age": "long"}, ".max_age 'long' is not a number, 1 to 3600 s"),
        (STILL | {"on_break": "halt"}, ".on_break 'halt' is not one of stop, finish"),
        (STILL | {"name": ""}, ".name '' has 0 characters: a text of 1 to 120 characters"),
        (looks_at("robot"), ".while: device 'robot' is this device itself: a rule looks at another one"),
        (
            looks_at("Plate Resort"),
            ".while: device 'Plate Resort' is not a device id, made of a-z, 0-9, - and _, at most 64 long",
        ),
        (
            {"forbid": "motion", "while": {"device": "resort", "key": "moving"}},
            ".while: no comparison: exactly one of is, is_not, above, below is needed",
        ),
        (
            looks_at("resort", "position", above=1, below=3),
            ".while: above and below together: exactly one of is, is_not, above, below is needed",
        ),
        (
            looks_at("resort", **{"is": None}),
            ".while: is null is not a text, a number, true or false; what is unknown forbids by itself",
        ),
        (
            looks_at("resort", **{"is": [True]}),
            ".while: is [true] is not a text, a number, true or false",
        ),
        (
            looks_at("resort", "position", **{"is": float("nan")}),
            ".while: is NaN is not a text, a number, true or false",
        ),
        (looks_at("resort", "position", above=True), ".while.above true is not a number"),
        (looks_at("resort", "position", above="5"), ".while.above '5' is not a number"),
        (
            looks_at("resort", equals=5),
            ".while has no 'equals': it takes device, key, is, is_not, above, below",
        ),
    ],
)
def test_each_mistake_in_a_rule_is_told(tmp_path: Path, rule: object, told: str) -> None:
    """With what would be right."""
    assert told in problem(tmp_path, rule)


@pytest.mark.parametrize(
    ("key", "comparison", "told"),
    [
        (
            "movin",
            {"is": True},
            "resort has no 'movin' (did you mean 'moving'?): it says active_hotel, posit",
        ),
        ("moving", {"is": "yes"}, "resort moving is true or false, and 'yes' is not"),
        ("moving", {"above": 1}, "resort moving is true or false, and 1 is not"),
        ("position", {"is": "A"}, "resort position is a number, and 'A' is not"),
        ("target", {"is_not": False}, "resort target is a number, and false is not"),
        ("active_hotel", {"is": "E"}, "resort active_hotel is one of A, B, C, D, not 'E'"),
        ("active_hotel", {"below": 3}, "resort active_hotel is a text, and 3 is not"),
        ("readiness", {"is": "redy"}, "not 'redy' (did you mean 'ready'?)"),
        ("readiness", {"is": False}, "and false is not; a word such as off, on, no or yes needs quotes"),
        ("connected", {"is": 1}, "resort connected is true or false, and 1 is not"),
        ("task", {"is": "go_home"}, "null and an empty list forbid by themselves; compare readiness"),
        ("warnings", {"is": "hot"}, "null and an empty list forbid by themselves; compare readiness"),
        ("readiness_reasons", {"is": "hot"}, "resort readiness_reasons has no value that a rule can compare"),
        ("updated_at", {"above": 5}, "resort updated_at has no value that a rule can compare"),
        ("reserved_until", {"above": 5}, "resort reserved_until has no value that a rule can compare"),
        ("plate", {"is": "x"}, "resort plate has no value that a rule can compare"),
        ("home", {"is": True}, "resort home has no value that a rule can compare"),
    ],
)
def test_a_key_and_a_value_must_be_those_of_the_device(
    tmp_path: Path, key: str, comparison: dict[str, object], told: str
) -> None:
    """Otherwise the rule would forbid for ever, or never."""
    assert told in problem(tmp_path, looks_at("resort", key, **comparison))


@pytest.mark.parametrize(
    ("key", "comparison"),
    [
        ("moving", {"is_not": False}),
        ("position", {"above": 180}),
        ("position", {"is": 0}),
        ("active_hotel", {"is_not": "A"}),
        ("readiness", {"is": "maintenance"}),
        ("connected", {"is": False}),
        ("maintenance", {"is": True}),
        ("emergency_stop", {"is": True}),
        ("plates", {"below": 1}),
    ],
)
def test_what_fits_is_taken(tmp_path: Path, key: str, comparison: dict[str, object]) -> None:
    """Entities of the device, and keys that every device has."""
    file = write(tmp_path, resort=[], robot=[looks_at("resort", key, **comparison)])
    assert load(file).devices[1].interlocks[0].key == key


@pytest.mark.parametrize(
    ("key", "comparison", "fits"),
    [
        ("temperature", {"above": 20}, True),
        ("program", {"is": "off"}, True),
        ("program", {"is": "of"}, False),
        ("label", {"is": 5}, True),  # nothing tells of which type it is
        ("flow", {"below": 2}, True),
        ("basin", {"is": "left"}, None),
        ("light", {"is": False}, True),
        ("note", {"is": "x"}, True),
        ("lamp", {"is": False}, True),
        ("picture", {"above": 1_763_690_000}, True),  # when it was taken
        ("picture", {"is_not": "x"}, False),
        ("washing_temperature", {"above": 40}, True),  # of a part that may be attached
        ("firmware", {"is": "1.0"}, False),
        ("accidents", {"is": "clogged"}, False),
        ("rinse", {"is": True}, False),
    ],
)
def test_every_platform_has_its_types(tmp_path: Path, key: str, comparison: Any, fits: bool | None) -> None:  # noqa: ANN401, FBT001
    """What a device says of its entities is enough to know which value makes sense."""
    sink = kitchen_sink.make_config()
    if fits is None:  # its choices are settings
        comparison, fits = {"is": sink.settings.basins[0]}, True
    ((word, value),) = comparison.items()
    rule = Interlock("r", ("motion",), "sink", key, word, value)
    rules = Rules(YamlFile(tmp_path), "lab2mqtt", {"sink": sink}, [Placed("other", (), rule)])
    check_rules([rules])
    assert bool(rules.source.told()) is not fits


def test_a_state_must_be_believed_for_longer_than_it_takes_to_say_it_again(tmp_path: Path) -> None:
    """A device that cannot move says it every 60 s: 30 s would forbid half of the time."""
    found = problem(tmp_path, STILL | {"max_age": 12})
    assert found == (".max_age 12 s: resort says its state every 10 s at the latest; 15 s or more are needed")
    sink = kitchen_sink.make_config()
    still = [task for task in sink.device.tasks if task.effect != "move"]
    shelf = replace(sink, device=replace(sink.device, tasks=still))
    for age, fits in ((30, False), (90, True)):
        rule = Interlock("r", ("motion",), "shelf", "light", "is", value=True, max_age=age)
        rules = Rules(YamlFile(tmp_path), "lab2mqtt", {"shelf": shelf}, [Placed("other", (), rule)])
        check_rules([rules])
        assert bool(rules.source.told()) is not fits


def test_a_device_without_motion_has_none_to_forbid(tmp_path: Path) -> None:
    """``motion`` would be a rule on nothing."""
    sink = kitchen_sink.make_config()
    tasks = {name: task for name, task in sink.tasks.items() if task.effect != "move"}
    source = YamlFile(tmp_path)
    assert _forbidden(source, (), "motion", replace(sink, tasks=tasks)) == ()
    assert source.told() == [f"{tmp_path}:1: : 'motion': Kitchen sink has no task that moves"]


def test_of_a_device_on_another_bridge_only_the_keys_of_every_device_are_known(tmp_path: Path) -> None:
    """Its own keys are taken as they stand."""
    fine = [looks_at("far", "lid", **{"is": "open"}), looks_at("far", "readiness", is_not="ready")]
    assert len(load(write(tmp_path, robot=fine)).devices[0].interlocks) == 2
    wrong = [looks_at("far", "readiness", **{"is": "redy"}), looks_at("far", "task", **{"is": "x"})]
    found = problems(write(tmp_path, robot=wrong))
    assert "(did you mean 'ready'?)" in found[0]
    assert "far task has no value that a rule can compare" in found[1]


def test_devices_that_forbid_each_other_are_refused_with_the_whole_loop(tmp_path: Path) -> None:
    """Both could wait for ever, and both could start in the same moment."""
    back = {"forbid": "go_home", "while": {"device": "robot", "key": "readiness", "is": "busy"}}
    (found,) = problems(write(tmp_path, resort=[back], robot=[STILL]))
    assert found == (
        "resort forbids go_home while robot readiness is 'busy', and robot forbids motion while resort "
        "moving is true: a loop, in which each could wait for the others for ever"
    )


def test_a_loop_through_three_bridges_is_found_where_all_files_are_checked(tmp_path: Path) -> None:
    """Each file alone is good."""
    files = [
        write(tmp_path, "one", a=[looks_at("b")]),
        write(tmp_path, "two", b=[looks_at("c")]),
        write(tmp_path, "three", c=[looks_at("a")]),
    ]
    for file in files:
        assert load(file).devices
    assert len(load_lab(files[:2])) == 2
    (found,) = problems(*files)
    assert found.startswith("a forbids motion while b moving is true, and b forbids motion while c moving")
    assert found.endswith("and c forbids motion while a moving is true: a loop, in which each could wait for "
                          "the others for ever")  # fmt: skip


def test_labs_of_different_bases_do_not_see_each_other(tmp_path: Path) -> None:
    """A rule looks at its own base only: there the same ids are other devices."""
    one, two = write(tmp_path, "one", a=[looks_at("b")]), write(tmp_path, "two", b=[looks_at("a")])
    assert "a loop" in problems(one, two)[0]
    two.write_text(two.read_text() + "base: other\n")
    assert len(load_lab([one, two])) == 2


def test_a_bridge_or_a_device_that_stands_in_two_files_is_told(tmp_path: Path) -> None:
    """The second one would refuse to start."""
    one, two = write(tmp_path, "one", a=[], b=[]), write(tmp_path, "two", b=[], c=[])
    assert problems(one, two) == [f"device 'b' stands in {one} too"]
    two.write_text(one.read_text() + "base: other\n")
    assert len(load_lab([one, two])) == 2
    two.write_text(one.read_text())
    assert problems(one, two)[0] == f"bridge 'one' stands in {one} too"
