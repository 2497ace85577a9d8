"""Our MQTT device server as a process, and who listens to it."""

import os
from pathlib import Path
from typing import Self
import uuid

from tests.broker.observer import Observer
from tests.broker.program import Program

SERVER = Path(__file__).with_name("functions_server.py")
WITHIN = 15.0  # s


class OurDevice:
    """One server, with a state of its own.

    Attributes:
        program: Its process.
        seen: What is said on its topics.
        prefix: What stands before its topics of the older dialect.
        device_id: Its id.
    """

    def __init__(self, port: int, folder: Path, prefix: str = "ot2") -> None:
        self.prefix = prefix
        self.device_id = f"cell-{uuid.uuid4().hex[:6]}"
        environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
        self.program = Program([], folder / "log", environment=environment)
        self.program.command[1:] = [str(SERVER), self.device_id, str(port), prefix]
        self.seen = Observer(port, f"{prefix}/{self.device_id}/#")

    def __enter__(self) -> Self:
        self.program.start()
        self.until("online")
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.pid:
            self.program.terminate()
        self.seen.close()

    def topic(self, kind: str) -> str:
        """A topic of the older dialect."""
        return f"{self.prefix}/{self.device_id}/{kind}"

    def until(self, word: str, since: int = 0) -> None:
        """Wait until it says that it is online, or offline."""
        self.seen.wait(self.topic("status"), lambda told: told["status"] == word, since=since, within=WITHIN)
