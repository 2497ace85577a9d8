"""A readable Python module out of a device's description: flows and callers with real signatures.

It is made once and kept, and not at each import: so an editor and a type checker know it, a change of it is
seen in version control, and no broker is needed to import it. Its limits are a courtesy; the device checks.
"""

from collections.abc import Iterable, Mapping
import itertools
import json
import keyword
import math
import re
from typing import Any

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.core.house import HOUSE_TASKS

WIDTH = 110  # characters of a line
MANY = 6  # choices that get a name of their own
STOP = "emergency_stop"
# Older names of tasks that only read.
ALSO = {"status": "get_status", "health": "get_health"}
_TYPES = {
    "integer": "int",
    "number": "float",
    "string": "str",
    "boolean": "bool",
    "object": "dict[str, Any]",
    "array": "list[Any]",
}
_LIMITS = {
    "integer": {"minimum": "ge", "maximum": "le"},
    "number": {"minimum": "ge", "maximum": "le"},
    "string": {"minLength": "min_length", "maxLength": "max_length"},
}
_EFFECTS = ("read", "set", "move", "stop")
# What Prefect takes for itself, and what the module uses.
_TAKEN = {"return_state", "wait_for", "caller", "task_flow"}
# What annotations use: no task and no list of choices may have such a name.
_MEANT = {
    *("DEVICE", "Result", "Annotated", "Any", "Literal", "Field"),
    *("dict", "list", "int", "float", "str", "bool"),
}

_HEAD = '''\
"""{title}: Prefect flows and the functions that have them run.

Made by `lab2mqtt prefect module {device}` from what the device says of itself. The flows run on a worker,
and call the device over MQTT; the functions run anywhere, and need nothing but the Prefect API:

    from {module} import {example}
"""

'''


def module(description: Mapping[str, Any], path: str = "", *, asked: str = "") -> str:
    """The text of the module for a device.

    Args:
        description: What the device says of itself, as on the wire.
        path: Where the module is imported from, for its docstring; made of the device's id unless told.
        asked: The device that was asked for its description, if that is known.

    Raises:
        Misconfigured: The description is of another device, or has no task that a function can be made of.
    """
    device = description.get("device_id")
    if not isinstance(device, str) or asked not in ("", device):
        raise Misconfigured(f"{asked or 'a device'} describes itself as {device!r}: another device's flows")
    tasks = {
        name: _mapping(task)
        for name, task in _mapping(description.get("tasks")).items()
        if name not in HOUSE_TASKS or name == STOP
    }
    names = _Names(tasks)
    made, left_out = [], []
    for name, task in tasks.items():
        why = _why_not(name, task, tasks)
        if why:
            left_out.append(f"# Left out: {name!r}, {why}.")
        else:
            made.append(_functions(name, task, names))
            if name in ALSO and ALSO[name] not in tasks:
                made[-1] += f"\n{ALSO[name]} = {name}"
    if not made:
        raise Misconfigured(f"{device} has no task that a flow can be made of")
    body = "\n\n\n".join(made)
    example = [name for name in tasks if f"\n{name} = caller(" in body][:3]
    head = _pragma(body) + _HEAD.format(
        title=_plain(description.get("name") or device),
        device=_plain(device),
        module=path or f"{re.sub(r'[^a-z0-9_]', '_', device)}_flows",
        example=", ".join(sorted(example)),
    )
    aliases = "".join(f"{line}\n" for line in names.lines)
    typing = [name for name in ("Annotated", "Any", "Literal") if re.search(rf"\b{name}\b", aliases + body)]
    imports = f"from typing import {', '.join(typing)}\n\n" if typing else ""
    if "Field(" in body:
        imports += "from pydantic import Field\n\n"
    imports += "from lab2mqtt.prefect.task_flow import Result, caller, task_flow\n\n"
    made_of = f"DEVICE = {_text(device)}\n" + (f"\n{aliases}" if aliases else "")
    end = "\n" + "\n".join(left_out) + "\n" if left_out else ""
    return f"{head}{imports}{made_of}\n\n{body}\n{end}"


def _pragma(body: str) -> str:
    """What a linter is to let pass, as names and types are the device's."""
    found = {
        "FBT001": re.search(r"\w: bool[^=]*?[,)]", body),
        "FBT002": re.search(r"\w: bool[ |None]* = (True|False)", body),
        "N803": re.search(r"^    \w*[A-Z]\w*: |_flow\(\w*[A-Z]\w*: ", body, re.MULTILINE),
    }
    codes = [code for code, there in found.items() if there]
    return f"# ruff: noqa: {', '.join(codes)}\n" if codes else ""


class _Names:
    """Names for long lists of choices."""

    def __init__(self, tasks: Iterable[str]) -> None:
        self._taken = {*_MEANT, *_TAKEN, *ALSO.values(), *(f"{name}_flow" for name in tasks), *tasks}
        self._by_choices: dict[str, str] = {}
        self.lines: list[str] = []

    def of(self, parameter: str, choices: list[str]) -> str:
        key = ", ".join(choices)
        if key not in self._by_choices:
            word = "".join(part.capitalize() for part in parameter.split("_"))
            numbers = (f"{word}{number or ''}" for number in itertools.count())
            name = next(one for one in numbers if one not in self._taken and not keyword.iskeyword(one))
            self._taken.add(name)
            self._by_choices[key] = name
            self.lines.append(_bracketed(f"{name} = Literal[", choices, "]"))
        return self._by_choices[key]


