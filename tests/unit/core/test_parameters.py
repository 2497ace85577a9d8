"""Parameters are typed once, in a driver's hints; everything else about them follows from there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math
from pathlib import Path
import re
from typing import Annotated, Any, Literal

from hypothesis import given, strategies as st
import pytest
import voluptuous as vol

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.parameters import (
    Choices,
    Parameter,
    Range,
    Schema,
    Setting,
    Text,
    Unit,
    parameters_of,
)
from lab2mqtt.core.run import Run


@dataclass(frozen=True)
class Settings:
    """What the limits below name."""

    hotels: tuple[str, ...] = ("A", "B", "C", "D")
    most: float = 360.0


def turn(  # noqa: D417 - some without words
    hotel: Annotated[str, Choices(Setting("hotels"))],
    angle: Annotated[float, Range(0, Setting("most")), Unit("°")],
    way: Literal["short", "long"] = "short",
    times: Annotated[int, Range(1)] = 1,
    note: Annotated[str, Text(20, 2, "[a-z]+")] | None = None,
    plates: list[Annotated[str, Text(8, 1)]] | None = None,
) -> None:
    """Turn.

    Args:
        hotel: Which one faces the opening
            afterwards.
        angle (float): Where to; 360 is 0.
        times: How often.

    Raises:
        times: This is not a parameter.
    """


def of(function: Any) -> dict[str, Parameter]:  # noqa: ANN401
    """The parameters of a function, by name."""
    return {parameter.name: parameter for parameter in parameters_of(function, Settings())}


def refusal(values: dict[str, object], function: Any = turn) -> str:  # noqa: ANN401
    """The text by which values are refused."""
    schema = Schema(parameters_of(function, Settings()), "turn")
    with pytest.raises(Refused) as refused:
        schema.check(values)
    assert refused.value.error_code == "invalid_parameters"
    return str(refused.value)


# Read from the hints


def test_types_limits_choices_and_defaults_come_from_the_hints() -> None:
    """A second place in which a limit is written is a second limit."""
    found = of(turn)
    assert [(name, one.type, one.required) for name, one in found.items()] == [
        ("hotel", "string", True),
        ("angle", "number", True),
        ("way", "string", False),
        ("times", "integer", False),
        ("note", "string", False),
        ("plates", "array", False),
    ]
    assert found["hotel"].choices == ("A", "B", "C", "D")
    assert (found["angle"].minimum, found["angle"].maximum, found["angle"].unit) == (0, 360.0, "°")
    assert (found["way"].choices, found["way"].default) == (("short", "long"), "short")
    assert (found["times"].minimum, found["times"].maximum) == (1, None)
    assert (found["note"].shortest, found["note"].longest, found["note"].pattern) == (2, 20, "[a-z]+")


@pytest.mark.parametrize(
    ("hint", "kind"),
    [
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (bool, "boolean"),
        (list[int], "array"),
        (tuple[int, ...], "array"),
        (Sequence[int], "array"),
        (dict[str, int], "object"),
        (Any, "any"),
        (object, "any"),
        (Literal[1, -1], "integer"),
    ],
)
def test_every_type_that_json_has_can_be_hinted(hint: object, kind: str) -> None:
    """The hint is all that a driver's author writes."""

    def method(value: object) -> None:
        del value

    method.__annotations__["value"] = hint
    assert of(method)["value"].type == kind


def test_a_path_is_a_text_that_is_marked() -> None:
    """A file of settings holds text, and only who reads that knows from where it is seen."""

    @dataclass
    class Where:
        """Where things are.

        Attributes:
            beds: Flowers.
            shed: Tools.
        """

        beds: Path
        shed: Path | None = None

    beds, shed = parameters_of(Where)
    assert (beds.json_schema()["type"], shed.json_schema()["type"]) == ("string", ["string", "null"])
    assert (beds.is_path, shed.is_path, beds.check("plants/beds")) == (True, True, "plants/beds")
    assert shed.check(None) is None
    for wrong in ("", 3, None):
        with pytest.raises(vol.Invalid, match="a path"):
            beds.check(wrong)


def test_only_what_may_be_null_is_nullable() -> None:
    """An optional parameter may be given as null, one with a default may not."""
    found = of(turn)
    assert {name for name, one in found.items() if one.nullable} == {"note", "plates"}


def test_words_come_from_the_docstring_and_only_from_its_arguments() -> None:
    """They are what a person reads in the description; a line that goes on belongs to the word above it."""
    found = of(turn)
    assert found["hotel"].description == "Which one faces the opening afterwards."
    assert found["angle"].description == "Where to; 360 is 0."
    assert found["times"].description == "How often."
    assert found["way"].description == ""


def test_self_and_the_run_are_no_parameters_of_the_task() -> None:
    """Nobody can send them."""

    class Driver:
        def spin(self, turns: int, run: Run) -> None:
            del turns, run

    assert list(of(Driver.spin)) == ["turns"]


