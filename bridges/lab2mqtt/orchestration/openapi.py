"""The OpenAPI document of tasks, made from descriptions: each task has its path and its parameters."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lab2mqtt.core.house import HOUSE_TASKS

HOUSE_TAG = "every device"

_KEYWORDS: dict[str, type | tuple[type, ...]] = {
    "type": (str, list),
    "description": str,
    "unit": str,
    "enum": list,
    "pattern": str,
    "minLength": int,
    "maxLength": int,
    "minimum": (int, float),
    "maximum": (int, float),
    "items": dict,
    "default": object,
}
_REFUSALS = {
    "400": "The body is no JSON object, or a parameter is missing, unknown or out of range.",
    "404": "There is no such task.",
    "409": "It was refused as things are now (the error code tells why), or ended by a stop or a cancel.",
    "413": "The body is too large.",
    "500": "The task failed.",
    "503": "The device cannot be reached, or is too busy.",
    "504": "The task was not done in time.",
}
_HEADERS = {
    "IdempotencyKey": (
        "Idempotency-Key",
        "The id of this call, new for each. The same again gives the same result, and nothing is done twice.",
        {"type": "string", "minLength": 1, "maxLength": 64},
    ),
    "Reservation": (
        "Reservation",
        "The holder of the reservation under which it is called.",
        {"type": "string", "minLength": 1, "maxLength": 128},
    ),
    "Prefer": (
        "Prefer",
        "`wait=60`: the seconds (below 300) after which it is not begun any more, as nobody waits for it.",
        {"type": "string"},
    ),
}
_REFUSAL = {
    "type": "object",
    "properties": {
        "detail": {"type": "string", "description": "What was wrong, and what would be right."},
        "error_code": {"type": "string", "description": "One of the protocol's error codes."},
    },
    "required": ["detail"],
}


def task_operation(name: str, task: Mapping[str, Any], owner: str = "") -> dict[str, Any]:
    """The ``post`` of one task's path.

    Args:
        name: The task's name.
        task: As a description tells it: ``describe()["tasks"][name]``.
        owner: The device, where a document has several; part of the ids and the tags.
    """
    is_house = name in HOUSE_TASKS
    tag = HOUSE_TAG if is_house else "tasks"
    text = [
        told if isinstance(told := task.get("description"), str) else "",
        f"Effect: {task.get('effect', 'move')}.",
    ]
    if isinstance(seconds := task.get("timeout"), (int, float)):
        text.append(f"May take {seconds:g} s.")
    refs = [{"$ref": f"#/components/parameters/{key}"} for key in _HEADERS]
    parameters = _parameters(task)
    returns = task.get("returns")
    operation: dict[str, Any] = {
        "operationId": "_".join(filter(None, (owner, "execute", name))),
        "summary": name,
        "description": " ".join(filter(None, text)),
        "tags": [f"{owner}: {tag}" if owner else tag],
        "parameters": refs,
        "requestBody": {
            "required": bool(parameters.get("required")),
            "content": {"application/json": {"schema": parameters}},
        },
        "responses": {
            "200": {
                "description": returns if returns and isinstance(returns, str) else "It was done.",
                "headers": {
                    "Request-Id": {"description": "The id of this call.", "schema": {"type": "string"}}
                },
                "content": {"application/json": {"schema": _done(name)}},
            },
            "401": {"$ref": "#/components/responses/401"},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS},
        },
    }
    return operation


def task_paths(description: Mapping[str, Any], prefix: str = "", owner: str = "") -> dict[str, Any]:
    """The paths of all tasks of a device.

    Args:
        description: Of the device, as on the wire.
        prefix: What stands before ``/execute/…``.
        owner: The device, where a document has several.
    """
    tasks: Mapping[str, Mapping[str, Any]] = description.get("tasks", {})
    house_last = sorted(tasks, key=lambda name: name in HOUSE_TASKS)
    return {
        f"{prefix}/execute/{quote(name, safe='')}": {"post": task_operation(name, tasks[name], owner)}
        for name in house_last
    }


def complete(document: dict[str, Any], paths: Mapping[str, Any], *, with_tokens: bool) -> dict[str, Any]:
    """Add the paths of tasks, and all that they refer to, to the document of an app.

    Args:
        document: As FastAPI makes it.
        paths: By ``task_paths``.
        with_tokens: Whether a token is needed.
    """
    components: dict[str, Any] = document.setdefault("components", {})
    components.setdefault("schemas", {})["Refusal"] = _REFUSAL
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    told = {"401": "The token is missing or wrong.", **_REFUSALS}
    components["responses"] = {
        status: {"description": text, "content": body} for status, text in told.items()
    }
    components["parameters"] = {
        key: {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
        for key, (name, text, schema) in _HEADERS.items()
    }
    if with_tokens:
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"bearer": []}]
    document["paths"] = {**document.get("paths", {}), **paths}
    return document


def _parameters(task: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a task's parameters."""
    told = task.get("parameters")
    told = told if isinstance(told, Mapping) else {}
    needed = task.get("required")
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _schema(one) for name, one in told.items()},
        "additionalProperties": bool(task.get("open")),
    }
    if isinstance(needed, list | tuple) and (required := [name for name in told if name in needed]):
        schema["required"] = required
    return schema


def _schema(told: object) -> dict[str, Any]:
    """What we know of a schema that a device tells; a board may tell anything."""
    if not isinstance(told, Mapping):
        return {}
    known = {
        key: value for key, value in told.items() if key in _KEYWORDS and isinstance(value, _KEYWORDS[key])
    }
    if "items" in known:
        known["items"] = _schema(known["items"])
    return known


def _done(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "task_name": {"const": name},
            "parameters": {"type": "object"},
            "result": {},
            "status": {"const": "success"},
        },
        "required": ["task_name", "parameters", "result", "status"],
    }
