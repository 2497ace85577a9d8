"""The schemas of docs/reference/asyncapi.yaml."""

import json
from pathlib import Path
import re
from typing import Any

import jsonschema
import yaml

FILE = Path(__file__).parents[1] / "docs" / "reference" / "asyncapi.yaml"
ASYNCAPI: dict[str, Any] = yaml.safe_load(FILE.read_text())
PARAMETER = re.compile(r"\\{(\w+)\\}")
# A base may have levels of its own; everything else is one level, or a part of one.
_TOPICS = {
    name: re.compile(
        PARAMETER.sub(
            lambda found: "(.+)" if found[1] in ("base", "discovery", "prefix") else "([^/]+)",
            re.escape(channel["address"]),
        )
    )
    for name, channel in ASYNCAPI["channels"].items()
    if not name.startswith("older_")
}


def validator(name: str) -> jsonschema.Draft7Validator:
    """Checks against one schema."""
    return jsonschema.Draft7Validator({**ASYNCAPI, "$ref": f"#/components/schemas/{name}"})


def fault(topic: str, payload: bytes) -> str:
    """What the document has against a message, in words; empty if nothing."""
    names = [name for name, pattern in _TOPICS.items() if pattern.fullmatch(topic)]
    if not names:
        return f"no channel is {topic}"
    faults = [_fault(name, payload) for name in names]
    return "" if "" in faults else f"{topic} {payload[:500]!r}: {faults[0]}"


def _fault(channel: str, payload: bytes) -> str:
    schemas = [
        message["$ref"].rpartition("/")[2] for message in ASYNCAPI["channels"][channel]["messages"].values()
    ]
    known = [name for name in schemas if name in ASYNCAPI["components"]["schemas"]]
    if not known or not payload:  # bytes, or a retained message that is cleared
        return ""
    told = json.loads(payload)
    found = {name: jsonschema.exceptions.best_match(validator(name).iter_errors(told)) for name in known}
    return "" if None in found.values() else str({name: why.message for name, why in found.items() if why})
