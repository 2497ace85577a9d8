"""The protocols of the colour cell and of a lab's own, analysed and run by the real package."""

from collections.abc import Callable, Mapping
from pathlib import Path
import re
from typing import Any

import pytest
from tests.unit.drivers.ot2_own_cell import settings_of_the_page
from tests.unit.drivers.ot2_protocol_sources import RIGHT, WRONG

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.parameters import Parameter
from lab2mqtt.drivers.ot2.cell import Cell
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.protocol_file import ProtocolFile, read_protocols
from lab2mqtt.drivers.ot2.steps import Plan, read_steps
from lab2mqtt.simulators.opentrons_answers import Analysis, NotDone, Outcome, Step
from lab2mqtt.simulators.opentrons_process import OpentronsProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

Example = Callable[[str], dict[str, str]]


def seen(analysis: Analysis) -> list[tuple[str, str]]:
    """Kind and well of each command that has one."""
    return [
        (command["commandType"], command["params"]["wellName"])
        for command in analysis.commands
        if "wellName" in command["params"]
    ]


def said(analysis: Analysis) -> str:
    """Why it is not ok."""
    (problem,) = analysis.problems
    return problem.detail


async def test_the_deck_of_the_cell(worker: OpentronsProcess, example: Example) -> None:
    """Slots, labware and pipette as the cell has them."""
    analysis = await worker.analyze(example("mix_and_measure"))
    loaded = [
        (one["params"]["location"]["slotName"], one["params"]["loadName"])
        for one in analysis.commands
        if one["commandType"] == "loadLabware"
    ]
    assert loaded == [
        ("1", "corning_96_wellplate_360ul_flat"),
        ("3", "ac_6_tuberack_15000ul"),
        ("9", "opentrons_96_tiprack_300ul"),
        ("10", "ac_color_sensor_charging_port"),
    ]
    (pipette,) = analysis.document["pipettes"]
    assert (pipette["pipetteName"], pipette["mount"]) == ("p300_single_gen2", "right")
    assert analysis.document["robotType"] == "OT-2 Standard"


async def test_a_mix_takes_each_colour_with_its_own_tip(worker: OpentronsProcess, example: Example) -> None:
    """Tip, vial, well, rinse vial, and the tip back to its place; a colour of 0 µL is left out."""
    analysis = await worker.analyze(example("mix_color"), {"R": 100.0, "Y": 0.0, "B": 80.0, "well": "B2"})
    assert analysis.ok
    assert seen(analysis) == [
        (kind, well)
        for place in ("B1", "B3")
        for kind, well in (
            ("pickUpTip", place),
            ("aspirate", place),
            ("dispense", "B2"),
            ("blowout", "A1"),
            ("dropTip", place),
        )
    ]
    moves = [command for command in analysis.commands if "volume" in command["params"]]
    assert [move["params"]["volume"] for move in moves] == [100, 100, 80, 80]
    places = {
        command["commandType"]: command["result"]["position"]["z"] for command in analysis.commands[6:9]
    }
    assert places == pytest.approx(
        {"aspirate": 4, "dispense": 3.55 + 8, "blowout": 61 - 5}
    )  # mm over the deck
    assert len(analysis.seconds) == len(analysis.commands)
    assert 20 < sum(analysis.seconds) < 60


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"R": 101.0, "Y": 100.0, "B": 100.0}, "R + Y + B is 301 µL: more than 0 and at most 300 µL fit"),
        ({"R": 0.0, "Y": 0.0, "B": 0.0}, "R + Y + B is 0 µL"),
        ({"R": 5.0}, "R is 5 µL: p300_single_gen2 takes 0 or at least 20 µL"),
        ({"R": 300.5}, "between 0.0 and 300.0"),
        ({"R": -1.0}, "between 0.0 and 300.0"),
        ({"well": "Z9"}, "well|allowed|choices"),
        ({"red": 5.0}, "red"),
    ],
)
async def test_what_cannot_be_mixed_is_refused_before_a_tip_is_touched(
    worker: OpentronsProcess, example: Example, values: Mapping[str, Any], why: str
) -> None:
    """By an analysis with the same values, which is how a bridge asks."""
    analysis = await worker.analyze(example("mix_color"), values)
    assert not analysis.ok
    assert seen(analysis) == []
    assert any(words in said(analysis) for words in why.split("|"))


