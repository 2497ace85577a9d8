"""What becomes a task, with which schema, and what is refused at once, where the programmer looks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, List, Literal  # noqa: UP035 - as older scripts have it

import pytest

from lab2mqtt.core.errors import Refused
from lab2mqtt.core.parameters import Choices, Range, Schema, Unit
from lab2mqtt.orchestration import Run, mqtt_task, task
from lab2mqtt.orchestration.functions import TASKS


def mix_colors(r: int, g: int, b: int, well: str) -> str:
    """Mix a colour in a well.

    Args:
        r: Red.
        g: Green.
        b: Blue.
        well: Which one.

    Returns:
        What was done.
    """
    return f"Mixed RGB({r},{g},{b}) in {well}"


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (task, "mix_colors"),
        (task(), "mix_colors"),
        (task("mix"), "mix"),
        (task(name="mix"), "mix"),
    ],
    ids=["bare", "called", "by its place", "named"],
)
def test_bare_called_and_named(decorate: Callable[[Any], Any], name: str) -> None:
    """Every form registers; the original's bare one did not."""
    assert mqtt_task is task
    assert decorate(mix_colors) is mix_colors
    assert list(TASKS) == [name]
    made = TASKS[name]
    assert made.call is mix_colors
    assert made.description == "Mix a colour in a well."
    assert made.returns == "What was done."
    assert [(one.name, one.type, one.description) for one in made.parameters] == [
        ("r", "integer", "Red."),
        ("g", "integer", "Green."),
        ("b", "integer", "Blue."),
        ("well", "string", "Which one."),
    ]
    assert made.effect == "move"
    assert not made.is_coroutine


def test_hints_are_the_schema_and_defaults_make_optional() -> None:
    """Whatever the hints can say is checked before the function is called."""

    @task
    async def turn(
        angle: Annotated[float, Range(0, 180), Unit("°")],
        way: Literal["left", "right"] = "left",
        speed: Annotated[str, Choices(("slow", "fast"))] | None = None,
        anything=None,  # noqa: ANN001 - a script without hints
        **more: object,
    ) -> None:
        del angle, way, speed, anything, more

    made = TASKS["turn"]
    schema = Schema(made.parameters, "turn", is_open=made.is_open)
    assert made.is_coroutine
    assert schema.check({"angle": 90}) == {"angle": 90.0}
    assert schema.check({"angle": 1, "anything": [1], "further": "x"})["further"] == "x"
    with pytest.raises(Refused, match=r"angle 181 is out of range: a number, 0 to 180 °"):
        schema.check({"angle": 181})
    with pytest.raises(Refused, match="way 'up' is not one of left, right"):
        schema.check({"angle": 1, "way": "up"})
    with pytest.raises(Refused, match="angle is missing"):
        schema.check({})


def test_effects_of_known_names_and_of_those_that_stop() -> None:
    """What is not known may move, and so is refused while a stop is engaged."""

    def read_sensor(sensor_pin: int) -> int:
        return sensor_pin

    def halt() -> None: ...

    def emergency_stop() -> None: ...

    def look() -> None: ...

    for one in (read_sensor, halt, emergency_stop):
        task(one)
    task("look", effect="read")(look)
    effects = {name: one.effect for name, one in TASKS.items()}
    assert effects == {"read_sensor": "read", "halt": "stop", "emergency_stop": "stop", "look": "read"}


def test_a_run_is_no_parameter() -> None:
    """It is for progress and for an end in time."""

    @task
    def pour(volume: float, run: Run) -> None:
        del volume, run

    assert TASKS["pour"].takes_run == "run"
    assert [one.name for one in TASKS["pour"].parameters] == ["volume"]


def test_a_cell_of_a_notebook_may_run_again() -> None:
    """The newer one counts; another function of the name is a mistake."""

    def make() -> Callable[[], int]:
        @task("answer")
        def answer() -> int:
            return 42

        return answer

    make()
    newer = make()
    assert TASKS["answer"].call is newer
    with pytest.raises(ValueError, match="there is a task 'answer' already"):
        task("answer")(mix_colors)


def wants_bytes(data: bytes) -> None:
    """JSON has none."""


def takes_any(*wells: str) -> None:
    """Nobody can name these."""


def reads_long(run: Run) -> None:
    """What reads has no run."""


def stops_one(motor: int) -> None:
    """Nobody tells the motor at a stop."""


