"""The description of a board, said in pieces: as a whole it would not fit beside all else."""

import json

import wire

from labboard.answers import LONGEST_ANSWER
from labboard.remembered import IDS

_HOUSE = "/lib/labboard/house.json"
_PIECE = 128  # bytes: the heap has no large holes
# The health, as members of the description's entities: as objects they would take five times the room.
_HEALTH = (
    b'"free_memory":{"platform":"sensor","name":"Free memory","unit":"B","device_class":"data_size",',
    b'"state_class":"measurement","category":"diagnostic"},',
    b'"rssi":{"platform":"sensor","name":"Signal","unit":"dBm","device_class":"signal_strength",',
    b'"state_class":"measurement","category":"diagnostic","attributes":["reconnects","messages_dropped"]},',
    b'"uptime":{"platform":"sensor","name":"Uptime","unit":"s","device_class":"duration","precision":0,',
    b'"state_class":"total_increasing","category":"diagnostic"},',
    b'"reset_cause":{"platform":"sensor","name":"Reset cause","icon":"mdi:restart-alert",',
    b'"category":"diagnostic"},',
    b'"last_crash":{"platform":"sensor","name":"Last crash","icon":"mdi:bug-outline","none":"none",',
    b'"category":"diagnostic"}',
)


def pieces(about, parts, tasks):
    """Give the description, in pieces of at most some hundred bytes more than the largest task or entity.

    Args:
        about: What stands at its top level.
        parts: Their entities, and what their safe states are.
        tasks: Name → task.
    """
    told = {key: value for key, value in about.items() if value not in (None, "")}
    told["protocol"] = wire.PROTOCOL
    told["bridge"] = None
    told["max_command"] = LONGEST_ANSWER
    told["at_most_once"] = "until_reset"
    told["remembered_ids"] = IDS
    safe = {part.key: _safe(part) for part in parts if part.safe_after is not None}
    if safe:
        told["safe_state"] = safe
    yield wire.encode(told)[:-1].encode()
    yield b',"entities":{'
    for part in parts:
        for key, entity in part.entities.items():
            yield _member(key, entity)
    yield from _HEALTH
    yield from _house("entities")
    yield b'},"tasks":{'
    comma = b""
    for name in tasks:
        yield comma + _member(name, tasks[name].as_json())[:-1]
        comma = b","
    yield from _house("tasks")
    yield b"}}"


def _safe(part):
    return {"after_s": part.safe_after, "words": part.safe_words}


def _member(key, value):
    return b"%s:%s," % (json.dumps(key).encode(), wire.encode(value).encode())


def _house(what):
    """What every device has, as the build wrote it: a text in a JSON object, whose quotes are escaped."""
    try:
        file = open(_HOUSE, "rb")  # noqa: SIM115 - it may not be there
    except OSError:  # a board that was not built, but copied together
        return
    with file:
        opening = b'"%s":"' % what.encode()
        rest = b""
        while opening not in rest:
            more = file.read(_PIECE)
            if not more:
                return
            rest = rest[-len(opening) :] + more
        rest = rest[rest.index(opening) + len(opening) :]
        yield b","
        while True:
            # Control characters, which JSON has not, stand for what is escaped.
            text = rest.replace(b"\\\\", b"\1").replace(b'\\"', b"\2")
            end = text.find(b'"')
            if end >= 0:
                text = text[:end]
            odd = end < 0 and text.endswith(b"\\")  # half of an escape
            if odd:
                text = text[:-1]
            yield text.replace(b"\1", b"\\").replace(b"\2", b'"')
            if end >= 0:
                return
            more = file.read(_PIECE)
            if not more:
                return
            rest = b"\\" + more if odd else more
