"""The wire protocol, version 1: topics, message shapes, error codes and the rules that need no clock.

Bridges, boards, scripts and the Home Assistant integration run this one file unchanged, so it stays within
the Python that CPython and MicroPython share, and does no input or output. `docs/protocol.md` is the
contract in words; `tests/vectors` holds it in cases that both interpreters run.
"""
# ruff: noqa: PLR2004 - the bare numbers are those of UTF-8 and JSON

import json
import sys

TYPE_CHECKING = False  # MicroPython has no typing; type checkers know this name
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Message = dict[str, Any]

PROTOCOL = 1
DEFAULT_BASE = "lab2mqtt"
DEFAULT_DISCOVERY = "homeassistant"

MAX_COMMAND = 65536  # bytes; a board states a smaller one in its description
MAX_MESSAGE = 1048576  # bytes of everything else, such as a result with a curve in it
MAX_DEPTH = 16  # arrays and objects inside each other
MAX_NUMERAL = 64  # characters of one number; a double needs 24
MAX_EXPIRY_AHEAD = 300  # s
MAX_REQUEST_ID = 64  # characters
MAX_NAME = 64  # characters of a task's name
MAX_PERSON = 128  # characters of who issued, holds or stopped

ONLINE = "online"
OFFLINE = "offline"

MALFORMED = "malformed"
CONFLICT = "conflict"
UNKNOWN_TASK = "unknown_task"
INVALID_PARAMETERS = "invalid_parameters"
RETAINED_COMMAND = "retained_command"
EXPIRED = "expired"
BUSY = "busy"
RESERVED = "reserved"
INTERLOCKED = "interlocked"
MAINTENANCE = "maintenance"
EMERGENCY_STOPPED = "emergency_stopped"
DEVICE_UNAVAILABLE = "device_unavailable"
DEVICE_ERROR = "device_error"
TIMEOUT = "timeout"
CANCELLED = "cancelled"
INTERRUPTED = "interrupted"
NOT_ALLOWED = "not_allowed"
ERROR_CODES = (
    MALFORMED,
    CONFLICT,
    UNKNOWN_TASK,
    INVALID_PARAMETERS,
    RETAINED_COMMAND,
    EXPIRED,
    BUSY,
    RESERVED,
    INTERLOCKED,
    MAINTENANCE,
    EMERGENCY_STOPPED,
    DEVICE_UNAVAILABLE,
    DEVICE_ERROR,
    TIMEOUT,
    CANCELLED,
    INTERRUPTED,
    NOT_ALLOWED,
)
READINESS = (
    "ready",
    "busy",
    "reserved",
    "paused",
    "emergency_stopped",
    "needs_homing",
    "interlocked",
    "fault",
    "starting",
    "unreachable",
    "maintenance",
)
EFFECTS = ("read", "set", "move", "stop")
UNQUEUED_TASKS = ("cancel", "pause", "resume", "emergency_stop")
COMMON_TASKS = (*UNQUEUED_TASKS, "reset_emergency_stop", "reserve", "release", "set_maintenance")
PROGRESS = ("accepted", "running", "paused", "progress")
DEVICE_KINDS = ("description", "status", "state", "command", "progress", "result", "event")
BRIDGE_KINDS = ("status", "health", "claim")
UNNAMED_STOP = "unnamed"  # the stop_id of a stop that brought none

