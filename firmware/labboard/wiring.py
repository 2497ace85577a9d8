"""How a board is put together: needed until it runs, and let go then.

So no function of this module may be kept by anything: it would keep them all.
"""

import sys
from time import ticks_add, ticks_ms

from micropython import const
import wire

from labboard import boots, tasks, whole_file
from labboard.answers import Answers
from labboard.borrowed import borrow
from labboard.commands import Commands
from labboard.execution import Execution
from labboard.health import Health
from labboard.holds import Holds
from labboard.remembered import Remembered
from labboard.say import Say
from labboard.state import State
from labboard.stop import Stop

_DAY = const(86400)  # s

assembly = borrow("assembly")
add, add_task = assembly.add, assembly.add_task


def make(board, kind, name, model, manufacturer, node, version):
    """Make what a board consists of.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
    """
    told, built = assembly.read(board)
    board.about = {
        "device_id": board.device_id,
        "name": told["name"] or name or board.device_id,
        "kind": kind,
        "manufacturer": manufacturer,
        "model": (model or sys.platform) + (" (simulated)" if told["simulated"] else ""),
        "sw_version": version or built[1],
        "area": told["area"],
        "node": node or built[0],
        "simulated": True if told["simulated"] else None,
    }
    say = board.speaker = Say(told["base"], board.device_id)
    answers = board.answers = Answers(say, Remembered())
    say.spare = answers.remembered.forget_reads
    board.health = Health(boots.current.last_crash if boots.current else "")
    state = board.state = State(say, board.parts, board.reasons, board.more)
    stop = board.stop = Stop(
        assembly.stop_topics(told), board.stop_parts, board.end_all, answers, say, state.changed
    )
    holds = board.holds = Holds(answers.event, state.changed)
    assembly.recall_latches(stop)
    _recall_holds(holds)
    commands = board.commands = Commands(
        board.tasks, stop, holds, answers, board.health, state, board.clear_command
    )
    execution = board.execution = Execution(commands.check, answers, state, board.stop_parts)
    commands.execution = execution
    say.retain("description", board.pieces, True)
    say.retain("status", board.status)
    say.retain("state", state.payload)
    add_task(
        board,
        tasks.Task(
            "get_device_status",
            board.get_device_status,
            effect="read",
            description="How the board is.",
            returns='{"device_id", "free_memory", "platform", "tasks_available", "uptime_ms"}',
        ),
    )


def finish(board):
    """All parts and tasks are there: make the link and the guard; gives what is to run."""
    assembly.add_made(board)
    if boots.current and board.config["update_key"]:
        _add_update(board)
    if any(task.effect == "move" for task in board.tasks.values()):
        board.state.longest = 10_000
    board.state.begin()
    board.listen(board.topic("status"), board.hear_status)
    assembly.link(board, (board.topic("status"), board.status(wire.OFFLINE)), board.topic("command"))
    return assembly.guarded(
        board, (board.health.tick, board.execution.tick, board.stop.tick, board.holds.tick)
    )


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


def _recall_holds(holds):
    """Go on with the reservation and the maintenance that there were."""
    if not assembly.is_there(holds.file):
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
