"""Dockerfile, compose files and the broker's settings: what can be tried of them without Docker."""

from collections.abc import Iterator
import contextlib
from functools import partial
import os
from pathlib import Path
import re
import subprocess
import tomllib

import pytest
from tests.broker.certificates import Authority
from tests.broker.container import ROOT, Container, build_context, compose, image_environment, instructions
from tests.broker.guarded_lab import Guarded
from tests.broker.observer import Observer, until
from tests.broker.program import run

from lab2mqtt.cli import _parser
from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.props.settings import settings_of

PAGE = ROOT / "docs" / "docker.md"
TLS = "docker/compose.tls.yaml"
LAB = ROOT / "docker" / "lab"
USERS = ("worker", "bench", "gateway")
MADE_BY_ACL = {"docker/broker", *(f"docker/broker/users/{name}" for name in USERS)}
MADE_BY_OPENSSL = {"docker/broker/ca.crt"}
WORKER = ("--worker-host", "worker", "--props", "/props")
ACL = ("acl", "/docker/lab/bridge.yaml", *WORKER, "--hub", "homeassistant", "--operator", "ada")
ACL += ("--operator", "gateway", "--out", "/docker/broker")
STARTS_WITHIN = 15.0  # s


@pytest.fixture(scope="module")
def program() -> Path:
    """Mosquitto."""
    try:
        return mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """docker/broker, as the documented line makes it, and its certificates."""
    out = tmp_path_factory.mktemp("docker") / "broker"
    assert f"lab2mqtt {' '.join(ACL)}" in PAGE.read_text().replace("\\\n", "").replace("    ", " ").replace(
        "  ", " "
    )
    here = {
        "/docker/broker": str(out),
        "/docker/lab/bridge.yaml": str(LAB / "bridge.yaml"),
        "/props": str(ROOT / "props"),
    }
    done = run(*(here.get(word, word) for word in ACL))
    assert done.code == 0, done.err
    (out / "data").mkdir()
    authority = Authority(out)
    certificate, key = authority.sign("broker", "DNS:localhost", f"IP:{LOOPBACK}")
    for there, name in ((certificate, "broker.crt"), (key, "broker.key"), (authority.certificate, "ca.crt")):
        if there != out / name:
            (out / name).write_bytes(there.read_bytes())
    return out


class AsWritten(Guarded):
    """Mosquitto with all settings of the file."""

    def _settings(self, folder: Path) -> str:
        del folder
        return f"{self.settings}user root\n"


@contextlib.contextmanager
def broker(program: Path, made: Path, conf: str, port: int = 0) -> Iterator[Guarded]:
    """A mosquitto on a file of docker/, on a loopback port of ours."""
    port = port or free_port()
    text = (ROOT / "docker" / conf).read_text()
    text, listeners = re.subn(r"^listener \d+$", f"listener {port} {LOOPBACK}", text, flags=re.MULTILINE)
    assert listeners == 1
    with AsWritten(program, port=port, settings=text.replace("/broker/", f"{made}/")) as running:
        yield running


def services(*files: str) -> dict[str, dict[str, object]]:
    """The services of the files, as they stand there."""
    return {f"{file} {name}": told for file in files for name, told in compose(file)["services"].items()}


# What the files say


def test_every_file_that_is_mounted_is_there_or_made_as_documented(made: Path) -> None:
    """One that was missing would be made by Docker, as an empty folder of root's."""
    named: set[str] = set()
    for file in ("compose.yaml", TLS):
        for service in compose(file)["services"].values():
            for volume in service.get("volumes", ()):
                if isinstance(volume, dict):
                    assert volume["bind"] == {"create_host_path": False}
                    named.add(re.sub(r"\$\{LAB_\w+:-(.*)\}", r"\1", volume["source"]))
                else:
                    assert volume.partition(":")[0] in compose(file)["volumes"]
        named |= {secret["file"] for secret in compose(file)["secrets"].values()}
    missing = {name.removeprefix("./") for name in named if not (ROOT / name).exists()}
    assert missing <= MADE_BY_ACL | MADE_BY_OPENSSL
    for name in MADE_BY_ACL:
        assert (made.parent.parent / name.replace("docker", made.parent.name, 1)).exists()
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/docker/broker/", "/.env"} <= set(ignored)


def test_ports_are_on_loopback_unless_told() -> None:
    """Docker opens what it publishes past the machine's own firewall."""
    ports = [port for told in services("compose.yaml", TLS).values() for port in told.get("ports", ())]  # type: ignore[attr-defined]
    assert len(ports) == 4
    assert [port for port in ports if not re.fullmatch(r"\$\{LAB_BIND:-127\.0\.0\.1\}:(\d+):\1", port)] == []


