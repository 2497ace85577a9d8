"""A YAML file, with the line on which each key stands."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab2mqtt.core.errors import Misconfigured

KeyPath = tuple[str, ...]


@dataclass
class YamlFile:
    """What a file holds, where, and what is wrong with it.

    Attributes:
        file: Its path, for the texts.
        data: Its content, as plain dicts, lists and values.
        lines: The line of each key, by the keys that lead to it.
        problems: Everything found wrong so far.
    """

    file: Path
    data: dict[str, object] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path) -> "YamlFile":
        """Read a file.

        Raises:
            Misconfigured: It is not there, or is no YAML mapping at all.
        """
        try:
            text = file.read_text(encoding="utf-8")
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            data = loader.construct_document(root) if root else None
        except OSError as error:
            raise Misconfigured(f"{file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{file}: not UTF-8 text: {error.reason} at byte {error.start}") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise Misconfigured(f"{file}:{line}: no YAML: {error.problem}") from error
        except (yaml.YAMLError, ValueError) as error:  # such as a 13th month
            raise Misconfigured(f"{file}: no YAML: {error}") from error
        if not isinstance(data, dict) or root is None:
            raise Misconfigured(f"{file}:1: the file must hold keys with values, such as `bridge: bench-pi`")
        loaded = cls(file, data)
        try:
            loaded._locate(root, ())
        except RecursionError as error:
            raise Misconfigured(f"{file}: no YAML: an alias contains itself") from error
        return loaded

    def wrong(self, path: KeyPath, text: str) -> None:
        """Note something wrong at a key; the line is that of the nearest key that stands in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        self.problems.append((self.lines.get(path, 1), text))

    def raise_problems(self) -> None:
        """Tell everything that is wrong, in the order of the lines.

        Raises:
            Misconfigured: Something is.
        """
        if self.problems:
            told = [f"{self.file}:{line}: {text}" for line, text in sorted(self.problems)]
            raise Misconfigured("\n".join(told))

    def _locate(self, node: yaml.Node, path: KeyPath) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in self.lines:
                # YAML would silently take the last one.
                self.problems.append((key.start_mark.line + 1, f"{'.'.join(here)} stands here a second time"))
            self.lines[here] = key.start_mark.line + 1
            self._locate(value, here)
