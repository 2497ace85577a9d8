"""An integration's folder as files: read once, and what could not be read is a problem of its own."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
import json
from pathlib import Path
import re
from typing import Any

import voluptuous as vol
from voluptuous.humanize import humanize_error
import yaml

TYPE_ALIAS = re.compile(r"^(\s*)type (\w+)(?:\[[^\]]*\])? =", re.MULTILINE)
TYPE_PARAMETERS = re.compile(r"^(\s*(?:(?:async )?def|class) \w+)\[[^\]]*\]", re.MULTILINE)


class Input(str):
    """The name behind an ``!input`` of a blueprint."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, and knows the tag of blueprints."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- as the base class
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(problem=f"the key {key} stands twice")
        return super().construct_mapping(node, deep)


def _input(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Input:
    return Input(loader.construct_scalar(node))


_Loader.add_constructor("!input", _input)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key} stands twice")
    return dict(pairs)


def load_json(file: Path) -> Any:  # noqa: ANN401 -- any JSON
    """Raises: ValueError, where it is no JSON or has a key twice."""
    return json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)


def load_yaml(file: Path) -> Any:  # noqa: ANN401 -- any YAML
    """Raises: yaml.YAMLError, where it is no YAML or has a key twice."""
    return yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a safe loader


def parse_python(text: str) -> ast.Module:
    """Parse a module that Python 3.13 runs, in the Python 3.11 of these tests."""
    # The newer words for types say nothing to these checks.
    text = TYPE_ALIAS.sub(r"\1\2 =", text)
    return ast.parse(TYPE_PARAMETERS.sub(r"\1", text))


def misfits(name: str, schema: Callable[[Any], Any], value: object) -> Iterator[str]:
    """What a schema has against a value, if anything."""
    try:
        schema(value)
    except vol.Invalid as wrong:
        yield f"{name}: {humanize_error(value, wrong)}"


@dataclass
class Integration:
    """The files of one integration.

    Attributes:
        folder: Where they are; its name is the domain.
        unread: Problems of files that are missing or cannot be read.
    """

    folder: Path
    unread: list[str] = field(default_factory=list)

    def read(self) -> list[str]:
        """Read all files; gives the problems of those that are missing or cannot be read."""
        self.unread.clear()
        _ = self.manifest, self.strings, self.languages, self.icons, self.quality_scale, self.described
        _ = self.modules
        return self.unread

    @property
    def domain(self) -> str:
        """As the folder tells it."""
        return self.folder.name

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Of manifest.json."""
        return self._mapping("manifest.json", load_json)

    @cached_property
    def strings(self) -> dict[str, Any]:
        """Of strings.json: the texts in English."""
        return self._mapping("strings.json", load_json)

    @cached_property
    def languages(self) -> dict[str, dict[str, Any]]:
        """Of translations/, by the language's code."""
        found = sorted(file.stem for file in (self.folder / "translations").glob("*.json"))
        return {name: self._mapping(f"translations/{name}.json", load_json) for name in found}

    @cached_property
    def icons(self) -> dict[str, Any]:
        """Of icons.json."""
        return self._mapping("icons.json", load_json)

    @cached_property
    def quality_scale(self) -> dict[str, Any]:
        """Of quality_scale.yaml."""
        return self._mapping("quality_scale.yaml", load_yaml)

    @cached_property
    def described(self) -> dict[str, dict[str, Any]]:
        """Of services.yaml, triggers.yaml and conditions.yaml, where there are such."""
        found = {}
        for kind in ("services", "triggers", "conditions"):
            if (self.folder / f"{kind}.yaml").exists():
                whole = self._mapping(f"{kind}.yaml", load_yaml)
                # Names with a dot are parts that others repeat by an anchor.
                found[kind] = {key: value for key, value in whole.items() if not str(key).startswith(".")}
        return found

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        """The Python files, by their path without ".py"."""
        found = {}
        for file in sorted(self.folder.rglob("*.py")):
            name = file.relative_to(self.folder).with_suffix("").as_posix()
            try:
                found[name] = parse_python(file.read_text(encoding="utf-8"))
            except SyntaxError as wrong:
                self.unread.append(f"{name}.py: {wrong}")
        return found

    @cached_property
    def words(self) -> set[str]:
        """Every string that stands as a constant in the Python files."""
        return {word for module in self.modules.values() for word in strings_in(module)}

    def source(self, name: str) -> str:
        """The text of a file; empty where there is none."""
        file = self.folder / name
        return file.read_bytes().decode() if file.is_file() else ""

    def _mapping(self, name: str, load: Callable[[Path], Any]) -> dict[str, Any]:
        file = self.folder / name
        if not file.is_file():
            self.unread.append(f"{name}: there is none")
            return {}
        try:
            value = load(file)
        except (ValueError, yaml.YAMLError) as wrong:
            self.unread.append(f"{name}: {' '.join(str(wrong).split())}")
            return {}
        if not isinstance(value, dict):
            self.unread.append(f"{name}: is no mapping")
            return {}
        return value


def strings_in(tree: ast.AST) -> Iterator[str]:
    """Every string that stands as a constant in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