async def test_the_run_time_parameters_are_told(worker: OpentronsProcess, example: Example) -> None:
    """With limits, unit and choices, and the value that counts."""
    analysis = await worker.analyze(example("mix_color"), {"R": 20.0})
    red, _, _, well = analysis.document["runTimeParameters"]
    expected = {
        "variableName": "R",
        "displayName": "Red",
        "type": "float",
        "suffix": "µL",
        "min": 0,
        "max": 300,
    }
    assert red.items() >= {**expected, "default": 100, "value": 20}.items()
    assert (well["type"], well["default"], len(well["choices"])) == ("str", "A1", 96)
    assert analysis.document["metadata"]["required"] == "R Y B well"


async def run(worker: OpentronsProcess, files: dict[str, str], then: str) -> tuple[list[Step], Outcome]:
    """Run it, and do something at the pause."""
    going = await worker.simulate(files, {"well": "C3"}, pipettes={"right": "p300_single_gen2"})
    steps = []
    async for step in going.steps():
        steps.append(step)
        if step.kind == "paused":
            await (going.resume() if then == "resume" else going.cancel())
    return steps, await going.outcome()


@pytest.mark.parametrize("name", ["move_sensor", "mix_and_measure"])
async def test_the_sensor_goes_over_the_well_and_back_when_resumed(
    worker: OpentronsProcess, example: Example, name: str
) -> None:
    """Nothing hangs on the pipette when the run is over."""
    steps, outcome = await run(worker, example(name), "resume")
    ended = [step.command for step in steps if step.kind == "ended"]
    pick, move, pause, drop = ended[-4:]
    assert [one["commandType"] for one in (pick, move, pause, drop)] == [
        "pickUpTip",
        "moveToWell",
        "waitForResume",
        "dropTip",
    ]
    assert (pick["params"]["wellName"], drop["params"]["wellName"]) == ("A2", "A2")
    assert move["params"]["wellName"] == "C3"
    assert move["result"]["position"]["z"] == pytest.approx(14.22 - 1.3)
    assert drop["result"]["position"]["z"] == pytest.approx(100 - 80)
    assert all(one["status"] == "succeeded" for one in ended)
    assert (outcome.status, outcome.dropped) == ("succeeded", ())


async def test_a_stop_at_the_pause_throws_the_sensor_away(worker: OpentronsProcess, example: Example) -> None:
    """As a robot does; the parent has to offer the safe way first."""
    steps, outcome = await run(worker, example("move_sensor"), "cancel")
    assert (outcome.status, outcome.dropped) == ("stopped", ("right",))
    assert steps[-1].command["commandType"] == "waitForResume"
    assert steps[-1].command["status"] == "failed"


async def test_a_run_that_ends_with_the_sensor_throws_it_away_too(
    worker: OpentronsProcess, example: Example
) -> None:
    """The reason why placing and returning are one run."""
    files = example("move_sensor")
    files["move_sensor.py"] = "".join(
        line for line in files["move_sensor.py"].splitlines(keepends=True) if ".drop_tip(" not in line
    )
    _, outcome = await run(worker, files, "resume")
    assert (outcome.status, outcome.dropped) == ("succeeded", ("right",))


@pytest.mark.parametrize(
    ("pipettes", "why"),
    [
        ({}, "instrument p300_single_gen2 was requested, but no instrument is present"),
        ({"right": "p1000_single_gen2"}, "expected instrument p300_single_gen2 but got p1000_single"),
    ],
)
async def test_another_pipette_fails_the_run_before_anything_is_picked_up(
    worker: OpentronsProcess, example: Example, pipettes: Mapping[str, str], why: str
) -> None:
    """With the robot's words."""
    going = await worker.simulate(example("mix_color"), pipettes=pipettes)
    outcome = await going.outcome()
    assert outcome.status == "failed"
    assert why in outcome.problems[0].detail
    kinds = [step.command.get("commandType") async for step in going.steps()]
    assert "pickUpTip" not in kinds


