"""`lab2mqtt acl` for props: who the worker host speaks for, and what is refused."""

from pathlib import Path

import pytest

from lab2mqtt.cli import main

HOST = ("--worker-host", "worker")
BENCH = "bridge: bench\nbase: haunted/lab\ndiscovery: ha\ndevices: {resort: {model: some}}\n"


def write(folder: Path, *words: str, code: int = 0) -> str:
    """Run it; gives the list."""
    assert main(["acl", *words, "--out", str(folder / "out")]) == code
    file = folder / "out" / "acl"
    return file.read_text() if file.exists() else ""


def spoken_for(acl: str) -> set[str]:
    """The devices for which the only user may write the state."""
    lines = [line.split("/") for line in acl.splitlines() if line.startswith("topic readwrite lab2mqtt/")]
    return {words[1] for words in lines if words[2:] == ["+"]}


def worker(root: Path, prop: str, text: str) -> None:
    """Write a worker's file, which must not be run."""
    file = root / prop / "backend" / "worker.py"
    file.parent.mkdir(parents=True)
    file.write_text(f"{text}\nraise SystemExit('it was run')\n")


def test_the_worker_host_speaks_for_the_props_it_will_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their PROP_ID, or the name of their folder; nothing of them is run."""
    root = tmp_path / "props"
    worker(root, "fogger", "import nothing_that_is_here")
    worker(root, "jumper", "PROP_ID = 'coffin_jumper'")
    worker(root, "shaker", "PROP_ID: str = 'grave_shaker'")
    worker(root, "Broken", "def (")
    worker(root, "made", "PROP_ID = 'ma' + 'de'")
    (root / "no_prop").mkdir()
    found = spoken_for(write(tmp_path, *HOST, "--props", str(root), "--prop-device", "elsewhere"))
    named = {"fogger", "coffin_jumper", "grave_shaker", "broken", "made", "elsewhere"}
    built_in = spoken_for(write(tmp_path, *HOST))
    assert found - built_in == named
    assert named & built_in == set()
    assert "made/backend/worker.py: PROP_ID is made as it runs" in capsys.readouterr().err


def test_the_worker_host_has_its_client_id_and_its_user(tmp_path: Path) -> None:
    """They are two names."""
    acl = write(tmp_path, "--worker-host", "worker=ghost_host")
    assert "user worker\n" in acl
    for topic in ("bridge/ghost_host", "ghost_host"):  # it is a device as well
        assert f"topic readwrite lab2mqtt/{topic}/+\n" in acl
    assert "worker_host" not in acl
    assert "topic readwrite lab2mqtt/bridge/worker_host/+\n" in write(tmp_path, *HOST)


def test_a_lab_has_one_base_one_hub_and_one_stop(tmp_path: Path) -> None:
    """The worker host and the props are where the bridges are."""
    config = tmp_path / "bench.yaml"
    config.write_text(BENCH)
    acl = write(tmp_path, str(config), *HOST, "--prop-device", "fogger", "--prop", "esp32-fogger")
    of_host = acl.partition("user worker\n")[2].partition("\n\n")[0].splitlines()
    of_board = acl.partition("user esp32-fogger\n")[2].partition("\n\n")[0].splitlines()
    assert "topic readwrite haunted/lab/fogger/+" in of_host
    assert "topic write ha/device/haunted_lab_fogger/config" in of_host
    assert "topic read haunted/lab/emergency_stop" in of_board
    assert "topic read lab2mqtt/emergency_stop" in of_board  # the lab's, beside that of the base
    assert [line for line in of_host if "resort" in line] == []


def test_another_prefix(tmp_path: Path) -> None:
    """For who has renamed it."""
    acl = write(tmp_path, *HOST, "--prop", "esp32", "--operator", "ada", "--prefix", "show/one")
    for line in ("readwrite show/one/#", "read show/one/esp32/cmd", "write show/one/+/cmd"):
        assert f"topic {line}\n" in acl
    assert "halloween" not in acl


def test_boards_alone(tmp_path: Path) -> None:
    """Without any bridge or worker host; nobody may write what they hear but those who are named."""
    acl = write(tmp_path, "--prop", "esp32-a", "--prop", "esp32-b")
    lines = [line for line in acl.splitlines() if line.startswith("topic ")]
    assert [line for line in lines if "/cmd" in line] == [
        "topic read halloween/esp32-a/cmd",
        "topic read halloween/esp32-b/cmd",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name the CONFIG of each bridge, --worker-host USER, or --prop NAME"),
        (("--props", "props"), "Name the worker host's user with --worker-host"),
        (("--prop-device", "fogger"), "Name the worker host's user with --worker-host"),
        ((*HOST, "--props", "/nowhere"), "--props /nowhere: no such folder"),
        ((*HOST, "--prop-device", "__"), "'__' cannot be made an id"),
        (("--worker-host", "worker="), "'' cannot be made an id"),
        (("--worker-host", "=host"), "worker host: user name ''"),
        ((*HOST, "--prop", "worker"), "user 'worker' would be two: worker host and prop"),
        (("--prop", "a", "--prop", "a"), "user 'a' would be two: prop and prop"),
        (("--prop", "a/b"), "prop: user name 'a/b' has"),
        (("--prop", "+"), "prop: user name '+' has"),
        ((*HOST, "--prop-device", "fogger", "--prop", "fogger"), "such as 'esp32-fogger'"),
        ((*HOST, "--prop", "worker_host"), "would not be the only one that speaks on halloween/worker_host/"),
        (("--prop", "broker"), "would not be the only one that speaks on halloween/broker/"),
        (("--prop", "a", "--prefix", "lab2mqtt"), "prefix 'lab2mqtt' of the props is the base"),
        (("--prop", "a", "--prefix", "lab2mqtt/props"), "lie in each other"),
        (("--prop", "a", "--prefix", "homeassistant"), "lie in each other"),
        (("--prop", "a", "--prefix", "hallo/#"), "prefix 'hallo/#' has an empty level, a wildcard"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(
    tmp_path: Path, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an access list would lock a lab out."""
    assert write(tmp_path, *words, code=2) == ""
    assert told in capsys.readouterr().err
