"""Tasks: what a board can be asked for, with the parameters that each takes, declared and checked."""

import wire

from labboard.borrowed import borrow

TASKS = {}  # name → Task, of those that the decorators made

_TYPES = ("integer", "number", "string", "boolean", "array", "object")
_LARGEST = float("inf")


class Task:
    """One task.

    Attributes:
        name: Its name on the wire.
        effect: ``read`` runs beside others, ``set`` and ``move`` one after the other; a ``move`` is refused
            while a stop is engaged.
        timeout: Seconds after which it is ended.
        open: Nothing is known of its parameters, and any are passed on.
        part: The part that it belongs to, or None.
        waits: Whether it may wait for others to end; else it is refused while one runs.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a decorator takes
        self,
        name,
        run,
        parameters=None,
        effect="set",
        timeout=10,
        description="",
        returns="",
        required=None,
        is_open=False,
    ):
        """Declare a task.

        Args:
            name: 1 to 64 printable characters.
            run: Called with the parameters by name; a coroutine function, or a plain one that is quick.
            parameters: Name → JSON Schema (type, enum, minimum, maximum, minLength, maxLength, items,
                default, unit, description).
            effect: ``read``, ``set`` or ``move``.
            timeout: Seconds, more than 0.
            description: For people.
            returns: For people.
            required: The names that must be given; by default those without a default.
            is_open: Take any parameters.

        Raises:
            ValueError: The declaration makes no sense.
        """
        parameters = parameters or {}
        for key, schema in parameters.items():
            for kind in kinds_of(schema):
                if kind != "null" and kind not in _TYPES:
                    raise ValueError(
                        "task %s: %s has the type %r; there are %s" % (name, key, kind, ", ".join(_TYPES))
                    )
        if required is None:
            required = [key for key, schema in parameters.items() if "default" not in schema]
        elif not all(key in parameters for key in required):
            raise ValueError("task %s: required %r is not among its parameters" % (name, required))
        if effect not in wire.EFFECTS or not timeout > 0:
            raise ValueError("task %s: effect %r or timeout %r is not allowed" % (name, effect, timeout))
        self.name = name
        self.run = run
        self.parameters = parameters
        self.effect = effect
        self.timeout = timeout
        self.description = description
        self.returns = returns
        self.required = required
        self.open = is_open
        self.part = None
        self.waits = True

    def arguments(self, given):
        """Check the parameters of a command.

        Returns:
            The arguments of ``run``.

        Raises:
            wire.WireError: ``invalid_parameters``; everything that is wrong stands in one text.
        """
        if self.open:
            return given
        found = {}
        fits = all(key in self.parameters for key in given)
        for key, schema in self.parameters.items():
            if key in given:
                try:
                    found[key] = fitted(given[key], schema)
                except ValueError:
                    fits = False
            elif key in self.required:
                fits = False
            elif schema.get("default") is not None:
                found[key] = schema["default"]
        if not fits:
            raise wire.WireError(wire.INVALID_PARAMETERS, borrow("misfits").words(self, given))
        return found

    def as_json(self):
        """The task's part of the description."""
        told = {
            "description": self.description,
            "effect": self.effect,
            "parameters": self.parameters,
            "required": self.required,
            "timeout": self.timeout,
        }
        if self.returns:
            told["returns"] = self.returns
        if self.open:
            told["open"] = True
        return told


def task(name=None, parameters=None, **more):
    """Make a function a task of this board: ``@task``, ``@task("name", …)`` or ``@task(parameters=…)``.

    Args:
        name: Its name; by default the function's.
        parameters: What it takes, as ``Task``.
        more: What else ``Task`` takes.
    """

    def decorate(function):
        called = name if isinstance(name, str) else function.__name__
        if called in TASKS:
            raise ValueError("two tasks are called " + called)
        TASKS[called] = Task(called, function, parameters, **more)
        return function

    return decorate(name) if callable(name) else decorate


def micropython_task(name=None, parameters=None, **more):
    """As ``task``; without ``parameters`` nothing is checked, and any are passed on."""
    return task(name, parameters, is_open=parameters is None, **more)


def fitted(value, schema):
    """The value as the task gets it: 3.0 is the integer 3, 3 is the number 3.0; nothing else is converted.

    Raises:
        ValueError: It does not fit; with the value, its schema, and in words how it does not.
    """
    kinds = kinds_of(schema)
    if value is None and "null" in kinds:
        return None
    choices = schema.get("enum")
    if (kinds and not _is_type(value, kinds[0])) or (
        choices and not any(_same(value, one) for one in choices)
    ):
        raise ValueError(value, schema, "is not")
    if isinstance(value, list) and "items" in schema:
        return [fitted(item, schema["items"]) for item in value]
    if isinstance(value, str):
        longest = schema.get("maxLength")
        if len(value) < schema.get("minLength", 0) or (longest is not None and len(value) > longest):
            raise ValueError(value, schema, "has %d characters:" % len(value))
        return value
    if kinds and kinds[0] in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(value, schema, "is out of range:")
        return int(value) if kinds[0] == "integer" else float(value)
    return value


def kinds_of(schema):
    """The types of a schema; ``null`` stands last."""
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(kind)


def _is_type(value, kind):
    if kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        if not -_LARGEST < number < _LARGEST:  # nor is an integer that no float holds
            return False
        return kind == "number" or isinstance(value, int) or number == int(number)
    if kind == "boolean":
        return value is True or value is False
    return isinstance(value, {"string": str, "array": list, "object": dict}[kind])


def _same(value, choice):
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)
