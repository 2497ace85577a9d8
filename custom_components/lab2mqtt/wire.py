"""THE protocol: topics, message shapes, error codes, and the rules that every part shares.

Pure: no input, no output, no clock, no randomness. Written in the Python that CPython and MicroPython share,
and copied byte for byte to boards. Times are seconds since the epoch. See docs/protocol.md.
"""
# ruff: noqa: PLR2004 - the bare numbers are those of UTF-8, JSON and MQTT

import json
import sys

TYPE_CHECKING = False  # MicroPython has no typing
if TYPE_CHECKING:
    from typing import Any

    Json = Any
    Message = dict[str, Any]

PROTOCOL = 1
DEFAULT_BASE = "lab2mqtt"
DEFAULT_DISCOVERY = "homeassistant"
MAX_COMMAND = 65536  # bytes
MAX_MESSAGE = 1048576  # bytes of what devices say: a description with many tasks, a result with a spectrum
MAX_DEPTH = 16  # levels of nesting; a board has little stack
MAX_EXPIRY_AHEAD = 300  # s; more means that the clocks disagree
MAX_REQUEST_ID = 64  # characters
MAX_TASK = 64
MAX_NAME = 128
LONGEST_INTEGER = 300  # digits; a float ends there too

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
PROGRESS = ("accepted", "running", "paused", "progress")

_ID_FIRST = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID = _ID_FIRST + "_-"
_NODE = _ID + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RESERVED_IDS = ("bridge", "emergency_stop")


