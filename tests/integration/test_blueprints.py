"""Every blueprint is whole: its inputs explain themselves, and with those that are needed it can be used."""

from pathlib import Path
from typing import Any

from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint import models
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.util import yaml
import pytest
from tests.integration.our_blueprints import FOLDER, ROOT, make_automation, make_script, show_to

ALL = sorted(FOLDER.rglob("*.yaml"))
ADDRESS = "https://github.com/lab2mqtt/lab2mqtt/blob/main/"
IMPORT = "https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url="
SCHEMAS = {"automation": AUTOMATION_BLUEPRINT_SCHEMA, "script": BLUEPRINT_SCHEMA}

# What has to be filled in.
NEEDED: dict[str, dict[str, Any]] = {
    "colour_loop": {"ot2": "ot2"},
    "plate_handover": {
        "plate_resort": "plate-resort",
        "robot": "ot2",
        "plate": "P1",
        "confirm": "input_button.done",
    },
    "start_of_day_check": {"devices": ["ot2"]},
    "end_of_day_park": {},
    "environmental_guard": {"sensor": "sensor.air", "device": "ot2"},
    "haunted_sequence": {
        "motion": "binary_sensor.motion",
        "armed": "input_boolean.armed",
        "coffin": "coffin_jumper",
    },
    "notify_on_failure": {"notify": "notify.phone"},
}


def read(file: Path) -> models.Blueprint:
    """Load one as Home Assistant does."""
    domain = file.parts[-3]
    return models.Blueprint(
        yaml.load_yaml_dict(str(file)), expected_domain=domain, path=str(file), schema=SCHEMAS[domain]
    )


def test_all_seven_are_here() -> None:
    """One more or less belongs into this list, too."""
    assert {file.stem for file in ALL} == NEEDED.keys()


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
class TestEach:
    """What holds for each of them."""

    def test_tells_what_it_is(self, file: Path) -> None:
        """Who made it, what it does, where it is from, and for whom."""
        blueprint = read(file)
        assert blueprint.validate() is None
        told = blueprint.metadata
        assert told["author"] == "lab2mqtt"
        assert told["description"]
        assert told["source_url"] == ADDRESS + file.relative_to(ROOT).as_posix()
        assert told["homeassistant"] == {"min_version": "2025.4.0"}

    def test_each_input_explains_itself(self, file: Path) -> None:
        """By a name and a selector, in a section with a name; what is optional has a default."""
        blueprint = read(file)
        for section in blueprint.metadata["input"].values():
            assert section["name"]
            assert section["input"]
            assert "visible" not in section
            for told in section["input"].values():
                assert told["name"]
                assert told["selector"]
                assert "visible" not in told
        needed = {name for name, told in blueprint.inputs.items() if "default" not in told}
        assert needed == NEEDED[file.stem].keys()

    def test_is_in_the_documentation(self, file: Path) -> None:
        """With each input, and a link that imports it."""
        page = (ROOT / "docs" / "blueprints.md").read_text()
        address = (ADDRESS + file.relative_to(ROOT).as_posix()).replace(":", "%3A").replace("/", "%2F")
        assert IMPORT + address in page
        section = page.split(f"lab2mqtt/{file.name})", 1)[1].split("\n## ", 1)[0]
        for name in read(file).inputs:
            assert f"`{name}`" in section, name

    async def test_can_be_used(
        self, hass: HomeAssistant, tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With what is needed alone it is a script or an automation, and nothing is wrong with it."""
        await show_to(hass, tmp_path)
        hass.states.async_set("sensor.air", "20")
        make = make_script if file.parts[-3] == "script" else make_automation
        await make(hass, file.stem, **NEEDED[file.stem])
        found = [each for each in caplog.records if each.levelname in ("WARNING", "ERROR")]
        assert not [each for each in found if each.name.startswith("homeassistant.components")]
