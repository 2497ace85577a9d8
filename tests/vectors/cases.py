"""Runs one case of a vector, on CPython and on MicroPython.

``<function>.json`` lists cases for that function of wire.py: ``input`` holds its arguments by name, and
``value`` or ``error`` what comes of them. What JSON cannot write stands there as

    "payload": "text"         the bytes of that text
    "payload_hex": "ff"       those bytes
    "padded_to": 100          the payload with spaces after it, so long
    {"python": "chr(0)"}      an expression, as an argument or as the value
"""
# ruff: noqa: ANN001, ANN201, UP031 - MicroPython


def fault(wire, name, case):
    """What is wrong with one case, in words; empty if nothing is."""
    try:
        value = getattr(wire, name)(**arguments(case["input"]))
    except wire.WireError as error:
        told = {
            "code": error.code,
            "request_id": error.request_id,
            "task": error.task,
            "contains": error.message,
        }
    except ValueError as error:
        told = {"code": "ValueError", "contains": str(error)}
    else:
        if "value" not in case:
            return "gave %r instead of an error" % (value,)
        return "" if same(value, literal(case["value"])) else "gave %r" % (value,)
    if "error" not in case:
        return "was refused: %s" % told["contains"]
    for key, wanted in case["error"].items():
        if not (wanted in told[key] if key == "contains" else wanted == told[key]):
            return "was refused with another %s: %r" % (key, told[key])
    return ""


def arguments(given):
    """The arguments of a case."""
    found = {}
    for key, value in given.items():
        if key == "payload":
            found["payload"] = value.encode()
        elif key == "payload_hex":
            found["payload"] = bytes([int(value[i : i + 2], 16) for i in range(0, len(value), 2)])
        elif key != "padded_to":
            found[key] = literal(value)
    if "padded_to" in given:
        found["payload"] += b" " * (given["padded_to"] - len(found["payload"]))
    return found


def literal(value):
    """A value, or what its expression gives."""
    if isinstance(value, dict) and list(value) == ["python"]:
        return eval(value["python"])  # noqa: S307 - our own file
    return value


def same(one, other):
    """Whether two values are equal and of one type, as true is not 1 and 1 is not 1.0 on the wire."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(same(one[i], other[i]) for i in range(len(one)))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(key in other and same(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return abs(one - other) <= 1e-6 * abs(other)  # a board's floats are single precision
    return one == other
