"""docs/reference/asyncapi.yaml against the protocol's cases and its page."""

from collections.abc import Mapping
import json
from pathlib import Path
import re
import runpy
from typing import Any

import pytest
from tests.asyncapi import ASYNCAPI, validator

from lab2mqtt import wire

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
arguments = runpy.run_path(str(VECTORS / "cases.py"))["arguments"]

# What is made, and what is taken: function of wire.py → the schemas, one of which it has to fit.
MADE = {
    "command": ["command"],
    "success": ["success"],
    "failure": ["failure"],
    "replayed": ["success", "failure"],
    "progress": ["progress"],
    "status": ["device_status"],
    "bridge_status": ["bridge_status"],
    "claim": ["claim"],
    "claim_answer": ["claim"],
    "stop_message": ["stop", "release"],
}
READ = {
    "read_command": ["command"],
    "read_result": ["any_result"],
    "read_progress": ["progress"],
    "read_status": ["any_status"],
    "read_bridge_status": ["any_status"],
    "read_claim": ["claim"],
    "read_stop": ["stop", "release"],
}
NAMED = {"is_device_id": ["device_id"], "is_bridge_id": ["bridge_id"], "is_base": ["base"]}


def cases(functions: Mapping[str, list[str]]) -> list[Any]:
    """Every case of some functions."""
    return [
        pytest.param(function, case, id=f"{function}: {case['why']}")
        for function in functions
        for case in json.loads((VECTORS / f"{function}.json").read_text("ascii"))
    ]


def fits(function: str, names: Mapping[str, list[str]], value: object) -> bool:
    """Whether one of a function's schemas takes a value."""
    return any(validator(name).is_valid(value) for name in names[function])


@pytest.mark.parametrize(("function", "case"), cases(MADE))
def test_what_is_made_fits(function: str, case: dict[str, Any]) -> None:
    """What wire.py makes is what the document says."""
    if "value" in case:
        assert fits(function, MADE, case["value"])


@pytest.mark.parametrize(("function", "case"), cases(READ))
def test_what_is_read_fits(function: str, case: dict[str, Any]) -> None:
    """What wire.py takes fits; what it refuses for its shape does not. The rest is no JSON, or of a size."""
    given = arguments(case["input"])
    try:
        message = wire.decode(given["payload"], given.get("limit", wire.MAX_COMMAND))
    except wire.WireError:
        assert "error" in case
    else:
        assert fits(function, READ, message) is ("value" in case)


@pytest.mark.parametrize(("function", "case"), cases(NAMED))
def test_names(function: str, case: dict[str, Any]) -> None:
    """Ids and bases are those of wire.py."""
    assert fits(function, NAMED, arguments(case["input"])["text"]) is case["value"]


def test_every_topic_of_the_page_is_there() -> None:
    """docs/protocol.md and the document name the same topics."""
    rows = re.findall(r"^\| `(\S+)` \|", (ROOT / "docs" / "protocol.md").read_text(), re.MULTILINE)
    told = {row.replace("<", "{").replace(">", "}") for row in rows if "/" in row}
    addresses = {channel["address"] for channel in ASYNCAPI["channels"].values()}
    assert {one for one in addresses if not one.startswith("{prefix}")} == told


def test_every_schema_is_one() -> None:
    """Each can be read, and each reference leads somewhere."""
    for name in ASYNCAPI["components"]["schemas"]:
        validator(name).check_schema(ASYNCAPI["components"]["schemas"][name])
    text = json.dumps(ASYNCAPI)
    for found in re.findall(r'"\$ref": "#/([^"]+)"', text):
        place = ASYNCAPI
        for level in found.split("/"):
            place = place[level]
