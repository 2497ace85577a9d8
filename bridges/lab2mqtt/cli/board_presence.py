"""How a board shows that it is there: as a device of the lab, or as a prop of the older dialect."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lab2mqtt.boards import image
from lab2mqtt.client import Lab
from lab2mqtt.core.errors import Misconfigured

OLDER = "halloween"  # the dialect, as a node.json names it, and the usual prefix of its topics
_LOOK = 0.5  # s


class Presence(Protocol):
    """How boards of a kind are seen."""

    async def is_there(self, lab: Lab, device_id: str) -> bool:
        """Whether a board of this id is online."""

    async def wait(self, lab: Lab, device_id: str, within: float) -> None:
        """Wait until it is.

        Raises:
            TimeoutError: It was not within so many seconds.
        """

    def hints(self, lab: Lab, device_id: str) -> Sequence[str]:
        """Commands that people can try on it."""


def presence_of(source: Path, settings: dict[str, object]) -> Presence:
    """How the boards of a node are seen.

    Args:
        source: The node's folder.
        settings: Those of the node that the command line names.

    Raises:
        ImageError: Its node.json is no JSON object.
        Misconfigured: It names a dialect that there is not.
    """
    told = image.over(image.defaults(source), {"settings": settings})
    dialect = told.get("dialect")
    if dialect is None:
        return AsDevice()
    if dialect != OLDER:
        raise Misconfigured(f"{source / 'node.json'}: dialect {dialect!r} is not {OLDER!r}, the only one")
    own, tries = told["settings"], told.get("try", [])
    if not isinstance(tries, list):
        raise Misconfigured(f"{source / 'node.json'}: try is not a list of commands")
    prefix = own.get("prefix", OLDER) if isinstance(own, dict) else OLDER
    return AsProp(str(prefix), [str(one) for one in tries])


class AsDevice:
    """It says its status, as every device of the lab."""

    async def is_there(self, lab: Lab, device_id: str) -> bool:
        """Whether a board of this id is online."""
        return self._is_there(lab, device_id)

    async def wait(self, lab: Lab, device_id: str, within: float) -> None:
        """Wait until it is online.

        Raises:
            TimeoutError: It was not within so many seconds.
        """
        await lab.wait_until(lambda lab: self._is_there(lab, device_id), within)

    def hints(self, lab: Lab, device_id: str) -> Sequence[str]:
        """Commands that people can try on it."""
        del lab
        words = ("call {} get_device_status", "fault {}", "fault {} wifi_off")
        return [f"lab2mqtt {one.format(device_id)}" for one in words]

    @staticmethod
    def _is_there(lab: Lab, device_id: str) -> bool:
        return device_id in lab.devices and lab[device_id].reachable


class AsProp:
    """It says its availability below a prefix, and nothing in the lab's own dialect.

    Args:
        prefix: In front of its topics.
        tries: Commands that can be tried on it.
    """

    def __init__(self, prefix: str, tries: Sequence[str]) -> None:
        self._prefix = prefix
        self._tries = tries

    async def is_there(self, lab: Lab, device_id: str) -> bool:
        """Whether a board of this id is online."""
        topic = f"{self._prefix}/{device_id}/availability"
        return (await lab.retained(topic)).get(topic) == b"online"

    async def wait(self, lab: Lab, device_id: str, within: float) -> None:
        """Wait until it is online.

        Raises:
            TimeoutError: It was not within so many seconds.
        """
        async with asyncio.timeout(within):
            while True:
                if await self.is_there(lab, device_id):
                    return
                await asyncio.sleep(_LOOK)

    def hints(self, lab: Lab, device_id: str) -> Sequence[str]:
        """Commands that people can try on it."""
        where = f"-h {lab.broker.host} -p {lab.broker.port}"
        topics = f"{self._prefix}/{device_id}"
        return [
            f"mosquitto_sub {where} -v -t '{topics}/#'",
            *(f"mosquitto_pub {where} -t {topics}/cmd -m '{one}'" for one in self._tries),
            f"lab2mqtt fault {device_id}",
            f"lab2mqtt fault {device_id} wifi_off",
        ]
