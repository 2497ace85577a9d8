"""A YAML file, with the line on which each key stands."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab2mqtt.core.errors import Misconfigured

KeyPath = tuple[str, ...]

LONGEST = 1024 * 1024  # bytes
DEEPEST = 16  # levels
VALUES = 100_000  # those behind an alias count each time


@dataclass
class YamlFile:
    """What a file holds, where, and what is wrong with it.

    Attributes:
        file: Its path, for the texts.
        data: Its content, as plain dicts, lists and values.
        lines: The line of each key and of each item of a list, by the keys and places that lead to it.
        problems: Everything found wrong so far.
        warnings: What is not wrong, but should not be so.
    """

    file: Path
    data: dict[str, object] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path, example: str = "bridge: bench-pi") -> "YamlFile":
        """Read a file.

        Args:
            file: Which.
            example: What a line of it may be, for the error.

        Raises:
            Misconfigured: It is not there, or is no YAML mapping at all.
        """
        try:
            if (size := file.stat().st_size) > LONGEST:
                raise Misconfigured(f"{file}: {size} bytes; at most {LONGEST} are allowed")
            text = file.read_text(encoding="utf-8")
            loader = yaml.SafeLoader(text)
            root = loader.get_single_node()
            _check_size(root)
            data = loader.construct_document(root) if root else None
        except OSError as error:
            raise Misconfigured(f"{file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{file}: not UTF-8 text: {error.reason} at byte {error.start}") from error
        except RecursionError as error:
            raise Misconfigured(f"{file}: no YAML: nested deeper than {DEEPEST} levels") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise Misconfigured(f"{file}:{line}: no YAML: {error.problem}") from error
        except (yaml.YAMLError, ValueError) as error:  # such as a 13th month
            raise Misconfigured(f"{file}: no YAML: {error}") from error
        if not isinstance(data, dict) or root is None:
            raise Misconfigured(f"{file}:1: the file must hold keys with values, such as `{example}`")
        loaded = cls(file, data)
        loaded._locate(root, ())
        return loaded

    def wrong(self, path: KeyPath, text: str) -> None:
        """Note something wrong at a key; the line is that of the nearest key that stands in the file."""
        self.problems.append((self._line(path), text))

    def warn(self, path: KeyPath, text: str) -> None:
        """Note what should not be so at a key."""
        self.warnings.append((self._line(path), text))

    def told(self) -> list[str]:
        """Everything that is wrong, in the order of the lines."""
        return [f"{self.file}:{line}: {text}" for line, text in sorted(self.problems)]

    def told_warnings(self) -> list[str]:
        """Every warning, in the order of the lines."""
        return [f"{self.file}:{line}: {text}" for line, text in sorted(self.warnings)]

    def _line(self, path: KeyPath) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def _locate(self, node: yaml.Node, path: KeyPath) -> None:
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.lines[*path, str(index)] = item.start_mark.line + 1
                self._locate(item, (*path, str(index)))
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in self.lines:
                # YAML would silently take the last one.
                self.problems.append((key.start_mark.line + 1, f"{'.'.join(here)} stands here a second time"))
            self.lines[here] = key.start_mark.line + 1
            self._locate(value, here)


def _check_size(root: yaml.Node | None) -> None:
    """Refuse what a few lines can make endless, before anything walks through it.

    Raises:
        YAMLError: It is too deep or too much, or an alias contains itself.
    """
    count = 0

    def walk(node: yaml.Node | None, above: tuple[yaml.Node | None, ...]) -> None:
        nonlocal count
        count += 1
        problem = ""
        if any(node is one for one in above):
            raise yaml.YAMLError("an alias contains itself")
        if len(above) > DEEPEST:
            problem = f"nested deeper than {DEEPEST} levels"
        elif count > VALUES:
            problem = f"more than {VALUES} values, with those behind aliases"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark if node else None)
        for part in node.value if isinstance(node, yaml.CollectionNode) else ():
            for one in part if isinstance(part, tuple) else (part,):
                walk(one, (*above, node))

    walk(root, ())
