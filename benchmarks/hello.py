"""``hello.py PORT``: the smallest honest daemon of aiomqtt, a will, a retained ``online``, a subscription."""

import asyncio
import socket
import sys

import aiomqtt


async def main() -> None:
    """Say that it is there, and listen."""
    async with aiomqtt.Client(
        "127.0.0.1",
        int(sys.argv[1]),
        will=aiomqtt.Will("bare/status", "offline", qos=1, retain=True),
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    ) as client:
        await client.subscribe("bare/command", qos=1)
        await client.publish("bare/status", "online", qos=1, retain=True)
        async for _ in client.messages:
            pass


asyncio.run(main())
