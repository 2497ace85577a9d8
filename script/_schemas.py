"""JSON Schemas (draft 7) of the protocol's messages, with the limits and words of the code."""

from _presence_schemas import presence_schemas
from _shapes import (
    ANY,
    COUNT,
    FLAG,
    NUMBER,
    PRINTABLE,
    TEXT,
    WORDS,
    Schema,
    message,
    optional,
    seconds,
    text,
    words,
)
from lab2mqtt import wire
from lab2mqtt.core import house
from lab2mqtt.core.description import BoundTask
from lab2mqtt.core.lease import LONGEST
from lab2mqtt.runtime import fitting
from lab2mqtt.runtime.ledger_file import SETTLED, TAKEN

NOT_DEVICES = ("bridge", "emergency_stop")


def schemas() -> dict[str, Schema]:
    """All of them, by name."""
    return {
        **_names(),
        **_commands(),
        **_answers(),
        **_events(),
        **_stop(),
        **presence_schemas(),
        **_house(),
    }


def _names() -> dict[str, Schema]:
    bridge = {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        "pattern": "^[a-z0-9]",
        "not": {"pattern": "[^a-z0-9_-]"},
    }
    return {
        "bridge_id": {**bridge, "description": "Names a bridge."},
        "device_id": {
            **bridge,
            "not": {"anyOf": [bridge["not"], {"enum": list(NOT_DEVICES)}]},
            "description": "Names a device.",
        },
        "base": {
            **text(wire.MAX_NAME, "Stands before our topics."),
            "not": {"anyOf": [PRINTABLE["not"], {"pattern": "[+#]|^[$/]|//|/$"}]},
        },
    }


def _commands() -> dict[str, Schema]:
    more_than_nothing = {"type": ["number", "null"], "exclusiveMinimum": 0}
    command = message(
        "Do this. Not retained, ever.",
        {
            "task": text(wire.MAX_TASK, "One of the description's tasks."),
            "parameters": {
                "type": ["object", "null"],
                "description": "As the task's parameters are described.",
            },
            "request_id": optional(
                text(wire.MAX_REQUEST_ID, "New for each command: the same one is done once.")
            ),
            "timeout": {
                **more_than_nothing,
                "description": "Seconds from receipt, after which it is stopped.",
            },
            "expires_at": optional(
                seconds(f"When the command is worthless, at most {wire.MAX_EXPIRY_AHEAD} s ahead")
            ),
            "timestamp": optional(seconds("When it was sent")),
            "issued_by": optional(text(wire.MAX_NAME, "Who sent it.")),
            "reservation": optional(text(wire.MAX_NAME, "The holder of a reservation.")),
        },
        ("task",),
    )
    return {"command": command}


def _answers() -> dict[str, Schema]:
    request_id = text(wire.MAX_REQUEST_ID, "That of the command.")
    about = {"request_id": request_id, "task": {"type": "string", "maxLength": wire.MAX_TASK}}
    replayed = {"replayed": {"const": True, "description": "It was said before."}}
    success = message(
        "The task was done.",
        {**about, "status": {"const": "success"}, "result": ANY, "timestamp": NUMBER, **replayed},
        ("request_id", "task", "status", "result", "timestamp"),
    )
    failure = message(
        "The command was refused, or not done.",
        {
            **about,
            "status": {"const": "error"},
            "error": {
                "type": "string",
                "minLength": 1,
                "description": f"Why, in words; about {fitting.TEXT} characters at most.",
            },
            "error_code": words(wire.ERROR_CODES),
            "timestamp": NUMBER,
            **replayed,
        },
        ("request_id", "task", "status", "error", "error_code", "timestamp"),
    )
    return {
        "success": success,
        "failure": failure,
        "any_result": message(
            "What a reader takes for a result: of the older dialect, or of a later version. An error without"
            " a known code is a device_error.",
            {"request_id": TEXT, "status": words(("success", "error"))},
        ),
        "progress": message(
            "How far a command is. A courtesy: wait for the result.",
            {
                "request_id": TEXT,
                "task": TEXT,
                "status": words(wire.PROGRESS),
                "timestamp": NUMBER,
                "percent": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
                "message": optional(TEXT),
            },
            ("request_id", "status"),
        ),
    }


