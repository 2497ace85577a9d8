"""Actions, triggers and conditions: their descriptions, texts and icons are of the same ones."""

from collections.abc import Iterator
from typing import Any

from tests.unit.integration_files.integration import Integration, misfits
from tests.unit.integration_files.selectors import NEWEST, OLDEST, selector_problems
import voluptuous as vol

ICON_KEYS = {"services": "service", "triggers": "trigger", "conditions": "condition"}
# The functions that show a module to have some.
REGISTERED_BY = {
    "services": ("services.async_register", "async_register_admin_service"),
    "triggers": ("async_get_triggers",),
    "conditions": ("async_get_conditions",),
}


def _there(value: object) -> object:
    if value is None:
        raise vol.Invalid("is empty")
    return value


_NAME = vol.Match(r"^[a-z0-9_]+$")
_FIELD = {
    vol.Optional("required"): bool,
    vol.Optional("default"): _there,
    vol.Optional("example"): _there,
    vol.Required("selector"): dict,
}
_ACTION_FIELD = {**_FIELD, vol.Optional("advanced"): bool}
_SECTION = {vol.Optional("collapsed"): bool, vol.Required("fields"): {_NAME: _ACTION_FIELD}}
_TARGET = vol.Any(
    {vol.Optional("entity"): vol.Any(dict, list), vol.Optional("device"): vol.Any(dict, list)}, None
)
_AUTOMATION_PART = vol.Any(
    {
        vol.Optional("target"): _TARGET,
        vol.Optional("fields"): {_NAME: {**_FIELD, vol.Optional("context"): {str: str}}},
    },
    None,
)
SCHEMAS = {
    "services": vol.Schema(
        {
            _NAME: vol.Any(
                {
                    vol.Optional("target"): _TARGET,
                    # A section is what has fields of its own.
                    vol.Optional("fields"): {_NAME: vol.Any(_ACTION_FIELD, _SECTION)},
                },
                None,
            )
        }
    ),
    "triggers": vol.Schema({_NAME: _AUTOMATION_PART}),
    "conditions": vol.Schema({_NAME: _AUTOMATION_PART}),
}


def described_problems(integration: Integration) -> Iterator[str]:
    """Of services.yaml, triggers.yaml and conditions.yaml."""
    yield from _missing_problems(integration)
    for kind, described in integration.described.items():
        wrong = list(misfits(f"{kind}.yaml", SCHEMAS[kind], described))
        yield from wrong
        if wrong:
            continue
        texts = integration.strings.get(kind, {})
        icons = integration.icons.get(kind, {})
        yield from same_problems(f"{kind}.yaml", described, f"the translations of {kind}", texts)
        yield from same_problems(f"{kind}.yaml", described, f"the icons of {kind}", icons)
        for name, one in described.items():
            if name not in integration.words:
                yield f"{kind}.yaml: no Python file names {name}"
            yield from _parts_problems(
                f"{kind}.yaml: {name}", kind, one or {}, texts.get(name, {}), integration
            )


def _missing_problems(integration: Integration) -> Iterator[str]:
    for kind, functions in REGISTERED_BY.items():
        if kind in integration.described:
            continue
        if integration.strings.get(kind):
            yield f"strings.json: has texts of {kind}, and there is no {kind}.yaml"
        for name in integration.modules:
            if any(function in integration.source(f"{name}.py") for function in functions):
                yield f"{kind}.yaml: there is none, and {name}.py registers {kind}"


def _parts_problems(
    where: str, kind: str, one: dict[str, Any], texts: dict[str, Any], integration: Integration
) -> Iterator[str]:
    parts = one.get("fields", {})
    sections = {name for name, part in parts.items() if "fields" in part}
    alone = {name: part for name, part in parts.items() if name not in sections}
    fields = list(alone.items())
    for section in sections:
        fields += parts[section]["fields"].items()
    names = [name for name, _ in fields]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}: has the field {twice} twice"
    yield from same_problems(f"{where}: the fields", names, "its translations", texts.get("fields", {}))
    yield from same_problems(
        f"{where}: the sections", sections, "its translations", texts.get("sections", {})
    )
    icons = integration.icons.get(kind, {}).get(where.rpartition(" ")[2], {})
    for unknown in sorted(set(icons.get("sections", {})) - sections):
        yield f"icons.json: {where.rpartition(' ')[2]} has no section {unknown}"
    known = OLDEST if kind == "services" else NEWEST
    for name, field in fields:
        yield from selector_problems(
            f"{where}.{name}", field["selector"], known, integration.strings.get("selector", {})
        )
        for other in field.get("context", {}).values():
            if other not in {*names, "target"}:
                yield f"{where}.{name}: its context names {other}, which is no field"


def same_problems(left: str, here: Any, right: str, there: Any) -> Iterator[str]:  # noqa: ANN401 -- of anything with names
    """Of names that only one of two has."""
    for name in sorted({*here} - {*there}):
        yield f"{left}: {name} is not in {right}"
    for name in sorted({*there} - {*here}):
        yield f"{left}: lacks {name}, which is in {right}"


def selector_keys(tree: object) -> Iterator[str]:
    """The translation keys of all selectors of a tree."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "translation_key":
                yield value
            else:
                yield from selector_keys(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from selector_keys(value)
