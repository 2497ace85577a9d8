"""The show files of a props folder."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
import re

from lab2mqtt.core.errors import Misconfigured, Refused
from lab2mqtt.core.words import listed, near
from lab2mqtt.props.shows.cues import Show, read_show
from lab2mqtt.runtime.yaml_file import YamlFile

FOLDER = "shows"
ENDINGS = (".yaml", ".yml")

_NAME = re.compile(r"[a-z0-9_]{1,50}")  # it becomes part of an entity's key


@dataclass
class Shows:
    """What there is to play.

    Attributes:
        right: The shows that can be played, by name.
        wrong: What is wrong with the others, by name.
    """

    right: dict[str, Show] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Show:
        """The show of a name; without one the only show that there is.

        Raises:
            Refused: There is none, more than one, or it is wrong.
        """
        if not name and len(self.right) == 1 and not self.wrong:
            return next(iter(self.right.values()))
        if name in self.right:
            return self.right[name]
        if name in self.wrong:
            raise Refused(f"{name} cannot be played: {self.wrong[name]}")
        known = [*self.right, *self.wrong]
        if not known:
            raise Refused(f"there is no show: put one into {FOLDER}/<name>.yaml beside the props, and reload")
        what = f"there is no show {name!r}{near(name, known)}" if name else "which show is not said"
        raise Refused(f"{what}: there are {listed(sorted(known))}")


def load_shows(root: Path, more: Iterable[str], own_id: str) -> Shows:
    """Read all shows.

    Args:
        root: The folder of the props, with the folder of the shows in it.
        more: Further files, from there.
        own_id: The id of the show runner.
    """
    shows = Shows()
    folder = root / FOLDER
    found = sorted(file for ending in ENDINGS for file in folder.glob(f"*{ending}"))
    for file in (*found, *(root / path for path in more)):
        name = file.stem
        if name in shows.right or name in shows.wrong:
            shows.wrong[name] = f"{file}: there is another show file of the name {name}"
            shows.right.pop(name, None)
            continue
        try:
            shows.right[name] = _load(file, own_id)
        except Misconfigured as error:
            shows.wrong[name] = str(error)
    return shows


def _load(file: Path, own_id: str) -> Show:
    if not _NAME.fullmatch(file.stem):
        raise Misconfigured(f"{file}: a show's file is named with a-z, 0-9 and _, at most 50 characters")
    return read_show(YamlFile.load(file), own_id)
