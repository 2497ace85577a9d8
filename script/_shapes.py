"""What the JSON Schemas of the reference are made of."""

from typing import Any

Schema = dict[str, Any]

# Not `^[^…]*$`: some readers let a newline pass in front of their `$`.
PRINTABLE: Schema = {"not": {"type": "string", "pattern": "[\\u0000-\\u001f\\u007f-\\u009f]"}}
NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANY: Schema = {}
WORDS: Schema = {"type": "array", "items": TEXT}


def seconds(what: str) -> Schema:
    """A moment."""
    return {"type": "number", "description": f"{what}; seconds since 1970."}


def text(longest: int, what: str = "") -> Schema:
    """A printable text that is not empty."""
    told = {"type": "string", "minLength": 1, "maxLength": longest, **PRINTABLE}
    return told | ({"description": what} if what else {})


def optional(schema: Schema) -> Schema:
    """The same, or null."""
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def words(choices: Any, what: str = "") -> Schema:  # noqa: ANN401 - any collection
    """One of a few words."""
    told = {"type": "string", "enum": list(choices)}
    return told | ({"description": what} if what else {})


def ref(name: str) -> Schema:
    """Another schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def message(
    what: str, properties: dict[str, Schema], required: tuple[str, ...] | None = None, **more: object
) -> Schema:
    """An object whose unknown keys are ignored; all keys are needed unless told otherwise."""
    needed = list(properties) if required is None else list(required)
    told: Schema = {"type": "object", "description": what, "properties": properties, "required": needed}
    return told | more
