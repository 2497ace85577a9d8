"""As much of a websocket client (RFC 6455) as Home Assistant's needs: JSON texts, one caller at a time."""

import base64
import contextlib
import json
import os
import socket
import struct
from typing import Any

Json = dict[str, Any]

_TEXT, _PONG = 0x1, 0xA
_FINAL = 0x80
_MASKED = 0x80
_MASK = bytes(4)  # a client has to mask; zeros leave the payload as it is


class WebSocket:
    """A connection that sends and receives JSON objects.

    Raises:
        OSError: Nothing listens there, or it refuses a websocket (a ``ConnectionError``).
    """

    def __init__(self, host: str, port: int, path: str, timeout: float = 60) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._reader = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "\r\n",
        )
        self._socket.sendall("\r\n".join(request).encode())
        status = self._reader.readline()
        if status.split(b" ")[1:2] != [b"101"]:
            self.close()
            raise ConnectionError(f"no websocket at {host}:{port}{path}: {status!r}")
        while self._reader.readline().strip():
            pass  # the rest of the answer's head

    def send(self, message: Json) -> None:
        """Send one object."""
        self._send_frame(_TEXT, json.dumps(message).encode())

    def receive(self) -> Json:
        """Wait for the next object.

        Raises:
            OSError: The connection ended, or nothing came in time.
        """
        text = b""
        while True:
            first, second = self._read(2)
            size = second & 0x7F
            if size == 126:  # noqa: PLR2004, RFC 6455 §5.2: the size follows in 2 bytes …
                (size,) = struct.unpack("!H", self._read(2))
            elif size == 127:  # noqa: PLR2004, … or in 8
                (size,) = struct.unpack("!Q", self._read(8))
            payload = self._read(size)
            match first & 0x0F:
                case 0x9:  # ping
                    self._send_frame(_PONG, payload)
                case 0x8:  # close
                    raise ConnectionError("Home Assistant closed the websocket")
                case 0x0 | 0x1:  # text, or more of it
                    text += payload
                    if first & _FINAL:
                        message: Json = json.loads(text)
                        return message

    def close(self) -> None:
        """Let the connection go."""
        with contextlib.suppress(OSError):
            self._reader.close()
        self._socket.close()

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:  # noqa: PLR2004
            head = struct.pack("!BB", _FINAL | opcode, _MASKED | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", _FINAL | opcode, _MASKED | 126, size)
        else:
            head = struct.pack("!BBQ", _FINAL | opcode, _MASKED | 127, size)
        self._socket.sendall(head + _MASK + payload)

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) != size:
            raise ConnectionError("the websocket ended")
        return data
