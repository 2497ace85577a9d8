"""Robots on the network, by the name that they announce (mDNS, ``_http._tcp``)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

_SERVICE: Final = "_http._tcp.local."
_MODEL: Final = b"OT-2 Standard"
_ASK = 2000  # ms


@dataclass(frozen=True, order=True)
class Found:
    """A robot that announced itself; ``RobotServer.open`` tells its serial number."""

    name: str
    address: str
    port: int


async def find(seconds: float = 3.0, interfaces: Sequence[str] | None = None) -> list[Found]:
    """Listen for robots.

    Args:
        seconds: For how long.
        interfaces: Addresses of the network interfaces to use; all by default.

    Returns:
        Those that say that they are an OT-2, by name.
    """
    found: set[Found] = set()
    asking: set[asyncio.Task[None]] = set()
    network = AsyncZeroconf(interfaces=interfaces) if interfaces else AsyncZeroconf()

    async def ask(name: str) -> None:
        info = AsyncServiceInfo(_SERVICE, name)
        if not await info.async_request(network.zeroconf, _ASK):
            return
        addresses = info.parsed_addresses(IPVersion.V4Only) or info.parsed_addresses()
        if info.properties.get(b"robotModel") == _MODEL and addresses and info.port:
            found.add(Found(name.removesuffix(f".{_SERVICE}"), addresses[0], info.port))

    def heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        del zeroconf, service_type  # the names are what the library calls it with
        if state_change is not ServiceStateChange.Removed:
            task = asyncio.ensure_future(ask(name))
            asking.add(task)
            task.add_done_callback(asking.discard)

    try:
        browser = AsyncServiceBrowser(network.zeroconf, _SERVICE, handlers=[heard])
        await asyncio.sleep(seconds)
        await browser.async_cancel()
        await asyncio.gather(*asking)
    finally:
        await network.async_close()
    return sorted(found)
