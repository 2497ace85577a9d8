"""Users of props, with a real mosquitto: on the list that ``lab2mqtt acl`` wrote, and on the original's."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import threading
from typing import Self
import uuid

from paho.mqtt import client as paho
from paho.mqtt.reasoncodes import ReasonCode
import pytest
from tests.broker.guarded_lab import Guarded
from tests.broker.observer import Observer, until
from tests.broker.program import Program, run

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.paho_loop import end_loop
from lab2mqtt.runtime.access import hashed

HOST, BOARD, OTHER, HUB, OPERATOR, VIEWER = "worker", "esp32-a", "esp32-b", "homeassistant", "ada", "wall"
PROP = "coffin_jumper"  # it has a worker
STOP = "lab2mqtt/emergency_stop"
MARKER = "lab2mqtt/bridge/the-end/marker"
ADMIN = ("admin", "sees-everything")
WITHIN = 5.0  # s

# Topics, and who of all may write there.
MAY_WRITE = {
    f"halloween/{BOARD}/availability": {BOARD, HOST},
    f"halloween/{BOARD}/state": {BOARD, HOST},
    f"halloween/{BOARD}/telemetry": {BOARD, HOST},
    f"halloween/{BOARD}/telemetry/deep/er": {BOARD, HOST},
    f"halloween/{BOARD}/status/warn": {BOARD, HOST},
    f"halloween/{BOARD}/cmd": {HOST, HUB, OPERATOR},
    f"halloween/{BOARD}/other": {HOST},
    f"halloween/{OTHER}/cmd": {HOST, HUB, OPERATOR},
    f"halloween/{OTHER}/state": {OTHER, HOST},
    f"halloween/{OTHER}/availability": {OTHER, HOST},
    f"halloween/{PROP}/cmd": {HOST, HUB, OPERATOR},
    f"halloween/{PROP}/telemetry/tick": {HOST},
    "halloween/worker_host/availability": {HOST},
    "halloween/worker_host/uptime": {HOST},
    f"lab2mqtt/{PROP}/command": {HOST, HUB, OPERATOR},
    f"lab2mqtt/{PROP}/state": {HOST},
    f"lab2mqtt/{PROP}/description": {HOST},
    "lab2mqtt/plate-resort/command": {HOST, HUB, OPERATOR},
    "lab2mqtt/plate-resort/state": set(),
    f"lab2mqtt/{BOARD}/command": {HOST, HUB, OPERATOR},
    f"lab2mqtt/{BOARD}/state": {HOST},
    "lab2mqtt/bridge/worker_host/status": {HOST},
    "lab2mqtt/bridge/bench/status": set(),
    f"homeassistant/device/lab2mqtt_{PROP}/config": {HOST, HUB},
    f"homeassistant/device/lab2mqtt_{BOARD}/config": {HOST, HUB},
    "homeassistant/device/lab2mqtt_plate-resort/config": {HUB},
    "homeassistant/sensor/made-up/config": {HUB},
    STOP: {HOST, HUB, OPERATOR, VIEWER},
    "elsewhere": set(),
}
MAY_READ = {
    f"halloween/{BOARD}/cmd": {BOARD, HOST, HUB, OPERATOR, VIEWER},
    f"halloween/{OTHER}/cmd": {OTHER, HOST, HUB, OPERATOR, VIEWER},
    f"halloween/{PROP}/cmd": {HOST, HUB, OPERATOR, VIEWER},
    f"halloween/{OTHER}/state": {HOST, HUB, OPERATOR, VIEWER},
    f"halloween/{OTHER}/status/warn": {HOST, HUB, OPERATOR, VIEWER},
    f"lab2mqtt/{PROP}/command": {HOST, HUB, OPERATOR, VIEWER},
    "lab2mqtt/plate-resort/result": {HOST, HUB, OPERATOR, VIEWER},
    "lab2mqtt/plate-resort/progress": {HOST, HUB, OPERATOR, VIEWER},
    "lab2mqtt/plate-resort/state": {HOST, HUB, OPERATOR, VIEWER},
    "lab2mqtt/plate-resort/description": {HOST, HUB, OPERATOR, VIEWER},
    "lab2mqtt/plate-resort/command": {HUB, OPERATOR, VIEWER},
    STOP: {BOARD, OTHER, HOST, HUB, OPERATOR, VIEWER},
    "homeassistant/status": {HOST, HUB},
    "homeassistant/device/lab2mqtt_plate-resort/config": {HUB},
    "elsewhere": set(),
}
EVERYBODY = (HOST, BOARD, OTHER, HUB, OPERATOR, VIEWER)


class Login:
    """A client of some user under an id of its choice; it may be deaf or dumb, and is not told so."""

    def __init__(self, port: int, login: tuple[str, str], *filters: str, client_id: str = "") -> None:
        self.heard: list[tuple[str, str]] = []
        self._news = threading.Condition()
        self._answered = threading.Event()
        self._let_in = False
        self._filters = filters or ("nothing",)
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id or f"login-{uuid.uuid4().hex[:8]}"
        )
        self._client.username_pw_set(*login)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        assert self._answered.wait(WITHIN)
        if not self._let_in:
            self.close()
            raise ConnectionRefusedError

    def _on_connect(
        self, client: paho.Client, userdata: object, flags: object, reason: ReasonCode, _: object
    ) -> None:
        del userdata, flags
        if reason.is_failure:
            self._answered.set()
        else:
            client.subscribe([(topic, 1) for topic in self._filters])

    def _on_subscribe(self, *_: object) -> None:
        self._let_in = True
        self._answered.set()

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        with self._news:
            self.heard.append((message.topic, message.payload.decode()))
            self._news.notify_all()

    def say(self, topic: str, payload: str) -> None:
        """Publish."""
        self._client.publish(topic, payload, 1)

    def hears(self, topic: str, payload: str) -> None:
        """Wait until it has heard that."""
        with self._news:
            assert self._news.wait_for(lambda: (topic, payload) in self.heard, WITHIN), self.heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        end_loop(self._client)


class Haunt:
    """A mosquitto with users, passwords and a list."""

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self.port = port
        self.folder = folder
        settings = (
            f"listener {port} {LOOPBACK}\nallow_anonymous false\nset_tcp_nodelay true\n"
            f"password_file {folder}/passwords\nacl_file {folder}/acl\nlog_type all\n"
        )
        self.broker = Guarded(program, port=port, settings=settings)

    def password(self, user: str) -> str:
        """As acl made it."""
        return (self.folder / "users" / user).read_text().strip()

    def login(self, user: str, *filters: str, client_id: str = "") -> Login:
        """Connect as somebody."""
        return Login(self.port, (user, self.password(user)), *filters, client_id=client_id)

    def watcher(self, *filters: str) -> Observer:
        """Connect as one who may everything."""
        return Observer(self.port, *filters, login=ADMIN)


@pytest.fixture(scope="module")
def program() -> Path:
    """Mosquitto; the embedded broker knows no users."""
    try:
        return mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="module")
def haunt(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haunt]:
    """A broker on what ``lab2mqtt acl`` writes for a worker host and two boards, without a configuration."""
    out = tmp_path_factory.mktemp("haunt") / "broker"
    roles = ("--hub", HUB, "--operator", OPERATOR, "--viewer", VIEWER, "--worker-host", HOST)
    props = ("--prop-device", PROP, "--prop", BOARD, "--prop", OTHER)
    done = run("acl", *roles, *props, "--out", str(out))
    assert done.code == 0, done.err
    with (out / "acl").open("a") as file:
        file.write(f"user {ADMIN[0]}\ntopic readwrite #\n")
    with (out / "passwords").open("a") as file:
        file.write(f"{ADMIN[0]}:{hashed(ADMIN[1])}\n")
    made = Haunt(program, out, free_port())
    with made.broker:
        yield made


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_say_what(haunt: Haunt, who: str) -> None:
    """What is not granted is heard by nobody."""
    token = uuid.uuid4().hex
    with haunt.watcher("#") as seen:
        for topic in MAY_WRITE:
            # A connection for each: mosquitto 2.0.11 of Debian 12 forgets a slot at each refusal, and has 20.
            own = f"halloween/{who}/state" if who in (BOARD, OTHER) else MARKER
            with haunt.login(who, client_id=OTHER) as speaker:  # an id that anybody may choose
                speaker.say(topic, token)
                speaker.say(own, json.dumps(f"{token} after {topic}"))
                seen.wait(own, lambda told, last=f"{token} after {topic}": told == last)
        heard = {one.topic for one in seen.heard() if one.payload == token.encode()}
    assert heard == {topic for topic, speakers in MAY_WRITE.items() if who in speakers}


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_hear_what(haunt: Haunt, who: str) -> None:
    """Whoever listens to everything, under whatever id, hears what is granted."""
    token = uuid.uuid4().hex
    own = f"halloween/{who}/cmd" if who in (BOARD, OTHER) else STOP
    with haunt.watcher() as speaker, haunt.login(who, "#", client_id=OTHER) as listener:
        for topic in MAY_READ:
            speaker.publish(topic, token)
        speaker.publish(own, f"{token} end")
        listener.hears(own, f"{token} end")
        heard = {topic for topic, payload in listener.heard if payload == token}
    assert heard == {topic for topic, listeners in MAY_READ.items() if who in listeners}


def test_nobody_comes_in_without_a_password_or_with_that_of_another_prop(haunt: Haunt) -> None:
    """A password is good for its own user."""
    for login in ((BOARD, haunt.password(OTHER)), (BOARD, ""), ("", "")):
        with pytest.raises(ConnectionRefusedError):
            Login(haunt.port, login)
    Login(haunt.port, (BOARD, haunt.password(BOARD))).close()


# The list of the original, and why ours has no line of its kind

ORIGINAL = """\
user admin
topic readwrite #

