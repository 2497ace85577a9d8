"""A folder of protocols and labware, and the tasks and entities that it makes."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.drivers.ot2_own_cell import follow_the_page, settings_of_the_page

from lab2mqtt.core.device import Task
from lab2mqtt.core.entities import AnyEntity, Button, Number, Select, Sensor, Switch
from lab2mqtt.core.errors import Misconfigured, Refused
from lab2mqtt.core.parameters import Schema
from lab2mqtt.drivers.ot2.cell import COLOUR, Cell, grow
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.labware import known
from lab2mqtt.drivers.ot2.settings import Ot2Settings
from lab2mqtt.drivers.ot2.snapshot import Snapshot
from lab2mqtt.runtime import config

IDS = {"experiment_id", "session_id"}
MIX = {"R": 100, "Y": 50.0, "B": 80.0, "well": "B2"}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a protocol with these metadata, and perhaps with parameters, into the cell's folder."""

    def to(name: str = "mix.py", adds: str = "", **metadata: str) -> Path:
        level = 'requirements = {"robotType": "OT-2", "apiLevel": "2.18"}'
        body = f"def add_parameters(parameters):\n    {adds}\n" if adds else ""
        told = {"task": "mix", **metadata}
        (tmp_path / name).write_text(f"metadata = {told}\n{level}\n{body}\ndef run(protocol): pass\n")
        return tmp_path

    return to


def tasks_of(settings: Ot2Settings) -> dict[str, Task]:
    """The tasks of a growth that are data, by name."""
    return {task.name: task for task in grow(settings).tasks if task.parameters is not None}


def entities_of(settings: Ot2Settings) -> dict[str, AnyEntity]:
    """Its entities by key."""
    return {entity.key: entity for entity in grow(settings).entities}


def schema(task: Task) -> Schema:
    """What a task takes."""
    assert task.parameters is not None
    return Schema(task.parameters, task.name)


