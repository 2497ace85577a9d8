"""``DeviceServer`` in its place: behind TLS, in a lab, at its end, beside others, wrongly configured."""

from concurrent.futures import ThreadPoolExecutor
import logging
from pathlib import Path
import signal
import ssl
import time
from typing import Any

import httpx
import pytest
from tests.broker.certificates import Authority
from tests.broker.observer import Observer
from tests.orchestration.http_program import HttpProgram, begin

from lab2mqtt import wire
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.orchestration import DeviceServer


def test_it_speaks_https(tmp_path: Path) -> None:
    """With a certificate and its key."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server", f"IP:{LOOPBACK}")
    files = {"CERTIFICATE": str(certificate), "KEY": str(key)}
    with HttpProgram(tmp_path, environment=files) as server:
        url = server.url.replace("http:", "https:")
        told = httpx.post(f"{url}/execute/look", verify=authority.context())
        assert told.json()["result"] == {"number": 1, "text": None}
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(url, verify=ssl.create_default_context())


def test_with_a_broker_it_is_a_device_of_the_lab(broker: Mosquitto, tmp_path: Path) -> None:
    """Described there; what HTTP asks for is answered there as well, and the lab's stop holds here."""
    environment = {"LAB2MQTT_BROKER": f"mqtt://{LOOPBACK}:{broker.port}"}
    with HttpProgram(tmp_path, environment=environment) as server:
        base, device = wire.DEFAULT_BASE, server.device_id
        stop = wire.emergency_stop_topic(base)
        with (
            Observer(broker.port, f"{base}/{device}/#", stop) as seen,
            httpx.Client(base_url=server.url, timeout=20) as http,
        ):
            seen.wait(f"{base}/{device}/description", lambda told: "mix_colors" in told["tasks"])
            answer = http.post("/execute/dose", json={"volume": 1})
            assert answer.status_code == 200, answer.text
            request_id = answer.headers["request-id"]
            heard = seen.wait(f"{base}/{device}/result", lambda told: told["request_id"] == request_id)
            assert heard.json["result"] == "number 1 from A"
            engaged = wire.stop_message(True, "test", "somebody", "", int(time.time()))  # noqa: FBT003
            seen.publish(stop, engaged, retain=True)
            try:
                seen.wait(f"{base}/{device}/state", lambda told: told["readiness"] == "emergency_stopped")
                refused = http.post("/execute/dose", json={"volume": 1})
                assert refused.json()["error_code"] == "emergency_stopped"
            finally:
                seen.publish(stop, "", retain=True)
                seen.barrier()


def test_a_broker_that_goes_away_takes_nothing_with_it(tmp_path: Path) -> None:
    """Over HTTP it is the same device, and stops."""
    with Mosquitto(mosquitto.find_or_unpack(print)) as own:
        environment = {"LAB2MQTT_BROKER": f"mqtt://{LOOPBACK}:{own.port}"}
        with (
            HttpProgram(tmp_path, environment=environment) as server,
            httpx.Client(base_url=server.url, timeout=20) as http,
        ):
            done = [http.post("/execute/dose", json={"volume": 1})]
            own.kill()
            done += [http.post("/execute/dose", json={"volume": 1})]
            assert [one.json()["result"] for one in done] == ["number 1 from A", "number 2 from A"]
            assert http.post("/execute/emergency_stop").json()["result"]["confirmed"] is True
            refused = http.post("/execute/dose", json={"volume": 1})
            assert refused.json()["error_code"] == "emergency_stopped"


def test_of_two_machines_one_serves(tmp_path: Path) -> None:
    """Where the broker was away at first, they find out later; the other ends, and tells why."""
    with Mosquitto(mosquitto.find_or_unpack(print)) as own:
        own.kill()
        environment = {"LAB2MQTT_BROKER": f"mqtt://{LOOPBACK}:{own.port}", "DEVICE": "twice"}
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        one, two = (HttpProgram(folder, environment=environment) for folder in folders)
        with one, two:
            own.start()
            deadline = time.monotonic() + 20
            while one.program.pid and two.program.pid:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            lives, ended = (one, two) if one.program.pid else (two, one)
            assert ended.program.wait() != 0
            assert "'twice' runs already" in ended.program.said()
            done = httpx.post(f"{lives.url}/execute/dose", json={"volume": 1}, timeout=20)
            assert done.json()["result"] == "number 1 from A"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_its_end_what_runs_is_answered(
    tmp_path: Path, beside: ThreadPoolExecutor, number: signal.Signals
) -> None:
    """It does not wait for a long task, and nobody is left without an answer."""
    with HttpProgram(tmp_path) as server, httpx.Client(base_url=server.url, timeout=20) as http:
        called = begin(http, beside, "turn", seconds=300)
        ended = server.program.terminate(number)
        assert ended.seconds < 8
        answer = called.result()
        assert (answer.status_code, answer.json()["error_code"]) == (500, "interrupted")
        assert "Traceback" not in server.program.said()


def test_one_robot_has_one_process(tmp_path: Path) -> None:
    """Another server of the same device ends with the reason; so does one on a port that is taken."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    with HttpProgram(folders[0]) as first:
        same = {"DEVICE": first.device_id, "XDG_STATE_HOME": str(folders[0])}
        second = HttpProgram(folders[1], environment=same)
        third = HttpProgram(folders[2], environment={"PORT": str(first.port)})
        for one, words in (
            (second, "one robot, one process"),
            (third, f"cannot listen on port {first.port} of 127.0.0.1"),
        ):
            one.program.start()
            assert one.program.wait() != 0
            assert words in one.program.said()
        assert httpx.post(f"{first.url}/execute/look", timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"require_auth": True}, r"needs a token: DeviceServer\(tokens=\[…\]\), or LAB2MQTT_TOKENS"),
        ({"tokens": ["two words"]}, "a token is one or more printable ASCII characters without spaces"),
        ({"tokens": [""]}, "a token is one or more"),
        ({"key": "server.key"}, "a key needs its certificate"),
        ({"certificate": "nowhere.crt"}, "there is no file nowhere.crt"),
    ],
)
def test_a_wrong_configuration_is_told(told: dict[str, Any], words: str) -> None:
    """Before anything is started."""
    with pytest.raises(Misconfigured, match=words):
        DeviceServer(device_id="never-run", **told)


def test_a_wrong_broker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, too."""
    monkeypatch.setenv("LAB2MQTT_BROKER", "http://broker.local")
    with pytest.raises(ValueError, match="is not mqtt://"):
        DeviceServer(device_id="never-run")


def test_who_lets_everybody_in_is_warned(caplog: pytest.LogCaptureFixture) -> None:
    """Before it listens: this address is nobody's."""
    with caplog.at_level(logging.WARNING), pytest.raises(Misconfigured, match="cannot listen on port"):
        DeviceServer(device_id="never-run", host="192.0.2.1").run()
    assert "whoever reaches 192.0.2.1 may move this device" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(Misconfigured, match="cannot listen on port"):
        DeviceServer(device_id="never-run", host="192.0.2.1", tokens="a-token").run()
    assert not caplog.text
