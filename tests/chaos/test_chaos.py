"""A short run of the chaos bench on each broker. ``script/chaos`` is the long one."""

import os
from pathlib import Path
import sys

import pytest
from tests.chaos.run import SMALL, Chaos, running

from lab2mqtt.hub.errors import HubError

SEED = "short"
COMMANDS = 45
KILLS = 6
PAUSE = 0.7  # s


@pytest.mark.skipif(sys.platform != "linux", reason="limits and counts what a process holds as Linux does")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["mosquitto", "amqtt"])
def test_every_command_moves_once_at_most_and_has_one_answer(name: str, tmp_path: Path) -> None:
    """Nothing twice, nothing after a stop, one answer for each command, all in the ledger, nothing leaked."""
    try:
        with running(name, tmp_path) as broker, Chaos(broker, tmp_path, SEED, SMALL, COMMANDS) as chaos:
            report = chaos.run(KILLS, PAUSE)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    print(f"\n{report}")  # noqa: T201 - the figures, and the seed that repeats it
    assert not report.wrong, "\n".join([str(report), *report.log])
    assert report.kills == KILLS
    assert report.commands == COMMANDS
    assert report.account.runs
