"""What became of commands, as people and programs are told: table, CSV, lines of JSON, and a record."""

from collections.abc import Callable
import csv
from datetime import datetime
import io
import json
from pathlib import Path
import re
import shlex
import time
from typing import Any
import uuid

import pytest
from tests.broker.bench import DEVICE, ONE_BROKER, SPEED, Bench
from tests.broker.program import run

from lab2mqtt.cli import history as history_command
from lab2mqtt.cli.history_forms import COLUMNS, WIDTH
from lab2mqtt.cli.run_record import FORMAT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def holder(bench: Bench) -> str:
    """A run of three commands, one of them refused, under a reservation of its own."""
    name = f"run-{uuid.uuid4().hex[:8]}"
    assert bench.call("reserve", {"holder": name, "seconds": 60}, reservation=name)["status"] == "success"
    near = {"angle": 40.0 if bench.servo.truth()["position"] > 60 else 90.0}
    assert bench.call("move_to_angle", near, reservation=name, issued_by="ada")["status"] == "success"
    assert bench.call("activate_hotel", {"hotel": "Z"}, reservation=name)["status"] == "error"
    bench.call("set_speed", {"speed": SPEED}, issued_by="bob")  # refused, and no part of the run
    assert bench.call("release", {"holder": name}, reservation=name)["status"] == "success"
    return name


def _lines(bench: Bench, *words: str) -> list[dict[str, Any]]:
    said = bench.run("history", *words, "--json")
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def _ledger(bench: Bench) -> str:
    return str(bench.folder / "kept" / "ledger.sqlite")


def test_the_table_is_readable(bench: Bench, holder: str) -> None:
    """Oldest first, no line too long, each command with who, how long and how it ended."""
    said = bench.run("history", DEVICE, "--limit", "5")
    assert said.code == 0, said.err
    head, *rows = said.out.splitlines()
    assert head.split() == ["when", "device", "task", "who", "took", "outcome"]
    assert len(rows) == 5
    assert max(map(len, said.out.splitlines())) <= WIDTH
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0][:19])
    assert re.search(rf"move_to_angle.* {holder} +[\d.]+ m?s +success$", rows[1])
    assert re.search(rf"activate_hotel hotel=Z +{holder} .*invalid_parameters: ", rows[2])
    assert re.search(r"set_speed.* bob .*reserved: ", rows[3])
    assert "older ones are not shown" in said.err


def test_a_run_is_what_was_done_under_its_name(bench: Bench, holder: str) -> None:
    """A reservation, or one request id."""
    rows = _lines(bench, "--run", holder)
    assert [row["task"] for row in rows] == ["reserve", "move_to_angle", "activate_hotel", "release"]
    assert _lines(bench, "--run", rows[1]["request_id"]) == [rows[1]]
    assert _lines(bench, "--run", "nobody") == []


def test_times_choose(bench: Bench, holder: str) -> None:
    """From since on, before until."""
    rows = _lines(bench, "--run", holder)
    second, last = rows[1]["received_at"], rows[-1]["received_at"]
    found = _lines(bench, "--since", f"{second:.9f}", "--until", f"{last:.9f}")
    assert [row["task"] for row in found] == ["move_to_angle", "activate_hotel", "set_speed"]
    assert rows[-1] in _lines(bench, "--since", "10min")
    assert _lines(bench, "--since", "2020-01-01", "--until", "2020-01-02") == []


