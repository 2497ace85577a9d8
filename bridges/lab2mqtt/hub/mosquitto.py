"""A private mosquitto on loopback."""

from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import tempfile
import time
from types import TracebackType
from typing import NamedTuple, Self

from lab2mqtt.hub import child, debian
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port, listens
from lab2mqtt.hub.progress import Say

START_WITHIN = 10.0  # seconds; it takes some 20 ms


class BrokerAddress(NamedTuple):
    """Where a broker is and how to speak to it."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    protocol: str = ""  # "3.1.1" or "5"; empty: as the client likes


def find() -> Path | None:
    """The mosquitto of this machine, else one that was unpacked before."""
    # Debian installs it where only root's PATH leads.
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    return Path(path) if path else debian.found("mosquitto")


def find_or_unpack(say: Say) -> Path:
    """A mosquitto, unpacked from Debian if there is none.

    Raises:
        NotAvailable: There is none and none can be unpacked.
        HubError: The mirror does not answer.
    """
    return find() or debian.program("mosquitto", say)


@dataclass
class Mosquitto:
    """One mosquitto process, on one loopback port that it keeps when it is restarted.

    Args:
        program: Its path, from ``find_or_unpack``.
        port: Its port, else a free one.
        persistence: Whether retained messages and sessions outlive a restart. Not a kill: it writes them
            when it ends.
        passwords: A file made by ``mosquitto_passwd``; without one everybody on this machine may connect.
    """

    program: Path
    port: int = 0
    persistence: bool = False
    passwords: Path | None = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: child.Child | None = None

    @property
    def address(self) -> BrokerAddress:
        """Where it listens. Any mosquitto that is still around speaks MQTT 5 and 3.1.1."""
        return BrokerAddress(LOOPBACK, self.port)

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; returns once it takes connections.

        Raises:
            HubError: It ended or did not listen in time; the text holds its log.
        """
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lab2mqtt-mosquitto-")
        folder = Path(self._folder.name)
        settings, log = folder / "mosquitto.conf", folder / "log"
        settings.write_text(self._settings(folder))
        # Else somebody else's listener would be taken for ours.
        if listens(self.port):
            raise HubError(f"mosquitto: port {self.port} is taken")
        self._process = child.start([str(self.program), "-c", str(settings)], log)
        deadline = time.monotonic() + START_WITHIN
        while not listens(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise HubError(f"mosquitto did not start: {log.read_text(errors='replace').strip()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it cleanly: clients are told, and what is to persist is written."""
        if self._process:
            child.stop(self._process, patience=5)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop it and start it on the same port; without persistence it comes back empty."""
        self.stop()
        self.start()

    def log(self) -> str:
        """What it said since its last start."""
        return Path(self._folder.name, "log").read_text(errors="replace") if self._folder else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    def _settings(self, folder: Path) -> str:
        lines = [
            f"listener {self.port} {LOOPBACK}",
            # The default of 1000 makes it drop QoS 0 messages, discovery too, for a client that is busy for
            # a few seconds, as Home Assistant is while it starts.
            "max_queued_messages 0",
            # Else Nagle's algorithm holds small messages back for 40 ms.
            "set_tcp_nodelay true",
            f"allow_anonymous {'false' if self.passwords else 'true'}",
            f"persistence {'true' if self.persistence else 'false'}",
            f"persistence_location {folder}/",
        ]
        if self.passwords:
            lines.append(f"password_file {self.passwords}")
        if os.geteuid() == 0:
            # As root it would become another user, and by that lose the signal that ends it with us.
            lines.append("user root")
        return "\n".join([*lines, ""])
