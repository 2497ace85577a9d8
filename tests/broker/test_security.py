"""TLS, users and the access list, with a real mosquitto that runs on what ``lab2mqtt acl`` wrote."""

from collections.abc import Iterator
import contextlib
import json
import os
from pathlib import Path
import signal
import uuid

import pytest
from tests.broker.bench import DEVICE
from tests.broker.certificates import Authority
from tests.broker.guarded_lab import (
    ADOPTER,
    BOARD,
    BRIDGE,
    HUB,
    OPERATOR,
    OTHER,
    OTHER_DEVICE,
    VIEWER,
    Guarded,
    GuardedLab,
)
from tests.broker.observer import Observer, until
from tests.broker.program import Program, run

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port

STOP = "lab2mqtt/emergency_stop"
CLAIM = f"lab2mqtt/bridge/{BRIDGE}/claim"
EVERYBODY = (BRIDGE, OTHER, HUB, OPERATOR, VIEWER, BOARD)


@pytest.fixture(scope="module")
def program() -> Path:
    """Mosquitto; the embedded broker knows neither TLS nor users."""
    try:
        return mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="module")
def guarded(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedLab]:
    """The lab of all these tests."""
    made = GuardedLab(program, tmp_path_factory.mktemp("guarded"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def watcher(guarded: GuardedLab) -> Iterator[Observer]:
    """Somebody who hears everything."""
    with guarded.watcher("#") as seen:
        yield seen


# The bridge and the commands, over TLS and under the list


def test_the_bridge_lives_wholly_under_its_access_list(guarded: GuardedLab, watcher: Observer) -> None:
    """With a client certificate: birth, announcement, state, a command and its result, the hub's birth."""
    said = guarded.cli(OPERATOR, "devices", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)[DEVICE]["readiness"] == "ready"
    announcement = f"homeassistant/device/lab2mqtt_{DEVICE}/config"
    watcher.wait(announcement)
    with guarded.watcher(announcement) as newcomer:
        assert newcomer.wait(announcement).retain
    said = guarded.cli(OPERATOR, "call", DEVICE, "activate_hotel", "hotel=B", "--json")
    assert said.code == 0, said.err
    watcher.wait(f"lab2mqtt/{DEVICE}/state", lambda state: state["active_hotel"] == "B")
    for kind in ("result", "event", "progress", "description", "status"):
        watcher.wait(f"lab2mqtt/{DEVICE}/{kind}")
    watcher.wait(f"lab2mqtt/bridge/{BRIDGE}/health")
    since = watcher.mark()
    with guarded.as_user(HUB) as hub:
        hub.publish("homeassistant/status", "online")
        watcher.wait(announcement, since=since)
    assert "No link" not in guarded.bridge.said()


def test_a_retained_command_is_cleared_under_the_list(guarded: GuardedLab, watcher: Observer) -> None:
    """The bridge may write on the command topic of its own device."""
    topic = f"lab2mqtt/{DEVICE}/command"
    guarded.bridge.terminate()
    with guarded.as_user(OPERATOR) as ada:
        ada.publish(topic, {"task": "get_hotels", "request_id": "kept"}, retain=True)
        ada.barrier()
    since = watcher.mark()
    guarded.bridge.start()
    watcher.wait(topic, lambda told: told is None, since=since, within=15)
    watcher.wait(f"lab2mqtt/{DEVICE}/result", lambda told: told["request_id"] == "kept", since=since)
    watcher.wait(f"lab2mqtt/{DEVICE}/state", lambda state: state["readiness"] == "ready", since=since)


def test_a_configuration_is_enough_for_the_commands(guarded: GuardedLab) -> None:
    """By its certificate and user a bridge's own devices can be listed and called."""
    said = run("devices", "--config", str(guarded.config), "--json")
    assert said.code == 0, said.err
    assert list(json.loads(said.out)) == [DEVICE]
    assert run("call", DEVICE, "get_hotels", "--config", str(guarded.config)).code == 0


@pytest.mark.parametrize("who", [HUB, OPERATOR, VIEWER, BRIDGE])
def test_everybody_may_stop_and_whoever_may_stop_may_release(guarded: GuardedLab, who: str) -> None:
    """MQTT cannot tell the two apart: it is one topic, and what it says decides."""
    said = guarded.cli(who, "stop", "--reason", "to see")
    assert said.code == 0, said.err
    assert f"{DEVICE} stopped within" in said.err
    assert guarded.cli(OPERATOR, "call", DEVICE, "go_home").err.startswith("emergency_stopped")
    assert guarded.cli(who, "reset").code == 0
    with guarded.watcher(f"lab2mqtt/{DEVICE}/state") as seen:
        seen.wait(f"lab2mqtt/{DEVICE}/state", lambda state: not state["emergency_stop"])


def test_a_board_may_stop_the_lab(guarded: GuardedLab, watcher: Observer) -> None:
    """A button on a box is one of the best places for it."""
    with voice(guarded, BOARD) as board:
        board.publish(STOP, {"engaged": True, "stop_id": "box"}, retain=True)
        watcher.wait(f"lab2mqtt/{DEVICE}/event", lambda told: told.get("stop_id") == "box")
        board.publish(STOP, {"engaged": False, "stop_id": "box"}, retain=True)
        watcher.wait(f"lab2mqtt/{DEVICE}/state", lambda state: not state["emergency_stop"])


@pytest.mark.parametrize("base", ["lab2mqtt", "ot2"])
def test_a_bridge_that_adopts_announces_and_forgets_a_board_that_is_named(
    guarded: GuardedLab, watcher: Observer, base: str
) -> None:
    """And that board alone: what another user says as somebody else does not reach it."""
    told = {"protocol": 1, "device_id": BOARD, "name": "Lamp", "entities": {}, "tasks": {"go": {}}}
    told["entities"] = {"go": {"platform": "button", "name": "Go", "task": "go"}}
    topic = f"homeassistant/device/{base}_{BOARD}/config"
    adopter = Program(["run", str(guarded.adopter)], guarded.folder / "adopter.log")
    adopter.start()
    try:
        with voice(guarded, BOARD) as board:
            board.publish(f"{base}/{BOARD}/description", told, retain=True)
            board.publish(f"{base}/stranger/description", {**told, "device_id": "stranger"}, retain=True)
            payload = watcher.wait(topic, bool, within=15).json
            assert payload["components"]["go"]["command_topic"] == f"{base}/{BOARD}/command"
            board.publish(f"{base}/{BOARD}/status", {"status": "offline"}, retain=True)
            board.barrier()
        watcher.wait(f"lab2mqtt/bridge/{ADOPTER}/health", lambda health: health["adopted"] == 1)
        assert not watcher.heard(f"{base}/stranger/description")
        said = run("forget", BOARD, "--config", str(guarded.adopter), "--base", base)
        assert said.code == 0, said.err
        watcher.barrier()
        assert [watcher.heard(one)[-1].payload for one in (topic, f"{base}/{BOARD}/description")] == [
            b"",
            b"",
        ]
    finally:
        adopter.terminate()


def test_a_viewer_looks_and_does_not_command(guarded: GuardedLab, watcher: Observer) -> None:
    """It lists and watches; its command reaches nobody."""
    assert DEVICE in guarded.cli(VIEWER, "devices").out
    since = watcher.mark()
    said = guarded.cli(VIEWER, "call", DEVICE, "get_hotels", "--timeout", "0.1")
    assert (said.code, said.out) == (1, "")
    watcher.barrier()
    assert watcher.heard(f"lab2mqtt/{DEVICE}/command", since) == []

    watching = Program(
        ["watch", "--json"],
        guarded.folder / "watch.log",
        environment={
            "LAB2MQTT_BROKER": f"mqtts://{VIEWER}@localhost:{guarded.no_certificate}",
            "LAB2MQTT_PASSWORD": guarded.password(VIEWER),
            "LAB2MQTT_CA": str(guarded.authority.certificate),
        },
    )
    watching.start()
    with guarded.as_user(OPERATOR) as ada:

        def asked() -> bool:
            command = {"task": "get_hotels", "request_id": uuid.uuid4().hex}
            ada.publish(f"lab2mqtt/{DEVICE}/command", command)
            return '"kind": "result"' in watching.said()

        until(asked, "it prints a result", every=0.1)
    assert watching.terminate(signal.SIGINT).code == 130


def test_forgetting_a_device_of_somebody_else_is_told_to_have_failed(guarded: GuardedLab) -> None:
    """The broker refuses in silence, so what it keeps is looked at."""
    with guarded.as_user(OTHER) as other:
        status = {"device_id": OTHER_DEVICE, "status": "offline", "timestamp": 1, "bridge": OTHER}
        other.publish(f"lab2mqtt/{OTHER_DEVICE}/status", status, retain=True)
        other.barrier()
        said = guarded.cli(OPERATOR, "forget", OTHER_DEVICE)
        assert said.code == 2
        assert "may not speak for it" in said.err
        other.publish(f"lab2mqtt/{OTHER_DEVICE}/status", "", retain=True)
        other.barrier()


def test_a_bridge_withdraws_what_it_finds_of_its_devices_parts(guarded: GuardedLab) -> None:
    """Also where the last description does not know of them; nobody but it and the hub finds them."""
    topic = f"homeassistant/device/lab2mqtt_{OTHER_DEVICE}/arm/config"
    with guarded.as_user(OTHER) as other, guarded.watcher(topic) as seen:
        status = {"device_id": OTHER_DEVICE, "status": "offline", "timestamp": 1, "bridge": OTHER}
        other.publish(f"lab2mqtt/{OTHER_DEVICE}/status", status, retain=True)
        other.publish(topic, {"device": {}}, retain=True)
        seen.wait(topic, lambda told: told is not None)
        for user in (OPERATOR, BRIDGE):
            assert guarded.cli(user, "forget", OTHER_DEVICE).code == 2
            seen.barrier()
            assert seen.last(topic) is not None
        said = guarded.cli(OTHER, "forget", OTHER_DEVICE)
        assert said.code == 0, said.err
        seen.wait(topic, lambda told: told is None)


# Who may say what, and hear what, topic by topic

STATE, COMMAND = f"lab2mqtt/{OTHER_DEVICE}/state", f"lab2mqtt/{OTHER_DEVICE}/command"
MAY_WRITE = {
    STATE: {OTHER},
    COMMAND: {OTHER, HUB, OPERATOR},
    f"lab2mqtt/{OTHER_DEVICE}/status": {OTHER},
    f"lab2mqtt/{OTHER_DEVICE}/description": {OTHER},
    f"lab2mqtt/{OTHER_DEVICE}/result": {OTHER},
    f"lab2mqtt/{OTHER_DEVICE}/event": {OTHER},
    f"lab2mqtt/{OTHER_DEVICE}/progress": {OTHER},
    f"lab2mqtt/{OTHER_DEVICE}/state/deeper": set(),
    f"lab2mqtt/bridge/{OTHER}/status": {OTHER},
    f"lab2mqtt/bridge/{OTHER}/health": {OTHER},
    f"lab2mqtt/bridge/{OTHER}/claim": {OTHER, BRIDGE},  # bridges ask each other whether they live
    "lab2mqtt/bridge/nobody/status": set(),
    f"lab2mqtt/{BOARD}/state": {BOARD},
    f"lab2mqtt/{BOARD}/command": {BOARD, HUB, OPERATOR},
    "lab2mqtt/nobody/state": set(),
    f"homeassistant/device/lab2mqtt_{OTHER_DEVICE}/config": {OTHER, HUB},
    f"homeassistant/device/lab2mqtt_{BOARD}/config": {HUB},
    "homeassistant/sensor/made-up/config": {HUB},
    "homeassistant/status": {HUB},
    "lab2mqtt/bridge/abcdef/marker": {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    "elsewhere/topic": set(),
    "lab2mqtt": set(),
}
MAY_READ = {
    STATE: {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/{OTHER_DEVICE}/status": {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/{OTHER_DEVICE}/description": {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    COMMAND: {OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/{OTHER_DEVICE}/result": {OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/bridge/{OTHER}/status": {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/bridge/{OTHER}/claim": {BRIDGE, OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/bridge/{OTHER}/health": {OTHER, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/{BOARD}/command": {BOARD, HUB, OPERATOR, VIEWER},
    f"homeassistant/device/lab2mqtt_{OTHER_DEVICE}/config": {HUB},
    "homeassistant/status": {BRIDGE, OTHER, HUB},
    STOP: set(EVERYBODY),
    "elsewhere/topic": set(),
}
PAYLOAD = "no JSON: nobody obeys it"


def _marker(who: str) -> str:
    return f"lab2mqtt/{BOARD}/state" if who == BOARD else "lab2mqtt/bridge/the-end/marker"


@contextlib.contextmanager
def voice(guarded: GuardedLab, who: str, *filters: str) -> Iterator[Observer]:
    """Somebody; a board has no marker, so its own state does."""
    login = (who, guarded.password(who))
    tls = guarded.authority.context()
    with Observer(guarded.no_certificate, *filters, login=login, tls=tls, marker=_marker(who)) as made:
        yield made


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_say_what(guarded: GuardedLab, watcher: Observer, who: str) -> None:
    """What is not granted is heard by nobody."""
    since = watcher.mark()
    for topic in MAY_WRITE:
        # A connection for each: mosquitto 2.0.11 of Debian 12 forgets a slot at each refusal, and has 20.
        with voice(guarded, who) as speaker:
            speaker.publish(topic, f"{PAYLOAD} {who}")
            speaker.barrier()
    watcher.barrier()
    heard = {one.topic for one in watcher.heard(since=since) if one.payload == f"{PAYLOAD} {who}".encode()}
    assert heard == {topic for topic, speakers in MAY_WRITE.items() if who in speakers}


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_hear_what(guarded: GuardedLab, watcher: Observer, who: str) -> None:
    """Whoever listens to everything hears what is granted."""
    token = uuid.uuid4().hex
    with voice(guarded, who, "#") as listener:
        for topic in MAY_READ:
            watcher.publish(topic, f"{PAYLOAD} {token}")
        watcher.barrier()
        listener.barrier()
        heard = {one.topic for one in listener.heard() if one.payload == f"{PAYLOAD} {token}".encode()}
    assert heard == {topic for topic, listeners in MAY_READ.items() if who in listeners}


def test_a_bridge_answers_the_claim_of_another_bridge(guarded: GuardedLab) -> None:
    """Which asks whether it lives, before it takes a device over."""
    with guarded.as_user(OTHER, CLAIM) as other:
        other.publish(CLAIM, {"instance": "the-other"})
        other.wait(CLAIM, lambda told: told.get("asker") == "the-other")


def test_running_acl_again_changes_nothing(guarded: GuardedLab) -> None:
    """Passwords, lines of one's own and settings stay; a new user is added."""
    before = {file: file.read_bytes() for file in guarded.out.rglob("*") if file.is_file()}
    again = run(*guarded.acl_arguments)
    assert again.code == 0, again.err
    assert {file: file.read_bytes() for file in guarded.out.rglob("*") if file.is_file()} == before


# What keeps a link from coming about, in words


@pytest.fixture(scope="module")
def misfits(
    guarded: GuardedLab, program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, int]]:
    """A broker with listeners that are wrong in one way each: their ports."""
    folder = tmp_path_factory.mktemp("misfits")
    stranger = Authority(folder)
    signed = {
        "expired": guarded.authority.sign("expired", "DNS:localhost", expired=True),
        "other-name": guarded.authority.sign("other-name", "DNS:broker.lab"),
        "other-ca": stranger.sign("other-ca", "DNS:localhost"),
    }
    ports = {name: free_port() for name in (*signed, "plain", "nobody")}
    settings = "per_listener_settings false\nallow_anonymous true\n"
    for name, (certificate, key) in signed.items():
        settings += f"listener {ports[name]} {LOOPBACK}\ncertfile {certificate}\nkeyfile {key}\n"
    settings += f"listener {ports['plain']} {LOOPBACK}\n"
    with Guarded(program, port=ports["plain"], settings=settings):
        yield {**ports, "certificate": guarded.port, "users": guarded.no_certificate}


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ("expired", "has expired"),
        ("other-name", "the broker's certificate is not for 'localhost'"),
        ("other-ca", "of a CA that is not known here"),
        ("plain", "does not answer in TLS"),
        ("nobody", "refused"),
        ("certificate", "wants a client certificate: give cert_file and key_file (--cert and --key)"),
    ],
)
def test_why_there_is_no_encrypted_link(
    guarded: GuardedLab, misfits: dict[str, int], port: str, words: str
) -> None:
    """One line that a person can act on."""
    broker = f"mqtts://{OPERATOR}@localhost:{misfits[port]}"
    said = guarded.cli(OPERATOR, "devices", "--broker", broker)
    assert said.code == 3, said
    assert words in said.err
    assert len(said.err.splitlines()) == 1, said.err
    assert "_ssl.c" not in said.err


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [
        ("", "", "takes nobody without a name and a password"),
        (f"{OPERATOR}@", "wrong", f"does not take {OPERATOR!r}: the password is wrong"),
        ("eve@", "wrong", "does not take 'eve'"),
    ],
)
def test_why_the_broker_does_not_take_us(guarded: GuardedLab, user: str, password: str, words: str) -> None:
    """Who has no password, a wrong one, or is not known."""
    broker = f"mqtts://{user}localhost:{guarded.no_certificate}"
    said = guarded.cli(OPERATOR, "devices", "--broker", broker, more={"LAB2MQTT_PASSWORD": password})
    assert said.code == 3
    assert words in said.err


def test_a_plain_client_at_an_encrypted_port_is_told(guarded: GuardedLab) -> None:
    """``mqtt://`` where ``mqtts://`` was meant."""
    said = guarded.cli(OPERATOR, "devices", "--broker", f"mqtt://localhost:{guarded.no_certificate}")
    assert said.code == 3
    assert "if that port speaks TLS, say so (tls: true, mqtts://)" in said.err


def test_the_files_of_the_link_are_options_too(guarded: GuardedLab, tmp_path: Path) -> None:
    """And a file that is none ends the command before anything is tried."""
    certificate, key = guarded.bridge_certificate
    broker = f"mqtts://{OPERATOR}@localhost:{guarded.port}"
    own = ["--ca", str(guarded.authority.certificate), "--cert", str(certificate), "--key", str(key)]
    none = {"LAB2MQTT_CA": ""}
    assert guarded.cli(OPERATOR, "devices", "--broker", broker, *own, more=none).code == 0
    said = guarded.cli(OPERATOR, "devices", "--broker", broker, "--ca", str(tmp_path / "none"))
    assert said.code == 2
    assert "--ca" in said.err
    assert "No such file" in said.err
    said = guarded.cli(OPERATOR, "devices", "--broker", "mqtt://localhost", *own)
    assert said.code == 2
    assert "--ca is of no use without TLS" in said.err


def test_a_bridge_that_is_not_let_in_says_so_once(guarded: GuardedLab, tmp_path: Path) -> None:
    """However often it tries, and in its own words only."""
    config = tmp_path / "lab.yaml"
    config.write_text(
        f"bridge: lonely\nstate: kept\ndevices: {{}}\nbroker:\n  host: localhost\n  port: {guarded.port}\n"
        f"  tls: true\n  ca_file: {guarded.authority.certificate}\n"
    )
    before = guarded.broker.log().count("New connection")
    lonely = Program(["run", str(config)], tmp_path / "log")
    lonely.start()
    until(lambda: guarded.broker.log().count("New connection") >= before + 4, "it tries", within=15)
    lonely.terminate()
    said = lonely.said().splitlines()
    assert len([line for line in said if "No link" in line]) == 1, said
    assert "wants a client certificate" in lonely.said()
    assert not [line for line in said if "ERROR" in line], said
