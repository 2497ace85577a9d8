"""Units of systemd: what stands in them, what systemd thinks of it, what is refused before one is written."""

from collections.abc import Iterator
import configparser
from dataclasses import replace
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from lab2mqtt.cli import main
from lab2mqtt.cli.unit_file import Unit, is_as_written, unit_text
from lab2mqtt.cli.unit_kinds import _check_user
from lab2mqtt.core.errors import Misconfigured

ANALYZE = shutil.which("systemd-analyze")
SOMEBODY = "daemon"  # on every Linux there is
MOST_EXPOSED = 2.5  # of 10, as `systemd-analyze security` counts
SECRET = "correct horse"  # noqa: S105 - of nobody

BRIDGE = Unit(
    name="lab2mqtt-bench-pi",
    title="lab2mqtt bridge bench-pi",
    command=(sys.executable, "-P", "-m", "lab2mqtt", "run", "/etc/lab2mqtt/bench-pi.yaml"),
    folder=Path("/etc/lab2mqtt"),
    state="lab2mqtt/bench-pi",
    secrets=(Path("/etc/lab2mqtt/bench-pi.password"),),
    devices=("/dev/ttyUSB0",),
    groups=("dialout",),
)
KINDS = {
    "bridge": BRIDGE,
    "of a user": replace(BRIDGE, user=SOMEBODY, writable=(Path("/srv/kept"),)),
    "many devices": replace(BRIDGE, devices=("/dev/plate-resort", "/dev/ttyAMA0", "/dev/gpiochip0")),
    "gateway": replace(BRIDGE, devices=(), groups=(), low_port=True, reloads=True),
    "environment": replace(BRIDGE, environment=Path("/etc/lab2mqtt/props.env")),
    "odd words": replace(BRIDGE, command=(sys.executable, 'a "b" \\ c', "$HOME", "100%", ";", "")),
}


class _Settings(configparser.RawConfigParser):
    """A unit, read; of settings that stand there several times the last."""

    def __init__(self, text: str) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.read_string(text)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of ours decides, and nothing is left behind."""
    for name in ("SUDO_USER", "LAB2MQTT_BROKER", "MQTT_HOST", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    before = {**os.environ, "PYTEST_CURRENT_TEST": ""}
    yield
    for name in ("XDG_CONFIG_HOME", "LAB_PW", "CREDENTIALS_DIRECTORY"):  # what a test has set
        monkeypatch.delenv(name, raising=False)
    assert {**os.environ, "PYTEST_CURRENT_TEST": ""} == before


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with the configuration of a bridge, its password, and a folder for units."""
    (tmp_path / "units").mkdir()
    (tmp_path / "bench.password").write_text(f"{SECRET}\n")
    (tmp_path / "bench.password").chmod(0o600)
    configure(tmp_path)
    return tmp_path


def configure(lab: Path, **more: object) -> Path:
    """Write the configuration of the bridge; gives its path."""
    told = {
        "bridge": "bench-pi",
        "broker": {"host": "broker.lab", "username": "bench-pi", "password_file": "bench.password"},
        "devices": {"plate-resort": {"model": "plate_resort"}},
        **more,
    }
    file = lab / "bench.yaml"
    file.write_text(yaml.safe_dump(told))
    return file


def service(lab: Path, *words: str, what: tuple[str, ...] = ()) -> int:
    """Run ``lab2mqtt service`` on the folder of units; gives the exit code."""
    return main(["service", *words, "--into", str(lab / "units"), *what])


def install(lab: Path, *words: str, what: tuple[str, ...] = ()) -> int:
    """Install, as a user that there is: these files are closed to one of its own."""
    return service(lab, "install", "--as", SOMEBODY, *words, what=what or (str(lab / "bench.yaml"),))


def unit(lab: Path, name: str = "lab2mqtt-bench-pi") -> str:
    """The unit that was written."""
    return (lab / "units" / f"{name}.service").read_text()