class WireError(Exception):
    """A message that breaks a rule.

    Attributes:
        code: One of ERROR_CODES.
        message: What was wrong and what would be right.
        request_id: The command's id, if it could be read: then it can be answered.
        task: The command's task, if it could be read.
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
    """Whether a text may name a device: a-z, 0-9, - and _, at most 64, and no word of the protocol."""
    return is_bridge_id(text) and text not in _RESERVED_IDS


def is_bridge_id(text: object) -> bool:
    """Whether a text may name a bridge: as a device, with no word forbidden."""
    if not isinstance(text, str) or not 0 < len(text) <= 64 or text[0] not in _ID_FIRST:
        return False
    return all(letter in _ID for letter in text)


def is_base(text: "Json") -> bool:
    """Whether a text may stand before our topics: no empty level, no wildcard, no ``$`` in front."""
    if not _is_text(text, MAX_NAME) or text[0] == "$" or "+" in text or "#" in text:
        return False
    return all(text.split("/"))


def device_topic(base: str, device: str, kind: str) -> str:
    """The topic of a device: ``lab2mqtt/plate-resort/command``."""
    return base + "/" + device + "/" + kind


def picture_topic(base: str, device: str, key: str) -> str:
    """The topic of a picture: ``lab2mqtt/ot2/picture/deck``."""
    return device_topic(base, device, "picture") + "/" + key


def bridge_topic(base: str, bridge: str, kind: str) -> str:
    """The topic of a bridge: ``lab2mqtt/bridge/bench-pi/status``."""
    return base + "/bridge/" + bridge + "/" + kind


def emergency_stop_topic(base: str) -> str:
    """The topic that stops the whole lab."""
    return base + "/emergency_stop"


def discovery_topic(discovery: str, base: str, device: str, part: str = "") -> str:
    """The topic on which a device, or a part of it, is announced to Home Assistant.

    A part has a level of its own: who may announce a device may announce its parts, and no other device.
    """
    node = "".join([letter if letter in _NODE else "_" for letter in base + "_" + device])
    return discovery + "/device/" + node + ("/" + part if part else "") + "/config"


def birth_topic(discovery: str) -> str:
    """The topic on which Home Assistant says that it is there."""
    return discovery + "/status"


def split_topic(base: str, topic: str) -> "tuple[str, str, str] | None":
    """What a topic is about: (``device`` or ``bridge``, id, kind), (``emergency_stop``, "", ""), or None."""
    if not topic.startswith(base + "/"):
        return None
    levels = topic[len(base) + 1 :].split("/")
    if levels == ["emergency_stop"]:
        return ("emergency_stop", "", "")
    if len(levels) == 3 and levels[0] == "bridge" and is_bridge_id(levels[1]) and levels[2]:
        return ("bridge", levels[1], levels[2])
    if len(levels) == 2 and is_device_id(levels[0]) and levels[1]:
        return ("device", levels[0], levels[1])
    return None


# JSON, by the same strict rules everywhere


def decode(payload: bytes, limit: int = MAX_COMMAND) -> object:
    """Read strict JSON.

    Refused beside what JSON itself forbids: NaN and infinity, a number too large to be finite, an integer of
    more than LONGEST_INTEGER digits, a key twice in one object, more than MAX_DEPTH levels, half a surrogate
    pair, a byte order mark.

    Raises:
        WireError: ``malformed``.
    """
    if len(payload) > limit:
        raise WireError(MALFORMED, "%d bytes; at most %d are allowed" % (len(payload), limit))
    payload = bytes(payload)
    if not payload.strip(b" \t\r\n"):
        raise WireError(MALFORMED, "empty; a JSON object is needed")
    return _read_json(payload)


def encode(message: object) -> str:
    """Write compact JSON that ``decode`` reads again, but for the size.

    Raises:
        WireError: ``malformed``; the message holds what JSON cannot, and the text says where.
    """
    fault = _fault(message, MAX_DEPTH)
    if fault:
        raise WireError(MALFORMED, "%s %s" % (fault[0].lstrip(".") or "the message", fault[1]))
    return _write_json(message)


# Commands


def command(
    task: str,
    parameters: "dict[str, object] | None" = None,
    request_id: "str | None" = None,
    timestamp: "float | None" = None,
    timeout: "float | None" = None,
    expires_at: "float | None" = None,
    issued_by: "str | None" = None,
    reservation: "str | None" = None,
) -> "dict[str, object]":
    """Make a command; what is None is left out."""
    message: dict[str, object] = {"task": task, "parameters": parameters or {}}
    optional = {
        "request_id": request_id,
        "timestamp": timestamp,
        "timeout": timeout,
        "expires_at": expires_at,
        "issued_by": issued_by,
        "reservation": reservation,
    }
    message.update({key: value for key, value in optional.items() if value is not None})
    return message


def read_command(payload: bytes, limit: int = MAX_COMMAND) -> "Message":
    """Read a command; what is absent or null is None, ``parameters`` is ``{}``.

    Raises:
        WireError: ``malformed``; with request_id and task where they can be read, so that it can be answered.
    """
    message = decode(payload, limit)
    if not isinstance(message, dict):
        raise WireError(MALFORMED, "a command is a JSON object, not " + _kind(message))
    found: Message = {"request_id": None}
    try:
        found["request_id"] = _text(message, "request_id", MAX_REQUEST_ID)
        found["task"] = _text(message, "task", MAX_TASK, needed=True)
        parameters = message.get("parameters")
        if parameters is not None and not isinstance(parameters, dict):
            raise _wrong("parameters", parameters, "an object")
        found["parameters"] = parameters or {}
        found["timestamp"] = _seconds(message, "timestamp")
        found["timeout"] = _seconds(message, "timeout")
        if found["timeout"] is not None and found["timeout"] <= 0:
            raise _wrong("timeout", found["timeout"], "more than 0 seconds")
        found["expires_at"] = _seconds(message, "expires_at")
        found["issued_by"] = _text(message, "issued_by", MAX_NAME)
        found["reservation"] = _text(message, "reservation", MAX_NAME)
    except WireError as error:
        task = message.get("task")
        error.request_id, error.task = found["request_id"], task if _is_text(task, MAX_TASK) else None
        raise
    return found


def check_expiry(command: "Message", now: "float | None", moves: bool = True) -> None:  # noqa: FBT001, FBT002
    """Refuse a command that comes too late.

    Args:
        command: As read_command gives it.
        now: The receiver's clock; None when it is not set.
        moves: Whether the task moves hardware.

    Raises:
        WireError: ``expired``, with both clocks.
    """
    expires_at = command["expires_at"]
    if expires_at is None:
        return
    why = ""
    if now is None:
        if moves:
            why = (
                "the receiver's clock is not set, so it cannot know whether the command expired at %s"
                % _clock(expires_at)
            )
    elif now > expires_at:
        why = "expired: good until %s by the sender's clock, now %s by the receiver's" % (
            _clock(expires_at),
            _clock(now),
        )
    elif expires_at - now > MAX_EXPIRY_AHEAD:
        why = (
            "expires_at %s is more than %d s ahead of the receiver's clock, %s: one of the clocks is wrong"
            % (
                _clock(expires_at),
                MAX_EXPIRY_AHEAD,
                _clock(now),
            )
        )
    if why:
        raise WireError(EXPIRED, why, command["request_id"], command["task"])


def same_content(one: "Message", other: "Message") -> bool:
    """Whether two commands of one id ask for the same; 1 and 1.0 are the same number, true is none."""
    return one["task"] == other["task"] and _same(one["parameters"], other["parameters"])


# Answers


def success(request_id: str, task: str, result: object, timestamp: float) -> "dict[str, object]":
    """The result of a task that was done."""
    return {
        "request_id": request_id,
        "task": task,
        "status": "success",
        "result": result,
        "timestamp": timestamp,
    }


def failure(request_id: str, task: str, code: str, message: str, timestamp: float) -> "dict[str, object]":
    """The result of a command that was refused, or of a task that was not done."""
    if code not in ERROR_CODES:
        raise ValueError("unknown error code " + code)
    return {
        "request_id": request_id,
        "task": task,
        "status": "error",
        "error": message,
        "error_code": code,
        "timestamp": timestamp,
    }


def replayed(result: "dict[str, object]") -> "dict[str, object]":
    """A stored result, sent again."""
    again = dict(result)
    again["replayed"] = True
    return again


def progress(
    request_id: str,
    task: str,
    status: str,
    timestamp: float,
    percent: "float | None" = None,
    message: "str | None" = None,
) -> "dict[str, object]":
    """How far a command is: it waits (accepted), runs, is paused, or made progress."""
    if status not in PROGRESS:
        raise ValueError("unknown progress " + status)
    told: dict[str, object] = {
        "request_id": request_id,
        "task": task,
        "status": status,
        "timestamp": timestamp,
    }
    if percent is not None:
        told["percent"] = percent
    if message is not None:
        told["message"] = message
    return told


def read_result(payload: bytes) -> "Message":
    """Read a result; one of the older dialect has no code and no clock.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if not isinstance(message.get("request_id"), str) or message.get("status") not in ("success", "error"):
        raise WireError(MALFORMED, "a result has a request_id and the status success or error")
    if message["status"] == "error":
        why = message.get("error") or "failed without a reason"
        message["error"] = why if isinstance(why, str) else _write_json(why)
        if message.get("error_code") not in ERROR_CODES:
            message["error_code"] = DEVICE_ERROR
    return message


