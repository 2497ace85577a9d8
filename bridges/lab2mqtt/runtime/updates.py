"""Applications for boards: offered to those of the same node, and handed out in the pieces they ask for."""

from collections.abc import Iterable
import logging
from pathlib import Path
from typing import Protocol

from lab2mqtt import wire
from lab2mqtt.boards.manifest import MANIFEST, Manifest
from lab2mqtt.runtime.mqtt import Message

_LOGGER = logging.getLogger(__name__)

LARGEST_PIECE = 4096  # bytes; a board takes no longer packet
LARGEST_FILE = 262_144  # bytes, as a board takes it
LARGEST_MANIFEST = 4096  # bytes


class Publish(Protocol):
    """Publishes on any topic."""

    def __call__(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False, later: bool = True
    ) -> None:
        """Publish; with ``later``, what could not be said is said on the next link."""


class Application:
    """What was built for one node, as it was when it was read: a build in between changes nothing of it."""

    def __init__(self, folder: Path) -> None:
        """Read ``app_a`` of a folder that ``lab2mqtt board build`` wrote.

        Raises:
            OSError: A file is missing.
            ValueError: It cannot be offered, and why.
        """
        application = folder / "app_a"
        self.manifest = Manifest.read((application / MANIFEST).read_text("utf-8"))
        self.text = self.manifest.text()
        self._content = [_content(application / file.name) for file in self.manifest.files]
        if not self.manifest.hmac:
            raise ValueError("its manifest is not signed: build it with --key")
        if Manifest.of(application, self.manifest.node, self.manifest.version).files != self.manifest.files:
            raise ValueError("its files are others than its manifest says: build it again")
        if len(self.text) > LARGEST_MANIFEST:
            raise ValueError(
                f"its manifest has {len(self.text)} bytes; at most {LARGEST_MANIFEST} go: too many files"
            )

    def piece(self, index: int, offset: int, length: int) -> bytes:
        """Some bytes of one file; fewer, or none, past its end."""
        return self._content[index][offset : offset + length] if index < len(self._content) else b""


class Updates:
    """The applications in a folder, with one sub-folder for each node, and the boards that they are for.

    Attributes:
        topics: What to listen to on every link, with QoS 1.
    """

    def __init__(self, folder: Path, base: str, publish: Publish) -> None:
        """Prepare; ``look``, now and then, reads the folder.

        Args:
            folder: Its sub-folders are what ``lab2mqtt board build`` wrote. It may come later.
            base: The base topic.
            publish: Publishes on the bridge's link.
        """
        self._folder = folder
        self._base = base
        self._publish = publish
        self._applications: dict[str, Application] = {}
        self._seen: dict[Path, tuple[int, int, int]] = {}
        self._boards: dict[str, str] = {}
        self._offered: dict[str, str] = {}
        self.topics = [wire.device_topic(base, "+", "update/want")]

    def look(self) -> None:
        """Read what is new in the folder, and offer to each board what it has not been offered yet."""
        manifests = {file: _mark(file) for file in self._folder.glob(f"*/app_a/{MANIFEST}")}
        if manifests != self._seen:
            self._seen = manifests
            self._read(manifests)
        for device_id in [*self._boards]:
            self._offer(device_id)

    def _read(self, manifests: Iterable[Path]) -> None:
        self._applications = {}
        for file in sorted(manifests):
            folder = file.parents[1]
            try:
                application = Application(folder)
            except (OSError, ValueError) as error:
                _LOGGER.warning("No update out of %s: %s", folder, error)
                continue
            self._applications[application.manifest.node] = application

    def described(self, device_id: str, node: str) -> None:
        """A board said which node it is; an empty word: it is none that can be updated.

        It is offered something at the next look, and not at once: amqtt says nothing more of what is retained
        to who makes it keep something new meanwhile.
        """
        if node:
            self._boards[device_id] = node
        else:
            self.gone(device_id)

    def gone(self, device_id: str) -> None:
        """A board is no more: what it was offered is withdrawn."""
        if self._boards.pop(device_id, None):
            self._offer(device_id)

    def forget(self) -> None:
        """A new link: everything is to be said again, as boards describe themselves anew."""
        self._boards.clear()
        self._offered.clear()

    def _offer(self, device_id: str) -> None:
        """Say what there is for a board, where that is something else than what was said."""
        application = self._applications.get(self._boards.get(device_id, ""))
        text = application.text if application else ""
        if self._offered.get(device_id) == text:
            return
        self._offered[device_id] = text
        self._publish(
            wire.device_topic(self._base, device_id, "update/manifest"), text, retain=True, later=False
        )

    def hear(self, message: Message) -> None:
        """Take a message; a board that asks in it for a piece is sent it."""
        front, _, kind = message.topic.rpartition("/update/")
        base, _, device_id = front.rpartition("/")
        if kind != "want" or base != self._base or message.retained:
            return
        if application := self._applications.get(self._boards.get(device_id, "")):
            self._answer(device_id, application, message.payload)

    def _answer(self, device_id: str, application: Application, payload: bytes) -> None:
        try:
            want = wire.decode(payload)
        except wire.WireError:
            return
        if not isinstance(want, dict) or want.get("version") != application.manifest.version:
            return  # of an offer that is no more: the board gives up, and is offered the new one
        index, offset, length = (_whole(want.get(key)) for key in ("file", "offset", "length"))
        if index < 0 or offset < 0 or not 0 < length <= LARGEST_PIECE:
            return
        if piece := application.piece(index, offset, length):
            topic = wire.device_topic(self._base, device_id, f"update/piece/{index}/{offset}")
            self._publish(topic, piece, later=False)


def _whole(value: object) -> int:
    """A whole number of a message; -1 is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _content(file: Path) -> bytes:
    if file.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{file.name} is larger than a board takes, {LARGEST_FILE} bytes")
    return file.read_bytes()


def _mark(file: Path) -> tuple[int, int, int]:
    """What tells a file from what was there before."""
    try:
        found = file.stat()
    except OSError:  # a build is under way
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns
