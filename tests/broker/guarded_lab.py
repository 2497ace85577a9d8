"""A lab behind TLS, passwords and the access list that ``lab2mqtt acl`` wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
import re
import shutil
from typing import Any
import uuid

from tests.broker.bench import DEVICE, Servo
from tests.broker.certificates import Authority
from tests.broker.observer import Observer
from tests.broker.program import Program, Said, run
import yaml

from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.ports import LOOPBACK, free_port
from lab2mqtt.runtime.access import hashed

BRIDGE, OTHER, OTHER_DEVICE, ADOPTER = "bench-pi", "other-pi", "other-resort", "adopting-pi"
HUB, OPERATOR, VIEWER, BOARD = "homeassistant", "ada", "wall", "lamp"
WATCHER = ("watcher", "sees-everything")  # a line of our own in the access list


@dataclass
class Guarded(Mosquitto):
    """A mosquitto with a file of settings that somebody else wrote."""

    settings: str = ""

    def _settings(self, folder: Path) -> str:
        where = f"\npersistence_location {folder}/\n"
        # As root it would become another user, and by that lose the signal that ends it with us.
        return self.settings + where + "user root\n"


class GuardedLab:
    """Three bridges in configurations, one of which runs; a broker that asks everybody who they are."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "broker"
        self.authority = Authority(_made(folder / "ca"))
        self.port, self.no_certificate = free_port(), free_port()
        self.bridge_certificate = self.authority.sign(BRIDGE)
        self.servo = Servo(folder)
        self.config = self._configure(BRIDGE, DEVICE, str(self.servo.link))
        other = self._configure(OTHER, OTHER_DEVICE, "/dev/null")
        self.adopter = self._configure(ADOPTER)
        configs = [str(one) for one in (self.config, other, self.adopter)]
        self.acl_arguments = [
            *("acl", *configs, "--hub", HUB, "--operator", OPERATOR),
            *("--viewer", VIEWER, "--board", BOARD, "--out", str(self.out)),
        ]
        done = run(*self.acl_arguments)
        assert done.code == 0, done.err
        with (self.out / "acl").open("a") as file:
            file.write(f"user {WATCHER[0]}\ntopic readwrite #\n")
        with (self.out / "passwords").open("a") as file:
            file.write(f"{WATCHER[0]}:{hashed(WATCHER[1])}\n")
        certificate, key = self.authority.sign("broker", "DNS:localhost", f"IP:{LOOPBACK}")
        shutil.copy(certificate, self.out / "broker.crt")
        shutil.copy(key, self.out / "broker.key")
        shutil.copy(self.authority.certificate, self.out / "ca.crt")
        self.broker = Guarded(program, port=self.port, settings=self._settings())
        self.bridge = Program(["run", str(self.config)], folder / "bridge.log")

    def _configure(self, bridge: str, device: str = "", link: str = "") -> Path:
        """The configuration of a bridge that has a certificate, and the password that acl is to make.

        Without a device it adopts.
        """
        certificate, key = self.bridge_certificate
        file = self.folder / f"{bridge}.yaml"
        resort = {"model": "plate_resort", "simulated": True, "settings": {"device": link}}
        told = {
            "bridge": bridge,
            "adopt": not device,
            "state": f"kept-{bridge}",
            "broker": {
                "host": "localhost",
                "port": self.port,
                "username": bridge,
                "password_file": f"broker/users/{bridge}",
                "tls": True,
                "ca_file": "ca/ca.crt",
                "cert_file": str(certificate.relative_to(self.folder)),
                "key_file": str(key.relative_to(self.folder)),
            },
            "devices": {device: resort} if device else {},
        }
        file.write_text(yaml.safe_dump(told))
        return file

    def _settings(self) -> str:
        """What acl wrote, on loopback ports of ours: one that wants certificates, and one that does not."""
        written = (self.out / "mosquitto.conf").read_text()
        assert "#require_certificate true" in written
        asks = re.sub(r"#(require_certificate)", r"\1", written)
        asks = asks.replace("listener 8883", f"listener {self.port} {LOOPBACK}")
        files = "".join(re.findall(r"^(?:cafile|certfile|keyfile) .*\n", written, re.MULTILINE))
        return f"{asks}listener {self.no_certificate} {LOOPBACK}\n{files}"

    # Talking.

    def password(self, user: str) -> str:
        """What acl made for a user."""
        return (self.out / "users" / user).read_text().strip()

    def as_user(self, user: str, *filters: str) -> Observer:
        """A client that says it is somebody."""
        login = (user, self.password(user))
        marker = f"lab2mqtt/bridge/{uuid.uuid4().hex}/marker"
        return Observer(
            self.no_certificate, *filters, login=login, tls=self.authority.context(), marker=marker
        )

    def watcher(self, *filters: str) -> Observer:
        """A client that may hear everything."""
        return Observer(self.no_certificate, *filters, login=WATCHER, tls=self.authority.context())

    def cli(self, user: str, *words: str, more: Mapping[str, str] | None = None) -> Said:
        """Run a command as somebody."""
        environment = {
            "LAB2MQTT_BROKER": f"mqtts://{user}@localhost:{self.no_certificate}",
            "LAB2MQTT_PASSWORD": self.password(user),
            "LAB2MQTT_CA": str(self.authority.certificate),
            **(more or {}),
        }
        return run(*words, environment=environment)

    def start(self) -> None:
        """Start everything; the device is ready when it returns."""
        self.servo.start()
        self.broker.start()
        self.bridge.start()
        with self.watcher("lab2mqtt/#") as seen:
            seen.wait(f"lab2mqtt/{DEVICE}/state", _ready, within=15)

    def stop(self) -> None:
        """End everything."""
        self.bridge.terminate()
        self.broker.__exit__(None, None, None)
        self.servo.stop()


def _ready(state: Any) -> bool:  # noqa: ANN401 - JSON
    return bool(state and state["readiness"] == "ready")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
