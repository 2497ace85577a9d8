"""One fault that is put into a repository in which nothing else is wrong."""

from dataclasses import dataclass
from pathlib import Path

from tests.unit.integration_files.made import FOLDER, put

# A text that is changed everywhere, and not only in one language.
EVERYWHERE = "strings.json translations/en.json translations/de.json"


@dataclass(frozen=True)
class Fault:
    """A change of one file, or the same of several.

    Attributes:
        name: Of the test.
        files: Which, with blanks between, from the integration's folder on; from the root on behind a "/".
        old: What is replaced, once; empty: the whole file.
        new: What stands there instead; None: the file is removed.
        told: A part of each problem that is then told, in their order, and no other is.
    """

    name: str
    files: str
    old: str
    new: str | bytes | None
    told: tuple[str, ...]

    def put_into(self, root: Path) -> None:
        """Change the files."""
        for name in self.files.split():
            file = root / name[1:] if name.startswith("/") else root / FOLDER / name
            if self.new is None:
                file.unlink()
            elif not self.old:
                put(file, self.new)
            else:
                assert isinstance(self.new, str)
                text = file.read_text(encoding="utf-8")
                assert text.count(self.old) == 1, (
                    f"{self.old!r} stands {text.count(self.old)} times in {name}"
                )
                file.write_text(text.replace(self.old, self.new), encoding="utf-8")


def fault(name: str, files: str, old: str, new: str | bytes | None, *told: str) -> Fault:
    """A fault in a line."""
    return Fault(name, files, old, new, told)
