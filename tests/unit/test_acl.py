"""`lab2mqtt acl`: what it writes, what it keeps, and what it never shows."""

from pathlib import Path
import stat

import pytest

from lab2mqtt.cli import main
from lab2mqtt.cli.acl import OWN_LINES
from lab2mqtt.runtime.access import fits

# Neither the driver's library nor a password nor a certificate has to be where the broker is.
BENCH = """\
bridge: bench
broker: {host: broker.lab, tls: true, ca_file: nowhere.crt, username: bench-pi, password_file: nowhere}
devices:
  resort: {model: of_another_machine}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration."""
    file = tmp_path / "bench.yaml"
    file.write_text(BENCH)
    return file


def write(config: Path, *more: str, code: int = 0) -> Path:
    """Run it; gives the folder."""
    out = config.parent / "out"
    assert main(["acl", str(config), "--out", str(out), *more]) == code
    return out


def add(file: Path, text: str) -> None:
    """Write a line of one's own below what is there."""
    file.write_text(file.read_text() + text)


def entries(out: Path) -> dict[str, str]:
    """The entries of the password file."""
    return dict(line.split(":", 1) for line in (out / "passwords").read_text().splitlines())


def test_each_user_has_a_password_of_its_own_that_only_its_owner_reads(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Long, random, in a file that a configuration can name, and nowhere else."""
    out = write(config, "--hub", "hub", "--viewer", "wall", "--viewer", "phone")
    secrets = {file.name: file.read_text().strip() for file in (out / "users").iterdir()}
    assert set(secrets) == {"bench-pi", "hub", "wall", "phone"} == set(entries(out))
    assert len(set(secrets.values())) == 4
    assert all(len(secret) >= 40 for secret in secrets.values())
    assert all(fits(secret, entries(out)[name]) for name, secret in secrets.items())
    private = [out, out / "users", out / "passwords", out / "acl", *(out / "users").iterdir()]
    assert [file for file in private if stat.S_IMODE(file.stat().st_mode) & 0o077] == []
    said = capsys.readouterr()
    others = "".join((out / name).read_text() for name in ("acl", "passwords", "mosquitto.conf"))
    assert [secret for secret in secrets.values() if secret in said.out + said.err + others] == []


def test_again_it_keeps_what_is_there_and_adds_what_is_new(config: Path) -> None:
    """Users, lines of one's own, users of one's own, and settings."""
    out = write(config, "--hub", "hub")
    before = entries(out)
    add(out / "passwords", "zigbee:$7$101$c2FsdHNhbHRzYWx0$aGFzaA==\n")
    add(out / "acl", "user zigbee\ntopic readwrite zigbee2mqtt/#\n")
    (out / "mosquitto.conf").write_text("# mine\n")
    write(config, "--hub", "hub", "--operator", "ada")
    after = entries(out)
    assert {name: after[name] for name in before} == before
    assert set(after) == {"bench-pi", "hub", "ada", "zigbee"}
    assert (out / "acl").read_text().endswith(f"{OWN_LINES}\nuser zigbee\ntopic readwrite zigbee2mqtt/#\n")
    assert "user ada" in (out / "acl").read_text()
    assert (out / "mosquitto.conf").read_text() == "# mine\n"


def test_who_is_not_named_is_not_let_in_any_more(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And that is said, as it may have been forgotten."""
    out = write(config, "--hub", "hub", "--viewer", "wall")
    capsys.readouterr()
    before = entries(out)
    write(config, "--hub", "hub")
    assert set(entries(out)) == {"bench-pi", "hub"}
    assert "user wall" not in (out / "acl").read_text()
    assert "wall is not named and is not let in any more" in capsys.readouterr().err
    write(config, "--hub", "hub", "--viewer", "wall")
    assert entries(out)["hub"] == before["hub"]


def test_a_password_that_was_changed_by_hand_is_taken(config: Path) -> None:
    """The file of the user is what counts."""
    out = write(config)
    (out / "users" / "bench-pi").write_text("of my own: ü%\n")
    write(config)
    assert fits("of my own: ü%", entries(out)["bench-pi"])


def test_what_we_did_not_write_is_not_replaced(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody's access list is somebody's work."""
    out = config.parent / "out"
    out.mkdir()
    (out / "acl").write_text("user me\ntopic #\n")
    write(config, code=2)
    assert "was not written by lab2mqtt acl" in capsys.readouterr().err
    assert [file.name for file in out.iterdir()] == ["acl"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bridge: B\ndevices: {}\n", ":1: bridge 'B' is not an id"),
        ("bridge: b\ndevices: {X: {}}\n", ":2: device id 'X' is not made of"),
        ("bridge: b\ndevices: {}\nbroker: {username: 3}\n", ":3: broker.username is not a text"),
        ("bridge: b\ndevices: {}\nbroker: {username: 'a:b'}\n", "bridge b: user name 'a:b'"),
    ],
)
def test_a_file_that_is_wrong_is_told_and_nothing_is_written(
    config: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an access list would lock a lab out."""
    config.write_text(text)
    assert not write(config, code=2).exists()
    assert told in capsys.readouterr().err


def test_a_bridge_without_a_user_name_is_called_by_its_id(config: Path) -> None:
    """And its configuration has to say so, or it comes as nobody."""
    config.write_text("bridge: bench\ndevices: {}\n")
    assert list(entries(write(config))) == ["bench"]