def test_more_than_one_answer_holds_is_asked_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page, none twice, none left out; looks at the history are no part of it."""
    monkeypatch.setattr(history_command, "PAGE", 7)
    began = time.time()
    sent = [bench.send("set_speed", {"speed": SPEED}) for _ in range(15)]
    sent += [bench.send("get_position") for _ in range(5)]
    for request_id in sent:
        bench.result(request_id)
    file = bench.folder / f"{uuid.uuid4().hex}.json"
    assert _main(bench, "--since", f"{began:.6f}", "--export", str(file)) == 0
    found = [row["request_id"] for row in json.loads(file.read_text())["commands"]]
    assert sorted(found) == sorted(sent)
    assert found[:15] == sent[:15]


def _main(bench: Bench, *words: str) -> int:
    """The command in this process, where a test can change what a page holds."""
    from lab2mqtt.cli import main  # noqa: PLC0415

    return main(["history", "--config", str(bench.config), *words])


def test_csv_is_read_back(bench: Bench) -> None:
    """All columns, and no cell that a spreadsheet would run."""
    evil = '=HYPERLINK("http://127.0.0.1/","click")'
    request_id = bench.send("set_speed", {"speed": SPEED}, issued_by=evil)
    bench.result(request_id)
    said = bench.run("history", DEVICE, "--limit", "2", "--csv")
    assert said.code == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0]) == list(COLUMNS)
    assert rows[-1]["request_id"] == request_id
    assert rows[-1]["issued_by"] == f"'{evil}"
    assert json.loads(rows[-1]["parameters"]) == {"speed": SPEED}
    assert abs(datetime.fromisoformat(rows[-1]["ended_at"]).timestamp() - time.time()) < 10


def test_a_record_tells_everything_to_somebody_else(bench: Bench, holder: str, tmp_path: Path) -> None:
    """Who, what, when, which device, what it measured, what else happened."""
    file = tmp_path / "run.json"
    said = bench.run("history", "--run", holder, "--export", str(file))
    assert said.code == 0, said.err
    assert said.out == f"4 commands are in {file}\n"
    record = json.loads(file.read_text())
    assert (record["format"], record["version"]) == (FORMAT, 1)
    assert abs(datetime.fromisoformat(record["exported"]["at"]).timestamp() - time.time()) < 10
    assert "@" in record["exported"]["by"]
    assert record["asked"]["run"] == holder
    device = record["devices"][DEVICE]
    assert device["name"] == "Plate resort"
    assert device["simulated"] is True
    assert {"model", "manufacturer", "sw_version", "bridge"} <= device.keys()
    assert set(device["tasks"]) == {"reserve", "move_to_angle", "activate_hotel", "release"}
    reserve, move, refused, _ = record["commands"]
    assert reserve["parameters"]["holder"] == holder
    assert move["issued_by"] == "ada"
    assert move["took_s"] == pytest.approx(move["ended_at"]["epoch"] - move["started_at"]["epoch"], abs=0.01)
    assert datetime.fromisoformat(move["received_at"]["at"]).timestamp() == pytest.approx(
        move["received_at"]["epoch"], abs=0.002
    )
    assert [step["status"] for step in move["timeline"]] == ["running"]
    position = move["changed"]["position"]
    assert (position["name"], position["unit"]) == ("Position", "°")
    assert position["after"] == pytest.approx(move["parameters"]["angle"], abs=1)
    assert move["result"]["result"] == "reached"
    assert refused["error_code"] == "invalid_parameters"
    assert "took_s" not in refused


def test_what_happened_meanwhile_is_in_the_record(bench: Bench, tmp_path: Path) -> None:
    """Such as a stop of the lab, which is no command."""
    began = time.time()
    assert bench.run("stop", "--reason", "to see").code == 0
    assert bench.run("reset").code == 0
    file = tmp_path / "stop.json"
    assert bench.run("history", "--since", f"{began:.3f}", "--export", str(file)).code == 0
    told = [(event["event_type"], event.get("reason")) for event in json.loads(file.read_text())["events"]]
    assert told == [("emergency_stopped", "to see"), ("emergency_stop_reset", None)]


def test_no_file_is_overwritten(bench: Bench, tmp_path: Path) -> None:
    """A record is evidence; the second one needs another name."""
    file = tmp_path / "run.json"
    file.write_text("mine")
    said = bench.run("history", "--export", str(file))
    assert (said.code, said.out) == (2, "")
    assert "is not overwritten" in said.err
    assert file.read_text() == "mine"
    assert "no folder" in bench.run("history", "--export", str(tmp_path / "no" / "run.json")).err


def test_a_ledger_is_read_without_its_bridge(bench: Bench, holder: str, tmp_path: Path) -> None:
    """Also what a bridge that was killed could not finish; the same as its bridge tells."""
    told = _lines(bench, "--run", holder)
    running = bench.start_long_move(issued_by="ada")
    bench.bridge.kill()
    said = run("history", DEVICE, "--ledger", _ledger(bench), "--run", holder, "--json")
    assert said.code == 0, said.err
    assert [json.loads(line) for line in said.out.splitlines()] == told
    table = run("history", "--ledger", _ledger(bench), "--run", running).out
    assert re.search(r"move_to_angle .* ada +not over$", table.rstrip())
    file = tmp_path / "run.json"
    assert run("history", "--ledger", _ledger(bench), "--run", holder, "--export", str(file)).code == 0
    record = json.loads(file.read_text())
    assert len(record["commands"]) == 4
    assert record["asked"]["source"] == "the ledger ledger.sqlite"
    assert str(bench.folder) not in file.read_text()


def test_a_device_that_cannot_be_asked_is_told(
    bench: Bench, holder: str, another_bench: Callable[[], Bench]
) -> None:
    """On stderr and by the exit code; the others are shown all the same."""
    other = another_bench()
    text = other.config.read_text().replace(f"{DEVICE}:", "lonely:")
    other.config.write_text(text.replace(f"base: {other.base}", f"base: {bench.base}"))
    other.bridge.start()
    bench.wait_for(bench.topic("status", "lonely"), lambda told: told and told["status"] == "online")
    other.bridge.kill()
    bench.wait_for(
        f"{bench.base}/bridge/{other.name}/status", lambda told: told and told["status"] == "offline"
    )
    said = bench.run("history", "--run", holder)
    assert said.code == 1
    assert "lonely could not be asked: " in said.err
    assert holder in said.out
    assert bench.run("history", DEVICE, "--run", holder).code == 0
    assert bench.run("history", "lonely").code == 1
    assert bench.run("forget", "lonely", "--discovery", bench.discovery).code == 0


@ONE_BROKER
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--since", "2m"], "'m' is no unit of time"),
        (["--since", "1h", "--until", "2h"], "is not before --until"),
        (["--since", "2999-01-01"], "is not before now"),
        (["--limit", "0"], "--limit 0 is not 1 or more"),
        (["--run", ""], "--run has 1 to 128 characters"),
        (["--csv", "--json"], "only one of them"),
        (["--export", "x.json", "--csv"], "without --csv"),
        (["--ledger", "no.sqlite"], "leave --config out"),
        (["plate-resrot"], DEVICE),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_asked_is_told(bench: Bench, words: list[str], why: str) -> None:
    """What was wrong, and what would be right."""
    said = bench.run("history", *words)
    assert (said.code, said.out) == (2, "")
    assert why in said.err
    assert "Traceback" not in said.err


def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    """A file that is missing, one of something else, one of a later version."""
    assert "no such file" in run("history", "--ledger", str(tmp_path / "no.sqlite")).err
    other = tmp_path / "other.sqlite"
    other.write_text("{}" * 100)
    said = run("history", "--ledger", str(other))
    assert (said.code, said.out) == (2, "")
    assert "it is no ledger" in said.err
    other.write_bytes(b"")
    assert "it has form 0" in run("history", "--ledger", str(other)).err


@ONE_BROKER
def test_what_the_documentation_says_works(bench: Bench, tmp_path: Path) -> None:
    """Each command of docs/history.md, in its order."""
    bench.call("activate_hotel", {"hotel": "A"}, reservation="colour-loop")
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/history.md").read_text(), re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line, comments=True)[1:]
        words = [str(tmp_path / word) if word.endswith(".json") else word for word in words]
        said = (
            run(*[_ledger(bench) if word.endswith(".sqlite") else word for word in words])
            if "--ledger" in words
            else bench.run(*words)
        )
        assert said.code == 0, (line, said)
        assert "Traceback" not in said.err
    assert json.loads((tmp_path / "colour-loop.json").read_text())["commands"]