def read_progress(payload: bytes) -> "Message":
    """Read a message of progress.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if not isinstance(message.get("request_id"), str) or message.get("status") not in PROGRESS:
        raise WireError(MALFORMED, "progress has a request_id and one of the status " + ", ".join(PROGRESS))
    percent = message.get("percent")
    if percent is not None and not _is_number(percent):
        raise WireError(MALFORMED, "percent %s is not a number" % _show(percent))
    return message


def event(event_type: str, timestamp: float, **data: object) -> "dict[str, object]":
    """Something that happened."""
    told: dict[str, object] = {"event_type": event_type, "timestamp": timestamp}
    told.update(data)
    return told


# Presence


def status(
    device_id: str, state: str, timestamp: float, bridge: "str | None", tasks: "list[str]"
) -> "dict[str, object]":
    """Whether a device can be reached; the older dialect has the same without ``bridge``."""
    return {
        "device_id": device_id,
        "status": state,
        "timestamp": timestamp,
        "bridge": bridge,
        "data": {"tasks": tasks},
    }


def bridge_status(state: str, instance: str, timestamp: float, **more: object) -> "dict[str, object]":
    """Whether a bridge is there; also its will."""
    told: dict[str, object] = {"status": state, "instance": instance, "timestamp": timestamp}
    told.update(more)
    return told


def read_status(payload: bytes) -> "Message":
    """Read a device's or a bridge's status.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if message.get("status") not in (ONLINE, OFFLINE):
        raise WireError(MALFORMED, "a status is online or offline, not " + _show(message.get("status")))
    return message