def _why_not(name: str, task: Mapping[str, Any], tasks: Mapping[str, Any]) -> str:
    """Why there is no function for a task; empty where there is one."""
    if name in _MEANT:
        return f"as the task {name!r} has another meaning here"
    if (other := name.removesuffix("_flow")) != name and other in tasks:
        return f"as that is the flow of {other!r}"
    words = {"task": [name], "parameter": list(_mapping(task.get("parameters")))}
    for what, found in words.items():
        for word in found:
            if not word.isidentifier() or keyword.iskeyword(word):
                return f"as the {what} {word!r} is no name in Python"
            if word in _TAKEN or (what == "parameter" and word.startswith("_")):
                return f"as the {what} {word!r} has another meaning here"
    return ""


def _functions(name: str, task: Mapping[str, Any], names: _Names) -> str:
    """The flow and the callers of one task."""
    schemas = {one: _mapping(schema) for one, schema in _mapping(task.get("parameters")).items()}
    required = [one for one in _list(task.get("required")) if isinstance(one, str)]
    effect = task.get("effect")
    ordered = sorted(schemas, key=lambda parameter: parameter not in required)
    arguments = [_argument(one, schemas[one], names, required=one in required) for one in ordered]
    lines = [
        f"@task_flow(DEVICE, {_text(name)}, effect={_text(effect if effect in _EFFECTS else 'move')})",
        _bracketed(f"def {name}_flow(", arguments, ") -> Result:"),
        *_docstring(task, {one: schemas[one] for one in ordered}),
        "",
        "",
        f"{name} = caller({name}_flow)",
    ]
    return "\n".join(lines)


def _argument(name: str, schema: Mapping[str, Any], names: _Names, *, required: bool) -> str:
    hint = _hint(name, schema, names)
    if required:
        return f"{name}: {hint}"
    default = schema.get("default")
    if default is None and not re.search(r"\bNone\b|^Any$", hint):
        hint += " | None"
    return f"{name}: {hint} = {_literal(default)}"


def _hint(name: str, schema: Mapping[str, Any], names: _Names) -> str:
    """The type hint of a parameter, with its limits."""
    told = schema.get("type")
    types = [told] if isinstance(told, str) else _list(told)
    nullable = "null" in types
    types = [one for one in types if isinstance(one, str) and one != "null"]
    wanted = [choice for choice in _list(schema.get("enum")) if choice is not None]
    if wanted and all(isinstance(choice, str) or _is_number(choice) for choice in wanted):
        choices = [_literal(choice) for choice in wanted]
        hint = names.of(name, choices) if len(choices) > MANY else f"Literal[{', '.join(choices)}]"
    elif len(types) == 1:
        hint = _TYPES.get(types[0], "Any")
        if types[0] == "array" and (items := _mapping(schema.get("items"))):
            hint = f"list[{_hint(name, items, names)}]"
        limits = [
            f"{word}={_number(schema[key])}"
            for key, word in _LIMITS.get(types[0], {}).items()
            if _is_number(schema.get(key))
        ]
        if limits:
            hint = f"Annotated[{hint}, Field({', '.join(limits)})]"
    else:
        hint = "Any"
    return f"{hint} | None" if nullable and hint != "Any" else hint


def _docstring(task: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    text = _plain(task.get("description") or "") or "No description."
    lines = _wrapped(text if text[-1] in ".!?" else f"{text}.", "    ", first=7)
    lines[0] = f'    """{lines[0].strip()}'
    if schemas:
        lines += ["", "    Args:"]
        for name, schema in schemas.items():
            about = _plain(schema.get("description") or "")
            if unit := _plain(schema.get("unit") or ""):
                about = f"In {unit}. {about}".strip()
            lines += _wrapped(f"{name}: {about or 'See the device.'}", "        ", more="    ")
    if returns := _plain(task.get("returns") or ""):
        lines += ["", "    Returns:", *_wrapped(returns, "        ")]
    if len(lines) == 1 and len(lines[0]) + 3 <= WIDTH:
        lines[0] += '"""'
    else:
        lines.append('    """')
    return lines


def _wrapped(text: str, indent: str, first: int = 0, more: str = "") -> list[str]:
    """Lines of at most the width; ``first`` characters stand before the first, ``more`` before the others."""
    lines, line, room = [], "", WIDTH - len(indent) - first
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, WIDTH - len(indent) - len(more)
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return [f"{indent}{more if number else ''}{line}" for number, line in enumerate(lines)]


def _bracketed(before: str, items: Iterable[str], after: str) -> str:
    """On one line, or the items on one, or each on its own: as ruff formats it."""
    items = list(items)
    together = ", ".join(items)
    if len(before) + len(together) + len(after) <= WIDTH:
        return f"{before}{together}{after}"
    if len(together) + 4 <= WIDTH:
        return f"{before}\n    {together}\n{after}"
    return "\n".join([before, *(f"    {item}," for item in items), after])


def _plain(text: str) -> str:
    """Text that stands in a docstring as it is."""
    words = " ".join(str(text).split()).replace("\\", "/").replace('"', "'")
    return "".join(character for character in words if character.isprintable())


def _text(text: str) -> str:
    """A literal, in the quotes that ruff takes; what a device says of itself never becomes code."""
    return repr(text) if '"' in text else json.dumps(text, ensure_ascii=False)


def _mapping(told: object) -> Mapping[str, Any]:
    """What a device told, if it is what it should be."""
    return told if isinstance(told, Mapping) else {}


def _list(told: object) -> list[Any]:
    """The same of a list."""
    return list(told) if isinstance(told, list | tuple) else []


def _is_number(value: object) -> bool:
    """Whether it is one that can be written in Python; a truth value is, too."""
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) or value.is_integer() else repr(value)


def _literal(value: object) -> str:
    return _text(value) if isinstance(value, str) else repr(value)