def test_the_worker_host_can_write_its_state_alone_and_is_not_root() -> None:
    """Workers are programs of many hands."""
    for name in ("bridge", "gateway"):
        one = compose()["services"][name]
        assert (one["read_only"], one["cap_drop"], one["profiles"]) == (True, ["ALL"], [name])
        assert one["volumes"][0]["read_only"] is True
        assert one["volumes"][1:] == (["bridge-state:/state"] if name == "bridge" else [])
    host = compose()["services"]["worker_host"]
    assert host["user"] == "${LAB_UID:-1000}:${LAB_GID:-1000}"
    assert [rest for word, rest in instructions() if word == "USER"] == ["1000:1000"]
    assert (host["read_only"], host["cap_drop"]) == (True, ["ALL"])
    assert host["volumes"][0]["target"] == "/props"
    assert host["volumes"][0]["read_only"] is True
    assert host["volumes"][1:] == ["worker-state:/state"]
    assert {told["restart"] for told in compose()["services"].values()} == {"unless-stopped"}


def test_no_password_stands_in_a_file_and_every_variable_is_known(made: Path) -> None:
    """The settings take what compose tells, and only names that are read are told."""
    host = compose()["services"]["worker_host"]
    told = {
        name: re.sub(r"\$\{(\w+):-\}", r"", value)
        for name, value in {**image_environment(), **host["environment"]}.items()
    }
    assert host["secrets"] == ["worker_password"]
    assert told["MQTT_WORKER_PW_FILE"] == "/run/secrets/worker_password"
    assert compose()["secrets"]["worker_password"] == {"file": "./docker/broker/users/worker"}
    told["MQTT_WORKER_PW_FILE"] = str(made / "users" / "worker")
    found = settings_of(_parser().parse_args(["props", "--root", "/props", "--state", "/state"]), told)
    assert (found.broker.host, found.broker.port, found.broker.username) == ("broker", 1883, "worker")
    assert found.broker.password == (made / "users" / "worker").read_text().strip()
    assert found.client_id == "worker_host"

    source = (ROOT / "bridges/lab2mqtt/props/settings.py").read_text()
    known = set(re.findall(r'"(MQTT_\w+|WORKER_DEBUG)"', source))
    for kind in ("BUILTINS", "PROPS"):
        found_names = re.findall(r'f"(WORKER_\w*\{kind\}\w*)"', source)
        assert len(found_names) == 3
        known |= {name.replace("{kind}", kind) for name in found_names}
    assert set(host["environment"]) == known - {"MQTT_WORKER_PW"}

    more = compose(TLS)["services"]["worker_host"]["environment"]
    assert set(more) == {"LAB2MQTT_BROKER", "LAB2MQTT_CA"}
    told |= {**more, "LAB2MQTT_CA": str(made / "ca.crt")}
    found = settings_of(_parser().parse_args(["props"]), told)
    assert str(found.broker) == "mqtts://worker@broker:8883"
    assert found.broker.password
    assert found.broker.ca_file == str(made / "ca.crt")


