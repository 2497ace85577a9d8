"""How a board is put together: needed until it runs, and let go then.

So no function of this module may be kept by anything: it would keep them all.
"""

import asyncio
import os
import sys
from time import ticks_add, ticks_ms

from micropython import const
import wire

from labboard import boots, guard, tasks, whole_file
from labboard.answers import Answers
from labboard.borrowed import borrow
from labboard.commands import Commands
from labboard.execution import Execution
from labboard.guard import Guard
from labboard.health import KEYS, Health
from labboard.holds import Holds
from labboard.remembered import Remembered
from labboard.say import Say
from labboard.state import State
from labboard.stop import Stop

_DAY = const(86400)  # s
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


def make(board, kind, name, model, manufacturer, node, version):
    """Make what a board consists of.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
    """
    told = board.config = borrow("settings").read()
    board.device_id = told["device_id"]
    board.settings = told["settings"]
    board.pins = borrow("pins").Pins(told["pins"], told["chip"])
    this = boots.current
    if this:
        built = this.application()
        node, version = node or built[0], version or built[1]
    board.about = {
        "device_id": board.device_id,
        "name": told["name"] or name or board.device_id,
        "kind": kind,
        "manufacturer": manufacturer,
        "model": (model or sys.platform) + (" (simulated)" if told["simulated"] else ""),
        "sw_version": version,
        "area": told["area"],
        "node": node,
        "simulated": True if told["simulated"] else None,
    }
    topics = [wire.emergency_stop_topic(told["base"])]
    if told["stop_topic"] not in topics:
        topics.append(told["stop_topic"])
    say = board.speaker = Say(told["base"], board.device_id)
    answers = board.answers = Answers(say, Remembered())
    board.health = Health(this.last_crash if this else "")
    state = board.state = State(say, board.parts, board.reasons, board.more)
    stop = board.stop = Stop(topics, board.stop_parts, board.end_all, answers, say, state.changed)
    holds = board.holds = Holds(answers.event, state.changed)
    _recall_latches(stop)
    _recall_holds(holds)
    commands = board.commands = Commands(
        board.tasks, stop, holds, answers, board.health, state, board.clear_command
    )
    execution = board.execution = Execution(commands.check, answers, state, board.stop_parts)
    commands.execution = execution
    say.retain("description", board.pieces, True)
    say.retain("status", board.status)
    say.retain("state", state.payload)
    board.add_task(
        tasks.Task(
            "get_device_status",
            board.get_device_status,
            effect="read",
            description="How the board is.",
            returns='{"device_id", "free_memory", "platform", "tasks_available", "uptime_ms"}',
        )
    )


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


def finish(board):
    """All parts and tasks are there: make the link and the guard; gives what is to run."""
    for task in tasks.TASKS.values():
        add_task(board, task)
    tasks.TASKS.clear()
    if boots.current and board.config["update_key"]:
        _add_update(board)
    if any(task.effect == "move" for task in board.tasks.values()):
        board.state.longest = 10_000
    board.state.begin()
    config = board.config
    if config["transport"] == "own":
        from labboard.mqtt import Link
    else:
        from labboard.link_mqtt_as import Link
    from labboard.wifi import WiFi

    board.network = WiFi(config)
    board.command_topic = board.topic("command")
    will = (board.topic("status"), board.status(wire.OFFLINE))
    board.listen(board.topic("status"), board.hear_status)
    topics = board.stop.topics + [board.command_topic] + [topic for topic, _ in board.listeners]
    link = Link(config, board.device_id, will, topics, board.hear, board.link_up, board.network)
    times = [part.safe_after for part in board.parts if part.safe_after is not None]
    link.safe_after = min(times) if times else None
    link.needed = len(board.stop.topics)
    board.link = board.speaker.link = link
    ticks = (board.health.tick, board.execution.tick, board.stop.tick, board.holds.tick)
    watch = Guard(
        board.parts, ticks, board.execution, config["reset_without_link"], board.restart, config["watchdog"]
    )
    return watch.run(link)


def _add_update(board):
    from labboard.update import Update

    key, topic = board.config["update_key"], board.topic("update")
    update = Update(
        boots.current,
        key,
        topic,
        board.publish,
        board.progress,
        board.stop_engaged,
        board.restart_updated,
    )
    add(board, update)
    for topic in update.topics:
        board.listen(topic, update.hear)


# What the board wrote down before its reset; what cannot be read holds it back


def _recall_latches(stop):
    """Engage the stops that were engaged."""
    if not _is_there(stop.file):
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


def _recall_holds(holds):
    """Go on with the reservation and the maintenance that there were."""
    if not _is_there(holds.file):
        return
    try:
        kept = whole_file.read(holds.file, {})
        maintenance = kept["maintenance"]
        if maintenance:
            holds.maintenance = {key: maintenance[key] for key in ("by", "reason", "since")}
        reservation = kept.get("reservation")
        if reservation:
            holds.holder, holds.reason = str(reservation["holder"]), str(reservation["reason"])
            holds.until = reservation["until"]
            holds.ends = ticks_add(ticks_ms(), min(int(reservation["left"]), _DAY) * 1000)
    except (KeyError, TypeError, ValueError):
        holds.maintenance = {"by": "board", "reason": holds.file + " cannot be read", "since": None}


def _is_there(file):
    try:
        os.stat(file)
    except OSError:
        return False
    return True
