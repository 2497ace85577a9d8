"""Blueprints: their inputs, and where they are imported from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.unit.integration_files.integration import Input, load_yaml, misfits
from tests.unit.integration_files.selectors import OLDEST, selector_problems
import voluptuous as vol
import yaml

_TEXT = vol.All(str, vol.Length(min=1))
_INPUT = {
    vol.Required("name"): _TEXT,
    vol.Optional("description"): _TEXT,
    vol.Optional("default"): object,
    vol.Required("selector"): dict,
}
_SECTION = {
    vol.Required("name"): _TEXT,
    vol.Optional("icon"): vol.Match("^mdi:"),
    vol.Optional("description"): _TEXT,
    vol.Optional("collapsed"): bool,
    vol.Required("input"): {str: _INPUT},
}
SCHEMA = vol.Schema(
    {
        vol.Required("name"): _TEXT,
        vol.Required("description"): _TEXT,
        vol.Required("domain"): vol.In(["automation", "script", "template"]),
        vol.Optional("author"): _TEXT,
        vol.Required("source_url"): vol.Match("^https://", msg="is no https address"),
        vol.Required("homeassistant"): {
            vol.Required("min_version"): vol.Match(
                r"^\d{4}\.\d{1,2}\.\d+$", msg="is no version such as 2025.4.0"
            )
        },
        vol.Required("input"): {str: vol.Any(_INPUT, _SECTION)},
    }
)


def blueprint_problems(root: Path) -> Iterator[str]:
    """Of blueprints/<domain>/<author>/*.yaml of a repository."""
    for file in sorted((root / "blueprints").rglob("*.yaml")):
        name = file.relative_to(root).as_posix()
        try:
            whole = load_yaml(file)
        except yaml.YAMLError as wrong:
            yield f"{name}: {' '.join(str(wrong).split())}"
            continue
        if not isinstance(whole, dict) or not isinstance(whole.get("blueprint"), dict):
            yield f"{name}: is no blueprint"
            continue
        yield from _one(name, whole)


def _one(name: str, whole: dict[str, Any]) -> Iterator[str]:
    told = whole["blueprint"]
    wrong = list(misfits(name, SCHEMA, told))
    yield from wrong
    if wrong:
        return
    if told["domain"] != name.split("/")[1]:
        yield f"{name}: is of {told['domain']}, and in the folder {name.split('/')[1]}"
    if not told["source_url"].endswith(f"/{name}"):
        yield f"{name}: source_url leads to another file"
    inputs: dict[str, Any] = {}
    for key, value in told["input"].items():
        for inner, one in value.get("input", {key: value}).items():
            if inner in inputs:
                yield f"{name}: has the input {inner} twice"
            inputs[inner] = one
    used = set(_inputs_in({key: value for key, value in whole.items() if key != "blueprint"}))
    for missing in sorted(used - set(inputs)):
        yield f"{name}: uses !input {missing}, and has no such input"
    for unused in sorted(set(inputs) - used):
        yield f"{name}: nothing uses the input {unused}"
    for key, one in inputs.items():
        yield from selector_problems(f"{name}: {key}", one["selector"], OLDEST, {})


def _inputs_in(tree: object) -> Iterator[str]:
    if isinstance(tree, Input):
        yield str(tree)
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _inputs_in(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _inputs_in(value)
