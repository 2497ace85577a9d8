"""Python functions as tasks: one registry, whoever calls them and by whatever way.

    @task
    def mix_colors(r: int, g: int, b: int, well: str) -> str:
        '''Mix a colour in a well.'''

Hints are the schema (``core.parameters`` tells what they may say), the docstring is the description, a
default makes a parameter optional. Plain functions and coroutine functions alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
import inspect
from typing import Any, Literal, TypeVar, get_args, overload

from lab2mqtt import wire
from lab2mqtt.adopt.known_tasks import KNOWN, STOPS
from lab2mqtt.core.description import returns_of, summary_of
from lab2mqtt.core.device import Task
from lab2mqtt.core.house import HOUSE_TASKS
from lab2mqtt.core.parameters import Parameter
from lab2mqtt.core.seconds import check_timeout
from lab2mqtt.orchestration.signatures import function_of, signature_of

F = TypeVar("F", bound=Callable[..., Any])
Effect = Literal["read", "set", "move", "stop"]

TIMEOUT = 3600.0  # s; who calls has patience of his own, and a function knows best how long it takes


@dataclass(frozen=True)
class Function:
    """A function that is a task.

    Attributes:
        name: The task's name.
        call: The function.
        description: The first paragraph of its docstring.
        parameters: What it takes.
        effect: What it does to the world; ``stop`` is called at every emergency stop.
        timeout: Seconds that a run may take.
        is_open: Whether it takes any other parameter as well.
        takes_run: The name of the parameter that is the run; empty where it has none.
        returns: What it gives, in the words of its docstring.
    """

    name: str
    call: Callable[..., Any]
    description: str
    parameters: tuple[Parameter, ...]
    effect: Effect
    timeout: float
    is_open: bool
    takes_run: str
    returns: str

    @property
    def is_coroutine(self) -> bool:
        """Whether it is a coroutine function."""
        return inspect.iscoroutinefunction(self.call)

    @property
    def declaration(self) -> Task:
        """The task, as a device declares it."""
        return Task(
            self.name,
            run="call",
            effect=self.effect,
            timeout=self.timeout,
            parameters=self.parameters,
            is_open=self.is_open,
            description=self.description,
            returns=self.returns,
        )


# Every function of this process that is a task, by name.
TASKS: dict[str, Function] = {}


@overload
def task(function: F, /) -> F: ...
@overload
def task(
    name: str = "", /, *, effect: Effect | None = None, timeout: float = TIMEOUT
) -> Callable[[F], F]: ...
@overload
def task(*, name: str, effect: Effect | None = None, timeout: float = TIMEOUT) -> Callable[[F], F]: ...
def task(
    function: F | str = "",
    /,
    *,
    name: str = "",
    effect: Effect | None = None,
    timeout: float = TIMEOUT,
) -> F | Callable[[F], F]:
    """Make a function a task: ``@task``, ``@task()``, ``@task("name")``, ``@task(effect="read")``.

    The function stays what it is, and can be called as ever.

    Args:
        function: The function, where the decorator stands bare; else the task's name.
        name: The task's name; the function's own unless told.
        effect: ``read`` changes nothing and runs beside others, ``set`` changes a value, ``move`` moves
            something and is refused while an emergency stop is engaged, ``stop`` ends motion: it takes no
            parameters and is called at every emergency stop. Unless told it is that of the tasks that are
            known by this name, and ``move`` otherwise.
        timeout: Seconds that a run may take; a coroutine is cancelled then.

    Raises:
        TypeError: A hint that no JSON value fits, or a parameter that can only be given by its place.
        ValueError: The name is none, is one of the tasks that every device has, or another function's.
    """
    if callable(function):
        _register(function, name or getattr(function, "__name__", ""), effect, timeout)
        return function
    named = function or name

    def decorate(decorated: F) -> F:
        _register(decorated, named or decorated.__name__, effect, timeout)
        return decorated

    return decorate


# The same under the name that goes with MQTTDeviceServer.
mqtt_task = task


def _check(call: Callable[..., Any], name: object, told: str | None, timeout: object) -> None:
    """Refuse what can be no task."""
    if not isinstance(name, str) or not 0 < len(name) <= wire.MAX_TASK or not name.isprintable():
        raise ValueError(f"{name!r} cannot name a task: 1 to {wire.MAX_TASK} printable characters")
    if name in HOUSE_TASKS and name not in STOPS:
        raise ValueError(f"every device has a task {name!r}; name this one otherwise: @task('my_{name}')")
    if told is not None and told not in get_args(Effect):
        raise ValueError(f"{name}: effect {told!r} is not one of {', '.join(get_args(Effect))}")
    if name in HOUSE_TASKS and told not in (None, "stop"):
        raise ValueError(f"{name} is called at every stop; leave out effect={told!r}")
    if not inspect.isfunction(function_of(call)):
        raise TypeError(f"{name}: {call!r} is no function; put a function around it")
    if inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call):
        raise TypeError(f"{name} is a generator, of which a call does nothing; return a list")
    try:
        check_timeout(timeout)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _register(call: Callable[..., Any], name: str, told: Effect | None, timeout: float) -> None:
    _check(call, name, told, timeout)
    before = TASKS.get(name)
    if before and _place(before.call) != _place(call):  # a cell of a notebook may run again
        raise ValueError(f"there is a task {name!r} already, {'.'.join(_place(before.call))}")
    known = KNOWN.get(name)
    effect = told or ("stop" if name in STOPS else known.effect if known else "move")
    parameters, is_open, takes_run = signature_of(call, name)
    for one in parameters:
        try:
            wire.encode(one.json_schema())
        except wire.WireError as error:
            raise TypeError(f"{name}: the default of {one.name} cannot be said in JSON: {error}") from None
    if effect in ("read", "stop") and takes_run:
        raise TypeError(
            f"{name}: what reads or stops has no run; leave out {takes_run}, or take another effect"
        )
    if effect == "stop" and any(one.required for one in parameters):
        raise TypeError(f"{name} stops, and nobody can give it {parameters[0].name} at an emergency stop")
    TASKS[name] = Function(
        name, call, summary_of(call), parameters, effect, timeout, is_open, takes_run, returns_of(call)
    )


def _place(call: Callable[..., Any]) -> tuple[str, str]:
    """Where a function stands: the same for a program that is run and imported as well."""
    return function_of(call).__code__.co_filename, call.__qualname__