# What stands in it


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_takes_it(kind: str, tmp_path: Path) -> None:
    """Without a word; where systemd is not installed, at least it reads like a unit."""
    text = unit_text(KINDS[kind])
    settings = _Settings(text)
    assert settings.sections() == ["Unit", "Service", "Install"]
    assert settings["Service"]["Type"] == "notify"
    assert settings["Service"]["NoNewPrivileges"] == "yes"
    if ANALYZE is None:
        pytest.skip("systemd-analyze is not here; the text alone was looked at")
    file = tmp_path / "lab2mqtt-tried.service"
    file.write_text(text)
    done = subprocess.run([ANALYZE, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_one_that_systemd_does_not_take_is_found(tmp_path: Path) -> None:
    """Or the test above would say nothing."""
    if ANALYZE is None:
        pytest.skip("systemd-analyze is not here")
    file = tmp_path / "lab2mqtt-tried.service"
    file.write_text(unit_text(BRIDGE).replace("ProtectHome=yes", "ProtectHome=perhaps"))
    done = subprocess.run([ANALYZE, "verify", str(file)], capture_output=True, text=True, check=False)
    assert "perhaps" in done.stderr


@pytest.mark.parametrize("kind", ["bridge", "of a user", "gateway"])
def test_it_is_shut_in(kind: str, tmp_path: Path) -> None:
    """As systemd itself counts."""
    if ANALYZE is None:
        pytest.skip("systemd-analyze is not here")
    file = tmp_path / "lab2mqtt-tried.service"
    file.write_text(unit_text(KINDS[kind]))
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", str(file)], capture_output=True, text=True, check=True
    )
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found
    assert float(found[1]) < MOST_EXPOSED


def test_words_are_read_back_as_they_were() -> None:
    """No word becomes two, a variable, a specifier or a second command."""
    line = _Settings(unit_text(KINDS["odd words"]))["Service"]["ExecStart"]
    assert line == f'{sys.executable} "a \\"b\\" \\\\ c" $$HOME 100%% ";" ""'


def test_its_own_user_keeps_its_state_where_systemd_makes_it() -> None:
    """And is told so; nobody else's home is to be seen."""
    found = _Settings(unit_text(BRIDGE))["Service"]
    assert found["DynamicUser"] == "yes"
    assert "User" not in found
    assert (found["StateDirectory"], found["Environment"]) == ("lab2mqtt/bench-pi", "XDG_STATE_HOME=%S")
    assert (found["ProtectSystem"], found["ProtectHome"]) == ("strict", "yes")


def test_a_program_in_a_home_can_be_read_there_and_not_written() -> None:
    """A Raspberry Pi is often set up so."""
    found = _Settings(unit_text(replace(BRIDGE, user="pi", folder=Path("/home/pi/lab"))))["Service"]
    assert (found["User"], found["ProtectHome"]) == ("pi", "read-only")
    assert "DynamicUser" not in found


@pytest.mark.parametrize(
    ("device", "allowed", "module"),
    [
        ("/dev/ttyUSB0", {"char-ttyUSB"}, "usbserial"),
        ("/dev/ttyACM3", {"char-ttyACM"}, "cdc_acm"),
        ("/dev/ttyAMA0", {"char-ttyAMA"}, ""),
        ("/dev/gpiochip0", {"/dev/gpiochip0"}, ""),
        ("/dev/plate-resort", {"/dev/plate-resort", "char-ttyUSB", "char-ttyACM"}, "usbserial"),
        ("/dev/serial/by-id/usb-0", {"/dev/serial/by-id/usb-0", "char-ttyUSB", "char-ttyACM"}, "usbserial"),
    ],
)
def test_a_device_that_was_unplugged_comes_back_under_another_number(
    device: str, allowed: set[str], module: str
) -> None:
    """So all of its kind are allowed, which needs the kernel to know the kind; nothing else is."""
    text = unit_text(replace(BRIDGE, devices=(device,)))
    assert {one.split()[0] for one in re.findall(r"^DeviceAllow=(.*)", text, re.MULTILINE)} == allowed
    assert "DevicePolicy=closed" in text
    assert (f"modprobe@{module}.service" in text) if module else ("modprobe" not in text)


def test_without_devices_there_are_none() -> None:
    """Nor a group that could open one."""
    text = unit_text(KINDS["gateway"])
    assert "PrivateDevices=yes" in text
    assert "DeviceAllow" not in text
    assert "SupplementaryGroups" not in text


def test_only_a_low_port_takes_a_right() -> None:
    """443 is one."""
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit_text(KINDS["gateway"])
    found = _Settings(unit_text(BRIDGE))["Service"]
    assert found["CapabilityBoundingSet"] == ""
    assert "AmbientCapabilities" not in found


@pytest.mark.parametrize("path", ["/srv/my lab", '/srv/"lab"', "/srv/lab\\x"])
def test_a_path_that_a_unit_cannot_hold_is_refused(path: str) -> None:
    """It would be read as two."""
    with pytest.raises(Misconfigured, match="a unit takes no path with spaces"):
        unit_text(replace(BRIDGE, folder=Path(path)))


def test_what_was_changed_by_hand_is_known() -> None:
    """And what is not ours."""
    text = unit_text(BRIDGE)
    assert is_as_written(text) is True
    assert is_as_written(text.replace("WatchdogSec=30", "WatchdogSec=60")) is False
    assert is_as_written(text + "\n") is False
    assert is_as_written("[Service]\nExecStart=/bin/true\n") is None


# Installing


def test_a_bridge_is_installed_and_what_comes_next_is_told(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its password stands nowhere in it."""
    assert install(lab) == 0
    said = capsys.readouterr().out
    found = _Settings(unit(lab))["Service"]
    assert found["ExecStart"] == f"{sys.executable} -P -m lab2mqtt run {lab / 'bench.yaml'}"
    assert found["LoadCredential"] == f"bench.password:{lab / 'bench.password'}"
    assert found["DeviceAllow"] == "char-ttyUSB rw"
    assert SECRET not in unit(lab)
    assert (lab / "units" / "lab2mqtt-bench-pi.service").stat().st_mode & 0o777 == 0o644
    for line in (
        "/var/lib/lab2mqtt/bench-pi",
        "sudo systemctl daemon-reload",
        "sudo systemctl enable --now lab2mqtt-bench-pi",
        "journalctl --unit lab2mqtt-bench-pi --follow",
    ):
        assert line in said


def test_the_service_reads_its_password_as_a_credential(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself may be closed to it: here it is gone, and the bridge's check still finds one."""
    copies = tmp_path / "credentials"
    copies.mkdir()
    (lab / "bench.password").rename(copies / "bench.password")
    assert main(["check", str(lab / "bench.yaml")]) == 2
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(copies))
    assert main(["check", str(lab / "bench.yaml")]) == 0


def test_a_configuration_that_is_wrong_is_told_and_nothing_is_written(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its line, as `lab2mqtt check` does."""
    configure(lab, devices={"plate-resort": {"model": "plate_resrot"}})
    assert install(lab) == 2
    assert "did you mean 'plate_resort'?" in capsys.readouterr().err
    assert list((lab / "units").iterdir()) == []


def test_it_is_checked_as_the_service_will_find_it(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A password in the environment of this shell is none of the service's; one in its own file is."""
    configure(lab, broker={"host": "broker.lab", "username": "bench-pi", "password_env": "LAB_PW"})
    monkeypatch.setenv("LAB_PW", SECRET)
    assert install(lab) == 2
    assert "the environment has no LAB_PW" in capsys.readouterr().err
    file = lab / "bench.env"
    file.write_text(f"# of the bridge\nLAB_PW='{SECRET}'\n")
    assert install(lab, "--env", str(file)) == 0
    assert f"EnvironmentFile={file}" in unit(lab)
    assert SECRET not in unit(lab)
    file.write_text("LAB_PW\n")
    assert install(lab, "--env", str(file)) == 2
    assert f"{file}:1: not NAME=value" in capsys.readouterr().err


def test_print_shows_and_writes_nothing(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The very text."""
    assert install(lab, "--print") == 0
    shown = capsys.readouterr().out
    assert list((lab / "units").iterdir()) == []
    assert install(lab) == 0
    assert unit(lab) == shown


def test_a_unit_that_was_changed_by_hand_is_left_alone(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless told; one that was not changed is written anew."""
    file = lab / "units" / "lab2mqtt-bench-pi.service"
    assert install(lab) == 0
    assert install(lab) == 0
    assert "is as it should be" in capsys.readouterr().out
    assert install(lab, "--device", "/dev/ttyACM0") == 0
    assert "sudo systemctl restart lab2mqtt-bench-pi" in capsys.readouterr().out
    changed = unit(lab).replace("WatchdogSec=30", "WatchdogSec=300")
    for text, why in ((changed, "was changed by hand"), ("[Unit]\n", "was not written by lab2mqtt")):
        file.write_text(text)
        assert install(lab) == 2
        assert why in capsys.readouterr().err
        assert unit(lab) == text
    assert install(lab, "--force") == 0
    assert is_as_written(unit(lab)) is True


def test_a_folder_of_state_that_was_told_can_be_written(lab: Path) -> None:
    """By the user that is named."""
    configure(lab, state="kept")
    assert install(lab) == 0
    assert _Settings(unit(lab))["Service"]["ReadWritePaths"] == str(lab / "kept")
    assert (lab / "kept").is_dir()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"user": "root"}, "nothing here needs root's rights"),
        ({"user": "nobody-of-that-name"}, "there is no such user"),
        ({"folder": Path("/home/pi/lab")}, "/home/pi/lab is in a home"),
        ({"writable": (Path("/srv/kept"),)}, "leave `state` out"),
    ],
)
def test_a_user_that_could_not_run_it_is_refused(more: dict[str, object], text: str) -> None:
    """With what would do."""
    open_to_all = replace(BRIDGE, command=("/bin/sh",), folder=Path("/"))
    with pytest.raises(Misconfigured, match=re.escape(text)):
        _check_user(replace(open_to_all, **more))  # type: ignore[arg-type]


