"""JSON Schemas of what bridges and devices say of themselves, of updates, and of the cell's older dialect."""

from _shapes import COUNT, FLAG, NUMBER, TEXT, WORDS, Schema, message, optional, ref, text, words
from lab2mqtt import wire
from lab2mqtt.core import entities, house
from lab2mqtt.drivers.ot2 import dialect
from lab2mqtt.runtime import updates


def presence_schemas() -> dict[str, Schema]:
    """All of them, by name."""
    return {**_presence(), **_description(), **_boards(), **_colour_cell()}


def _presence() -> dict[str, Schema]:
    here = words((wire.ONLINE, wire.OFFLINE))
    names = {"type": "object", "additionalProperties": TEXT}
    claim = {
        "instance": text(wire.MAX_NAME, "Random; one for each process."),
        "question": COUNT,
        "ran": {**FLAG, "description": "Whether it was online before."},
        "uptime_s": optional(NUMBER),
    }
    always: dict[str, Schema] = {
        "version": TEXT,
        "timestamp": NUMBER,
        "uptime_s": COUNT,
        "devices": COUNT,
        "queued": {"type": "object", "additionalProperties": COUNT},
        **dict.fromkeys(("commands_done", "commands_failed", "messages_dropped", "reconnects"), COUNT),
        "rss_bytes": COUNT,
        "silent": names,
        "rivals": names,
        "ledger": {**TEXT, "description": "`ok`, or why nothing can be written."},
    }
    return {
        "device_status": message(
            "Whether a device can be reached. Also the will of a device with a link of its own.",
            {
                "device_id": TEXT,
                "status": here,
                "timestamp": NUMBER,
                "bridge": {**optional(ref("bridge_id")), "description": "null: a link of its own."},
                "data": message("", {"tasks": WORDS}),
            },
            ("device_id", "status", "timestamp", "data"),
        ),
        "bridge_status": message(
            "Whether a bridge lives; also its will.",
            {
                "status": here,
                "instance": TEXT,
                "timestamp": NUMBER,
                "version": TEXT,
                "starting": FLAG,
                "adopts": COUNT,
            },
            ("status", "instance", "timestamp"),
        ),
        "any_status": message("What a reader takes for a status.", {"status": here}),
        "health": message(
            "A bridge's heartbeat, every 30 s.",
            {**always, "adopted": COUNT, "refused": names, "adopter": TEXT},
            tuple(always),
        ),
        "claim": message(
            "Who runs this bridge, or do you live? An answer has an `asker`.",
            {
                **claim,
                "asker": optional(text(wire.MAX_NAME, "The instance that is answered.")),
                "bridge": optional(ref("bridge_id")),
                "devices": {"type": ["array", "null"], "items": ref("device_id")},
                "speaks": FLAG,
                "host": TEXT,
                "pid": COUNT,
                "yields": {"type": ["array", "null"], "items": ref("device_id")},
            },
            ("instance",),
        ),
    }


def _description() -> dict[str, Schema]:
    platforms = sorted(
        {
            one.platform
            for one in vars(entities).values()
            if isinstance(one, type) and issubclass(one, entities.Entity) and getattr(one, "platform", "")
        }
    )
    task = message(
        "What a task takes, and what it does to the device.",
        {
            "description": TEXT,
            "effect": words(wire.EFFECTS),
            "parameters": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "description": "JSON Schema, and `unit` beside it.",
                },
            },
            "required": WORDS,
            "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds."},
            "open": {"const": True, "description": "Takes parameters that nobody declared."},
            "returns": TEXT,
        },
        ("effect", "parameters", "required", "timeout"),
    )
    entity = message(
        "An entity of Home Assistant; docs/protocol.md tells the other keys.",
        {"platform": words(platforms), "name": TEXT, "task": TEXT, "part": TEXT},
        ("platform", "name"),
    )
    about = ("kind", "manufacturer", "model", "serial", "sw_version", "hw_version", "area")
    state: dict[str, Schema] = {
        "readiness": words(wire.READINESS),
        "readiness_reasons": WORDS,
        "connected": FLAG,
        "emergency_stop": FLAG,
        "stop_confirmed": optional(FLAG),
        "task": optional(TEXT),
        "reserved_by": optional(TEXT),
        "reserved_until": optional(NUMBER),
        "reservation_reason": optional(TEXT),
        "maintenance": FLAG,
        "maintenance_by": optional(TEXT),
        "updated_at": NUMBER,
    }
    if state.keys() != set(house.STATE_KEYS):
        raise ValueError(f"the keys of every state: {state.keys() ^ set(house.STATE_KEYS)}")
    return {
        "task": task,
        "entity": entity,
        "description": message(
            "What a device is and can do; its announcement is made from this alone.",
            {
                "protocol": {"const": wire.PROTOCOL},
                "device_id": ref("device_id"),
                "name": TEXT,
                "bridge": optional(TEXT),
                "announced_by": optional(TEXT),
                **dict.fromkeys(about, TEXT),
                "simulated": FLAG,
                "at_most_once": words(("until_reset", "no")),
                "older_topics": TEXT,
                "node": TEXT,
                "parts": {"type": "object", "additionalProperties": {"type": "object"}},
                "entities": {"type": "object", "additionalProperties": ref("entity")},
                "tasks": {"type": "object", "additionalProperties": ref("task")},
            },
            ("protocol", "device_id", "name", "entities", "tasks"),
        ),
        "state": message("Measured values by entity key; null is unknown.", state),
        "announcement": message(
            "Home Assistant's device discovery payload.",
            {
                "device": message("", {"identifiers": WORDS, "name": TEXT}),
                "origin": {"type": "object"},
                "components": {
                    "type": "object",
                    "additionalProperties": message("", {"platform": TEXT}),
                },
            },
        ),
    }


def _boards() -> dict[str, Schema]:
    digits = {"type": "string", "minLength": 64, "maxLength": 64, "not": {"pattern": "[^0-9a-f]"}}
    piece = {"type": "integer", "minimum": 1, "maximum": updates.LARGEST_PIECE}
    size = {"type": "integer", "minimum": 0, "maximum": updates.LARGEST_FILE}
    file = message("", {"name": TEXT, "size": size, "sha256": digits})
    files = {"type": "array", "items": file, "maxItems": 32}
    return {
        "manifest": message(
            "The application that is offered.",
            {"node": TEXT, "version": TEXT, "files": files, "hmac": digits},
        ),
        "want": message(
            "One piece, please.", {"file": COUNT, "offset": COUNT, "length": piece, "version": TEXT}
        ),
    }


def _colour_cell() -> dict[str, Schema]:
    experiment = {"type": "string", "minLength": 1, "maxLength": dialect.LONGEST_ID}
    ids = {"experiment_id": experiment, "session_id": optional(experiment)}
    mix = dict.fromkeys(("R", "Y", "B"), NUMBER) | {"well": TEXT}
    closed = {"additionalProperties": False}
    return {
        "mix_or_return": message(
            "Mix, and hold the sensor over the well; or put the sensor back.",
            {
                "command": {
                    "oneOf": [
                        message("Mix.", mix, **closed),
                        message("Put the sensor back.", {"sensor_status": TEXT}, **closed),
                    ]
                },
                **ids,
            },
            ("command", "experiment_id"),
        ),
        "sensor_status": message(
            "What became of it.",
            {
                "status": message("", {"sensor_status": words(("in_place", "charging", "error"))}),
                **ids,
                "error": TEXT,
                "error_code": words(wire.ERROR_CODES),
            },
            ("status", "experiment_id", "session_id"),
        ),
    }
