"""A worker host as a process, with workers that a test writes, and an observer of everything."""

from collections.abc import Callable, Mapping
import json
from pathlib import Path
import textwrap
from typing import Any, Self
import uuid

from tests.broker.brokers import Broker
from tests.broker.caller import WITHIN, Caller
from tests.broker.observer import Heard, Observer, retained
from tests.broker.program import Program

from lab2mqtt.hub.ports import LOOPBACK


class PropsBench(Caller):
    """One worker host; what it keeps between its runs stays in its folder."""

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        *options: str,
        root: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.broker = broker
        self.name = f"props-{uuid.uuid4().hex[:6]}"
        self.prefix = f"{self.name}-halloween"
        self.root = root or folder / "props"
        self.root.mkdir(exist_ok=True)
        told = ["--root", str(self.root), "--state", str(folder / "kept"), "--client-id", self.name]
        told += ["--prefix", self.prefix, "--base", self.name, "--discovery", f"{self.name}-hub"]
        told += ["--broker", f"mqtt://{LOOPBACK}:{broker.port}", *options]
        self.host = Program(["props", *told], folder / "host.log", environment=environment)
        if broker.pid is None:
            broker.start()
        self.seen = self.observe()
        self._stop_id = ""

    def worker(self, name: str, body: str, **files: str) -> Path:
        """Write a worker's file, and more beside it; gives its path.

        Args:
            name: Of the prop.
            body: Of the class, or a whole module that has one.
            **files: By their names, with _ for the dot: ``config_yaml``.
        """
        backend = self.root / name / "backend"
        backend.mkdir(parents=True, exist_ok=True)
        text = textwrap.dedent(body)
        if "class Worker" not in text:
            text = (
                "import asyncio\nimport time\nfrom worker_host.base import BaseWorker\n\n\n"
                f"class Worker(BaseWorker):\n{textwrap.indent(text, '    ')}"
            )
        file = backend / "worker.py"
        file.write_text(text)
        for other, content in files.items():
            (backend / ".".join(other.rsplit("_", 1))).write_text(textwrap.dedent(content))
        return file

    def start(self) -> Self:
        """Start the host; returns once it is online."""
        since = self.seen.mark()
        self.host.start()
        self.until_text(f"{self.name}/availability", "online", since)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def observe(self) -> Observer:
        """Somebody who hears everything."""
        return Observer(self.broker.port, *self._filters())

    def _filters(self) -> tuple[str, ...]:
        return f"{self.prefix}/#", f"{self.name}/#", f"{self.name}-hub/#"

    # The old dialect

    def until_text(self, rest: str, text: str, since: int = 0, within: float = WITHIN) -> Heard:
        """Wait for a payload on a topic below the prefix."""
        return self.seen.wait(
            f"{self.prefix}/{rest}",
            lambda heard: heard == text,
            within=within,
            since=since,
            read=lambda one: one.payload.decode(),
        )

    def until_words(self, rest: str, words: str, since: int = 0) -> str:
        """Wait for a payload that has some words in it; gives it."""
        heard = self.seen.wait(
            f"{self.prefix}/{rest}",
            lambda text: words in text,
            within=WITHIN,
            since=since,
            read=lambda one: one.payload.decode(),
        )
        return heard.payload.decode()

    def texts(self, rest: str, since: int = 0) -> list[str]:
        """All payloads on a topic below the prefix."""
        return [one.payload.decode() for one in self.seen.heard(f"{self.prefix}/{rest}", since)]

    def cmd(self, prop: str, payload: Any, *, retain: bool = False) -> int:  # noqa: ANN401 - text or JSON
        """Send a command in the old dialect; gives the place in the record before."""
        since = self.seen.mark()
        self.seen.publish(f"{self.prefix}/{prop}/cmd", payload, retain=retain)
        return since

    # Ours, beside what every caller has

    def until_fault(self, device: str, *words: str) -> None:
        """Wait until one of the reasons why a device does not work has all of some words in it."""

        def tells(told: Any) -> bool:  # noqa: ANN401 - JSON
            reasons = told["readiness_reasons"] if told["readiness"] == "fault" else []
            return any(all(word in reason for word in words) for reason in reasons)

        self.until(device, "state", tells)

    def until_discovered(self, device: str, test: Callable[[Any], bool] = bool, since: int = 0) -> Any:  # noqa: ANN401 - JSON
        """What Home Assistant is told of a device."""
        topic = f"{self.name}-hub/device/{self.name}_{device}/config"
        return self.seen.wait(topic, lambda told: told and test(told), within=WITHIN, since=since).json

    def stop_lab(self, *, engaged: bool = True) -> None:
        """Engage the lab's emergency stop, or release it."""
        self._stop_id = uuid.uuid4().hex if engaged else self._stop_id
        told = {"engaged": engaged, "stop_id": self._stop_id, "by": "test", "reason": "a test"}
        self.seen.publish(f"{self.name}/emergency_stop", {**told, "timestamp": 0}, retain=True)

    def kept(self) -> dict[str, bytes]:
        """What the broker keeps."""
        return dict(retained(self.broker.port, *self._filters()))

    def lose_broker(self) -> None:
        """End the broker, and bring it back empty."""
        self.seen.close()
        self.broker.kill()
        self.broker.start()
        self.seen = self.observe()
        self.until_text(f"{self.name}/availability", "online")

    def close(self) -> None:
        """End everything, and leave nothing on the broker."""
        if self.host.pid:
            self.host.terminate()
        if self.broker.pid:
            for topic in self.kept():
                self.seen.publish(topic, "", retain=True)
            self.seen.barrier()
        self.seen.close()


def encoded(message: Any) -> str:  # noqa: ANN401 - JSON
    """JSON as text."""
    return json.dumps(message)
