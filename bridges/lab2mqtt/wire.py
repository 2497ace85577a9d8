"""THE protocol: topics, message shapes, error codes, and the rules that every part shares.

Pure: no input, no output, no clock, no randomness. Written in the Python that CPython and MicroPython share, and
copied byte for byte to boards. Times are seconds since the epoch. See docs/protocol.md.
"""

import json
import sys

PROTOCOL = 1
DEFAULT_BASE = "lab2mqtt"
DEFAULT_DISCOVERY = "homeassistant"
MAX_COMMAND = 65536  # bytes
MAX_DEPTH = 16  # levels of nesting; a board has little stack
MAX_EXPIRY_AHEAD = 300  # s; more means that the clocks disagree
MAX_REQUEST_ID = 64  # characters
MAX_TASK = 64
MAX_NAME = 128

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

    def __init__(self, code: str, message: str, request_id: "str | None" = None, task: "str | None" = None) -> None:
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


def is_base(text: object) -> bool:
    """Whether a text may stand before our topics: levels that are not empty, no wildcard, no ``$`` in front."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME or text[0] == "$":
        return False
    return all(level and not _has_any(level, "+#\0") for level in text.split("/"))


def device_topic(base: str, device: str, kind: str) -> str:
    """The topic of a device: ``lab2mqtt/plate-resort/command``."""
    return base + "/" + device + "/" + kind


def bridge_topic(base: str, bridge: str, kind: str) -> str:
    """The topic of a bridge: ``lab2mqtt/bridge/bench-pi/status``."""
    return base + "/bridge/" + bridge + "/" + kind


def emergency_stop_topic(base: str) -> str:
    """The topic that stops the whole lab."""
    return base + "/emergency_stop"


def discovery_topic(discovery: str, base: str, device: str) -> str:
    """The topic on which a device is announced to Home Assistant, whose node ids take a-z, 0-9, - and _."""
    node = "".join([letter if letter in _NODE else "_" for letter in base + "_" + device])
    return discovery + "/device/" + node + "/config"


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
    if len(levels) == 3 and levels[0] == "bridge" and is_bridge_id(levels[1]):
        return ("bridge", levels[1], levels[2])
    if len(levels) == 2 and is_device_id(levels[0]) and levels[1]:
        return ("device", levels[0], levels[1])
    return None


# JSON, by the same strict rules everywhere


def decode(payload: bytes, limit: int = MAX_COMMAND) -> object:
    """Read strict JSON.

    Refused beside what JSON itself forbids: NaN and infinity, a number too large to be finite, a key twice in one
    object, more than MAX_DEPTH levels, half of a surrogate pair, a byte order mark.

    Raises:
        WireError: ``malformed``.
    """
    if len(payload) > limit:
        raise WireError(MALFORMED, "%d bytes; at most %d are allowed" % (len(payload), limit))
    try:
        text = bytes(payload).decode("utf-8")
    except (UnicodeError, ValueError):
        raise WireError(MALFORMED, "not UTF-8")
    if not text.strip(" \t\r\n"):
        raise WireError(MALFORMED, "empty; a JSON object is needed")
    return _read_json(text)


def encode(message: object) -> str:
    """Write compact JSON.

    Raises:
        WireError: ``malformed``; the message holds what JSON cannot, and the text says where.
    """
    _check_value(message, "", MAX_DEPTH + 2)
    return _write_json(message)


def _check_value(value: object, where: str, depth: int) -> None:
    if value is None or isinstance(value, bool) or isinstance(value, int):
        return
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise WireError(MALFORMED, (where or "value") + " is not a finite number")
    elif isinstance(value, str):
        if _has_surrogate(value):
            raise WireError(MALFORMED, (where or "value") + " has half of a surrogate pair")
    elif depth == 0:
        raise WireError(MALFORMED, (where or "value") + " is nested too deep")
    elif isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise WireError(MALFORMED, (where or "value") + " has a key that is no text")
            _check_value(key, where + ".key", depth)
            _check_value(value[key], where + "." + key if where else key, depth - 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_value(item, where + "[]", depth - 1)
    else:
        raise WireError(MALFORMED, "%s is a %s, which JSON does not have" % (where or "value", type(value).__name__))


if sys.implementation.name == "micropython":

    def _has_surrogate(text: str) -> bool:
        return any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)

    def _write_json(message: object) -> str:
        return json.dumps(message, separators=(",", ":"))

    def _read_json(text: str) -> object:
        reader = _Reader(text)
        value = reader.value(0)
        reader.end()
        return value

    class _Reader:
        """A strict reader, because json.loads takes ``[1,2,]`` and ``{"a" 1}`` here."""

        def __init__(self, text: str) -> None:
            self.text = text
            self.at = 0

        def fail(self, why: str) -> WireError:
            return WireError(MALFORMED, "no JSON: %s at character %d" % (why, self.at))

        def peek(self) -> str:
            while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
                self.at += 1
            return self.text[self.at] if self.at < len(self.text) else ""

        def take(self, letter: str) -> None:
            if self.peek() != letter:
                raise self.fail(letter + " is missing")
            self.at += 1

        def end(self) -> None:
            if self.peek():
                raise self.fail("something follows")

        def value(self, depth: int) -> object:
            first = self.peek()
            if first in ("{", "["):
                if depth == MAX_DEPTH:
                    raise self.fail("more than %d levels" % MAX_DEPTH)
                return self.members(depth + 1) if first == "{" else self.items(depth + 1)
            if first == '"':
                return self.string()
            for word, value in (("true", True), ("false", False), ("null", None)):
                if self.text[self.at : self.at + len(word)] == word:
                    self.at += len(word)
                    return value
            return self.number()

        def members(self, depth: int) -> object:
            found = {}
            self.take("{")
            while self.peek() != "}":
                if found:
                    self.take(",")
                if self.peek() != '"':
                    raise self.fail("a key is missing")
                key = self.string()
                if key in found:
                    raise self.fail("the key " + key + " stands twice")
                self.take(":")
                found[key] = self.value(depth)
            self.at += 1
            return found

        def items(self, depth: int) -> object:
            found = []
            self.take("[")
            while self.peek() != "]":
                if found:
                    self.take(",")
                found.append(self.value(depth))
            self.at += 1
            return found

        def string(self) -> str:
            text = self.text
            self.at += 1
            parts = []
            start = self.at
            while True:
                if self.at >= len(text):
                    raise self.fail("a text has no end")
                letter = text[self.at]
                if letter == '"':
                    parts.append(text[start : self.at])
                    self.at += 1
                    found = "".join(parts)
                    if _has_surrogate(found):
                        raise self.fail("half of a surrogate pair")
                    return found
                if ord(letter) < 32:
                    raise self.fail("a control character")
                if letter == "\\":
                    parts.append(text[start : self.at])
                    parts.append(self.escape())
                    start = self.at
                else:
                    self.at += 1

        def escape(self) -> str:
            letter = self.text[self.at + 1 : self.at + 2]
            self.at += 2
            plain = '"\\/bfnrt'.find(letter) if letter else -1
            if plain >= 0:
                return '"\\/\b\f\n\r\t'[plain]
            if letter != "u":
                raise self.fail("an unknown escape")
            code = self.unit()
            if 0xD800 <= code < 0xDC00 and self.text[self.at : self.at + 2] == "\\u":
                self.at += 2
                low = self.unit()
                if not 0xDC00 <= low < 0xE000:
                    raise self.fail("half of a surrogate pair")
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
            if 0xD800 <= code < 0xE000:
                raise self.fail("half of a surrogate pair")
            return chr(code)

        def unit(self) -> int:
            digits = self.text[self.at : self.at + 4]
            if len(digits) < 4 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                raise self.fail("an unknown escape")
            self.at += 4
            return int(digits, 16)

        def number(self) -> object:
            start = self.at
            text = self.text
            if text[start : start + 1] == "-":
                self.at += 1
            first = self.digits()
            if not first or (len(first) > 1 and first[0] == "0"):
                raise self.fail("no value")
            whole = True
            if text[self.at : self.at + 1] == ".":
                self.at += 1
                whole = False
                if not self.digits():
                    raise self.fail("a digit is missing")
            if text[self.at : self.at + 1] in ("e", "E"):
                self.at += 1
                whole = False
                if text[self.at : self.at + 1] in ("+", "-"):
                    self.at += 1
                if not self.digits():
                    raise self.fail("a digit is missing")
            if whole:
                if self.at - start > _LONGEST_INTEGER:
                    raise self.fail("a number too long")
                return int(text[start : self.at])
            value = float(text[start : self.at])
            if value in (float("inf"), float("-inf")):
                raise self.fail("a number too large")
            return value

        def digits(self) -> str:
            start = self.at
            while self.text[self.at : self.at + 1] in _DIGITS:
                self.at += 1
            return self.text[start : self.at]

    _DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

else:

    def _has_surrogate(text: str) -> bool:
        if text.isascii():
            return False
        try:
            text.encode()
        except UnicodeEncodeError:
            return True
        return False

    def _write_json(message: object) -> str:
        return json.dumps(message, separators=(",", ":"), ensure_ascii=False)

    def _read_json(text: str) -> object:
        try:
            # Depth first: a deep text would exhaust the stack, and counting is cheap where there is little to count.
            if text.count("{") + text.count("[") > MAX_DEPTH:
                _check_depth(text)
            value = _DECODER.decode(text)
        except WireError:
            raise
        except (ValueError, RecursionError) as error:
            raise WireError(MALFORMED, "no JSON: %s" % error)
        if "\\u" in text:
            _check_value(value, "", MAX_DEPTH + 2)
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
                    raise WireError(MALFORMED, "no JSON: more than %d levels" % MAX_DEPTH)
            elif letter in "}]":
                depth -= 1

    def _object(pairs: "list[tuple[str, object]]") -> "dict[str, object]":
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = [key for key in found if keys.count(key) > 1]
            raise WireError(MALFORMED, "no JSON: the key %s stands twice" % twice[0])
        return found

    def _float(digits: str) -> float:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            raise WireError(MALFORMED, "no JSON: a number too large")
        return value

    def _int(digits: str) -> int:
        if len(digits) > _LONGEST_INTEGER:
            raise WireError(MALFORMED, "no JSON: a number too long")
        return int(digits)

    def _constant(word: str) -> float:
        raise WireError(MALFORMED, "no JSON: " + word)

    _DECODER = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
    )

_LONGEST_INTEGER = 300  # digits; a float ends there too


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
    return message


def read_command(payload: bytes, limit: int = MAX_COMMAND) -> dict:  # type: ignore[type-arg]
    """Read a command; what is absent or null is None, ``parameters`` is ``{}``.

    Raises:
        WireError: ``malformed``; with a request_id where one can be read, so that it can be answered.
    """
    message = decode(payload, limit)
    if not isinstance(message, dict):
        raise WireError(MALFORMED, "a command is a JSON object, not " + _kind(message))
    request_id = message.get("request_id")
    if request_id is not None and not _is_text(request_id, MAX_REQUEST_ID):
        raise WireError(
            MALFORMED, "request_id %s is not a text of 1 to %d printable characters" % (_show(request_id), MAX_REQUEST_ID)
        )
    task = message.get("task")
    if not _is_text(task, MAX_TASK):
        raise WireError(
            MALFORMED, "task %s is not a text of 1 to %d printable characters" % (_show(task), MAX_TASK), request_id
        )
    found = {"request_id": request_id, "task": task}

    def wrong(key: str, allowed: str) -> WireError:
        return WireError(MALFORMED, "%s %s is not %s" % (key, _show(message[key]), allowed), request_id, task)

    parameters = message.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong("parameters", "an object")
    found["parameters"] = parameters or {}
    for key in ("timestamp", "timeout", "expires_at"):
        value = message.get(key)
        if value is not None and not _is_number(value):
            raise wrong(key, "a number of seconds")
        found[key] = value
    if found["timeout"] is not None and found["timeout"] <= 0:
        raise wrong("timeout", "more than 0 seconds")
    for key in ("issued_by", "reservation"):
        value = message.get(key)
        if value is not None and not _is_text(value, MAX_NAME):
            raise wrong(key, "a text of 1 to %d printable characters" % MAX_NAME)
        found[key] = value
    return found


def check_expiry(command: dict, now: "float | None", moves: bool = True) -> None:  # type: ignore[type-arg] # noqa: FBT001, FBT002
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
            why = "the receiver's clock is not set, so it cannot know whether the command expired at %s" % _clock(
                expires_at
            )
    elif now > expires_at:
        why = "expired: good until %s by the sender's clock, now %s by the receiver's" % (_clock(expires_at), _clock(now))
    elif expires_at - now > MAX_EXPIRY_AHEAD:
        why = "expires_at %s is more than %d s ahead of the receiver's clock, %s: one of the clocks is wrong" % (
            _clock(expires_at),
            MAX_EXPIRY_AHEAD,
            _clock(now),
        )
    if why:
        raise WireError(EXPIRED, why, command["request_id"], command["task"])


def same_content(one: dict, other: dict) -> bool:  # type: ignore[type-arg]
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
    told: dict[str, object] = {"request_id": request_id, "task": task, "status": status, "timestamp": timestamp}
    if percent is not None:
        told["percent"] = percent
    if message is not None:
        told["message"] = message
    return told


def read_result(payload: bytes) -> dict:  # type: ignore[type-arg]
    """Read a result; one of the older dialect has no code and no clock.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if not isinstance(message.get("request_id"), str) or message.get("status") not in ("success", "error"):
        raise WireError(MALFORMED, "a result has a request_id and the status success or error")
    if message["status"] == "error":
        message["error"] = str(message.get("error") or "failed without a reason")
        if message.get("error_code") not in ERROR_CODES:
            message["error_code"] = DEVICE_ERROR
    return message


