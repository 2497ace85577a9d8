"""Answers to the forms of Home Assistant's configuration flows."""

from collections.abc import Mapping
from typing import Any


def fill(schema: list[dict[str, Any]], values: Mapping[str, object]) -> dict[str, object]:
    """Answer a form: our values where it asks for them, its own defaults for what else it requires."""
    answer: dict[str, object] = {}
    for field in schema:
        name = field["name"]
        if field.get("type") == "expandable":  # a section, in newer releases
            answer[name] = fill(field["schema"], values)
        elif name in values:
            answer[name] = values[name]
        elif field.get("required"):
            suggestion = (field.get("description") or {}).get("suggested_value")
            answer[name] = field.get("default", suggestion)
    return {name: value for name, value in answer.items() if value is not None}