def test_a_user_of_its_own_must_be_able_to_read_the_configuration(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would fail at each start, in the journal, where nobody looks."""
    lab.chmod(0o700)
    assert service(lab, "install", str(lab / "bench.yaml")) == 2
    said = capsys.readouterr().err
    assert "which a user of its own cannot read" in said
    assert "--as " in said
    assert list((lab / "units").iterdir()) == []


def test_a_personal_service_needs_no_root(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ends with its user, unless told."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(lab / "config"))
    assert main(["service", "install", "--user", str(lab / "bench.yaml")]) == 0
    text = (lab / "config/systemd/user/lab2mqtt-bench-pi.service").read_text()
    assert "WantedBy=default.target" in text
    assert not re.search(r"^(User|DynamicUser|StateDirectory)=", text, re.MULTILINE)
    said = capsys.readouterr().out
    assert "systemctl --user enable --now lab2mqtt-bench-pi" in said
    assert "loginctl enable-linger" in said


def test_a_gateway_and_a_bridge_are_told_apart(lab: Path) -> None:
    """By their configurations."""
    file = lab / "desk.yaml"
    file.write_text("broker: {host: broker.lab}\nhttp: {port: 443}\n")
    assert install(lab, what=(str(file),)) == 0
    found = _Settings(unit(lab, "lab2mqtt-desk"))["Service"]
    assert found["ExecStart"].endswith(f"-m lab2mqtt http {file}")
    assert found["ExecReload"] == "kill -HUP $MAINPID"
    assert found["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


def test_a_worker_host_is_told_as_its_command(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its variables in a file, checked."""
    props = lab / "props"
    props.mkdir()
    file = lab / "props.env"
    file.write_text(f"MQTT_HOST=broker.lab\nMQTT_WORKER_PW_FILE={lab / 'bench.password'}\n")
    words = ("--", "props", "--root", str(props), "--prefix", "crypt")
    assert install(lab, "--env", str(file), "--device", "/dev/gpiochip0", what=words) == 0
    found = _Settings(unit(lab, "lab2mqtt-worker_host"))["Service"]
    assert found["ExecStart"].endswith(f"-m lab2mqtt props --root {props} --prefix crypt")
    assert found["StateDirectory"] == "lab2mqtt/worker_host"
    assert found["LoadCredential"] == f"bench.password:{lab / 'bench.password'}"
    assert found["DeviceAllow"] == "/dev/gpiochip0 rw"
    capsys.readouterr()

    for wrong, text in (
        (("--root", str(lab / "none")), "no such file or folder"),
        (
            ("--root", str(props), "--broker", f"mqtt://worker:{SECRET}@broker.lab"),
            "a password does not belong",
        ),
        (("--root", str(props), "--broker", f"worker:{SECRET}@broker.lab"), "a password does not belong"),
        (("--root", str(props), f"--broker=worker:{SECRET}@broker.lab"), "a password does not belong"),
        (("--root", str(props), "--prefix", "a/#"), "is not a topic without wildcards"),
    ):
        assert install(lab, what=("--", "props", *wrong)) == 2
        said = capsys.readouterr().err
        assert text in said
        assert SECRET not in said


def test_a_program_of_tasks_is_a_service_too(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By this very Python, which has lab2mqtt."""
    file = lab / "mixer.py"
    file.write_text("from lab2mqtt.orchestration import DeviceServer\nDeviceServer().run()\n")
    assert install(lab, what=(str(file),)) == 0
    found = _Settings(unit(lab, "lab2mqtt-mixer"))["Service"]
    assert found["ExecStart"] == f"{sys.executable} {file}"
    assert (found["StateDirectory"], found["Environment"]) == (
        "lab2mqtt-mixer",
        "XDG_STATE_HOME=%S/lab2mqtt-mixer",
    )
    file.write_text("def (\n")
    assert install(lab, what=(str(file),)) == 2
    assert "no Python program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (("none.yaml",), "none.yaml: no such file"),
        (("--", "prop", "--root", "props"), "did you mean 'props'?"),
        (("--name", "../x", "bench.yaml"), "is not a name of letters"),
        (("--device", "ttyUSB0", "bench.yaml"), "is not a path of /dev"),
    ],
)
def test_what_is_no_service_is_refused(
    lab: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: tuple[str, ...],
    text: str,
) -> None:
    """In words."""
    monkeypatch.chdir(lab)
    assert install(lab, what=what) == 2
    assert text in capsys.readouterr().err
    assert list((lab / "units").iterdir()) == []


# Listing and removing


def test_list_and_remove(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only ours, only what is not in use, and only as it was written."""
    assert service(lab, "list") == 1
    stranger = lab / "units" / "stranger.service"
    stranger.write_text("[Service]\nExecStart=/bin/true\n")
    assert install(lab) == 0
    capsys.readouterr()
    assert service(lab, "list") == 0
    said = capsys.readouterr().out
    assert "lab2mqtt-bench-pi" in said
    assert "not enabled" in said
    assert "stranger" not in said
    assert service(lab, "remove", what=("stranger",)) == 2
    assert service(lab, "remove", what=("bench-pie",)) == 2
    assert "lab2mqtt-bench-pi" in capsys.readouterr().err

    file = lab / "units" / "lab2mqtt-bench-pi.service"
    wants = lab / "units" / "multi-user.target.wants"
    wants.mkdir()
    (wants / file.name).symlink_to(file)
    assert service(lab, "remove", what=("bench-pi",)) == 2
    assert "sudo systemctl disable --now lab2mqtt-bench-pi" in capsys.readouterr().err
    (wants / file.name).unlink()

    text = file.read_text()
    file.write_text(f"{text}\n")
    assert service(lab, "remove", what=("bench-pi",)) == 2
    assert service(lab, "list") == 0
    assert "(changed by hand)" in capsys.readouterr().out
    file.write_text(text)
    assert service(lab, "remove", what=("bench-pi",)) == 0
    assert not file.exists()
    assert stranger.exists()
