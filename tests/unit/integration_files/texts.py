"""Texts that people read: the shape of the files, what may stand in one, that every language says all."""

from collections.abc import Iterator
import re
from string import Formatter
from typing import Any

from tests.unit.integration_files.integration import Integration, misfits
import voluptuous as vol

KEY = re.compile(r"(?!.*[_-]{2})[a-z0-9]([a-z0-9_-]*[a-z0-9])?")
HTML = re.compile(r"<[a-z/!].*?>", re.IGNORECASE | re.DOTALL)
ADDRESS = re.compile(r"\b(\w+://|www\.)\S", re.IGNORECASE)


def _key(value: object) -> object:
    if not KEY.fullmatch(str(value)):
        raise vol.Invalid(f"{value!r} is no key of a text: a-z, 0-9, and single _ or - within")
    return value


def placeholders(text: str) -> set[str]:
    """The names in curly brackets.

    Raises:
        ValueError: The brackets do not match.
    """
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def text(value: object) -> object:
    """A schema: one text that a person reads."""
    if not isinstance(value, str):
        raise vol.Invalid("is no text")
    if not value or value != value.strip():
        raise vol.Invalid("is empty, or has blanks at an end")
    if HTML.search(value):
        raise vol.Invalid("has HTML in it")
    if "[%" in value or "%]" in value:
        raise vol.Invalid("points to another text, which only Home Assistant's own integrations can")
    if ADDRESS.search(value):
        raise vol.Invalid("has an address in it, which belongs into a placeholder")
    if re.search(r"'\{\w*\}'", value):
        raise vol.Invalid("has a placeholder in single quotes, which would be shown as it is")
    try:
        names = placeholders(value)
    except ValueError as wrong:
        raise vol.Invalid(f"has brackets that do not match: {wrong}") from wrong
    for name in names:
        if not name.isidentifier():
            raise vol.Invalid(f"has the placeholder {{{name}}}, which is no name")
    return value


def fixed_text(value: object) -> object:
    """A schema: a text that no code fills in."""
    text(value)
    if placeholders(str(value)):
        raise vol.Invalid("has a placeholder, and nothing fills it in")
    return value


def _data_told(value: dict[str, Any]) -> dict[str, Any]:
    for name, step in value["step"].items():
        for part in (step, *step.get("sections", {}).values()):
            data, told = part.get("data", {}), part.get("data_description", {})
            for key in sorted({*data} ^ {*told}):
                missing = "data_description" if key in data else "data"
                raise vol.Invalid(f"{key} of the step {name} is not in {missing}")
    return value


_TEXTS = {_key: text}
_STATES = {_key: fixed_text}
_FIELDS = {_key: {vol.Required("name"): fixed_text, vol.Required("description"): fixed_text}}
_DATA = {vol.Optional("data"): _TEXTS, vol.Optional("data_description"): _TEXTS}
_STEP = {
    vol.Optional("title"): text,
    vol.Optional("description"): text,
    **_DATA,
    vol.Optional("menu_options"): _TEXTS,
    vol.Optional("submit"): text,
    vol.Optional("sections"): {
        _key: {vol.Optional("name"): text, vol.Optional("description"): text, **_DATA}
    },
}
_FLOW = vol.All(
    {
        vol.Optional("flow_title"): text,
        vol.Required("step"): {_key: _STEP},
        vol.Optional("error"): _TEXTS,
        vol.Optional("abort"): _TEXTS,
        vol.Optional("create_entry"): _TEXTS,
    },
    _data_told,
)
_DESCRIBED = {
    vol.Required("name"): fixed_text,
    vol.Required("description"): fixed_text,
    vol.Optional("fields"): _FIELDS,
}
_ISSUE = vol.Any(
    {vol.Required("title"): text, vol.Required("description"): text},
    {vol.Required("title"): text, vol.Required("fix_flow"): _FLOW},
    msg="an issue has a title, and either a description or a fix_flow",
)
_ENTITY = {
    vol.Optional("name"): text,
    vol.Optional("state"): _STATES,
    vol.Optional("state_attributes"): {
        _key: {vol.Optional("name"): fixed_text, vol.Optional("state"): _STATES}
    },
    vol.Optional("unit_of_measurement"): fixed_text,
}
SCHEMA = vol.Schema(
    {
        vol.Optional("title"): fixed_text,
        vol.Optional("config"): _FLOW,
        vol.Optional("options"): _FLOW,
        vol.Optional("entity"): {_key: {_key: _ENTITY}},
        vol.Optional("device"): {_key: {vol.Required("name"): text}},
        vol.Optional("exceptions"): {_key: {vol.Required("message"): text}},
        vol.Optional("issues"): {_key: _ISSUE},
        vol.Optional("services"): {
            _key: {
                **_DESCRIBED,
                vol.Optional("sections"): {
                    _key: {vol.Required("name"): fixed_text, vol.Optional("description"): fixed_text}
                },
            }
        },
        vol.Optional("triggers"): {_key: _DESCRIBED},
        vol.Optional("conditions"): {_key: _DESCRIBED},
        vol.Optional("selector"): {
            vol.All(_key, vol.Match("^[a-z0-9_]+$")): {
                vol.Optional("options"): _TEXTS,
                vol.Optional("fields"): _FIELDS,
                vol.Optional("unit_of_measurement"): _STATES,
            }
        },
        vol.Optional("system_health"): {vol.Required("info"): {_key: fixed_text}},
    }
)


def shape_problems(integration: Integration) -> Iterator[str]:
    """Of strings.json by itself."""
    return misfits("strings.json", SCHEMA, integration.strings)


def language_problems(integration: Integration) -> Iterator[str]:
    """Of every language beside strings.json."""
    strings = integration.strings
    languages = integration.languages
    if languages.get("en") != strings:
        yield "translations/en.json: is not equal to strings.json"
    if len(languages) < 2:
        yield "translations: there is no second language"
    expected = dict(leaves(strings))
    for language, translated in languages.items():
        if language == "en":
            continue
        name = f"translations/{language}.json"
        yield from misfits(name, SCHEMA, translated)
        found = dict(leaves(translated))
        for key in sorted(expected.keys() - found.keys()):
            yield f"{name}: lacks {key}"
        for key in sorted(found.keys() - expected.keys()):
            yield f"{name}: has {key}, which is not in strings.json"
        for key in sorted(found.keys() & expected.keys()):
            here, there = _placeholders_or_none(found[key]), _placeholders_or_none(expected[key])
            if here != there:
                yield f"{name}: {key} has the placeholders {_told(here)}, and in strings.json {_told(there)}"


def leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a tree with its path, joined by dots."""
    for key, value in tree.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from leaves(value, where)
        else:
            yield where, str(value)


def placeholders_of(tree: dict[str, Any]) -> set[str]:
    """The placeholders of all texts of a tree."""
    return {name for _, value in leaves(tree) for name in _placeholders_or_none(value)}


def _placeholders_or_none(value: str) -> set[str]:
    try:
        return placeholders(value)
    except ValueError:
        return set()  # told by the schema


def _told(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "(none)"
