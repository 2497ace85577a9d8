"""How a prop's board is put together: needed until it runs, and let go then.

So no function of this module may be kept by anything: it would keep them all.
"""

from labboard import boots, prop_board
from labboard.borrowed import borrow
from labboard.health import Health
from labboard.prop_actions import PropActions
from labboard.prop_state import PropState
from labboard.say import Say
from labboard.stop import Stop

assembly = borrow("assembly")
add, add_task = assembly.add, assembly.add_task


def make(board, *_):
    """Make what a prop's board consists of.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
        ValueError: Its prefix cannot.
    """
    told, (_, board.version) = assembly.read(board)
    say = board.speaker = Say(prop_board.prefix_of(board.settings), board.device_id)
    board.health = Health(boots.current.last_crash if boots.current else "")
    state = board.state = PropState(say, board.parts, board.word, board.telemetry, board.warn, board.error)
    stop = board.stop = Stop(
        assembly.stop_topics(told), board.stop_parts, board.end_all, board, say, state.look
    )
    assembly.recall_latches(stop)
    board.commands = board.execution = PropActions(
        board.tasks, stop, state, board.clear_command, board.warn, board.error
    )
    say.retain("availability", board.availability)
    say.retain("state", state.payload)


def finish(board):
    """All parts and tasks are there: make the link and the guard; gives what is to run."""
    assembly.add_made(board)
    board.state.begin()
    availability = board.topic("availability")
    board.listen(availability, board.hear_status)
    assembly.link(board, (availability, prop_board.OFFLINE), board.topic("cmd"))
    return assembly.guarded(board, (board.health.tick, board.stop.tick, board.state.tick))
