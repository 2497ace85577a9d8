"""What a function of anybody's takes: its hints, as far as a schema can be made of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import copy
from dataclasses import replace
import inspect
import types
import typing
from typing import Annotated, Any, Literal

from lab2mqtt.core.parameters import Choices, Parameter, Range, Text, Unit, parameters_of
from lab2mqtt.core.run import Run

_NOTES = (Range, Choices, Unit, Text)
_LISTS = (list, tuple, Sequence, Iterable)
_UNIONS = (typing.Union, types.UnionType)


def signature_of(call: Callable[..., Any], name: str) -> tuple[tuple[Parameter, ...], bool, str]:
    """The parameters of a function, whether any other may be given, and which one is the ``Run``.

    Args:
        call: The function. What it tells no hint for may be anything.
        name: Its task, for the texts.

    Raises:
        TypeError: A hint that no JSON value fits, or a parameter that can only be given by its place.
    """
    arguments = inspect.signature(call).parameters.values()
    for one in arguments:
        if one.kind in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL):
            raise TypeError(f"{name}: {one} cannot be given by its name, as all parameters of tasks are")
        if one.name == "self":
            raise TypeError(f"{name} is a method of no object yet; make the task of one: task(robot.{name})")
    given = [one for one in arguments if one.kind is not one.VAR_KEYWORD]
    hints = {
        one.name: _simple(hint, one.default)
        for one, hint in zip(given, _hints(call, given, name), strict=True)
    }
    runs = [key for key, hint in hints.items() if hint is Run]

    def shown(**_: object) -> None: ...

    shown.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    shown.__annotations__, shown.__doc__, shown.__qualname__ = hints, call.__doc__, name
    found = (replace(one, default=copy.deepcopy(one.default)) for one in parameters_of(shown))
    return tuple(found), len(given) < len(arguments), runs[0] if runs else ""


def function_of(call: Callable[..., Any]) -> Any:  # noqa: ANN401 - a function, or whatever it is
    """The function that a method of an object, or one in a decorator, is made of."""
    inner = inspect.unwrap(call)
    return getattr(inner, "__func__", inner)


def _hints(call: Callable[..., Any], given: Sequence[inspect.Parameter], name: str) -> list[Any]:
    """The hints of parameters; what a function returns need not be known."""
    function = function_of(call)
    names = {one.name for one in given}

    def shown() -> None: ...

    shown.__annotations__ = {key: hint for key, hint in function.__annotations__.items() if key in names}
    try:
        found = typing.get_type_hints(shown, globalns=function.__globals__, include_extras=True)
    except NameError as error:
        raise TypeError(f"{name}: a hint is not known when the program runs: {error}") from None
    return [found.get(one.name, Any) for one in given]


def _simple(hint: Any, default: object = inspect.Parameter.empty) -> Any:  # noqa: ANN401
    """A hint with what no schema tells left out; what may be several types may be anything."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    found = hint
    if origin is Annotated:
        found = _simple(inside[0])
        for note in inside[1:]:
            found = Annotated[found, note] if isinstance(note, _NOTES) else found
    elif origin in _UNIONS:
        found = _of_union(inside)
    elif origin is Literal:
        found = hint if len({type(one) for one in inside}) == 1 else Annotated[Any, Choices(inside)]
    elif origin in _LISTS or hint in _LISTS:
        same = len({one for one in inside if one is not Ellipsis}) == 1
        found = list[_simple(inside[0])] if same else list  # type: ignore[misc]
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        found = dict
    if default is None and found is not Run:
        found = found | None if found is not Any else Any
    return found


def _of_union(inside: tuple[Any, ...]) -> Any:  # noqa: ANN401
    some = [one for one in inside if one is not type(None)]
    if Run in some:
        return Run
    simple = _simple(some[0]) if len(some) == 1 else float if set(some) == {int, float} else Any
    return simple | None if type(None) in inside and simple is not Any else simple
