"""Lines and durations: what needs no Opentrons package."""

import json
from typing import Any

from lab2mqtt_opentrons_worker.durations import estimate
from lab2mqtt_opentrons_worker.requests import BadRequest, Job, Order, read
import pytest

GOOD = {"id": 7, "do": "analyze", "files": {"it.py": "x"}}


def line(**changes: object) -> bytes:
    """A good request, changed."""
    return json.dumps({**GOOD, **changes}).encode()


def test_a_job_has_defaults() -> None:
    """Only the files are needed."""
    job = read(line())
    assert isinstance(job, Job)
    assert (job.request, job.do, job.timeout, job.speed, job.pipettes) == (7, "analyze", 60.0, 0.0, None)


def test_an_order_names_its_job() -> None:
    """The id of the job is in ``of``."""
    assert read(b'{"id": 8, "do": "pause", "of": 7}') == Order(8, "pause", 7)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"do": "dance"}, "do is hello, analyze"),
        ({"do": "pause"}, "of is the id"),
        ({"files": {}}, "files is an object"),
        ({"files": {"it.py": 1}}, "files is an object"),
        ({"files": {"/etc/it.py": ""}}, "is no file name"),
        ({"files": {".py": ""}}, "is no file name"),
        ({"files": {"it.sh": ""}}, "is no file name"),
        ({"values": {"R": None}}, "values is an object"),
        ({"values": {"R": float("inf")}}, "not finite"),
        ({"timeout": 0}, r"timeout is a number, 0.1 to 3600, not 0"),
        ({"timeout": True}, "timeout is a number"),
        ({"speed": -1}, "speed is a number"),
        ({"memory_mb": 1}, "memory_mb is a number"),
        ({"pipettes": {"middle": "p300_single"}}, "pipettes is an object"),
    ],
)
def test_a_bad_request_says_what_would_be_right(changes: dict[str, Any], why: str) -> None:
    """And keeps its id, so that it can be answered."""
    with pytest.raises(BadRequest, match=why) as wrong:
        read(line(**changes))
    assert wrong.value.request == 7


@pytest.mark.parametrize("text", [b"x", b"[]", b"{}", b'{"id": true}', b"[" * 100_000, b"\xff"])
def test_what_is_no_request_has_no_id(text: bytes) -> None:
    """But an answer."""
    with pytest.raises(BadRequest) as wrong:
        read(text)
    assert wrong.value.request is None


def at(x: float, y: float, z: float) -> dict[str, Any]:
    """A result with a position."""
    return {"position": {"x": x, "y": y, "z": z}}


def test_liquid_takes_the_time_of_its_flow_and_its_way() -> None:
    """100 µL at 50 µL/s take 2 s; 300 mm at 400 mm/s and the way up and down come on top."""
    there = {"commandType": "moveToWell", "params": {}, "result": at(100, 100, 110)}
    aspirate = {
        "commandType": "aspirate",
        "params": {"volume": 100, "flowRate": 50},
        "result": at(400, 100, 10),
    }
    seconds = estimate([there, aspirate])
    assert seconds[1] == pytest.approx(2 + 300 / 400 + 100 / 125 + 0.3)


def test_what_moves_nothing_takes_no_time() -> None:
    """Loading is a matter of words; a delay takes what it says."""
    load = {"commandType": "loadLabware", "params": {}}
    wait = {"commandType": "waitForDuration", "params": {"seconds": 12}}
    pause = {"commandType": "waitForResume", "params": {"message": "look"}}
    assert estimate([load, wait, pause]) == [0, 12, 0]
