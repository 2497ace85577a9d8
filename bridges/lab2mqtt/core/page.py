"""The documentation page of a model, made from its declaration, so that it cannot be wrong."""

from collections.abc import Iterable, Mapping
from typing import Any

from lab2mqtt.core.parameters import Parameter
from lab2mqtt.core.words import listed

_EFFECTS = {
    "read": "reads",
    "set": "sets",
    "move": "**moves**",
    "stop": "stops",
}


def page(description: Mapping[str, Any], settings: Iterable[Parameter]) -> str:
    """Write the page.

    Args:
        description: Of one device of the model, with its default settings and every part that it can have.
        settings: What a configuration may say of it.

    Returns:
        Markdown.
    """
    lines = [
        f"# {description['name']}",
        "",
        f"Model `{description['kind']}`, by {description['manufacturer']}.",
        "`script/docs` makes this page from its declaration.",
        "",
        "## Tasks",
        "",
        *task_table(description["tasks"]),
        "",
        "## Entities",
        "",
        *entity_table(description["entities"]),
    ]
    lines += ["", "## Settings", "", "| setting | meaning | allowed | default |", "| --- | --- | --- | --- |"]
    for setting in settings:
        default = "" if setting.default is None else f"`{_plain(setting.default)}`"
        lines.append(_row(f"`{setting.name}`", setting.description, setting.allowed, default))
    return "\n".join([*lines, ""])


def task_table(tasks: Mapping[str, Any]) -> list[str]:
    """The lines of a table of tasks, as they stand in a description."""
    lines = ["| task | what it does | effect | parameters |", "| --- | --- | --- | --- |"]
    for name, task in tasks.items():
        told = "; ".join(_parameter(key, one, task["required"]) for key, one in task["parameters"].items())
        lines.append(_row(f"`{name}`", task["description"], _EFFECTS[task["effect"]], told))
    return lines


def entity_table(entities: Mapping[str, Any]) -> list[str]:
    """The lines of a table of entities, as they stand in a description."""
    lines = ["| entity | in Home Assistant | key | |", "| --- | --- | --- | --- |"]
    for key, entity in entities.items():
        part = f"part `{entity['part']}`" if "part" in entity else ""
        more = [part, entity.get("category", ""), entity.get("unit", ""), _commands(entity)]
        lines.append(
            _row(entity["name"], entity["platform"], f"`{key}`", ", ".join(one for one in more if one))
        )
    return lines


def _parameter(name: str, schema: Mapping[str, Any], required: Iterable[str]) -> str:
    allowed = ""
    if "enum" in schema:
        allowed = ": " + listed(choice for choice in schema["enum"] if choice is not None)
    elif "minimum" in schema or "maximum" in schema:
        low, high = (f"{schema[end]:.10g}" if end in schema else "…" for end in ("minimum", "maximum"))
        allowed = f": {low} to {high} {schema.get('unit', '')}".rstrip()
    return f"`{name}`{allowed}" + ("" if name in required else " (optional)")


def _commands(entity: Mapping[str, Any]) -> str:
    return f"calls `{entity['task']}`" if "task" in entity else ""


def _plain(value: object) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