user dashboard
topic read halloween/+/availability
topic read halloween/+/state
topic read halloween/+/telemetry/#
topic write halloween/ui/#
topic write halloween/+/cmd

user worker
{worker}

user device
pattern readwrite halloween/%c/#
"""
ALL_PROPS = "pattern readwrite halloween/+/#"
ALL_PROPS_FOR_ONE = "topic readwrite halloween/+/#"


@pytest.fixture
def original(program: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Haunt]:
    """A broker on a list with ``pattern`` lines; the parameter is the line of the worker."""
    (tmp_path / "users").mkdir()
    (tmp_path / "passwords").write_text(
        "".join(f"{name}:{hashed('secret')}\n" for name in ("dashboard", "worker", "device"))
        + f"{ADMIN[0]}:{hashed(ADMIN[1])}\n"
    )
    (tmp_path / "users" / "device").write_text("secret\n")
    (tmp_path / "acl").write_text(ORIGINAL.format(worker=request.param))
    made = Haunt(program, tmp_path, free_port())
    with made.broker:
        yield made


@pytest.mark.parametrize(
    ("original", "client_id", "arrives"),
    [
        (ALL_PROPS, BOARD, True),  # `user worker` above the line does not bind it to the worker
        (ALL_PROPS_FOR_ONE, OTHER, True),  # under the name of another
        (ALL_PROPS_FOR_ONE, BOARD, False),  # so it is the id that opens the door
    ],
    indirect=["original"],
)
def test_a_pattern_lets_any_login_command_any_prop(original: Haunt, client_id: str, arrives: bool) -> None:  # noqa: FBT001
    """In the original's list each of the two lines alone is enough."""
    topic = f"halloween/{OTHER}/cmd"
    with original.watcher("halloween/#") as seen, original.login("device", client_id=client_id) as thief:
        thief.say(topic, "trigger")
        thief.say(f"halloween/{client_id}/state", '"said"')
        seen.wait(f"halloween/{client_id}/state")
        assert bool(seen.heard(topic)) is arrives
    with original.watcher() as boss, original.login("device", "#", client_id=client_id) as thief:
        boss.publish(topic, "secret word")
        boss.publish(f"halloween/{client_id}/cmd", "end")
        thief.hears(f"halloween/{client_id}/cmd", "end")
        assert ((topic, "secret word") in thief.heard) is arrives


