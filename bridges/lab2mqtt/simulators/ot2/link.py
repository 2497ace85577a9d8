"""Where a simulated robot is reached: a file that says so, and a control socket beside it.

A robot has an address, so its link is a file with ``127.0.0.1:PORT`` in it. Each start has another port.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
from pathlib import Path

from lab2mqtt.simulators.control import Controls, listening
from lab2mqtt.whole_file import write_whole


@contextlib.asynccontextmanager
async def link(path: Path, address: str, controls: Controls) -> AsyncIterator[None]:
    """Tell the address, and take what ``simulators.control`` tells, as long as the context lasts.

    Args:
        path: Of the file. One that a dead predecessor left is replaced.
        address: What stands in it.
        controls: What the control socket takes.

    Raises:
        FileExistsError: Another simulator serves that link, or something else is at the path.
        OSError: It cannot be written, or its path is too long for a socket.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):  # gone, or a line without an end
            writer.write(controls.answer(await reader.readline()))
            await writer.drain()
        writer.close()

    _check(path)
    with listening(path) as listener:
        server = await asyncio.start_unix_server(converse, sock=listener)
        with contextlib.closing(server), _telling(path, address):
            yield


def _check(path: Path) -> None:
    """Refuse to replace what no simulator wrote."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise FileExistsError(f"{path} is there and no link of a simulator")
    if path.exists():
        with path.open("rb") as content:
            host, _, port = content.read(64).strip().rpartition(b":")
        if host != b"127.0.0.1" or not port.isdigit():
            raise FileExistsError(f"{path} is there and holds no address of a simulator")


@contextlib.contextmanager
def _telling(path: Path, address: str) -> Iterator[None]:
    write_whole(path, f"{address}\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
