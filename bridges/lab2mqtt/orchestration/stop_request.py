"""A stop over HTTP: it is done whatever is around it."""

import asyncio

from fastapi import Request
from starlette.requests import ClientDisconnect

from lab2mqtt import wire

LONGEST = 255  # characters of a reason


async def lenient_reason(request: Request) -> str:
    """The reason in a body, as far as it can be read: a stop is not refused for what is around it."""
    try:
        return await reason_in(request)
    except ClientDisconnect:
        return ""


async def reason_in(request: Request) -> str:
    """The reason in a body; none where it cannot be read, or is too long.

    Raises:
        ClientDisconnect: It ends early.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(1):
            async for part in request.stream():
                body += part
                if len(body) > wire.MAX_COMMAND:
                    return ""
        told = wire.decode(bytes(body))
    except (wire.WireError, TimeoutError):
        return ""
    reason = told.get("reason") if isinstance(told, dict) else None
    if not isinstance(reason, str):
        return ""
    return "".join(letter for letter in reason if letter.isprintable())[:LONGEST]
