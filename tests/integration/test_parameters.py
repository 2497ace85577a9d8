"""A task's parameters as the fields of an action."""

from typing import Any

from custom_components.lab2mqtt.parameters import fields_of, schema_of, selector_of
import pytest
import voluptuous as vol


def task(**parameter: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    """A task with one parameter that is needed."""
    return {"parameters": {"value": parameter}, "required": ["value"]}


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 5}, {1: 1, 5: 5, 2.0: 2}, (0, 6, 2.5, "x", None)),
        ({"type": "number", "maximum": 1}, {1: 1.0, -0.5: -0.5, "0.25": 0.25}, (1.1, "much", None)),
        ({"type": "boolean"}, {True: True, "off": False}, ("maybe",)),
        ({"type": "string", "enum": ["A", "B"]}, {"A": "A"}, ("C", "", None)),
        ({"type": "integer", "enum": [1, 2]}, {1: 1, "2": 2}, (3, "one")),
        (
            {"type": ["string", "null"], "enum": ["left", None]},
            {"left": "left", None: None},
            ("None", "right"),
        ),
        ({"type": ["integer", "null"], "minimum": 1}, {1: 1, None: None}, (0, "x")),
        ({"type": ["integer", "string"]}, {1: 1, "x": "x"}, ()),
        ({"type": "string"}, {"x": "x", 5: "5"}, (None, {}, [])),
        ({}, {"x": "x", 5: 5}, ()),
    ],
)
def test_checked(parameter: dict[str, Any], good: dict[Any, Any], bad: tuple[Any, ...]) -> None:
    """What the device would refuse is refused before anything is sent, and what it takes passes."""
    schema = schema_of(task(**parameter))
    for given, taken in good.items():
        assert schema({"value": given}) == {"value": taken}
    for wrong in bad:
        with pytest.raises(vol.Invalid):
            schema({"value": wrong})
    with pytest.raises(vol.Invalid):
        schema({})


def test_open() -> None:
    """A task of which little is known takes more than is known."""
    assert schema_of({"open": True})({"volume": 3}) == {"volume": 3}
    with pytest.raises(vol.Invalid):
        schema_of({})({"volume": 3})


@pytest.mark.parametrize(
    ("parameter", "selector"),
    [
        ({"type": "boolean"}, {"boolean": {}}),
        ({"type": "string"}, {"text": {}}),
        ({"type": "object"}, {"object": {}}),
        ({}, {"object": {}}),
        (
            {"type": "integer", "minimum": 0, "maximum": 10, "unit": "°"},
            {"number": {"mode": "slider", "step": 1, "min": 0, "max": 10, "unit_of_measurement": "°"}},
        ),
        ({"type": ["number", "null"]}, {"number": {"mode": "box", "step": "any"}}),
        (
            {"type": ["string", "null"], "enum": ["left", None]},
            {"select": {"options": [{"value": "left", "label": "left"}], "mode": "dropdown"}},
        ),
    ],
)
def test_shown(parameter: dict[str, Any], selector: dict[str, Any]) -> None:
    """By the control that fits; nothing is chosen by leaving it empty."""
    assert selector_of(parameter) == selector


def test_words() -> None:
    """Name, help and default are the device's."""
    fields = fields_of(task(type="number", description="In the well.", default=0.5) | {"required": []})
    assert fields["value"] == {
        "name": "Value",
        "description": "In the well.",
        "default": 0.5,
        "required": False,
        "selector": {"number": {"mode": "box", "step": "any"}},
    }