def _events() -> dict[str, Schema]:
    about = {"task": TEXT, "request_id": TEXT}
    told: dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]] = {
        house.TASK_SUCCEEDED: ("A task was done that sets or moves something.", about, ("task",)),
        house.TASK_FAILED: (
            "Such a task failed, or a command was refused.",
            {**about, "error": TEXT, "error_code": words(wire.ERROR_CODES)},
            ("task", "request_id", "error", "error_code"),
        ),
        house.STOPPED: (
            "The device obeyed a stop; `confirmed` when its instrument did.",
            {
                "stop_id": TEXT,
                "by": TEXT,
                "reason": TEXT,
                "received_at": NUMBER,
                "stopped_at": optional(NUMBER),
                "confirmed": FLAG,
                "error": optional(TEXT),
            },
            ("stop_id", "confirmed", "received_at", "stopped_at"),
        ),
        house.RESET: (
            "A stop was released.",
            {"stop_id": optional(TEXT), "needs_homing": WORDS, "look_at": TEXT},
            ("stop_id",),
        ),
        house.TAKEN_OVER: (
            "Somebody took a reservation from another holder.",
            {"holder": TEXT, "taken_from": TEXT, "reason": TEXT, "by": optional(TEXT)},
            ("holder", "taken_from", "reason"),
        ),
        house.RESERVATION_ENDED: ("A reservation ran out.", {"holder": TEXT}, ("holder",)),
    }
    found = {
        name: message(
            what,
            {"event_type": {"const": name}, "timestamp": NUMBER, **properties},
            ("event_type", "timestamp", *required),
        )
        for name, (what, properties, required) in told.items()
    }
    own = {"type": "string", "not": {"enum": list(told)}, "description": "One of the description's."}
    found["own_event"] = message("Something of the device's own.", {"event_type": own, "timestamp": NUMBER})
    return found


def _stop() -> dict[str, Schema]:
    engaged = {"engaged": {"const": True}, "stop_id": ANY, "by": ANY, "reason": ANY, "timestamp": ANY}
    release = {"engaged": {"const": False}, "stop_id": text(wire.MAX_NAME, "Which one.")}
    return {
        "stop": message("Stop. Nothing but `engaged` matters.", engaged, ("engaged",)),
        "release": message("Release exactly this stop.", release),
    }


def _house() -> dict[str, Schema]:
    """Parameters of the tasks that every device has, and what get_history answers."""
    found = {}
    for name, told in house.HOUSE_TASKS.items():
        task = BoundTask(name, *told).as_json()
        found[f"{name}_parameters"] = {
            "type": "object",
            "description": f"Of the task `{name}`. {task['description']}",
            "properties": task["parameters"],
            "required": task["required"],
            "additionalProperties": False,
        }
    columns: dict[str, Schema] = {
        **dict.fromkeys(("device", "request_id", "task", "issued_by", "reservation"), TEXT),
        **dict.fromkeys(("sent_at", "received_at", "started_at", "ended_at"), NUMBER),
        **dict.fromkeys(("bridge_version", "sw_version"), TEXT),
        "seq": COUNT,
        "status": words(("success", "error")),
        "error_code": words(wire.ERROR_CODES),
        "parameters": {"type": "object"},
        "changed": {"type": "object"},
        "result": ANY,
        "error": TEXT,
        "timeline": {"type": "array", "items": message("", {"at": NUMBER, "status": TEXT})},
    }
    if columns.keys() != {"seq", "error", *TAKEN, *SETTLED}:
        raise ValueError(f"the ledger's columns: {columns.keys() ^ {'seq', 'error', *TAKEN, *SETTLED}}")
    command = message("One command; what is not known is left out.", columns, ("seq", "device", "task"))
    events = {"type": "array", "items": {"type": "object"}}
    found["history"] = message(
        "What `get_history` answers, newest first.",
        {"commands": {"type": "array", "items": command}, "events": events, "more": FLAG},
    )
    found["reservation"] = message(
        f"What `reserve` answers; for at most {LONGEST:g} s.",
        {"holder": TEXT, "until": NUMBER, "renewed": FLAG, "taken_from": TEXT},
        ("holder", "until"),
    )
    return found
