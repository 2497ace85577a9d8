"""The cell of docs/devices/ot2-own-cell.md, as a reader of the page makes it."""

from pathlib import Path
import re
import shutil

import yaml

from lab2mqtt.drivers.ot2.cell import COLOUR
from lab2mqtt.drivers.ot2.settings import Ot2Settings

PAGE = Path(__file__).parents[3] / "docs" / "devices" / "ot2-own-cell.md"


def follow_the_page(folder: Path) -> Path:
    """Write what the page shows into a folder; gives the configuration."""
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    cell = folder / "water"
    cell.mkdir()
    (cell / "fill_well.py").write_text(blocks["python"])
    shutil.copy(COLOUR / "ac_6_tuberack_15000ul.json", cell)
    configuration = folder / "lab.yaml"
    configuration.write_text(blocks["yaml"])
    return configuration


def settings_of_the_page(folder: Path) -> Ot2Settings:
    """The settings of the robot on the page."""
    file = follow_the_page(folder)
    told = yaml.safe_load(file.read_text())["devices"]["ot2"]["settings"]
    return Ot2Settings(**told | {"cell": file.parent / told["cell"]})
