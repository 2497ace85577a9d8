"""Which workers there are: the built-ins, ours and one's own, and those of the props' folders."""

from collections.abc import Iterable
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Literal

from lab2mqtt.core.words import near
from lab2mqtt.props.settings import PropsSettings, Selection

_LOGGER = logging.getLogger(__name__)

OURS = Path(__file__).with_name("builtin")
ENDINGS = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class Found:
    """A file that should hold a worker.

    Attributes:
        name: The file's name, of a prop its folder's: what the selections mean.
        file: The file, as an absolute path.
        kind: Whether it is a built-in, a prop, or speaks for a board that has no worker.
        root: The folder of the props, where a built-in has its configuration, ``<name>.yaml``.
    """

    name: str
    file: Path
    kind: Literal["builtin", "prop", "firmware"]
    root: Path | None = None

    @property
    def config_files(self) -> tuple[Path, ...]:
        """Where its configuration may be; the first that is there counts."""
        own = [self.root / f"{self.name}{ending}" for ending in ENDINGS] if self.root else []
        return (*own, *(self.file.with_name(f"config{ending}") for ending in ENDINGS))


def find(settings: PropsSettings) -> list[Found]:
    """Find what is selected, built-ins first, by name; what is odd is said in the log."""
    for told, folder in (("--root", settings.root), ("--builtins", settings.builtin_folder)):
        if folder and not folder.is_dir():
            _LOGGER.warning("%s %s: there is no such folder", told, folder)
    builtins, props = _builtins(settings), _props(settings.root)
    ours = {file.stem for file in OURS.glob("*.py")}
    for one in builtins:
        if one.name in ours and one.file.parent != OURS:
            _LOGGER.info("%s takes the place of our own built-in %s", one.file, one.name)
    _tell_unknown(settings.builtins, "WORKER_BUILTINS", "built-in", [one.name for one in builtins])
    _tell_unknown(settings.props, "WORKER_PROPS", "prop", [one.name for one in props])
    return _selected(settings, builtins, props)


def there_are(settings: PropsSettings) -> list[Found]:
    """The same, and nothing is said."""
    return _selected(settings, _builtins(settings), _props(settings.root))


def _selected(settings: PropsSettings, builtins: Iterable[Found], props: Iterable[Found]) -> list[Found]:
    return [
        *(one for one in builtins if settings.builtins.takes(one.name)),
        *(one for one in props if settings.props.takes(one.name)),
    ]


def _builtins(settings: PropsSettings) -> list[Found]:
    """Ours, and one's own, which take the place of ours."""
    found: dict[str, Found] = {}
    for folder in (OURS, settings.builtin_folder):
        files = folder.absolute().glob("*.py") if folder else ()
        for file in files:
            if not file.name.startswith(("_", ".")) and file.is_file():
                found[file.stem] = Found(file.stem, file, "builtin", settings.root.absolute())
    return [found[name] for name in sorted(found)]


def _props(root: Path) -> list[Found]:
    files = root.absolute().glob("*/backend/worker.py")
    found = [Found(file.parts[-3], file, "prop") for file in files if file.is_file()]
    return sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)


def _tell_unknown(selection: Selection, variable: str, kind: str, known: list[str]) -> None:
    """Warn of names that select nothing: a prop that was to be left out might run under another."""
    for end, names in (("ALLOW", selection.allow), ("DISABLE", selection.disable)):
        for name in names:
            if name not in known:
                _LOGGER.warning("%s_%s: there is no %s %r%s", variable, end, kind, name, near(name, known))
