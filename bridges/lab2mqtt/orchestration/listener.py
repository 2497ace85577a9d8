"""Where a server of ours listens."""

from ipaddress import ip_address
import socket

_BACKLOG = 2048


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: The port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Else an answer takes 40 ms: asyncio does this only for sockets that it has made itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