def test_what_the_dockerfile_copies_is_let_through_and_nothing_else_is(tmp_path: Path) -> None:
    """And of that nothing that is a secret or of this machine."""
    copied = {
        name
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for name in rest.split()[:-1]
    }
    build_context(tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == copied
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"]}
    assert {name for name in needed if not (tmp_path / name).exists()} == set()


# What they do


def test_the_worker_host_runs_as_in_its_container(program: Path, made: Path, tmp_path: Path) -> None:
    """As nobody, with nothing but its environment: the documented check, its health, an orderly end."""
    login = ("ada", (made / "users" / "ada").read_text().strip())
    marker = "lab2mqtt/bridge/the-end/marker"
    port = free_port()
    with Container(tmp_path, port, made / "users" / "worker", ROOT / "props") as host:
        with (
            broker(program, made, "mosquitto.conf", port),
            Observer(port, "halloween/#", "lab2mqtt/#", login=login, marker=marker) as seen,
        ):
            assert host.health() == 1
            host.start()
            seen.wait("halloween/heartbeat/telemetry/tick", lambda told: told == 1, within=STARTS_WITHIN)
            state = "lab2mqtt/worker_host/state"
            seen.wait(state, lambda told: told["readiness"] == "ready", within=STARTS_WITHIN)
            seen.publish("halloween/heartbeat/cmd", "ping 5")
            seen.wait("halloween/heartbeat/telemetry/pong", lambda told: told == 5)
            assert host.health() == 0
            assert host.stop() == 0
            status = "lab2mqtt/bridge/worker_host/status"
            seen.wait(status, lambda told: told["status"] == "offline")
            assert host.health() == 1
        assert host.health() == 3
    assert (tmp_path / "state" / "props.json").exists()
    log = host.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log


def lab_folder(tmp_path: Path, made: Path, port: int, tokens: str = "") -> int:
    """docker/lab with this machine's places in it; gives the gateway's port."""
    (tmp_path / "lab").mkdir()
    own = free_port()
    for file, secret, user in (
        ("bridge.yaml", "bridge_password", "bench"),
        ("gateway.yaml", "gateway_password", "gateway"),
    ):
        assert compose()["secrets"][secret] == {"file": f"./docker/broker/users/{user}"}
        text = (LAB / file).read_text()
        for there, here in (
            ("host: broker\n", f"host: {LOOPBACK}\n  port: {port}\n"),
            (f"/run/secrets/{secret}", str(made / "users" / user)),
            ("host: 0.0.0.0", f"host: {LOOPBACK}"),
            ("port: 8080", f"port: {own}"),
            ("tokens: {}", f"tokens: {tokens or '{}'}"),
        ):
            text = text.replace(there, here)
        (tmp_path / "lab" / file).write_text(text)
    return own


def test_a_bridge_runs_as_in_its_container(program: Path, made: Path, tmp_path: Path) -> None:
    """By the command of compose.yaml, with its health, and its state where it can write."""
    port = free_port()
    lab_folder(tmp_path, made, port)
    with (
        broker(program, made, "mosquitto.conf", port),
        Container(tmp_path, port, made, ROOT / "props", "bridge") as bridge,
        Observer(
            port,
            "lab2mqtt/#",
            login=("ada", (made / "users" / "ada").read_text().strip()),
            marker="lab2mqtt/bridge/the-end/marker",
        ) as seen,
    ):
        assert bridge.health() == 1
        bridge.start()
        ready = "lab2mqtt/plate-resort/state"
        seen.wait(ready, lambda told: told["readiness"] == "ready", within=STARTS_WITHIN)
        assert bridge.health() == 0
        assert bridge.stop() == 0
        assert bridge.health() == 1
    assert (tmp_path / "state" / "lab2mqtt" / "bench").is_dir()


def test_a_gateway_runs_as_in_its_container(program: Path, made: Path, tmp_path: Path) -> None:
    """Once there is a token; its health is asked by the line of compose.yaml."""
    assert run("http", str(LAB / "gateway.yaml")).code == 2
    port = free_port()
    token = f"{{ada: {{sha256: {'0a' * 32}, devices: {{'*': read}}}}}}"
    own = lab_folder(tmp_path, made, port, token)
    with (
        broker(program, made, "mosquitto.conf", port),
        Container(tmp_path, port, made, ROOT / "props", "gateway") as gateway,
    ):
        words = gateway._command("HEALTHCHECK")
        assert "http://127.0.0.1:8080/health" in words[-1]
        words[-1] = words[-1].replace("8080", str(own))
        ask = partial(subprocess.run, words, env=gateway._environment, check=False, capture_output=True)
        assert ask().returncode == 1
        gateway.start()
        until(
            lambda: ask().returncode == 0, "it is healthy", within=STARTS_WITHIN, more=gateway.log.read_text
        )
        assert gateway.stop() == 0
        assert ask().returncode == 1


def test_the_broker_keeps_a_stop_over_its_restart(program: Path, made: Path) -> None:
    """And takes nobody without a password."""
    stop = {"engaged": True, "stop_id": "kept"}
    login = ("ada", (made / "users" / "ada").read_text().strip())
    marker, topic = "lab2mqtt/bridge/the-end/marker", "lab2mqtt/emergency_stop"
    with broker(program, made, "mosquitto.conf") as running:
        with Observer(running.port, login=login, marker=marker) as ada:
            ada.publish(topic, stop, retain=True)
            ada.barrier()
        running.restart()
        with Observer(running.port, topic, login=login, marker=marker) as ada:
            assert ada.last(topic) == stop
            ada.publish(topic, "", retain=True)
            ada.barrier()
        said = run("devices", "--broker", f"mqtt://{LOOPBACK}:{running.port}")
        assert "takes nobody without a name and a password" in said.err


def test_with_tls_nothing_goes_in_the_clear(program: Path, made: Path) -> None:
    """The one listener speaks TLS."""
    with broker(program, made, "mosquitto.tls.conf") as running:
        login = {
            "LAB2MQTT_PASSWORD": (made / "users" / "ada").read_text().strip(),
            "LAB2MQTT_CA": str(made / "ca.crt"),
        }
        where = f"ada@{LOOPBACK}:{running.port}"
        assert run("devices", "--broker", f"mqtts://{where}", environment=login).code == 0
        plain = {"LAB2MQTT_PASSWORD": login["LAB2MQTT_PASSWORD"]}
        assert run("devices", "--broker", f"mqtt://{where}", environment=plain).code == 3
    both = [(ROOT / "docker" / name).read_text() for name in ("mosquitto.conf", "mosquitto.tls.conf")]
    same = [re.sub(r"^(#|listener|certfile|keyfile).*\n|^\n", "", text, flags=re.MULTILINE) for text in both]
    assert same[0] == same[1]