read_bridge_status = read_status


def claim(instance: str, **more: object) -> "dict[str, object]":
    """The question whether somebody else runs a bridge, or whether it lives.

    A process of the same bridge counts its questions in ``question`` and tells by ``ran`` that it was online.
    Another bridge tells its id as ``bridge``, its ``uptime_s``, the ``devices`` that it asks about, and by
    ``speaks`` that it has them.
    """
    told: dict[str, object] = {"instance": instance}
    told.update(more)
    return told


def claim_answer(instance: str, asker: str, **who: object) -> "dict[str, object]":
    """The answer of the one who does: to which ``question``, or what it ``yields`` to another bridge."""
    told: dict[str, object] = {"instance": instance, "asker": asker}
    told.update(who)
    return told


def read_claim(payload: bytes) -> "Message":
    """Read a question or an answer; only the answer has an ``asker``.

    Raises:
        WireError: It is neither.
    """
    message = _read_object(payload)
    for key in ("instance", "asker"):
        value = message.get(key)
        if not _is_text(value, MAX_NAME) and (key == "instance" or value is not None):
            raise WireError(MALFORMED, "a claim names its %s, not %s" % (key, _show(value)))
    bridge = message.get("bridge")
    if bridge is not None and not is_bridge_id(bridge):
        raise _wrong("bridge", bridge, "the id of a bridge")
    _seconds(message, "uptime_s")
    for key in ("devices", "yields"):
        value = message.get(key)
        if value is not None and not (isinstance(value, list) and all(is_device_id(one) for one in value)):
            raise _wrong(key, value, "a list of device ids")
    return message


# The emergency stop


def stop_message(engaged: bool, stop_id: str, by: str, reason: str, timestamp: float) -> "dict[str, object]":  # noqa: FBT001
    """Stop the lab, or release the stop of that id."""
    return {"engaged": engaged, "stop_id": stop_id, "by": by, "reason": reason, "timestamp": timestamp}


def read_stop(payload: bytes) -> "Message":
    """Read a stop or a release. Who stops need give nothing but ``"engaged": true``.

    Raises:
        WireError: It is neither; nothing is released by it.
    """
    message = _read_object(payload)
    engaged = message.get("engaged")
    if engaged is not True and engaged is not False:
        raise WireError(MALFORMED, "engaged %s is not true or false" % _show(engaged))
    stop_id = message.get("stop_id")
    if not _is_text(stop_id, MAX_NAME):
        if not engaged:
            raise WireError(MALFORMED, "a release names the stop_id that it releases, not " + _show(stop_id))
        stop_id = "unnamed"
    found = {"engaged": engaged, "stop_id": stop_id}
    for key in ("by", "reason"):
        value = message.get(key)
        text = value[:255] if isinstance(value, str) else ""
        if not _is_printable(text):  # they stand in logs, line by line
            text = "".join([letter if _is_printable(letter) else " " for letter in text])
        found[key] = text
    timestamp = message.get("timestamp")
    found["timestamp"] = timestamp if _is_number(timestamp) else 0
    return found