def test_a_settings_class_is_read_by_its_attributes() -> None:
    """The configuration is checked by the same rules as a command, a list's own default included."""

    @dataclass
    class Sink:
        """A sink.

        Attributes:
            basins: From the left.
        """

        basins: list[str] = field(default_factory=lambda: ["left"])
        depth: Annotated[float, Range(0, 1), Unit("m")] = 0.2

    found = of(Sink)
    assert found["basins"].description == "From the left."
    assert found["basins"].default == ["left"]
    assert found["depth"].default == 0.2


def positional(*plates: str) -> None:
    """Take any number."""


def named(**plates: str) -> None:
    """Take any name."""


def unhinted(plate) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Take anything."""


def ambiguous(plate: int | str) -> None:
    """Take two types."""


def foreign(plate: complex) -> None:
    """Take what JSON has not."""


def noted(plate: Annotated[str, "a barcode"]) -> None:
    """Take what is annotated with words."""


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (positional, r"positional\(plates\): \*args and \*\*kwargs have no schema"),
        (named, r"named\(plates\): \*args and \*\*kwargs have no schema"),
        (unhinted, r"unhinted\(plate\) has no type hint"),
        (ambiguous, r"ambiguous\(plate\): int \| str is more than one type"),
        (foreign, r"foreign\(plate\): <class 'complex'> has no JSON type"),
        (noted, r"noted\(plate\): 'a barcode' says nothing that a schema knows"),
    ],
)
def test_a_method_without_a_schema_is_refused_where_it_is_declared(function: Any, why: str) -> None:  # noqa: ANN401
    """Its author sees it at the first start, not a user at the first call; the text names the parameter."""
    with pytest.raises(TypeError, match=why):
        parameters_of(function)


def test_a_limit_that_names_a_setting_which_is_not_there_is_refused() -> None:
    """A misspelt setting would silently be no limit at all."""

    def lift(height: Annotated[float, Range(0, Setting("hihgest"))]) -> None:
        del height

    with pytest.raises(AttributeError, match="hihgest"):
        parameters_of(lift, Settings())


# Checked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("angle", "3"),
        ("angle", True),
        ("angle", None),
        ("angle", [3]),
        ("angle", math.nan),
        ("angle", math.inf),
        ("angle", -math.inf),
        pytest.param("angle", 10**400, id="angle-huge"),
        ("times", 2.5),
        ("times", "2"),
        ("times", True),
        ("hotel", 1),
        ("hotel", True),
        ("hotel", None),
        ("note", 1),
        ("plates", "A1"),
        ("plates", [1]),
        ("plates", {"A1": 1}),
    ],
)
def test_nothing_is_made_to_fit(name: str, value: object) -> None:
    """An instrument that turns by 1° because somebody sent true has moved by mistake."""
    assert refusal({"hotel": "A", "angle": 1, name: value}).startswith(f"{name} ")


@pytest.mark.parametrize(
    ("name", "value", "checked"),
    [("times", 3.0, 3), ("angle", 3, 3.0), ("note", None, None), ("plates", ["A1"], ["A1"])],
)
def test_the_driver_gets_the_type_that_it_hinted(name: str, value: object, checked: object) -> None:
    """JSON Schema says that 3.0 is an integer and 3 a number; Python code downstream may care."""
    schema = Schema(parameters_of(turn, Settings()), "turn")
    found = schema.check({"hotel": "A", "angle": 1, name: value})[name]
    assert found == checked
    assert type(found) is type(checked)


def test_a_number_is_no_choice_where_its_text_is() -> None:
    """A YAML file without the quotes; else the text would seem to say that 1 is not 1."""
    slot = Parameter(name="slot", type="string", choices=("1", "2"))
    with pytest.raises(vol.Invalid, match=r'^1 is not one of 1, 2; it is a text, "1"$'):
        slot.check(1)
    with pytest.raises(vol.Invalid, match=r"^3 is not one of 1, 2$"):
        slot.check(3)


def test_true_is_no_choice_where_one_is() -> None:
    """Python says that True == 1; a direction of true is a mistake."""

    def mirror(way: Literal[1, -1]) -> None:
        del way

    assert refusal({"way": True}, mirror) == "way true is not one of 1, -1"
    assert Schema(parameters_of(mirror), "mirror").check({"way": 1.0}) == {"way": 1}


def test_what_was_not_given_is_left_to_the_driver() -> None:
    """A default stands once, in the driver's signature."""
    schema = Schema(parameters_of(turn, Settings()), "turn")
    assert schema.check({"hotel": "B", "angle": 0}) == {"hotel": "B", "angle": 0.0}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"hotel": "Z", "angle": 1}, "hotel 'Z' is not one of A, B, C, D"),
        ({"hotel": "A", "angle": 361}, "angle 361 is out of range: a number, 0 to 360 °"),
        ({"hotel": "A", "angle": -0.5}, "angle -0.5 is out of range: a number, 0 to 360 °"),
        ({"hotel": "A", "angle": "3"}, "angle '3' is not a number, 0 to 360 °"),
        ({"hotel": "A", "angle": 1, "times": 0}, "times 0 is out of range: a whole number, 1 or more"),
        (
            {"hotel": "A", "angle": 1, "note": "x"},
            "note 'x' has 1 characters: a text of 2 to 20 characters that matches [a-z]+",
        ),
        (
            {"hotel": "A", "angle": 1, "note": "x9"},
            "note 'x9' is not a text of 2 to 20 characters that matches [a-z]+",
        ),
        ({"hotel": "A"}, "angle is missing: a number, 0 to 360 °"),
        (
            {"hotel": "A", "angle": 1, "hotle": "B"},
            "turn has no 'hotle' (did you mean 'hotel'?): it takes hotel, angle, way, times, note, plates",
        ),
    ],
)
def test_a_refusal_names_the_parameter_the_value_and_what_is_allowed(
    values: dict[str, object], text: str
) -> None:
    """Whoever reads it can send it right the next time, without the manual."""
    assert refusal(values) == text