def keeps(file: object = object()) -> None:
    """A default that no JSON holds."""


@pytest.mark.parametrize(
    ("function", "told", "error", "text"),
    [
        (wants_bytes, {}, TypeError, "has no JSON type"),
        (takes_any, {}, TypeError, r"\*wells.* cannot be given by its name"),
        (reads_long, {"effect": "read"}, TypeError, "has no run; leave out run"),
        (stops_one, {"effect": "stop"}, TypeError, "nobody can give it motor"),
        (keeps, {}, TypeError, "the default of file cannot be said in JSON"),
        (mix_colors, {"name": "cancel"}, ValueError, "every device has a task 'cancel'"),
        (mix_colors, {"name": "a\nb"}, ValueError, "cannot name a task"),
        (mix_colors, {"name": "x" * 65}, ValueError, "cannot name a task"),
        (mix_colors, {"name": "x", "timeout": 0}, ValueError, "is not a number of seconds above 0"),
    ],
)
def test_what_can_be_no_task_is_refused_where_it_stands(
    function: Callable[..., Any], told: dict[str, Any], error: type[Exception], text: str
) -> None:
    """With the name of the parameter, and nothing is registered."""
    with pytest.raises(error, match=text):
        task(told.pop("name", function.__name__), **told)(function)
    assert TASKS == {}


class Robot:
    """Whose method is no task before there is a robot."""

    def home(self) -> str:
        """Home it."""
        return "homed"


def yields(wells: int) -> Iterator[int]:
    """A call of it does nothing."""
    yield wells


@pytest.mark.parametrize(
    ("function", "told", "error", "text"),
    [
        (mix_colors, {"effect": "Read"}, ValueError, "effect 'Read' is not one of read, set, move, stop"),
        (
            Robot.home,
            {},
            TypeError,
            r"is a method of no object yet; make the task of one: task\(robot.home\)",
        ),
        (yields, {}, TypeError, "is a generator, of which a call does nothing"),
        (Robot, {}, TypeError, "is no function; put a function around it"),
        (mix_colors, {"timeout": float("inf")}, ValueError, "timeout inf is not a number of seconds"),
    ],
    ids=["effect", "method", "generator", "class", "timeout"],
)
def test_what_would_be_found_out_too_late_is_refused(
    function: Any,  # noqa: ANN401 - anything
    told: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    """A word in the wrong case would pass a stop; a method would miss its object at every call."""
    with pytest.raises(error, match=text):
        task(function.__name__.lower(), **told)(function)
    assert TASKS == {}


def test_an_emergency_stop_stops_whatever_else_is_said_of_it() -> None:
    """Else nobody would ever call it."""

    def emergency_stop() -> None: ...

    with pytest.raises(ValueError, match="is called at every stop; leave out effect='set'"):
        task(effect="set")(emergency_stop)
    task(Robot().home)
    assert TASKS["home"].parameters == ()


def test_hints_as_people_write_them() -> None:
    """Several types are any value; what a list holds is told where it is of one type."""

    @task
    def odd(
        wells: List,  # noqa: UP006 - as older scripts have it
        pair: tuple[str, int],
        row: Sequence[str],
        volume: int | float,  # noqa: PYI041
        place: int | str,
        label: str = None,  # type: ignore[assignment]  # noqa: RUF013
        kind: Literal["A", 1] = 1,
        more: Mapping[str, int] = {},
    ) -> "Unknown":  # type: ignore[name-defined]  # noqa: F821
        del wells, pair, row, volume, place, label, kind, more

    schema = Schema(TASKS["odd"].parameters, "odd")
    good = {"wells": ["A1", 2], "pair": ["a", 1], "row": ["x"], "volume": 1.5, "place": "A1"}
    assert schema.check(good | {"label": None, "kind": "A", "more": {"a": 1}})["label"] is None
    with pytest.raises(Refused, match=r"row \[1\] is not|row 1 is not"):
        schema.check(good | {"row": [1]})
    with pytest.raises(Refused, match="kind 2 is not one of A, 1"):
        schema.check(good | {"kind": 2})


def test_a_default_that_the_function_changes_changes_no_schema() -> None:
    """The schema has a copy."""

    @task
    def log(seen: list = []) -> int:  # type: ignore[type-arg]  # noqa: B006
        seen.append({1})
        return len(seen)

    log()
    assert TASKS["log"].parameters[0].default == []