def ours(file: ProtocolFile) -> list[dict[str, object]]:
    """What we read of a protocol's parameters, in the robot's words."""
    kinds = {"integer": "int", "number": "float", "string": "str", "boolean": "bool"}

    def limits(parameter: Parameter) -> dict[str, object]:
        if parameter.choices:
            return {"choices": list(parameter.choices)}
        limited = {"min": parameter.minimum, "max": parameter.maximum}
        return {} if parameter.type == "boolean" else limited

    return [
        {
            "variableName": parameter.name,
            "displayName": file.display_names[parameter.name],
            "type": kinds[parameter.type],
            "default": parameter.default,
            "description": parameter.description,
            "suffix": "" if parameter.choices else parameter.unit,  # the robot forgets it beside choices
            **limits(parameter),
        }
        for parameter in file.parameters
    ]


def theirs(analysis: Analysis) -> list[dict[str, object]]:
    """What the robot tells of them, without what we do not read; a choice is its value."""
    found = []
    for told in analysis.document["runTimeParameters"]:
        kept = {key: value for key, value in told.items() if key != "value"}
        if "choices" in kept:
            kept["choices"] = [choice["value"] for choice in kept["choices"]]
        kept["description"] = kept.get("description") or kept["displayName"]
        kept["suffix"] = kept.get("suffix") or ""
        found.append(kept)
    return found


@pytest.mark.parametrize("name", ["mix_color", "move_sensor", "mix_and_measure"])
async def test_our_own_reading_of_the_cell_is_the_same(
    worker: OpentronsProcess, example: Example, name: str
) -> None:
    """The bridge describes its tasks without the robot, and must not tell anything else."""
    files = example(name)
    (file,) = read_protocols({f"{name}.py": files[f"{name}.py"].encode()})
    analysis = await worker.analyze(files)
    assert ours(file) == theirs(analysis)
    assert file.metadata == analysis.document["metadata"]


async def test_our_own_reading_of_every_kind_is_the_same(worker: OpentronsProcess) -> None:
    """Whole numbers, numbers, texts, truth values; limits and choices."""
    (file,) = read_protocols({"mix.py": RIGHT.encode()})
    analysis = await worker.analyze({"mix.py": RIGHT})
    assert analysis.ok
    assert ours(file) == theirs(analysis)
    assert len(ours(file)) == 6


@pytest.mark.parametrize("what", WRONG)
async def test_what_we_do_not_take_the_robot_does_not_take(worker: OpentronsProcess, what: str) -> None:
    """And where it names a line, so do we."""
    source, _ = WRONG[what]
    try:
        analysis = await worker.analyze({"mix.py": source})
    except NotDone as refused:
        kind, problem = refused.kind, str(refused)
    else:
        kind, problem = str(analysis.document["result"]), said(analysis)
    assert kind in ("invalid_files", "not-ok")
    with pytest.raises(Misconfigured) as caught:
        read_protocols({"mix.py": source.encode()})
    if line := re.search(r"line (\d+)[\])]", problem):
        assert f"mix.py, line {line[1]}: " in str(caught.value)


async def test_the_page_about_a_cell_of_ones_own(worker: OpentronsProcess, tmp_path: Path) -> None:
    """Its protocol is analysed well, and its deck takes it."""
    settings = settings_of_the_page(tmp_path)
    cell = Cell.load(settings.cell)
    files = {name: content.decode() for name, content in cell.protocols["fill_well"].files.items()}
    analysis = await worker.analyze(files, {"volume": 55.0, "well": "B2", "touch_tip": True})
    assert analysis.ok
    (file,) = read_protocols({"fill_well.py": files["fill_well.py"].encode()})
    assert ours(file) == theirs(analysis)
    deck = Deck(settings, None, cell.labware, new=True)
    reported = Reported({"right": Pipette("p300_single_gen2", 20, 300)})
    deck.reserve(Plan(read_steps(analysis.commands)), "run-1", reported)
    deck.succeeded()
    shown = deck.shown()
    assert (shown["plates"]["1"]["B2"]["volume"], shown["vials"]["W"]["volume"]) == (55, 11_945)
    assert shown["tips"]["9"]["used"] == 1