def test_our_list_has_no_pattern(haunt: Haunt) -> None:
    """And so the same login, under the same id, reaches nobody."""
    assert "pattern" not in (haunt.folder / "acl").read_text()
    topic = f"halloween/{OTHER}/cmd"
    with haunt.watcher("halloween/#") as seen, haunt.login(BOARD, client_id=OTHER) as thief:
        thief.say(topic, "trigger")
        thief.say(f"halloween/{BOARD}/state", '"said"')
        seen.wait(f"halloween/{BOARD}/state", lambda told: told == "said")
        assert seen.heard(topic) == []


# The worker host itself, under its list

WORKER = f"""
from lab2mqtt.props import BaseWorker


class Worker(BaseWorker):
    boards = ("{BOARD}",)

    async def do_both(self):
        self.command("{BOARD}", "shake", {{"seconds": 1}})
        self.telemetry("answered", (await self.call("heartbeat", "ping", arg="4")) or 4)
"""


def test_the_worker_host_lives_wholly_under_its_list(haunt: Haunt, tmp_path: Path) -> None:
    """Its props, itself, a command and its answer, both ways, and the stop; the broker refuses nothing."""
    worker = tmp_path / "props" / PROP / "backend" / "worker.py"
    worker.parent.mkdir(parents=True)
    worker.write_text(WORKER)
    environment = {
        "MQTT_HOST": LOOPBACK,
        "MQTT_PORT": str(haunt.port),
        "MQTT_WORKER_USER": HOST,
        "MQTT_WORKER_PW_FILE": str(haunt.folder / "users" / HOST),
    }
    host = Program(
        ["props", "--root", str(tmp_path / "props"), "--state", str(tmp_path / "state")],
        tmp_path / "log",
        environment=environment,
    )
    before = len(haunt.broker.log())
    with haunt.watcher("#") as seen, haunt.login(OPERATOR) as ada:
        host.start()
        try:
            for name in (PROP, "heartbeat", "worker_host"):
                state = f"lab2mqtt/{name}/state"
                seen.wait(state, lambda told: told and told["readiness"] == "ready", within=15)
                seen.wait(f"homeassistant/device/lab2mqtt_{name}/config")
            seen.wait("halloween/worker_host/uptime")
            for name in (PROP, "heartbeat"):
                seen.wait(f"halloween/{name}/availability")  # said once it takes commands
            ada.say("halloween/heartbeat/cmd", "ping 3")
            seen.wait("halloween/heartbeat/telemetry/pong", lambda told: told == 3)
            ada.say(f"halloween/{PROP}/cmd", "both")
            seen.wait(f"halloween/{PROP}/telemetry/answered", lambda told: told == 4)
            seen.wait(f"halloween/{BOARD}/cmd", lambda told: told["action"] == "shake")
            said = run(
                *("call", PROP, "both", "--broker", f"mqtt://{OPERATOR}@{LOOPBACK}:{haunt.port}"),
                environment={"LAB2MQTT_PASSWORD": haunt.password(OPERATOR)},
            )
            assert said.code == 0, said.err
            ada.say(STOP, json.dumps({"engaged": True, "stop_id": "one"}))
            seen.wait(f"lab2mqtt/{PROP}/event", lambda told: told.get("stop_id") == "one")
            since = seen.mark()
            ada.say(STOP, json.dumps({"engaged": False, "stop_id": "one"}))
            state = f"lab2mqtt/{PROP}/state"
            seen.wait(state, lambda told: not told["emergency_stop"], since=since)
        finally:
            host.terminate()
        seen.barrier()
    assert [line for line in haunt.broker.log()[before:].splitlines() if "Denied" in line] == []
    with haunt.login(OPERATOR) as ada:
        ada.say(f"lab2mqtt/{PROP}/state", "no operator may say this")
        until(lambda: "Denied PUBLISH" in haunt.broker.log()[before:], "a refusal is told in the log")


def test_what_a_prop_left_behind_is_cleared_by_who_may_speak_there(haunt: Haunt) -> None:
    """The worker host's user; a broker refuses in silence, so what it keeps is looked at."""
    topic = "halloween/renamed/availability"
    with haunt.watcher(topic) as seen:
        seen.publish(topic, "offline", retain=True)
        seen.barrier()
        for user, code, words in ((OPERATOR, 2, "who asks may not speak there"), (HOST, 0, "")):
            said = run(
                *("forget", "renamed", "--prefix", "halloween"),
                *("--broker", f"mqtt://{user}@{LOOPBACK}:{haunt.port}"),
                environment={"LAB2MQTT_PASSWORD": haunt.password(user)},
            )
            assert said.code == code, said.err
            assert words in said.err
        seen.barrier()
    assert seen.heard(topic)[-1].payload == b""
