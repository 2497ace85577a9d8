"""One private Home Assistant: a process, a configuration folder, a loopback port."""

from collections.abc import Callable, Mapping
import os
from pathlib import Path
import time
from types import TracebackType
from typing import Any, Self

from lab2mqtt.hub import child, configuration, owner, pages
from lab2mqtt.hub.api import Api, Refusal
from lab2mqtt.hub.environments import core
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.forms import fill
from lab2mqtt.hub.mosquitto import BrokerAddress
from lab2mqtt.hub.ports import free_port
from lab2mqtt.hub.progress import Say

START_WITHIN = 180.0  # seconds; 5 to 16 on two cores
STOP_WITHIN = 60.0  # seconds; its final write included it takes 2 to 4


class HomeAssistant(Api):
    """A Home Assistant that ends when we do.

    A configuration folder may be used again: owner, token, devices and history stay, port and broker may be
    others.

    Args:
        venv: Its environment, from ``environments.install``.
        folder: Its configuration folder, made if missing.
        broker: Where its MQTT entry leads; without one it has none.
        port: Its port on loopback, else a free one.
        open_door: Whether the page opens without a login, for everybody on this machine.
        extra_yaml: More of configuration.yaml.
        copies: Folders to copy into it at each start, by where they belong, see ``given.folders``.
        say: Takes lines on the way.
    """

    def __init__(
        self,
        venv: Path,
        folder: Path,
        broker: BrokerAddress | None = None,
        *,
        port: int = 0,
        open_door: bool = False,
        extra_yaml: str = "",
        copies: Mapping[str, Path] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        super().__init__(port or free_port())
        self.venv = venv
        self.folder = folder.absolute()
        self.broker = broker
        self.open_door = open_door
        self.extra_yaml = extra_yaml
        self.copies = dict(copies or {})
        self.owner: owner.Owner | None = None
        self._say = say
        self._process: child.Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; returns once it runs and its MQTT entry is loaded.

        Raises:
            HubError: It ended, went into recovery mode or took too long; the text ends with its log.
        """
        configuration.prepare(
            self.folder,
            core(self.venv),
            self.port,
            open_door=self.open_door,
            extra_yaml=self.extra_yaml,
            copies=self.copies,
        )
        self.disconnect()  # from one that died before
        if self.broker:
            configuration.move_broker(self.folder, self.broker)
        started = time.monotonic()
        deadline = started + START_WITHIN
        self._say("Starting Home Assistant …")
        self._process = child.start(
            # Without pip: all it needs is installed, and a demo starts without a network. With -P it takes
            # the custom components of its own folder, and not those of the one in which we happen to be.
            [
                str(self.venv / "bin" / "python"),
                "-P",
                "-m",
                "homeassistant",
                "--config",
                str(self.folder),
                "--skip-pip",
            ],
            self._log_file,
            _environment(),
        )
        try:
            self.owner = owner.log_in(self, self.folder, lambda what, test: self._wait(deadline, what, test))
            self._wait(deadline, "start up", lambda: self.get("/api/config")["state"] == "RUNNING")
            if self.broker:
                self._connect_mqtt(self.broker, deadline)
        except BaseException:
            self.stop()
            raise
        self._say(f"Home Assistant runs at {self.url} after {time.monotonic() - started:.0f} s.")

    def stop(self) -> int | None:
        """End it cleanly, its final write included; gives the exit code."""
        self.disconnect()
        return child.stop(self._process, STOP_WITHIN) if self._process else None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.disconnect()
        if self._process:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop it, if it still runs, and start it on the same folder and port."""
        self.stop()
        self.start()

    def log(self) -> str:
        """What it said since its last start."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    def wait_for_device(self, identifier: str, timeout: float = 10) -> dict[str, Any]:
        """Wait for the MQTT device that names this identifier; gives its registry entry."""
        return pages.device(self, identifier, timeout)

    def show_device(self, identifier: str, area: str, timeout: float = 10) -> str:
        """Put an MQTT device into an area, made if missing; gives the address of the device's page."""
        return pages.show_device(self, identifier, area, timeout)

    def save_dashboard(self, path: str, title: str, cards: list[dict[str, Any]]) -> str:
        """Make or change a dashboard of one view; ``path`` has a hyphen in it. Gives its address."""
        return pages.save_dashboard(self, path, title, cards)

    def show_lab(self, base: str) -> str:
        """Add our integration and a dashboard of its lab, which opens first; gives its address."""
        return pages.show_lab(self, base)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _log_file(self) -> Path:
        return self.folder / "hass.log"

    def _connect_mqtt(self, broker: BrokerAddress, deadline: float) -> None:
        """Add the MQTT entry as a person would, by its form, unless an earlier start did."""
        if not self.ws("config_entries/get", domain="mqtt"):
            form = self.post("/api/config/config_entries/flow", {"handler": "mqtt"})
            values = {
                "broker": broker.host,
                "port": broker.port,
                "set_client_cert": False,
                "set_ca_cert": "off",
                **{
                    name: value
                    for name in ("username", "password", "protocol")
                    if (value := getattr(broker, name))
                },
            }
            result = self.post(
                f"/api/config/config_entries/flow/{form['flow_id']}", fill(form["data_schema"], values)
            )
            if result["type"] != "create_entry":
                raise HubError(f"Home Assistant did not take the broker: {result.get('errors') or result}")
        self._wait(
            deadline,
            "load MQTT",
            lambda: self.ws("config_entries/get", domain="mqtt")[0]["state"] == "loaded",
        )

    def _wait(self, deadline: float, what: str, test: Callable[[], bool]) -> None:
        problem = ""
        while True:
            code = self._process.poll() if self._process else None
            if code is not None:
                raise self._failure(f"ended with exit code {code}")
            try:
                if test():
                    return
            except (OSError, Refusal, ValueError) as error:  # not yet: it does not listen, or knows nobody
                problem = f": {error}"
            # At once, rather than when the time is over; something that it needs is missing.
            if "Activating recovery mode" in self.log():
                raise self._failure("went into recovery mode")
            if time.monotonic() > deadline:
                raise self._failure(f"did not {what} in {START_WITHIN:.0f} s{problem}")
            time.sleep(0.1)

    def _failure(self, what: str) -> HubError:
        return HubError(f"Home Assistant {what}. The end of its log:\n{self.log()[-4000:]}")


def _environment() -> dict[str, str]:
    # The first slows it down, the others change what it imports or which port it takes.
    without = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "SUPERVISOR", "SETUP_PORT"}
    return {name: value for name, value in os.environ.items() if name not in without}