class TestTheColourCell:
    """The cell of the package, which is made as every other."""

    settings = Ot2Settings(address="192.0.2.20")

    def test_it_is_there_where_no_folder_is_named(self) -> None:
        """Its protocols, by the words of systems.md."""
        cell = Cell.load()
        assert cell == Cell.load(COLOUR)
        assert [*cell.protocols] == ["mix_and_measure", "mix_color", "move_sensor_to_measurement_position"]
        assert cell.forms == ["mix_color"]
        assert cell.resumes == {"move_sensor_back": "charging"}
        moving = cell.protocols["move_sensor_to_measurement_position"]
        assert (moving.pauses, moving.holds, moving.file) == ("in_place", "sensor", "move_sensor.py")
        mixing = cell.protocols["mix_color"]
        assert (mixing.pauses, mixing.form, mixing.title) == ("", "Mix", "Mix colours")

    def test_a_protocol_is_uploaded_with_the_labware(self) -> None:
        """And with no other protocol: the robot takes one."""
        cell = Cell.load()
        labware = {"ac_6_tuberack_15000ul.json", "ac_color_sensor_charging_port.json"}
        assert cell.definitions.keys() == labware
        assert cell.protocols["mix_color"].files.keys() == {"mix_color.py", *labware}
        content = cell.protocols["mix_color"].files["mix_color.py"]
        assert content == (COLOUR / "mix_color.py").read_bytes()

    def test_its_labware_is_what_the_deck_knows_already(self) -> None:
        """The padded port has the two places that exist."""
        assert {kind.load_name: kind for kind in Cell.load().labware}.items() <= known().items()

    def test_the_tasks(self) -> None:
        """Those that move may take as long as the settings say."""
        tasks = tasks_of(self.settings)
        assert {name: (task.run, task.effect) for name, task in tasks.items()} == {
            "mix_color": ("play", "move"),
            "mix_and_measure": ("play", "move"),
            "move_sensor_to_measurement_position": ("play", "move"),
            "move_sensor_back": ("put_back", "move"),
            "fill_in_mix_color": ("fill_in", "read"),
            "mix_color_as_filled_in": ("play_filled_in", "move"),
            "mix_colors": ("mix_colors", "move"),
        }
        assert {task.timeout for task in tasks.values() if task.effect == "move"} == {
            tasks["mix_color"].timeout
        }
        assert all(task.description and task.returns for task in tasks.values())
        assert "charging" in tasks["move_sensor_back"].returns
        assert "in_place" in tasks["move_sensor_to_measurement_position"].returns

    def test_what_mix_color_takes(self) -> None:
        """The protocol's parameters with their limits, and the ids of the lab's experiment."""
        takes = schema(tasks_of(self.settings)["mix_color"])
        assert takes.check(MIX) == {**MIX, "R": 100.0}
        assert takes.check({**MIX, "experiment_id": "e1", "session_id": "s1"}).keys() == {*MIX, *IDS}
        for wrong, text in (
            ({**MIX, "R": 301}, "R 301 is out of range: a number, 0 to 300 µL"),
            ({**MIX, "well": "Z9"}, "well 'Z9' is not one of A1, A2"),
            ({"R": 1, "Y": 1, "B": 1}, "well is missing"),
            ({**MIX, "experiment_id": "e" * 65}, "experiment_id"),
        ):
            with pytest.raises(Refused, match=text):
                takes.check(wrong)

    def test_what_mix_colors_takes(self) -> None:
        """A colour of light; the well is the next empty one where none is named."""
        takes = schema(tasks_of(self.settings)["mix_colors"])
        assert takes.check({"r": 255, "g": 0, "b": 7}) == {"r": 255, "g": 0, "b": 7}
        assert takes.check({"r": 1, "g": 2, "b": 3, "well": "H12", "experiment_id": "e"})["well"] == "H12"
        with pytest.raises(Refused, match=r"r 256 is out of range: a whole number, 0 to 255; g is missing"):
            takes.check({"r": 256, "b": 7})
        assert "default" not in takes.parameters["well"].json_schema()

    def test_a_sensor_brings_read_color(self) -> None:
        """Only where one is configured."""
        assert "read_color" not in tasks_of(self.settings)
        task = tasks_of(Ot2Settings(address="192.0.2.20", color_sensor="as7341"))["read_color"]
        assert (task.run, task.effect, schema(task).check({})) == ("read_color", "read", {})

    def test_the_form(self) -> None:
        """An entity for each parameter, which shows what is filled in, and a button."""
        entities = entities_of(self.settings)
        filled = Snapshot(forms={"mix_color": {"R": 20.5, "well": "C3"}})
        for key, name, value in (("r", "Mix red", 20.5), ("y", "Mix yellow", None), ("b", "Mix blue", None)):
            number = entities[f"mix_color_{key}"]
            assert isinstance(number, Number)
            assert (number.name, number.step, number.mode) == (name, 0.1, "box")
            assert (number.task, number.parameter) == ("fill_in_mix_color", key.upper())
            assert number.read
            assert number.read(filled) == value
        well, button = entities["mix_color_well"], entities["mix_color"]
        assert isinstance(well, Select)
        assert well.read
        assert (well.read(filled), well.read(Snapshot())) == ("C3", None)
        assert isinstance(button, Button)
        assert (button.name, button.task, button.icon) == ("Mix", "mix_color_as_filled_in", "mdi:palette")

    def test_what_is_filled_in(self) -> None:
        """One value at a time, checked at once; what is left out has no default and stays."""
        tasks = tasks_of(self.settings)
        takes = schema(tasks["fill_in_mix_color"])
        assert takes.check({"R": 20}) == {"R": 20.0}
        assert takes.parameters.keys() == set(MIX)
        assert all("default" not in each.json_schema() for each in takes.parameters.values())
        with pytest.raises(Refused, match="out of range"):
            takes.check({"R": 301})
        assert schema(tasks["mix_color_as_filled_in"]).check({}) == {}

    def test_tips_and_paint_that_are_left(self) -> None:
        """As the deck remembers them; in mL, Home Assistant's smallest unit of volume."""
        entities = entities_of(self.settings)
        new = Snapshot(deck=Deck(self.settings, None, new=True).shown())
        nothing_known = Snapshot(deck=Deck(self.settings, None).shown())
        readings = {}
        for key in ("tips_9", "vial_r", "vial_y", "vial_b"):
            sensor = entities[key]
            assert isinstance(sensor, Sensor)
            assert sensor.read
            assert sensor.read(nothing_known) is None
            assert sensor.read(Snapshot()) is None
            readings[sensor.name] = (sensor.read(new), sensor.unit, sensor.device_class)
        litre = (11.0, "mL", "volume_storage")  # 12 mL, of which 1 mL cannot be drawn
        tips = {"Tips left, slot 9": (96, "", "")}
        assert readings == tips | {"Red left": litre, "Yellow left": litre, "Blue left": litre}

    def test_no_tips_left_and_none_known_are_not_the_same(self) -> None:
        """Nought is said of an empty rack only."""
        read = entities_of(self.settings)["tips_9"].read  # type: ignore[attr-defined]
        counted = {"left": 0, "unknown": 0}
        assert read(Snapshot(deck={"tips": {"9": counted}})) == 0
        assert read(Snapshot(deck={"tips": {"9": counted | {"unknown": 3}}})) is None
        assert read(Snapshot(deck={"tips": {"9": {"left": 5, "unknown": 3}}})) == 5

    def test_the_whole_device_is_described(self) -> None:
        """With the declaration and the driver: limits and choices reach Home Assistant."""
        told = config.DeviceSettings(model="ot2", settings={"address": "192.0.2.20"})
        made: Any = config.make_device("ot2", "bench", told).describe()
        red, well = made["entities"]["mix_color_r"], made["entities"]["mix_color_well"]
        assert (red["minimum"], red["maximum"], red["unit"]) == (0, 300, "µL")
        assert (len(well["options"]), well["options"][0]) == (96, "A1")
        assert made["tasks"]["mix_color"]["required"] == ["R", "Y", "B", "well"]
        assert made["tasks"]["mix_color"]["timeout"] == 3602


