"""Commands of the older dialect: JSON ``{"action", "args"}`` or ``"params"``, or an action and its words."""

from micropython import const
import wire

from labboard.tasks import kinds_of

_LONGEST = const(64)  # characters of an action
_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0")


def read(payload):
    """Action, and what was given with it: a text, whatever JSON holds, or None.

    Raises:
        ValueError: It is no command; the text says why.
    """
    try:
        text = payload.decode().strip()
    except (UnicodeError, ValueError):
        raise ValueError("it is not UTF-8 text")
    given = None
    if text[:1] == "{":
        try:
            told = wire.decode(payload)
        except wire.WireError as error:
            raise ValueError(error.message)
        action = told.get("action")
        if not isinstance(action, str):
            raise ValueError('it has no "action" that is a text')
        action = action.strip()
        given = told.get("args")
        if given is None:
            given = told.get("params")
    else:
        words = text.split(None, 1)
        action = words[0] if words else ""
        if len(words) > 1:
            given = words[1]
    if not 0 < len(action) <= _LONGEST:
        raise ValueError("its action is not 1 to %d characters" % _LONGEST)
    return action.replace("/", "_"), given


def by_name(task, given):
    """The parameters of a task by their names. What takes nothing does not mind what is given.

    Raises:
        wire.WireError: It cannot be told which is which.
    """
    schemas = task.parameters
    if not schemas or given is None:
        return {}
    if isinstance(given, str) and given[:1] in ("{", "["):
        given = wire.decode(given.encode())
    if not isinstance(given, dict):
        given = _in_order(task, given)
    return {key: _read(value, schemas.get(key)) for key, value in given.items() if value is not None}


def _in_order(task, given):
    if isinstance(given, str):
        given = given.split()
    elif not isinstance(given, list):
        given = [given]
    names = list(task.parameters)
    # Only an OrderedDict keeps the order in which they were declared.
    if given and (len(given) > len(names) or (len(names) > 1 and type(task.parameters) is dict)):
        text = "%d values; it takes %s, by name" % (len(given), ", ".join(sorted(names)))
        raise wire.WireError(wire.INVALID_PARAMETERS, text)
    return dict(zip(names, given))


def _read(value, schema):
    """A value as its schema wants it, where a text can be read as that; else as it is."""
    if not isinstance(value, str) or not schema:
        return value
    kind = kinds_of(schema)[0]
    for number in (int, float) if kind in ("integer", "number") else ():
        try:
            return number(value)
        except ValueError:
            pass
    if kind == "boolean" and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    return value