def test_a_task_without_parameters_says_that_it_takes_nothing() -> None:
    """An empty list of what is allowed reads like a fault of the message."""

    def rest() -> None:
        pass

    assert refusal({"now": 1}, rest) == "turn has no 'now': it takes nothing"


def test_all_that_is_wrong_is_told_at_once() -> None:
    """One round trip for each mistake is one too many."""
    text = refusal({"hotel": "Z", "times": "often", "speed": 3})
    assert set(text.split("; ")) == {
        "hotel 'Z' is not one of A, B, C, D",
        "angle is missing: a number, 0 to 360 °",
        "times 'often' is not a whole number, 1 or more",
        "turn has no 'speed': it takes hotel, angle, way, times, note, plates",
    }


def test_a_long_value_is_shortened_in_the_refusal() -> None:
    """A refusal goes through logs and onto dashboards."""
    assert len(refusal({"hotel": "A" * 10_000, "angle": 1})) < 120


# Published


def test_the_published_schema_says_what_is_checked() -> None:
    """A client that checks first must come to the same answer."""
    found = of(turn)
    assert found["angle"].json_schema() == {
        "type": "number",
        "description": "Where to; 360 is 0.",
        "unit": "°",
        "minimum": 0,
        "maximum": 360.0,
    }
    assert found["way"].json_schema() == {"type": "string", "enum": ["short", "long"], "default": "short"}
    assert found["note"].json_schema() == {
        "type": ["string", "null"],
        "pattern": "^(?:[a-z]+)$",
        "minLength": 2,
        "maxLength": 20,
    }
    assert found["plates"].json_schema() == {
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1, "maxLength": 8},
    }


def test_a_choice_that_may_be_left_out_may_be_null_in_the_published_schema() -> None:
    """JSON Schema's enum lists every value, null included: a type of null does not add it."""

    def remove(hotel: Annotated[str, Choices(("A", "B"))] | None = None) -> None:
        del hotel

    assert of(remove)["hotel"].json_schema() == {"type": ["string", "null"], "enum": ["A", "B", None]}


# Ours to the published meaning and back. JSON Schema's own rules, for the keywords that we publish.

_JSON_TYPES = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
    "array": lambda value: isinstance(value, list),
}


def satisfies(value: Any, schema: dict[str, Any]) -> bool:  # noqa: ANN401
    """Whether a value is valid, by the JSON Schema specification."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_JSON_TYPES[kind](value) for kind in kinds):
        return False
    if "enum" in schema and not any(
        value == one and isinstance(value, bool) == isinstance(one, bool) for one in schema["enum"]
    ):
        return False
    if isinstance(value, str):
        # A pattern is searched for, not matched as a whole; $ means the very end.
        pattern = schema.get("pattern", "").replace("$", r"\Z")
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
            and re.search(pattern, value) is not None
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf))
    if isinstance(value, list) and "items" in schema:
        return all(satisfies(item, schema["items"]) for item in value)
    return True


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 400)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, 1.0, 360.0, 360.1, -0.0, "A", "D", "Z", "short", "", "ab", "ab\n", "aB", "1"])
    | st.text(max_size=25)
)


@given(
    name=st.sampled_from(["hotel", "angle", "way", "times", "note", "plates"]),
    value=_SCALARS | st.lists(_SCALARS, max_size=3),
)
def test_a_value_is_accepted_exactly_if_the_published_schema_accepts_it(name: str, value: object) -> None:
    """The description is a promise: what it allows runs, and what it forbids is refused."""
    parameter = of(turn)[name]
    _, wrong = Schema([parameter], "turn").problems({name: value})
    assert (not wrong) == satisfies(value, parameter.json_schema())
