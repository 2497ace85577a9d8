"""A program that is not ours, as a process: it takes lines of JSON and prints lines of JSON."""

from collections.abc import Callable
import json
from pathlib import Path
import subprocess
import threading
import time
from typing import Any, Self

STRANGERS = Path(__file__).with_name("strangers")
WITHIN = 15.0  # s
END_WITHIN = 10.0  # s


class Peer:
    """One program; it ends with its input, so it never outlives the tests."""

    def __init__(self, python: Path, name: str, *arguments: str | int) -> None:
        self._command = [str(python), str(STRANGERS / name), *map(str, arguments)]
        self._news = threading.Condition()
        self._said: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={},
        )
        self._readers = [threading.Thread(target=work) for work in (self._read, self._read_complaints)]
        self._complaints = ""
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.end()
        assert kind or not self._complaints, self._complaints

    def end(self) -> None:
        """End its input, and wait until it has ended."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe
            pipe.close()

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait()

    def send(self, *lines: dict[str, Any]) -> None:
        """Give it lines, all at once."""
        assert self._process.stdin
        self._process.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
        self._process.stdin.flush()

    def said(self, key: str) -> list[Any]:
        """What it has printed under a key so far."""
        with self._news:
            return [line[key] for line in self._said if key in line]

    def wait(
        self,
        key: str,
        test: Callable[[Any], bool] = lambda _: True,
        *,
        count: int = 1,
        within: float = WITHIN,
    ) -> dict[str, Any]:
        """Wait until it has printed lines with a key that pass a test; gives the last of them."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                found = [line for line in self._said if key in line and test(line[key])]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"no {key!r} that fits within {within:g} s: {self._said[-5:]}{self._complaints}"
                )
                self._news.wait(left)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self._said.append(json.loads(line))
                self._news.notify_all()

    def _read_complaints(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._complaints += line
