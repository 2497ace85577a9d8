"""The socket by which systemd is told how a process is."""

from collections.abc import Callable
import select
import socket
import time
from typing import Self

WITHIN = 10.0  # s


class Listener:
    """The end of the socket that is systemd's."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def within(self, seconds: float) -> bool:
        """Take the next message; False where none comes."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return False
        self.heard += self._socket.recv(4096).decode().splitlines()
        return True

    def until(self, line: str) -> None:
        """Take messages until one has this line."""
        self._until(line, lambda heard: heard == line)

    def until_start(self, words: str) -> None:
        """Take messages until a line starts with some words."""
        self._until(words, lambda heard: heard.startswith(words))

    def _until(self, what: str, test: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not any(map(test, self.heard)):
            assert self.within(max(0.0, deadline - time.monotonic())), f"{what} never came: {self.heard}"

    def count(self, line: str) -> int:
        """How often a line has come."""
        while self.within(0):
            pass
        return self.heard.count(line)