_MICROPYTHON = sys.implementation.name == "micropython"
_ID_START = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID = _ID_START + "_-"
_NODE = _ID + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class WireError(Exception):
    """A message that breaks the contract, with what is needed to answer it.

    Attributes:
        code: One of ERROR_CODES.
        message: What is wrong and what is allowed, for people.
        request_id: The id to answer under, or None where none could be read.
        task: The task that was asked for, or None.
    """

    def __init__(
        self, code: str, message: str, request_id: "str | None" = None, task: "str | None" = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.task = task


# Topics


def is_device_id(text: object) -> bool:
    """Whether a device may be called this: a-z, 0-9, _ and -, at most 64, and no word the topics use."""
    return is_bridge_id(text) and text not in ("bridge", "emergency_stop")


def is_bridge_id(text: object) -> bool:
    """Whether a bridge may be called this: a-z, 0-9, _ and -, at most 64, a letter or digit first."""
    return isinstance(text, str) and 0 < len(text) <= 64 and text[0] in _ID_START and not text.strip(_ID)


def is_base(text: object) -> bool:
    """Whether topics may start with this: levels without wildcards, spaces or a dollar, none empty."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_PERSON or not _printable(text):
        return False
    return "" not in text.split("/") and not any(c in text for c in "+#$ ")


def device_topic(base: str, device: str, kind: str) -> str:
    """Topic of one of DEVICE_KINDS; `+` as the device subscribes to all of them."""
    return base + "/" + device + "/" + kind


def bridge_topic(base: str, bridge: str, kind: str) -> str:
    """Topic of one of BRIDGE_KINDS; `+` as the bridge subscribes to all of them."""
    return base + "/bridge/" + bridge + "/" + kind


def emergency_stop_topic(base: str = DEFAULT_BASE) -> str:
    """Topic that stops and releases the whole lab."""
    return base + "/emergency_stop"


def discovery_topic(discovery: str, base: str, device: str) -> str:
    """Topic on which Home Assistant learns of a device."""
    # Its node ids take no slash, and a base may have one.
    node = "".join([c if c in _NODE else "_" for c in base])
    return discovery + "/device/" + node + "_" + device + "/config"


def birth_topic(discovery: str = DEFAULT_DISCOVERY) -> str:
    """Topic on which Home Assistant says `online` after a start."""
    return discovery + "/status"


def split_topic(base: str, topic: str) -> "tuple[str, str, str] | None":
    """Tell whose topic this is: ("device", id, kind), ("bridge", id, kind), ("emergency_stop", "", "")."""
    if not topic.startswith(base + "/"):
        return None
    levels = topic[len(base) + 1 :].split("/")
    if levels == ["emergency_stop"]:
        return ("emergency_stop", "", "")
    if len(levels) == 2 and is_device_id(levels[0]) and levels[1] in DEVICE_KINDS:
        return ("device", levels[0], levels[1])
    if len(levels) == 3 and levels[0] == "bridge" and is_bridge_id(levels[1]) and levels[2] in BRIDGE_KINDS:
        return ("bridge", levels[1], levels[2])
    return None


# JSON


def decode(payload: bytes, limit: int = MAX_COMMAND) -> object:
    """Read a payload as strict JSON, with the same verdict on CPython and MicroPython.

    Raises:
        WireError: malformed. Beyond bad syntax these are refused: more than `limit` bytes, bad UTF-8, a byte
            order mark, numbers that are not finite or integers past 64 bits, half a surrogate pair, a key
            twice in one object, and more than MAX_DEPTH levels.
    """
    if len(payload) > limit:
        _refuse("%d bytes are more than the %d allowed" % (len(payload), limit))
    data = bytes(payload)
    if not data:
        _refuse("the payload is empty")
    if data[:3] == b"\xef\xbb\xbf":
        _refuse("the payload starts with a byte order mark")
    if _MICROPYTHON:
        return _read(data)
    try:
        value: object = _DECODER.decode(data.decode())
    except UnicodeError:
        _refuse("the payload is not UTF-8")
    except (ValueError, RuntimeError) as error:  # the latter: nested past Python's own limit
        _refuse("not JSON: %s" % error)
    if b"\\ud" in data or b"\\uD" in data:
        try:
            _ENCODER.encode(value).encode()
        except UnicodeError:
            _refuse("not JSON: half a surrogate pair")
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        level, depth = [value], 0
        while level := [v for v in level if isinstance(v, (dict, list))]:
            depth += 1
            if depth > MAX_DEPTH:
                _refuse("nested more than %d deep" % MAX_DEPTH)
            level = [v for box in level for v in (box.values() if isinstance(box, dict) else box)]
    return value


def encode(message: object) -> str:
    """Write a message as compact JSON.

    Raises:
        WireError: malformed, naming the place of what JSON or the contract cannot carry. Checked beforehand,
            because MicroPython writes such a value anyway and the receiver would drop the message.
    """
    _check(message, "", 1)
    if _MICROPYTHON:
        return json.dumps(message, separators=(",", ":"))
    return _ENCODER.encode(message)


# Commands


def command(  # noqa: PLR0913 - one argument per key of the message
    task: str,
    parameters: "Message | None" = None,
    request_id: "str | None" = None,
    timestamp: "float | None" = None,
    timeout: "float | None" = None,
    expires_at: "float | None" = None,
    issued_by: "str | None" = None,
    reservation: "str | None" = None,
) -> "Message":
    """Make a command without the keys that are absent; `parameters` always stands there, as old devices need.

    Raises:
        WireError: malformed, as the receiver would answer.
    """
    message: Message = {"task": task, "parameters": {} if parameters is None else parameters}
    for key, value in (
        ("request_id", request_id),
        ("timestamp", timestamp),
        ("timeout", timeout),
        ("expires_at", expires_at),
        ("issued_by", issued_by),
        ("reservation", reservation),
    ):
        if value is not None:
            message[key] = value
    _command(message)
    return message


def read_command(payload: bytes, limit: int = MAX_COMMAND) -> "Message":
    """Read a command: all eight keys, None where absent or null (`parameters`: {}), unknown ones dropped.

    Raises:
        WireError: malformed, with request_id and task where they could be read.
    """
    return _command(_object(payload, limit))


def check_expiry(command: "Message", now: "float | None", moves: bool = True) -> None:  # noqa: FBT001, FBT002
    """Refuse a command that comes too late, by the receiver's clock in s since the epoch, None if not set.

    Raises:
        WireError: expired; the message states both clocks.
    """
    until = command["expires_at"]
    if until is None:
        return
    if now is None:
        if not moves:
            return
        why = "the clock here is not set, so a motion that expires (at %s) is refused" % until
    elif now > until:
        why = "expired: valid until %s, and the clock here says %s" % (until, now)
    elif until - now > MAX_EXPIRY_AHEAD:
        why = "valid until %s, more than %d s ahead of the clock here, which says %s; check both clocks" % (
            until,
            MAX_EXPIRY_AHEAD,
            now,
        )
    else:
        return
    raise WireError(EXPIRED, why, command["request_id"], command["task"])


def same_content(one: "Message", other: "Message") -> bool:
    """Whether two commands of one id ask for the same: 1 equals 1.0, but True does not equal 1."""
    return one["task"] == other["task"] and _same(one.get("parameters") or {}, other.get("parameters") or {})


# Answers


def success(request_id: str, task: str, result: object, timestamp: "float | None") -> "Message":
    """Make the result of a task that went well."""
    return {
        "request_id": request_id,
        "task": task,
        "status": "success",
        "result": result,
        "timestamp": timestamp,
    }


def failure(
    request_id: str, task: "str | None", code: str, message: str, timestamp: "float | None"
) -> "Message":
    """Make the result of a task that failed or was refused; `code` is one of ERROR_CODES."""
    if code not in ERROR_CODES:
        _refuse("error_code: %s is no code of the protocol" % _short(code))
    return {
        "request_id": request_id,
        "task": task,
        "status": "error",
        "error": message,
        "error_code": code,
        "timestamp": timestamp,
    }


def replayed(result: "Message") -> "Message":
    """Copy a stored result for sending it again."""
    again = result.copy()
    again["replayed"] = True
    return again


def read_result(payload: bytes, limit: int = MAX_MESSAGE) -> "Message":
    """Read a result, also an older device's; further keys stay.

    Always there: request_id, task, status, result, error, error_code, timestamp, replayed. A failure without
    a code, or with one unknown here, is a device_error.
    """
    message = _object(payload, limit)
    _required(message, "request_id", MAX_REQUEST_ID)
    message["task"] = _text(message, "task", MAX_NAME)
    _choice(message, "status", ("success", "error"))
    message["timestamp"] = _number(message, "timestamp")
    message["replayed"] = message.get("replayed") is True
    if message["status"] == "success":
        message["result"] = message.get("result")
        message["error"] = message["error_code"] = None
        return message
    error = message.get("error")
    message["result"] = None
    message["error"] = (
        error if isinstance(error, str) else "no reason given" if error is None else _short(error)
    )
    if message.get("error_code") not in ERROR_CODES:
        message["error_code"] = DEVICE_ERROR
    return message


def progress(  # noqa: PLR0913 - one argument per key of the message
    request_id: str,
    task: str,
    status: str,
    timestamp: "float | None",
    percent: "float | None" = None,
    message: "str | None" = None,
) -> "Message":
    """Make a report on a command under way; `status` is one of PROGRESS, `percent` 0 to 100."""
    report: Message = {"request_id": request_id, "task": task, "status": status, "timestamp": timestamp}
    if percent is not None:
        report["percent"] = percent
    if message is not None:
        report["message"] = message
    _progress(report)
    return report


def read_progress(payload: bytes) -> "Message":
    """Read a report: request_id, task, status, timestamp, percent, message; further keys stay."""
    message = _object(payload, MAX_COMMAND)
    _progress(message)
    for key in ("percent", "message", "timestamp", "task"):
        message[key] = message.get(key)
    return message


# Presence


def status(
    device_id: str, state: str, timestamp: "float | None", bridge: "str | None", tasks: "list[str]"
) -> "Message":
    """Make a device's status, ONLINE or OFFLINE; `bridge` is None for a device with its own connection."""
    return {
        "device_id": device_id,
        "status": state,
        "timestamp": timestamp,
        "bridge": bridge,
        "data": {"tasks": list(tasks)},
    }


def read_status(payload: bytes) -> "Message":
    """Read a device's status: device_id, status, timestamp, bridge, tasks; only status must be there."""
    message = _object(payload, MAX_MESSAGE)
    _choice(message, "status", (ONLINE, OFFLINE))
    data = message.get("data")
    if data is not None and not isinstance(data, dict):
        _refuse("data: %s is no object" % _short(data))
    tasks = data.get("tasks") if data else None
    if tasks is not None and not (isinstance(tasks, list) and all(isinstance(t, str) for t in tasks)):
        _refuse("data.tasks: %s is no list of names" % _short(tasks))
    return {
        "device_id": _text(message, "device_id", MAX_PERSON),
        "status": message["status"],
        "timestamp": _number(message, "timestamp"),
        "bridge": _text(message, "bridge", MAX_NAME),
        "tasks": tasks or [],
    }


def bridge_status(state: str, instance: str, timestamp: "float | None", **more: object) -> "Message":
    """Make a bridge's status, also its last will; `instance` tells two processes of one bridge apart."""
    more.update({"status": state, "instance": instance, "timestamp": timestamp})
    return more


def read_bridge_status(payload: bytes) -> "Message":
    """Read a bridge's status: status, instance, timestamp; further keys stay."""
    message = _object(payload, MAX_MESSAGE)
    _choice(message, "status", (ONLINE, OFFLINE))
    message["instance"] = _text(message, "instance", MAX_PERSON)
    message["timestamp"] = _number(message, "timestamp")
    return message


def event(event_type: str, timestamp: "float | None", **data: object) -> "Message":
    """Make an event of a device."""
    data.update({"event_type": event_type, "timestamp": timestamp})
    return data


def claim(instance: str) -> "Message":
    """Make the question of a starting bridge: does another process hold this bridge's name?"""
    return {"claim": "ask", "instance": instance}


def claim_answer(instance: str, asker: str, **who: object) -> "Message":
    """Make the answer of the process that holds the name; `who` says where it runs."""
    who.update({"claim": "held", "instance": instance, "asker": asker})
    return who


def read_claim(payload: bytes) -> "Message":
    """Read a question or an answer: claim ("ask" or "held"), instance, asker; further keys stay."""
    message = _object(payload, MAX_COMMAND)
    _choice(message, "claim", ("ask", "held"))
    _required(message, "instance", MAX_PERSON)
    if message["claim"] == "held":
        _required(message, "asker", MAX_PERSON)
    else:
        message["asker"] = None
    return message


# Emergency stop


def stop_message(
    engaged: bool,  # noqa: FBT001 - a key of the message
    stop_id: str,
    by: "str | None",
    reason: "str | None",
    timestamp: "float | None",
) -> "Message":
    """Make the message that stops the lab, or releases the stop of this id."""
    return {"engaged": engaged, "stop_id": stop_id, "by": by, "reason": reason, "timestamp": timestamp}


def read_stop(payload: bytes) -> "Message":
    """Read a stop or a release: engaged, stop_id, by, reason, timestamp.

    A stop is taken whatever its other keys hold: what cannot be read is None, and a stop without a readable
    id is UNNAMED_STOP.

    Raises:
        WireError: malformed; neither stops nor releases. So is a release that names no stop.
    """
    message = _object(payload, MAX_COMMAND)
    engaged = message.get("engaged")
    if engaged is not True and engaged is not False:
        _refuse("engaged: %s is neither true nor false" % _short(engaged))
    if not engaged:
        _required(message, "stop_id", MAX_REQUEST_ID)
    when = message.get("timestamp")
    return {
        "engaged": engaged,
        "stop_id": _readable(message.get("stop_id"), MAX_REQUEST_ID) or UNNAMED_STOP,
        "by": _readable(message.get("by"), MAX_PERSON),
        "reason": _readable(message.get("reason"), MAX_COMMAND),
        "timestamp": when if _is_number(when) else None,
    }


def latch(engaged_stop: "Message | None", message: "Message") -> "Message | None":
    """Tell which stop is latched after a message that read_stop gave, or None.

    A repeat changes nothing. A further stop takes the place of the first, as it does on the retained topic:
    only its id releases from then on. A release of any other id releases nothing.
    """
    known = engaged_stop is not None and engaged_stop["stop_id"] == message["stop_id"]
    if message["engaged"]:
        return engaged_stop if known else message
    return None if known else engaged_stop


# What the messages are checked with


def _refuse(message: str) -> "NoReturn":
    raise WireError(MALFORMED, message)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _object(payload: bytes, limit: int) -> "Message":
    message = decode(payload, limit)
    if not isinstance(message, dict):
        _refuse("%s is no JSON object" % _short(message))
    return message


def _command(message: "Message") -> "Message":
    try:
        request_id = _text(message, "request_id", MAX_REQUEST_ID)
        task = _required(message, "task", MAX_NAME)
        parameters = message.get("parameters")
        if parameters is None:
            parameters = {}
        elif not isinstance(parameters, dict):
            _refuse("parameters: %s is no object" % _short(parameters))
        timeout = _number(message, "timeout")
        if timeout is not None and timeout <= 0:
            _refuse("timeout: %s is not more than 0 s" % _short(timeout))
        return {
            "request_id": request_id,
            "task": task,
            "parameters": parameters,
            "timestamp": _number(message, "timestamp"),
            "timeout": timeout,
            "expires_at": _number(message, "expires_at"),
            "issued_by": _text(message, "issued_by", MAX_PERSON),
            "reservation": _text(message, "reservation", MAX_PERSON),
        }
    except WireError as error:
        error.request_id = _readable(message.get("request_id"), MAX_REQUEST_ID)
        error.task = _readable(message.get("task"), MAX_NAME)
        raise


def _progress(message: "Message") -> None:
    _required(message, "request_id", MAX_REQUEST_ID)
    _text(message, "task", MAX_NAME)
    _choice(message, "status", PROGRESS)
    _number(message, "timestamp")
    percent = _number(message, "percent")
    if percent is not None and not 0 <= percent <= 100:
        _refuse("percent: %s is not 0 to 100" % _short(percent))
    text = message.get("message")
    if text is not None and not isinstance(text, str):
        _refuse("message: %s is no text" % _short(text))


def _printable(text: str) -> bool:
    # Not isprintable(): MicroPython has no Unicode tables, and both must agree.
    for c in text:  # noqa: SIM110 - a generator costs three times as much
        if c < " " or "\x7f" <= c <= "\x9f":
            return False
    return True


def _readable(value: object, longest: int) -> "str | None":
    return value if isinstance(value, str) and 0 < len(value) <= longest and _printable(value) else None


def _text(message: "Message", key: str, longest: int) -> "str | None":
    value = message.get(key)
    if value is not None and _readable(value, longest) is None:
        _refuse("%s: %s is no text of 1 to %d printable characters" % (key, _short(value), longest))
    return value


def _required(message: "Message", key: str, longest: int) -> str:
    text = _text(message, key, longest)
    if text is None:
        _refuse("%s is missing: a text of 1 to %d printable characters" % (key, longest))
    return text


def _choice(message: "Message", key: str, allowed: "tuple[str, ...]") -> None:
    if message.get(key) not in allowed:
        _refuse("%s: %s is not one of %s" % (key, _short(message.get(key)), ", ".join(allowed)))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(message: "Message", key: str) -> "float | None":
    value: float | None = message.get(key)
    if value is not None and not _is_number(value):
        _refuse("%s: %s is no number" % (key, _short(value)))
    return value


def _same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(k in other and _same(v, other[k]) for k, v in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_same(one[i], other[i]) for i in range(len(one)))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


# JSON on both interpreters


def _finite(numeral: str) -> float:
    value = float(numeral) if len(numeral) <= MAX_NUMERAL else _too_large(numeral)
    return value if value - value == 0 else _too_large(numeral)  # noqa: PLR0124 - infinity minus itself is NaN


def _whole(numeral: str) -> int:
    value = int(numeral) if len(numeral) <= 20 else _too_large(numeral)
    return value if _fits(value) else _too_large(numeral)


def _fits(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 64


def _too_large(numeral: str) -> "NoReturn":
    _refuse("not JSON we can hold: the number %s" % _short(numeral))


def _unique(pairs: "list[tuple[str, Any]]") -> "Message":
    message = dict(pairs)
    if len(message) < len(pairs):
        keys = [key for key, _ in pairs]
        _refuse(
            "the key %s stands twice in one object" % _short([k for k in message if keys.count(k) > 1][0])
        )
    return message


def _check(value: object, where: str, depth: int) -> None:
    if isinstance(value, str):
        if not _is_utf8(value):
            _refuse("%s: half a surrogate pair" % (where or "message"))
    elif value is None or isinstance(value, bool):
        pass
    elif isinstance(value, (int, float)):
        if not (_fits(value) if isinstance(value, int) else value - value == 0):  # noqa: PLR0124
            _refuse("%s: a number JSON cannot hold" % (where or "message"))
    elif isinstance(value, (dict, list, tuple)):
        if depth > MAX_DEPTH:
            _refuse("%s: nested more than %d deep" % (where, MAX_DEPTH))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(value, dict) and not isinstance(key, str):
                _refuse("%s: the key %s is no text" % (where or "message", _short(key)))
            place = "%s[%d]" % (where, key) if isinstance(key, int) else "%s.%s" % (where, key)
            _check(key, where, depth)
            _check(item, place, depth + 1)
    else:
        _refuse("%s: %s is nothing JSON can hold" % (where or "message", _short(value)))
