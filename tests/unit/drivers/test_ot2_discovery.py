"""Robots that announce themselves."""

import asyncio
import socket

from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from lab2mqtt.drivers.ot2.discovery import Found, find

LOOPBACK = "127.0.0.1"
SERVICE = "_http._tcp.local."


async def test_found() -> None:
    """An OT-2 is; a printer with the same service is not."""
    network = AsyncZeroconf(interfaces=[LOOPBACK])
    names = (("lab2mqtt-otto", {"robotModel": "OT-2 Standard"}), ("lab2mqtt-printer", {"path": "/"}))
    here = [socket.inet_aton(LOOPBACK)]
    services = [
        AsyncServiceInfo(SERVICE, f"{name}.{SERVICE}", 31950, addresses=here, properties=more)
        for name, more in names
    ]
    try:
        announcing = await asyncio.gather(*(network.async_register_service(each) for each in services))
        await asyncio.gather(*announcing)
        async with asyncio.timeout(10):
            found = await find(1.0, [LOOPBACK])
    finally:
        await network.async_close()
    assert found == [Found("lab2mqtt-otto", LOOPBACK, 31950)]
