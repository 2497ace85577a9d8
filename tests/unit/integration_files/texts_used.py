"""Every text that the Python files ask for is there, and none is there for nothing."""

import ast
from collections.abc import Iterator
from typing import Any

from tests.unit.integration_files.described import selector_keys
from tests.unit.integration_files.integration import Integration, strings_in
from tests.unit.integration_files.keys_used import Use, keys_used
from tests.unit.integration_files.texts import placeholders_of


def used_text_problems(integration: Integration) -> Iterator[str]:
    """Of texts of errors, repairs, entities, devices and system health."""
    uses = list(keys_used(integration))
    for use in uses:
        known = _texts(integration.strings, use.section, use.platform)
        matching = {key: text for key, text in known.items() if use.pattern.fullmatch(key)}
        if not matching:
            platform = f".{use.platform}" if use.platform in integration.strings.get("entity", {}) else ""
            key = use.pattern.pattern.replace("\\", "")
            yield f"strings.json: lacks {use.section}{platform}.{key}, which {use.where} asks for"
        for key, text in matching.items():
            yield from _filled_in(use, key, text)
    yield from _unused(integration, uses)
    yield from _system_health(integration)


def _unused(integration: Integration, uses: list[Use]) -> Iterator[str]:
    parts = {use.section for use in uses if "." in use.section}
    sections = {
        name: _texts(integration.strings, name)
        for name in ("exceptions", "issues", "device", "selector", *parts)
    }
    others = {*selector_keys(integration.described), *(part.split(".")[1] for part in parts)}
    for platform, entities in integration.strings.get("entity", {}).items():
        sections[f"entity.{platform}"] = entities
        if platform not in integration.modules:
            yield f"strings.json: has texts of entity.{platform}, and there is no {platform}.py"
    for section, texts in sections.items():
        wanted = "entity" if section.startswith("entity.") else section
        asked = [use.pattern for use in uses if use.section == wanted]
        for key in texts:
            known = key in integration.words or (section == "selector" and key in others)
            if not known and not any(pattern.fullmatch(key) for pattern in asked):
                yield f"strings.json: nothing uses {section}.{key}"


def _texts(strings: dict[str, Any], section: str, platform: str = "") -> dict[str, Any]:
    if section != "entity":
        for part in section.split("."):
            strings = strings.get(part, {})
        return strings
    entities = strings.get("entity", {})
    if platform in entities:
        return dict(entities[platform])
    return {key: text for texts in entities.values() for key, text in texts.items()}


def _filled_in(use: Use, key: str, text: dict[str, Any] | str) -> Iterator[str]:
    name = f"{use.section}.{key}"
    if use.section not in {"entity", "device"} and use.given is not None:
        wanted = placeholders_of({"": text})
        for missing in sorted(wanted - use.given):
            yield f"strings.json: {name} has the placeholder {missing}, which {use.where} does not fill in"
        for unused in sorted(use.given - use.optional - wanted):
            yield f"strings.json: {name} lacks the placeholder {unused}, which {use.where} fills in"
    if use.fixable is not None and use.fixable != ("fix_flow" in text):
        wanted_part = "fix_flow" if use.fixable else "description"
        yield f"strings.json: {name} needs a {wanted_part}, as {use.where} has it"


def _system_health(integration: Integration) -> Iterator[str]:
    info = set(integration.strings.get("system_health", {}).get("info", {}))
    module = integration.modules.get("system_health")
    if module is None:
        if info:
            yield "strings.json: has texts of system_health, and there is no system_health.py"
        return
    told = {
        str(key.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    for key in sorted(info - set(strings_in(module))):
        yield f"strings.json: nothing uses system_health.info.{key}"
    for key in sorted(told - info):
        yield f"strings.json: lacks system_health.info.{key}, which system_health.py tells"
