"""A board that is ill starts anew, and does nothing twice for that."""

from pathlib import Path
import time

import pytest
from tests.broker.brokers import Broker
from tests.micropython.arms import NODE, Arm
from tests.micropython.conftest import MakeBoard
from tests.micropython.rig import Script

ON_MOSQUITTO = pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)

WITHOUT_LINK = """
import asyncio
from time import ticks_ms
from labboard.execution import Execution
from labboard.guard import Guard

class Link:
    up = {up}
    heard = ticks_ms()

told = []
guard = Guard([], (), Execution(None, None, None, None), {minutes}, told.append, False)

async def main():
    asyncio.create_task(guard.run(Link()))
    await asyncio.sleep(1.5)
    print(told[:1])

asyncio.run(main())
"""


@ON_MOSQUITTO
def test_a_task_that_blocks_for_too_long_is_ended_by_the_watchdog(
    broker: Broker, make_board: MakeBoard
) -> None:
    """Who sends the command again learns that nobody knows what became of it."""
    board = make_board(broker, NODE, heap="300k")
    with board.observer() as seen:
        board.start()
        board.until_online(seen)
        arm = Arm(board, seen)
        sent = int(time.time())
        since = seen.mark()
        blocks = arm.send("block", {"seconds": 9}, timestamp=sent)
        state = arm.state(lambda told: told["reset_cause"] == "watchdog", since=since, within=30)
        assert state["readiness"] == "ready"
        assert not arm.results(blocks)
        arm.send("block", {"seconds": 9}, timestamp=sent, request_id=blocks)
        assert arm.result(blocks)["error_code"] == "interrupted"


@pytest.mark.parametrize(
    ("up", "minutes", "said"),
    [
        (False, 0.01, "['no link to the broker for 0 min']"),
        (False, 0, "[]"),
        (True, 0.01, "[]"),
    ],
)
def test_a_board_that_finds_no_broker_starts_anew(
    micropython: Path, tmp_path: Path, *, up: bool, minutes: float, said: str
) -> None:
    """After some minutes, unless that is switched off."""
    main = WITHOUT_LINK.format(up=up, minutes=minutes)
    assert Script(micropython, tmp_path, main, config={}).run().strip() == said
