"""One bridge of several that adopt announces: all find the same one, and a dead one is not waited for."""

import json
import random

import pytest

from lab2mqtt.runtime.election import GONE_AFTER, Election
from lab2mqtt.runtime.mqtt import Message


def status(adopts: object = None, word: str = "online", *, retained: bool = False) -> Message:
    """What a bridge says of itself."""
    told = {"status": word, "instance": "i", "timestamp": 1, **({} if adopts is None else {"adopts": adopts})}
    return Message("", json.dumps(told).encode(), retained)


def health(*, retained: bool = False) -> Message:
    """A heartbeat."""
    return Message("", b"{}", retained)


def test_alone_it_is_its_turn() -> None:
    """Also while others run that do not adopt."""
    one = Election("lab2mqtt", "b", 100)
    one.hear("b", "status", status(50), 0)  # what a predecessor of this process left
    one.hear("a", "status", status(), 0)
    one.hear("c", "status", status(99, "offline"), 0)
    for nonsense in (True, "1", [1]):
        one.hear("d", "status", status(nonsense), 0)
    assert one.elsewhere(0) == ""
    assert one.topics == ["lab2mqtt/bridge/+/status", "lab2mqtt/bridge/+/health"]


@pytest.mark.parametrize("seed", range(20))
def test_all_find_the_same(seed: int) -> None:
    """The one that adopts for longest, and of one second the smaller id, in whatever order they hear it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    began = {name: chance.randrange(3) for name in "abcdef"}
    first = min(began, key=lambda name: (began[name], name))
    for name, adopts in began.items():
        election = Election("lab2mqtt", name, adopts)
        for other in chance.sample(list(began), len(began)):
            election.hear(other, "status", status(began[other], retained=chance.random() < 0.5), 0)
        assert election.elsewhere(0) == ("" if name == first else first)


def test_one_that_takes_leave_is_followed_at_once() -> None:
    """Its will, or its last word; what is cleared is gone, too."""
    one = Election("lab2mqtt", "b", 100)
    for gone in (status(word="offline"), Message("", b"", retained=False), status()):
        one.hear("a", "status", status(1), 0)
        assert one.elsewhere(0) == "a"
        one.hear("a", "status", gone, 0)
        assert one.elsewhere(0) == ""


def test_a_dead_one_whose_online_stays_keeps_nobody_out_for_ever() -> None:
    """A heartbeat that the broker keeps is none; on later links it is not waited for again."""
    one = Election("lab2mqtt", "b", 100)
    one.hear("a", "status", status(1, retained=True), 0)
    one.hear("a", "health", health(retained=True), GONE_AFTER / 2)
    assert one.elsewhere(GONE_AFTER) == "a"
    assert one.elsewhere(GONE_AFTER + 1) == ""
    one.renew(GONE_AFTER + 2)
    one.hear("a", "status", status(1, retained=True), GONE_AFTER + 2)
    assert one.elsewhere(GONE_AFTER + 2) == ""
    one.hear("a", "status", status(2, retained=True), GONE_AFTER + 3)  # it began anew while we were away
    assert one.elsewhere(GONE_AFTER + 3) == "a"


def test_one_that_lives_keeps_its_place() -> None:
    """Its heartbeat is enough, and one that hung for long has it back."""
    one = Election("lab2mqtt", "b", 100)
    one.hear("a", "status", status(1, retained=True), 0)
    one.hear("a", "health", health(), GONE_AFTER - 1)
    assert one.elsewhere(2 * GONE_AFTER - 2) == "a"
    assert one.elsewhere(2 * GONE_AFTER) == ""
    one.hear("a", "health", health(), 2 * GONE_AFTER)
    assert one.elsewhere(2 * GONE_AFTER) == "a"


def test_who_was_away_itself_does_not_take_the_others_for_dead() -> None:
    """They could not be heard."""
    one = Election("lab2mqtt", "b", 100)
    one.hear("a", "status", status(1), 0)
    one.renew(GONE_AFTER + 1)
    assert one.elsewhere(GONE_AFTER + 2) == "a"
