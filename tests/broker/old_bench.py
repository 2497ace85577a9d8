"""A bridge that adopts devices of the older dialect, as a process, and an observer of everything."""

import json
from pathlib import Path
from typing import Any, Self
import uuid

from tests.broker.brokers import Broker
from tests.broker.caller import WITHIN, Caller
from tests.broker.observer import Observer, retained
from tests.broker.program import Program, Said, run
import yaml


class OldBench(Caller):
    """One bridge without instruments of its own; what it keeps between its runs stays in its folder."""

    def __init__(self, broker: Broker, folder: Path, **settings: Any) -> None:  # noqa: ANN401
        self.broker = broker
        self.name = f"old-{uuid.uuid4().hex[:6]}"
        self.prefix = f"{self.name}-ot2"
        self.config = folder / "bridge.yaml"
        self.bridge = Program(["run", str(self.config)], folder / "bridge.log")
        if broker.pid is None:
            broker.start()
        self.configure(**settings)
        self.seen = self._observe()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401
        """Write the configuration."""
        told = {
            "bridge": self.name,
            "broker": {"port": self.broker.port},
            "base": self.name,
            "discovery": f"{self.name}-hub",
            "state": "kept",
            "adopt": True,
            "adopt_prefixes": [self.prefix],
            "devices": {},
            **settings,
        }
        self.config.write_text(yaml.safe_dump(told))

    def start(self) -> "OldBench":
        """Start the bridge; returns once it listens to what it may adopt."""
        since = self.seen.mark()
        self.bridge.start()
        self.until_adopting(since)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def until_adopting(self, since: int = 0) -> None:
        """Wait until it has heard all that is retained of others, which it says last."""
        self.seen.wait(f"{self.name}/bridge/{self.name}/marker", within=WITHIN, since=since)

    def restart(self) -> None:
        """Kill the bridge, and start it again."""
        self.bridge.kill()
        self.start()

    def lose_broker(self) -> None:
        """End the broker, and bring it back empty."""
        self.seen.close()
        self.broker.kill()
        self.broker.start()
        self.seen = self._observe()
        self.until_adopting()

    def _observe(self) -> Observer:
        return Observer(self.broker.port, f"{self.name}/#", f"{self.name}-hub/#", f"{self.prefix}/#")

    def until_offline(self, device: str, since: int = 0) -> None:
        """Wait until it cannot be reached."""
        self.until(device, "status", lambda told: told["status"] == "offline", since)

    def health(self) -> dict[str, Any]:
        """How the bridge says that it is."""
        found: dict[str, Any] = self.seen.last(f"{self.name}/bridge/{self.name}/health")
        return found

    def kept(self) -> dict[str, Any]:
        """What the broker keeps."""
        filters = (f"{self.name}/#", f"{self.name}-hub/#", f"{self.prefix}/#")
        return {topic: json.loads(payload) for topic, payload in retained(self.broker.port, *filters).items()}

    def run(self, *arguments: str) -> Said:
        """Run a command that talks to this lab."""
        return run(arguments[0], "--config", str(self.config), *arguments[1:])

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        if self.bridge.pid:
            self.bridge.terminate()
        if self.broker.pid:
            for topic in self.kept():
                self.seen.publish(topic, "", retain=True)
            self.seen.barrier()
        self.seen.close()
