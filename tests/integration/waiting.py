"""Waiting for what Home Assistant comes to know, while it runs."""

import asyncio
from collections.abc import Callable
import time

from homeassistant.core import HomeAssistant

WITHIN = 10.0  # s


async def until[T](
    hass: HomeAssistant,
    test: Callable[[], T | None],
    what: str,
    within: float = WITHIN,
    more: Callable[[], object] = str,
) -> T:
    """Ask again and again until a test gives something true, and give that; else tell what was missed.

    Args:
        hass: What it is asked about; what it began by then, such as an action that waits, is done at the end.
        test: Asked in the loop, so it must not block.
        what: For the failure: "the sensor shows stopped".
        within: Seconds.
        more: Tells more in the failure.
    """
    found = await meanwhile(test, what, within, more)
    await hass.async_block_till_done()
    return found


async def meanwhile[T](
    test: Callable[[], T | None], what: str, within: float = WITHIN, more: Callable[[], object] = str
) -> T:
    """The same, while an action of Home Assistant still waits for its device."""
    deadline = time.monotonic() + within
    while not (found := test()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}\n{more()}"
        await asyncio.sleep(0.01)
    return found