class TestACellOfOnesOwn:
    """The page docs/devices/ot2-own-cell.md, and what goes wrong."""

    def test_the_page(self, tmp_path: Path) -> None:
        """Its protocol is a task with a form, and its deck is shown."""
        settings = settings_of_the_page(tmp_path)
        assert [*tasks_of(settings)] == ["fill_well", "fill_in_fill_well", "fill_well_as_filled_in"]
        takes = schema(tasks_of(settings)["fill_well"])
        assert takes.check({"volume": 50, "well": "B2"}) == {"volume": 50.0, "well": "B2"}
        assert takes.parameters["touch_tip"].json_schema()["default"] is False
        entities = entities_of(settings)
        kinds = {key: type(entities[f"fill_well_{key}"]) for key in ("volume", "well", "touch_tip")}
        assert kinds == {"volume": Number, "well": Select, "touch_tip": Switch}
        assert entities["vial_w"].name == "Water left"
        assert "vial_r" not in entities

    def test_the_configuration_of_the_page(self, tmp_path: Path) -> None:
        """The whole file, with the folder seen from it."""
        (device,) = config.load(follow_the_page(tmp_path)).devices
        described: Any = device.describe()
        assert described["tasks"]["fill_well"]["required"] == ["volume", "well"]
        assert described["entities"]["fill_well_touch_tip"]["platform"] == "switch"
        assert described["entities"]["fill_well"]["name"] == "Fill"

    def test_a_mistake_in_a_protocol_is_told_with_the_files_key(self, tmp_path: Path) -> None:
        """Configuration, key, folder, protocol and line, in one sentence."""
        file = follow_the_page(tmp_path)
        protocol = tmp_path / "water" / "fill_well.py"
        protocol.write_text(protocol.read_text().replace("default=100.0", "default=10.0"))
        with pytest.raises(Misconfigured) as caught:
            config.load(file)
        text = str(caught.value)
        assert "devices.ot2.settings: cell " in text
        assert "fill_well.py, line 15: volume: default 10.0 is not within 20.0 to 300.0" in text

    def test_numbers_to_choose_from(self, write: Write) -> None:
        """A number in the form too, and another one is refused when it is filled in."""
        adds = (
            "parameters.add_int('Cycles', 'Cycles', 4, choices=[{'display_name': str(each), 'value': each}"
            " for each in (8, 4, 2)])"
        )
        settings = Ot2Settings(address="192.0.2.20", cell=write(adds=adds, form="Shake"))
        cycles = entities_of(settings)["mix_cycles"]
        assert isinstance(cycles, Number)
        assert (cycles.step, cycles.mode) == (1, "auto")
        takes = schema(tasks_of(settings)["fill_in_mix"])
        assert (takes.parameters["Cycles"].minimum, takes.parameters["Cycles"].maximum) == (2, 8)
        with pytest.raises(Refused, match="Cycles 3 is not one of 8, 4, 2"):
            takes.check({"Cycles": 3})

    def test_a_protocol_without_parameters_is_a_task_too(self, write: Write) -> None:
        """With the file's name where it tells nothing of itself."""
        task = tasks_of(Ot2Settings(address="192.0.2.20", cell=write()))["mix"]
        assert (schema(task).parameters.keys(), task.description) == (IDS, "Run mix.py.")

    @pytest.mark.parametrize(
        ("metadata", "text"),
        [
            ({"task": "Mix it"}, "task 'Mix it' is not snake case of at most 40 characters"),
            ({"task": "m" * 41}, "is not snake case"),
            ({"required": "R volume"}, "required names 'R', which is no parameter"),
            ({"required": "volum"}, "required names 'volum', which is no parameter (did you mean 'volume'?)"),
            ({"holds": "sensor"}, "holds needs pauses beside it"),
            ({"pauses": "here", "holds": "camera"}, "holds 'camera' is not 'sensor'"),
            ({"resumes": "go_on"}, "resumes needs pauses beside it"),
            ({"pauses": "here", "resumed": "done"}, "resumed needs resumes beside it"),
            ({"pauses": "here", "resumes": "Go on"}, "resumes 'Go on' is not snake case"),
            ({"pauses": "here", "resumes": "mix"}, "resumes 'mix', which is the task of a protocol"),
            ({"icon": "palette"}, "icon 'palette' is not one of mdi:…"),
        ],
    )
    def test_metadata_that_do_not_fit(self, write: Write, metadata: dict[str, str], text: str) -> None:
        """With file and line."""
        folder = write(adds="parameters.add_int('Volume', 'volume', 1, 0, 2)", **metadata)
        with pytest.raises(Misconfigured) as caught:
            Cell.load(folder)
        assert str(caught.value).startswith(f"cell {folder}: mix.py, line 1: ")
        assert text in str(caught.value)

    def test_the_ids_are_taken(self, write: Write) -> None:
        """Every task of a cell has them."""
        folder = write(adds="parameters.add_int('Id', 'session_id', 1, 0, 2)")
        with pytest.raises(Misconfigured, match="session_id is a parameter of every task of a cell"):
            Cell.load(folder)

    def test_two_protocols_of_one_task(self, write: Write) -> None:
        """Which one would it be?"""
        write("a.py")
        with pytest.raises(Misconfigured, match=r"b\.py, line 1: task 'mix' is that of another protocol too"):
            Cell.load(write("b.py"))

    def test_two_protocols_that_resume_with_two_words(self, write: Write) -> None:
        """One task tells one."""
        write("a.py", task="a", pauses="here", resumes="back", resumed="home")
        with pytest.raises(
            Misconfigured, match=r"resumed 'home', and 'away' in another protocol: back tells"
        ):
            Cell.load(write("b.py", task="b", pauses="here", resumes="back", resumed="away"))

    def test_a_form_whose_entities_have_no_name(self, write: Write) -> None:
        """A key of an entity is plain letters."""
        folder = write(adds="parameters.add_int('Volume', 'größe', 1, 0, 2)", form="Mix")
        with pytest.raises(Misconfigured, match=r"mix\.py: the form: entity key 'mix_größe' is not snake"):
            grow(Ot2Settings(address="192.0.2.20", cell=folder))

    def test_a_vial_whose_entity_has_no_name(self) -> None:
        """Neither has this one."""
        vials = {"R 1": {"place": "3/B1", "liquid": "red", "tip": "9/B1"}}
        with pytest.raises(Misconfigured, match=r"vials\.R 1: the name is not made of a-z"):
            grow(Ot2Settings(address="192.0.2.20", vials=vials))

    def test_labware_that_is_none(self, write: Write) -> None:
        """It would be refused by the robot with each protocol."""
        folder = write()
        (folder / "rack.json").write_text("{")
        with pytest.raises(Misconfigured, match=r"cell .*: rack\.json: Expecting property name"):
            Cell.load(folder)
        (folder / "rack.json").write_text("[]")
        with pytest.raises(Misconfigured, match=r"rack\.json: not a labware definition of schema 2"):
            Cell.load(folder)

    def test_labware_of_the_folder_may_stand_on_the_deck(self, write: Write) -> None:
        """What is neither there nor ours is not known."""
        rack = json.loads((COLOUR / "ac_6_tuberack_15000ul.json").read_text())
        rack["parameters"]["loadName"] = "our_rack"
        folder = write()
        deck = {"1": "our_rack"}
        settings = Ot2Settings(
            address="192.0.2.20", cell=folder, deck=deck, vials={}, rinse="", sensor_port=""
        )
        with pytest.raises(Misconfigured, match=r"deck\.1: labware 'our_rack' is not known"):
            grow(settings)
        (folder / "rack.json").write_text(json.dumps(rack))
        assert "mix" in {task.name for task in grow(settings).tasks}

    def test_a_folder_that_is_not_there_or_empty(self, tmp_path: Path) -> None:
        """Both are told by their path."""
        with pytest.raises(Misconfigured, match=r"cell .*/nowhere: No such file or directory"):
            Cell.load(tmp_path / "nowhere")
        with pytest.raises(Misconfigured, match=r"no protocol in it names its task: metadata = "):
            Cell.load(tmp_path)
