"""Why parameters do not fit a task, in words: needed only where a command is refused."""

import json

from micropython import const

from labboard.tasks import fitted, kinds_of

_MANY = const(24)  # choices; more would hide all else
_LONGEST = const(60)  # characters of a value in a text
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def words(task, given):
    """Tell everything that is wrong with the parameters of a command."""
    wrong = []
    for key, schema in task.parameters.items():
        if key in given:
            try:
                fitted(given[key], schema)
            except ValueError as error:
                value, wanted, how = error.args
                wrong.append("%s %s %s %s" % (key, _show(value), how, _allowed(wanted)))
        elif key in task.required:
            wrong.append("%s is missing: %s" % (key, _allowed(schema)))
    for key in given:
        if key not in task.parameters:
            takes = ", ".join(task.parameters) or "nothing"
            wrong.append("%s has no %r: it takes %s" % (task.name, key, takes))
    return "; ".join(wrong)


def _allowed(schema):
    """What a parameter may be, in words: ``one of A, B``, ``a number, 0 to 180 °``."""
    choices = schema.get("enum")
    if choices:
        words = [str(choice) for choice in choices if choice is not None]
        if len(words) > _MANY:
            words[4:-1] = ["…"]
        return "one of " + ", ".join(words)
    kind = kinds_of(schema)
    words = _TYPES[kind[0]] if kind else "any value"
    if "items" in schema:
        words += " (each %s)" % _allowed(schema["items"])
    unit = " " + schema["unit"] if schema.get("unit") else ""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        words += unit and " in" + unit
    elif high is None:
        words += ", %s%s or more" % (_plain(low), unit)
    elif low is None:
        words += ", %s%s or less" % (_plain(high), unit)
    else:
        words += ", %s to %s%s" % (_plain(low), _plain(high), unit)
    if schema.get("maxLength") is not None:
        words += " of %d to %d characters" % (schema.get("minLength", 0), schema["maxLength"])
    return words


def _show(value):
    """A value as it stood in the message, shortened: ``'Z'``, ``true``, ``[1, 2]``."""
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(number):
    return "%g" % number if isinstance(number, float) else str(number)
