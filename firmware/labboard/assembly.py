"""What is the same in putting a board of any dialect together: needed until it runs, and let go then.

So no function of this module may be kept by anything: it would keep them all.
"""

import asyncio
import os

import wire

from labboard import boots, guard, tasks, whole_file
from labboard.borrowed import borrow
from labboard.commands import Commands
from labboard.guard import Guard
from labboard.health import KEYS

_STATE = (  # keys that every board has
    "readiness",
    "readiness_reasons",
    "connected",
    "emergency_stop",
    "stop_confirmed",
    "task",
    "reserved_by",
    "reserved_until",
    "reservation_reason",
    "maintenance",
    "maintenance_by",
    "updated_at",
)


def read(board):
    """Read what the board is told; gives it, with node and version of the application behind it.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
    """
    told = board.config = borrow("settings").read()
    board.device_id = told["device_id"]
    board.settings = told["settings"]
    board.pins = borrow("pins").Pins(told["pins"], told["chip"])
    return told, boots.current.application() if boots.current else ("", "")


def stop_topics(told):
    """Where the lab's stop is said."""
    topics = [wire.emergency_stop_topic(told["base"])]
    if told["stop_topic"] not in topics:
        topics.append(told["stop_topic"])
    return topics


def add(board, part):
    """Add a part.

    Raises:
        ValueError: A key or a task of it is there already.
    """
    key = word = getattr(part, "key", "") or type(part).__name__.lower()
    count = 1
    while key in [each.key for each in board.parts]:
        count += 1
        key = "%s_%d" % (word, count)
    for entity in part.entities:
        if entity in _STATE or entity in KEYS or any(entity in each.entities for each in board.parts):
            raise ValueError("two entities are called " + entity)
    part.key = key
    part.lock = asyncio.Lock()
    for task in part.tasks:
        add_task(board, task)
        task.part = part
    board.parts.append(part)
    guard.safe(part)


def add_task(board, task):
    """Add a task.

    Raises:
        ValueError: There is one of that name.
    """
    if task.name in board.tasks or task.name in Commands.house():
        raise ValueError("two tasks are called " + task.name)
    board.tasks[task.name] = task


def add_made(board):
    """Add the tasks that the decorators made."""
    for task in tasks.TASKS.values():
        add_task(board, task)
    tasks.TASKS.clear()


def link(board, will, command_topic):
    """Make the link of a board that is complete."""
    config = board.config
    if config["transport"] == "own":
        from labboard.mqtt import Link
    else:
        from labboard.link_mqtt_as import Link
    from labboard.wifi import WiFi

    board.network = WiFi(config)
    board.command_topic = command_topic
    topics = board.stop.topics + [command_topic] + [topic for topic, _ in board.listeners]
    link = Link(config, board.device_id, will, topics, board.hear, board.link_up, board.network)
    times = [part.safe_after for part in board.parts if part.safe_after is not None]
    link.safe_after = min(times) if times else None
    link.needed = len(board.stop.topics)
    board.link = board.speaker.link = link


def guarded(board, ticks):
    """What guards the board, to be run."""
    config = board.config
    watch = Guard(
        board.parts, ticks, board.execution, config["reset_without_link"], board.restart, config["watchdog"]
    )
    return watch.run(board.link)


def recall_latches(stop):
    """Engage the stops that were engaged before the reset; what cannot be read holds it back."""
    if not is_there(stop.file):
        return
    try:
        kept = whole_file.read(stop.file, {})
        own = kept["own"]  # there is none in what is no record
        for topic, each in kept["lab"].items():
            if topic in stop.topics:
                stop.lab[topic] = wire.read_stop(wire.encode(each).encode())
        stop.own = own and wire.read_stop(wire.encode(own).encode())
    except (KeyError, TypeError, AttributeError, ValueError, wire.WireError):
        # Whoever resets it has looked at the board.
        stop.own = wire.stop_message(True, "unreadable", "board", stop.file + " cannot be read", 0)
    if stop.engaged:
        stop.confirmed = True  # a board begins with its outputs at rest


def is_there(file):
    """Whether there is such a file."""
    try:
        os.stat(file)
    except OSError:
        return False
    return True