def latch(engaged: "dict[str, object] | None", message: "dict[str, object]") -> "dict[str, object] | None":
    """The stop that is engaged after a message: the one rule of the latch.

    A stop engages, and the newest is the one to release. The same stop again changes nothing. A release lets
    go only of the stop that it names.

    Args:
        engaged: The stop engaged before, or None.
        message: As read_stop gives it.
    """
    if message["engaged"]:
        return engaged if engaged and engaged["stop_id"] == message["stop_id"] else message
    return None if engaged and engaged["stop_id"] == message["stop_id"] else engaged


# Parts


def _read_object(payload: bytes) -> "Message":
    message = decode(payload, MAX_MESSAGE)
    if not isinstance(message, dict):
        raise WireError(MALFORMED, "a message is a JSON object, not " + _kind(message))
    return message


def _wrong(key: str, value: object, allowed: str) -> WireError:
    return WireError(MALFORMED, "%s %s is not %s" % (key, _show(value), allowed))


def _text(message: "Message", key: str, longest: int, needed: bool = False) -> "Json":  # noqa: FBT001, FBT002
    value = message.get(key)
    if (value is not None or needed) and not _is_text(value, longest):
        raise _wrong(key, value, "a text of 1 to %d printable characters" % longest)
    return value


def _seconds(message: "Message", key: str) -> "Json":
    value = message.get(key)
    if value is not None and not _is_number(value):
        raise _wrong(key, value, "a number of seconds")
    return value


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and _is_printable(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a number"


def _show(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "(an object)" if isinstance(value, dict) else "(a list)"
    text = _write_json(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _clock(seconds: float) -> str:
    # Past 1e15 there are no thousandths, and MicroPython's round() overflows.
    return _show(round(seconds, 3) if abs(seconds) < 1e15 else seconds)


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(key in other and _same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(one[i], other[i]) for i in range(len(one)))
    return one == other


_TOO_LARGE = 10**LONGEST_INTEGER
_INFINITY = float("inf")


def _fault(value: "Json", depth: int) -> "tuple[str, str] | None":  # noqa: C901, PLR0911, PLR0912
    """What JSON cannot hold, as (where, what); None if it can hold all."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return ("", "has half of a surrogate pair") if _has_surrogate(value) else None
    if isinstance(value, int):
        return None if -_TOO_LARGE < value < _TOO_LARGE else ("", "has more than %d digits" % LONGEST_INTEGER)
    if isinstance(value, float):
        return None if -_INFINITY < value < _INFINITY else ("", "is not a finite number")
    if not isinstance(value, (dict, list, tuple)):
        return ("", "is a %s, which JSON does not have" % type(value).__name__)
    if depth == 0:
        return ("", "is nested deeper than %d levels" % MAX_DEPTH)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or _has_surrogate(key):
                return ("", "has a key that is no text")
            fault = _fault(value[key], depth - 1)
            if fault:
                return ("." + key + fault[0], fault[1])
    else:
        for index, item in enumerate(value):
            fault = _fault(item, depth - 1)
            if fault:
                return ("[%d]" % index + fault[0], fault[1])
    return None


def _no_json(why: object) -> WireError:
    return WireError(MALFORMED, "no JSON: %s" % why)


if sys.implementation.name == "micropython":
    # By bytes, because each different letter that is looked at stays in memory for ever.

    def _has_surrogate(text: str) -> bool:
        return _is_followed(text.encode(), 0xED, 0xA0, 0xC0)

    def _is_printable(text: str) -> bool:
        data = text.encode()
        return not any(byte < 32 or byte == 127 for byte in data) and not _is_followed(data, 0xC2, 0x80, 0xA0)

    def _is_followed(data: bytes, lead: int, least: int, most: int) -> bool:
        """Whether a byte from ``least`` to below ``most`` stands behind a byte anywhere."""
        at = data.find(bytes((lead,)))
        while at >= 0:
            if at + 1 < len(data) and least <= data[at + 1] < most:
                return True
            at = data.find(bytes((lead,)), at + 1)
        return False

    def _write_json(message: object) -> str:
        return json.dumps(message, separators=(",", ":"))

    def _read_json(payload: bytes) -> object:
        if not _is_utf8(payload):
            raise WireError(MALFORMED, "not UTF-8")
        reader = _Reader(payload)
        value = reader.value(0)
        reader.end()
        return value

    def _is_utf8(payload: bytes) -> bool:
        try:
            if len(payload.decode()) == len(payload):
                return True
        except ValueError:  # and so UnicodeError
            return False
        # It also takes surrogates, letters past the last one, and long spellings of short ones.
        wrong = ((0xE0, 0x80, 0xA0), (0xED, 0xA0, 0xC0), (0xF0, 0x80, 0x90), (0xF4, 0x90, 0xC0))
        return not any(byte in (0xC0, 0xC1) or byte > 0xF4 for byte in payload) and not any(
            _is_followed(payload, *one) for one in wrong
        )

    class _Reader:
        """A strict reader, because json.loads takes ``[1,2,]`` and ``{"a" 1}`` here.

        On bytes: to index a text of more than ASCII means to count its letters from the start.
        """

        def __init__(self, data: bytes) -> None:
            self.data = data
            self.at = 0

        def fail(self, why: str) -> WireError:
            return _no_json("%s at byte %d" % (why, self.at))

        def next(self) -> int:
            """The byte here; -1 at the end."""
            return self.data[self.at] if self.at < len(self.data) else -1

        def peek(self) -> int:
            """The first byte from here that is no space."""
            while self.next() in b" \t\r\n":
                self.at += 1
            return self.next()

        def take(self, byte: int) -> None:
            if self.peek() != byte:
                raise self.fail(chr(byte) + " is missing")
            self.at += 1

        def end(self) -> None:
            if self.peek() >= 0:
                raise self.fail("something follows")

        def value(self, depth: int) -> object:
            first = self.peek()
            if first in (_BRACE, _BRACKET):
                if depth == MAX_DEPTH:
                    raise self.fail("more than %d levels" % MAX_DEPTH)
                return self.members(depth + 1) if first == _BRACE else self.items(depth + 1)
            if first == _QUOTE:
                return self.string()
            for word, value in ((b"true", True), (b"false", False), (b"null", None)):
                if self.data[self.at : self.at + len(word)] == word:
                    self.at += len(word)
                    return value
            return self.number()

        def members(self, depth: int) -> object:
            found: dict[str, object] = {}
            self.at += 1
            while self.peek() != _BRACE_END:
                if found:
                    self.take(_COMMA)
                if self.peek() != _QUOTE:
                    raise self.fail("a key is missing")
                key = self.string()
                if key in found:
                    raise self.fail("the key %s stands twice" % _show(key))
                self.take(_COLON)
                found[key] = self.value(depth)
            self.at += 1
            return found

        def items(self, depth: int) -> object:
            found: list[object] = []
            self.at += 1
            while self.peek() != _BRACKET_END:
                if found:
                    self.take(_COMMA)
                found.append(self.value(depth))
            self.at += 1
            return found

        def string(self) -> str:
            data = self.data
            self.at += 1
            start = self.at
            parts = []
            while True:
                byte = self.next()
                if byte < 32:
                    raise self.fail("a text has no end" if byte < 0 else "a control character")
                if byte in (_QUOTE, _BACKSLASH):
                    parts.append(data[start : self.at])
                    self.at += 1
                    if byte == _QUOTE:
                        return b"".join(parts).decode()
                    parts.append(self.escape().encode())
                    start = self.at
                else:
                    self.at += 1

        def escape(self) -> str:
            letter = chr(max(self.next(), 0))
            self.at += 1
            if letter in _ESCAPES:
                return _ESCAPES[letter]
            if letter != "u":
                raise self.fail("an unknown escape")
            code = self.unit()
            if 0xD800 <= code < 0xDC00 and self.data[self.at : self.at + 2] == b"\\u":
                self.at += 2
                low = self.unit()
                if 0xDC00 <= low < 0xE000:
                    return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
            if 0xD800 <= code < 0xE000:
                raise self.fail("half of a surrogate pair")
            return chr(code)

        def unit(self) -> int:
            digits = self.data[self.at : self.at + 4]
            if len(digits) < 4 or not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
                raise self.fail("an unknown escape")
            self.at += 4
            return int(digits.decode(), 16)

        def number(self) -> object:
            start = self.at
            if self.next() in b"-":
                self.at += 1
            first = self.at
            digits = self.digits("no value")
            if digits > 1 and self.data[first] == _ZERO:
                raise self.fail("a number begins with 0")
            whole = True
            if self.next() in b".":
                self.at += 1
                whole = False
                self.digits("a digit is missing")
            if self.next() in b"eE":
                self.at += 1
                whole = False
                if self.next() in b"+-":
                    self.at += 1
                self.digits("a digit is missing")
            if whole and digits > LONGEST_INTEGER:
                raise self.fail("a number too long")
            text = self.data[start : self.at].decode()
            value = int(text) if whole else float(text)
            if not -_INFINITY < value < _INFINITY:
                raise self.fail("a number too large")
            return value

        def digits(self, why: str) -> int:
            start = self.at
            while self.next() in b"0123456789":
                self.at += 1
            if self.at == start:
                raise self.fail(why)
            return self.at - start

    _QUOTE, _BACKSLASH, _COMMA, _COLON, _ZERO = b'"\\,:0'
    _BRACE, _BRACE_END, _BRACKET, _BRACKET_END = b"{}[]"
    _ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

else:

    def _has_surrogate(text: str) -> bool:
        if text.isascii():
            return False
        try:
            text.encode()
        except UnicodeEncodeError:
            return True
        return False

    def _is_printable(text: str) -> bool:
        if text.isascii():
            return text.isprintable()
        return not any(letter < " " or "\x7f" <= letter < "\xa0" for letter in text)

    def _write_json(message: object) -> str:
        return _ENCODER.encode(message)

    def _read_json(payload: bytes) -> object:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            raise WireError(MALFORMED, "not UTF-8")
        try:
            # Before it is read: a deep text would exhaust the stack.
            if text.count("{") + text.count("[") > MAX_DEPTH:
                _check_depth(text)
            value = _DECODER.decode(text)
        except ValueError as error:
            raise _no_json(error)
        # Only an escape can make half of a pair: as UTF-8 it was refused above.
        if "\\u" in text and _fault(value, MAX_DEPTH):
            raise _no_json("half of a surrogate pair")
        return value

    def _check_depth(text: str) -> None:
        depth = 0
        in_string = escaped = False
        for letter in text:
            if in_string:
                if escaped:
                    escaped = False
                elif letter == "\\":
                    escaped = True
                elif letter == '"':
                    in_string = False
            elif letter == '"':
                in_string = True
            elif letter in "{[":
                depth += 1
                if depth > MAX_DEPTH:
                    raise _no_json("more than %d levels" % MAX_DEPTH)
            elif letter in "}]":
                depth -= 1

    def _object(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
        found = dict(pairs)
        if len(found) != len(pairs):
            seen = set()
            for key, _ in pairs:
                if key in seen:
                    raise _no_json("the key %s stands twice" % _show(key))
                seen.add(key)
        return found

    def _float(digits: str) -> float:
        value = float(digits)
        if not -_INFINITY < value < _INFINITY:
            raise _no_json("a number too large")
        return value

    def _int(digits: str) -> int:
        if len(digits) > LONGEST_INTEGER and len(digits.lstrip("-")) > LONGEST_INTEGER:
            raise _no_json("a number too long")
        return int(digits)

    def _constant(word: str) -> float:
        raise _no_json(word)

    _DECODER = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
    )
    _ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
