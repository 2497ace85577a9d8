"""Every rule of the protocol, case by case; tests/micropython runs the same cases on MicroPython."""

import json
from pathlib import Path
import runpy
from typing import Any

import pytest

from lab2mqtt import wire

VECTORS = Path(__file__).parents[1] / "vectors"
FILES = sorted(VECTORS.glob("*.json"))
CASES = {path.stem: json.loads(path.read_text("ascii")) for path in FILES}

fault = runpy.run_path(str(VECTORS / "cases.py"))["fault"]


@pytest.mark.parametrize(
    ("function", "case"),
    [
        pytest.param(function, case, id=f"{function}: {case['why']}")
        for function, cases in CASES.items()
        for case in cases
    ],
)
def test_vector(function: str, case: dict[str, Any]) -> None:
    """An input gives the value, or the error, that its vector names."""
    assert not fault(wire, function, case)


def test_every_function_of_the_protocol_has_vectors() -> None:
    """A function without a vector is one that a board may read in another way."""
    public = {
        name
        for name, thing in vars(wire).items()
        if callable(thing) and not name.startswith("_") and not isinstance(thing, type)
    }
    assert set(CASES) == public


def test_cases_of_one_function_say_different_things() -> None:
    """The reason of a case is its name in every report."""
    for function, cases in CASES.items():
        whys = [case["why"] for case in cases]
        assert len(set(whys)) == len(whys), function


def test_every_error_code_and_every_progress_has_a_vector() -> None:
    """The lists are part of the contract."""
    assert {case["input"]["code"] for case in CASES["failure"] if "value" in case} == set(wire.ERROR_CODES)
    assert {case["input"]["status"] for case in CASES["progress"] if "value" in case} == set(wire.PROGRESS)
