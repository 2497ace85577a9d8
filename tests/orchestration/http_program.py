"""``http_functions`` as a process, by itself or under gunicorn and uvicorn."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
import time
from typing import Self
import uuid

import httpx
from tests.broker.program import Program

from lab2mqtt.hub.ports import LOOPBACK, free_port, listens

MODULE = "tests.orchestration.http_functions"
SERVES = "its tasks at /docs"
WITHIN = 15.0  # s


class HttpProgram:
    """One server, with a state of its own."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        module: str = MODULE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.device_id = f"mixer-{uuid.uuid4().hex[:6]}"
        self.url = f"http://{LOOPBACK}:{self.port}"
        told = {
            "PORT": str(self.port),
            "DEVICE": self.device_id,
            "XDG_STATE_HOME": str(folder),
            "HOME": str(folder),  # where gunicorn keeps a socket
            **(environment or {}),
        }
        words = [word.format(port=self.port) for word in arguments]
        self.program = Program(words, folder / f"{self.device_id}.log", module, told)

    def __enter__(self) -> Self:
        self.program.start()
        if self.program.command[2] == MODULE:
            self.program.until_said(SERVES, WITHIN)
            return self
        deadline = time.monotonic() + WITHIN
        while not listens(self.port):
            assert self.program.pid, f"it ended: {self.program.said()}"
            assert time.monotonic() < deadline, self.program.said()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        if self.program.pid:
            self.program.terminate()


def begin(
    http: httpx.Client, beside: ThreadPoolExecutor, task: str, **parameters: float
) -> Future[httpx.Response]:
    """Call a task that takes its time, and wait until it was taken."""
    key = uuid.uuid4().hex
    called = beside.submit(http.post, f"/execute/{task}", json=parameters, headers={"Idempotency-Key": key})
    deadline = time.monotonic() + 5
    while True:
        asked = http.post("/execute/get_history", json={"request_id": key}).json()["result"]
        if asked["commands"]:  # nothing runs before it
            return called
        assert time.monotonic() < deadline, f"{task} was not taken: {asked}"
