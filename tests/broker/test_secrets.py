"""A password is nowhere but where it was given: not in a log, an error, a state file, or a message."""

import base64
from collections.abc import Iterator
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.broker.bench import DEVICE, Servo
from tests.broker.guarded_lab import Guarded
from tests.broker.observer import Observer, until
from tests.broker.program import Program, run
import yaml

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.runtime.access import hashed

# Each begins and ends with something that is found by no accident.
PASSWORDS = ["sesame-plain-7f3a", "sesame @:/%41?#[] 7f3a", "sesame-ü€🔑-7f3a", "sesame'\"\\$`{}-7f3a"]
WRONG = "swordfish @:/%41 ü 7f3a"


def forms(password: str) -> list[bytes]:
    """A password as it may stand in a file: plain, quoted, escaped, encoded."""
    texts = {
        password,
        quote(password),
        quote(password, safe=""),
        json.dumps(password)[1:-1],
        repr(password)[1:-1],
    }
    encoded = base64.b64encode(password.encode())
    return [*(text.encode() for text in texts), encoded.rstrip(b"=")]


def leaks(password: str, said: str, folder: Path, given: set[Path]) -> list[str]:
    """Where a password stands that it should not."""
    found = [f"output: {form!r}" for form in forms(password) if form in said.encode()]
    for file in folder.rglob("*"):
        if file.is_file() and file not in given:
            content = file.read_bytes()
            found += [f"{file.name}: {form!r}" for form in forms(password) if form in content]
    return found


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A mosquitto that knows one user for each password; and one who hears everything."""
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    passwords = tmp_path_factory.mktemp("mosquitto") / "passwords"
    users = {f"user-{number}": password for number, password in enumerate(PASSWORDS)} | {"watcher": "x"}
    passwords.write_text("".join(f"{name}:{hashed(password)}\n" for name, password in users.items()))
    at = free_port()
    settings = f"listener {at} {LOOPBACK}\nallow_anonymous false\npassword_file {passwords}\n"
    with Guarded(program, port=at, settings=settings):
        yield at


@pytest.fixture(scope="module")
def servo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servo]:
    """A device that works."""
    made = Servo(tmp_path_factory.mktemp("servo"))
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("number", range(len(PASSWORDS)))
@pytest.mark.parametrize("way", ["password_env", "password_file"])
def test_a_bridge_tells_its_password_to_nobody(
    port: int, servo: Servo, tmp_path: Path, number: int, way: str
) -> None:
    """With every detail logged: at work, at a broken message, at a crash, and with a wrong password."""
    password, user, base = PASSWORDS[number], f"user-{number}", f"{way}-{number}"
    secret, config = tmp_path / "secret", tmp_path / "lab.yaml"
    secret.write_text(f"{password}\n")
    told = {
        "bridge": user,
        "base": base,
        "state": "kept",
        "broker": {"port": port, "username": user, way: "LAB_SECRET" if way == "password_env" else "secret"},
        "devices": {
            DEVICE: {"model": "plate_resort", "simulated": True, "settings": {"device": str(servo.link)}}
        },
    }
    config.write_text(yaml.safe_dump(told))
    environment = {"LAB_SECRET": password} if way == "password_env" else {}
    checked = run("check", str(config), environment=environment)
    assert checked.code == 0, checked.err
    bridge = Program(["run", "--debug", str(config)], tmp_path / "bridge.log", environment=environment)
    with Observer(port, "#", login=("watcher", "x")) as seen:
        bridge.start()
        state = f"{base}/{DEVICE}/state"
        seen.wait(state, lambda one: one["readiness"] == "ready", within=15)
        for broken in ("{", '{"task": 1}', json.dumps({"task": "get_hotels", "request_id": user})):
            seen.publish(f"{base}/{DEVICE}/command", broken)
        seen.wait(f"{base}/{DEVICE}/result", lambda one: one["request_id"] == user)
        for topic in (f"{base}/emergency_stop", f"{base}/bridge/{user}/claim"):
            seen.publish(topic, "broken")
        seen.barrier()
        said = b"".join(one.topic.encode() + one.payload for one in seen.heard())
        bridge.terminate()
    assert [form for form in forms(password) if form in said] == []
    assert leaks(password, checked.out + checked.err, tmp_path, {secret}) == []
    assert (tmp_path / "kept").exists()  # it was looked into

    secret.write_text(f"{WRONG}\n")
    refused = Program(
        ["run", "--debug", str(config)], tmp_path / "refused.log", environment={"LAB_SECRET": WRONG}
    )
    refused.start()
    refused.until_said("the password is wrong")
    refused.terminate()
    assert leaks(WRONG, "", tmp_path, {secret}) == []


@pytest.mark.parametrize("number", range(len(PASSWORDS)))
def test_commands_tell_their_password_to_nobody(port: int, tmp_path: Path, number: int) -> None:
    """In an address and in the environment; right, wrong, without a broker, and where it is no address."""
    password, user = PASSWORDS[number], f"user-{number}"
    said = ""
    for at in (port, free_port()):
        for given, code in ((password, 0 if at == port else 3), (WRONG, 3)):
            ways: tuple[tuple[str, dict[str, str]], ...] = (
                (f"mqtt://{user}:{quote(given, safe='')}@{LOOPBACK}:{at}", {}),
                (f"mqtt://{user}@{LOOPBACK}:{at}", {"LAB2MQTT_PASSWORD": given}),
            )
            for broker, environment in ways:
                told = run("devices", "--broker", broker, environment=environment)
                assert told.code == code, told
                said += told.out + told.err
    for wrong in (
        ("devices", "--broker", f"http://{user}:{password}@{LOOPBACK}"),
        ("devices", "--broker", f"mqtt://{user}:{password}@{LOOPBACK}/lab"),
        ("devices", f"mqtt://{user}:{password}@{LOOPBACK}"),
        (f"mqtt://{user}:{password}@{LOOPBACK}",),
    ):
        told = run(*wrong)
        assert told.code == 2, told
        said += told.out + told.err
    assert leaks(password, said, tmp_path, set()) == []
    assert leaks(WRONG, said, tmp_path, set()) == []


def test_a_crash_tells_the_password_to_nobody(port: int, tmp_path: Path) -> None:
    """A traceback goes into a log as well, at whatever place it began."""
    program = f"""
import asyncio, logging
logging.basicConfig(level=logging.DEBUG)
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import Link, Message

def fail(message: Message) -> None:
    raise RuntimeError("at a message of {{}}".format(broker))

async def main():
    async with Link(broker, fail) as link:
        await link.listen([("secrets/crash", 1)])
        link.send("secrets/crash", "x", 1, retain=False)
        await link.drained()
        await asyncio.sleep(0.2)
        raise RuntimeError(repr(broker))

broker = Broker("{LOOPBACK}", {port}, "user-1", {PASSWORDS[1]!r})
asyncio.run(main(), debug=True)
"""
    script, log = tmp_path / "crash.py", tmp_path / "crash.log"
    script.write_text(program)
    crashing = Program([], log)
    crashing.command = [crashing.command[0], str(script)]
    crashing.start()
    assert crashing.wait() == 1
    until(lambda: "A message on secrets/crash could not be handled" in crashing.said(), "it failed", within=1)
    assert crashing.said().count("Traceback") >= 2
    assert leaks(PASSWORDS[1], "", tmp_path, {script}) == []