def read_progress(payload: bytes) -> dict:  # type: ignore[type-arg]
    """Read a message of progress.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if not isinstance(message.get("request_id"), str) or message.get("status") not in PROGRESS:
        raise WireError(MALFORMED, "progress has a request_id and one of the status " + ", ".join(PROGRESS))
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


def read_status(payload: bytes) -> dict:  # type: ignore[type-arg]
    """Read a device's or a bridge's status.

    Raises:
        WireError: It is none.
    """
    message = _read_object(payload)
    if message.get("status") not in (ONLINE, OFFLINE):
        raise WireError(MALFORMED, "a status is online or offline, not " + _show(message.get("status")))
    return message


read_bridge_status = read_status


def claim(instance: str) -> "dict[str, object]":
    """The question whether somebody else runs this bridge."""
    return {"instance": instance}


def claim_answer(instance: str, asker: str, **who: object) -> "dict[str, object]":
    """The answer of the one who does."""
    told: dict[str, object] = {"instance": instance, "asker": asker}
    told.update(who)
    return told


def read_claim(payload: bytes) -> dict:  # type: ignore[type-arg]
    """Read a question or an answer; only the answer has an ``asker``.

    Raises:
        WireError: It is neither.
    """
    message = _read_object(payload)
    for key in ("instance", "asker"):
        if (key == "instance" or key in message) and not _is_text(message.get(key), MAX_NAME):
            raise WireError(MALFORMED, "a claim names its %s, not %s" % (key, _show(message.get(key))))
    return message


# The emergency stop


def stop_message(engaged: bool, stop_id: str, by: str, reason: str, timestamp: float) -> "dict[str, object]":  # noqa: FBT001
    """Stop the lab, or release the stop of that id."""
    return {"engaged": engaged, "stop_id": stop_id, "by": by, "reason": reason, "timestamp": timestamp}


def read_stop(payload: bytes) -> dict:  # type: ignore[type-arg]
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
        found[key] = value[:255] if isinstance(value, str) else ""
    timestamp = message.get("timestamp")
    found["timestamp"] = timestamp if _is_number(timestamp) else 0
    return found


def latch(engaged: "dict[str, object] | None", message: "dict[str, object]") -> "dict[str, object] | None":
    """The stop that is engaged after a message: the one rule of the latch.

    A stop engages, and the newest is the one to release. The same stop again changes nothing. A release lets go
    only of the stop that it names.

    Args:
        engaged: The stop engaged before, or None.
        message: As read_stop gives it.
    """
    if message["engaged"]:
        return engaged if engaged and engaged["stop_id"] == message["stop_id"] else message
    return None if engaged and engaged["stop_id"] == message["stop_id"] else engaged


# Parts


def _read_object(payload: bytes) -> dict:  # type: ignore[type-arg]
    message = decode(payload)
    if not isinstance(message, dict):
        raise WireError(MALFORMED, "a message is a JSON object, not " + _kind(message))
    return message


def _has_any(text: str, letters: str) -> bool:
    return any(letter in text for letter in letters)


def _is_text(value: object, longest: int) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return False
    return all(ord(letter) >= 32 and ord(letter) != 127 for letter in value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return {str: "a text", list: "a list", int: "a number", float: "a number"}.get(type(value), "that")


def _show(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "(an object)" if isinstance(value, dict) else "(a list)"
    text = _write_json(value) if value is None or isinstance(value, (str, bool, int, float)) else repr(value)
    return text if len(text) <= 60 else text[:59] + "..."


def _clock(seconds: float) -> str:
    return "%.3f" % seconds if isinstance(seconds, float) else str(seconds)


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(key in other and _same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(one[i], other[i]) for i in range(len(one)))
    return one == other
