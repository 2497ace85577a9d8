"""The texts of flows (set-up, options, repairs): each that one asks for is there, and none for nothing."""

import ast
from collections.abc import Iterator
from typing import Any

from tests.unit.integration_files.integration import Integration, strings_in
from tests.unit.integration_files.texts import placeholders_of

# What Home Assistant itself ends a flow with, by the function that does.
BY_HOME_ASSISTANT = {
    "async_set_unique_id(": "already_in_progress",
    "_abort_if_unique_id_configured(": "already_configured",
    "async_update_reload_and_abort(": "reconfigure_successful",
}


def flow_problems(integration: Integration) -> Iterator[str]:
    """Of texts of the set-up, the options and the repairs."""
    strings = integration.strings
    flows = [strings.get("config", {}), strings.get("options", {})]
    yield from _module_problems(integration, "config_flow", flows)
    fixes = [issue["fix_flow"] for issue in strings.get("issues", {}).values() if "fix_flow" in issue]
    yield from _module_problems(integration, "repairs", fixes)


def _module_problems(integration: Integration, name: str, flows: list[dict[str, Any]]) -> Iterator[str]:
    module = integration.modules.get(name)
    if module is None:
        return
    source = integration.source(f"{name}.py")
    steps, aborts, errors = (_texts(flows, part) for part in ("step", "abort", "error"))
    for part, has in (("step", steps), ("abort", aborts), ("error", errors)):
        yield from _asked_problems(f"{name}.py", part, has, module)
    for function, reason in BY_HOME_ASSISTANT.items():
        if function in source and reason not in aborts:
            yield f"strings.json: lacks abort.{reason}, with which Home Assistant ends a flow"
    for step in steps:
        if f"async def async_step_{step}(" not in source:
            yield f"strings.json: {name}.py has no step {step}"
    used = {*strings_in(module), *BY_HOME_ASSISTANT.values()}
    for part, has in (("abort", aborts), ("error", errors)):
        for key in sorted(has.keys() - used):
            yield f"strings.json: nothing uses {part}.{key}"


def _texts(flows: list[dict[str, Any]], part: str) -> dict[str, dict[str, Any]]:
    """By key: what each of the flows has, by its number."""
    found: dict[str, dict[str, Any]] = {}
    for number, flow in enumerate(flows):
        for key, text in flow.get(part, {}).items():
            found.setdefault(key, {})[str(number)] = text
    return found


def _asked_problems(
    file: str, part: str, has: dict[str, dict[str, Any]], module: ast.Module
) -> Iterator[str]:
    for asked, key, given in _asked_for(module):
        if asked != part:
            continue
        if key not in has:
            yield f"strings.json: lacks {part}.{key}, which {file} asks for"
        elif given is not None:
            for missing in sorted(placeholders_of(has[key]) - given):
                yield f"strings.json: {part}.{key} has the placeholder {missing}, which no flow fills in"


def _asked_for(module: ast.Module) -> Iterator[tuple[str, str, set[str] | None]]:
    """Part, key and, where they can be read off, the placeholders given."""
    for node in ast.walk(module):
        match node:
            case ast.Call(keywords=keywords):
                named = {keyword.arg: keyword.value for keyword in keywords}
                given = _given(named.get("description_placeholders"))
                for argument, part in (("step_id", "step"), ("reason", "abort")):
                    if isinstance(key := named.get(argument), ast.Constant):
                        yield part, str(key.value), given
            case ast.keyword(arg="errors", value=ast.Dict(values=values)):
                for value in values:
                    if isinstance(value, ast.Constant):
                        yield "error", str(value.value), None
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="errors"))], value=ast.Constant(value=key)
            ):
                yield "error", str(key), None


def _given(placeholders: ast.expr | None) -> set[str] | None:
    if placeholders is None:
        return set()
    if not isinstance(placeholders, ast.Dict):
        return None
    return {str(name.value) for name in placeholders.keys if isinstance(name, ast.Constant)}
