"""Telling Home Assistant: announced at once, again when it is born, and withdrawn when a thing is no more."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
import logging
from pathlib import Path
import random
from typing import Any

from lab2mqtt import __version__, wire
from lab2mqtt.core.description import retained_topics
from lab2mqtt.discovery.announcement import announce, components_of
from lab2mqtt.runtime.kept import Kept

_LOGGER = logging.getLogger(__name__)

# Home Assistant skips components when a second device message comes while it still sets up the first.
APART = 2.0  # s
JITTER = 2.0  # s over which bridges spread when a hub is born
REMEMBER_AFTER = 0.5  # s; a thousand devices announce themselves at once, and the file is written once


class Announcer:
    """The announcements of one bridge, remembered across restarts."""

    def __init__(
        self,
        file: Path | None,
        base: str,
        discovery: str,
        publish: Callable[[str, str], None],
        *,
        adopted: bool = False,
    ) -> None:
        """Read what was announced before.

        Args:
            file: Where it is remembered; None remembers nothing.
            base: The base topic.
            discovery: Home Assistant's discovery prefix.
            publish: Publishes a retained payload on a topic.
            adopted: Whether the devices speak for themselves: what they retain is not ours to clear.
        """
        self._kept = Kept(file)
        self._adopted = adopted
        self._base = base
        self._discovery = discovery
        self._publish = publish
        self._descriptions: dict[str, dict[str, Any]] = {}
        self._at: dict[str, float] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._keeping: asyncio.TimerHandle | None = None
        self._remembered: dict[str, Any] = {}
        try:
            self._remembered = self._kept.read()
        except (OSError, ValueError) as error:
            _LOGGER.warning("What was announced before is not known: %s", error)

    def describe(self, description: dict[str, Any]) -> None:
        """Announce a device whose description is new or has changed."""
        device_id = description["device_id"]
        self._descriptions[device_id] = description
        loop = asyncio.get_running_loop()
        wait = self._wait(device_id)
        if device_id in self._later:
            return  # it is said in a moment anyway
        if wait <= 0:
            self._announce(device_id)
        else:
            self._later[device_id] = loop.call_later(wait, self._announce, device_id)

    def again(self) -> None:
        """Announce everything once more, as a hub was born: spread over a moment, once for several births."""
        loop = asyncio.get_running_loop()
        for device_id in self._descriptions:
            if device_id not in self._later:
                wait = max(self._wait(device_id), random.uniform(0, JITTER))  # noqa: S311 - no secret
                self._later[device_id] = loop.call_later(wait, self._announce, device_id)

    def hush(self, device_id: str) -> None:
        """Announce a device no more, because another bridge does; nothing is cleared: it is the other's."""
        self._descriptions.pop(device_id, None)
        if timer := self._later.pop(device_id, None):
            timer.cancel()

    @property
    def remembered(self) -> Iterable[str]:
        """The devices that were announced once."""
        return list(self._remembered)

    def withdraw(self, living: Iterable[str], others: Iterable[str] = ()) -> None:
        """Clear what was announced once and is no more: devices, and topics of another base or prefix.

        Args:
            living: The devices of our configuration.
            others: The devices that another bridge announces by now: of these nothing is cleared.
        """
        living, others = set(living), set(others)
        for device_id, remembered in list(self._remembered.items()):
            current = set(self._topics(device_id, remembered)) if device_id in living else set()
            for topic in remembered["topics"]:
                if topic not in current and device_id not in others:
                    self._publish(topic, "")
            if device_id not in living:
                _LOGGER.info("%s is no longer here; its entities were withdrawn", device_id)
                self.leave(device_id)

    def take_back(self, device_id: str) -> None:
        """Clear what was announced of one device."""
        if remembered := self._remembered.get(device_id):
            _LOGGER.info("%s is no longer here; its entities were withdrawn", device_id)
            for topic in remembered["topics"]:
                self._publish(topic, "")
        self.leave(device_id)

    def leave(self, device_id: str) -> None:
        """Know nothing of a device any more; nothing is cleared."""
        self.hush(device_id)
        if self._remembered.pop(device_id, None):
            self._keep_soon()

    def close(self) -> None:
        """Announce nothing more."""
        for timer in self._later.values():
            timer.cancel()
        if self._keeping:
            self._keep()

    def _announce(self, device_id: str) -> None:
        if timer := self._later.pop(device_id, None):
            timer.cancel()
        self._at[device_id] = asyncio.get_running_loop().time()
        description = self._descriptions[device_id]
        before = self._remembered.get(device_id, {"topics": [], "components": {}, "gone": {}})
        known = _by_part(before)
        payloads = announce(
            description,
            base=self._base,
            version=__version__,
            gone={part: {**one["gone"], **one["components"]} for part, one in known.items()},
        )
        for part, payload in payloads.items():
            topic = wire.discovery_topic(self._discovery, self._base, device_id, part)
            self._publish(topic, wire.encode(payload))
            live = components_of(payload)
            told = {key: one["platform"] for key, one in payload["components"].items()}
            gone = {key: platform for key, platform in told.items() if key not in live}
            known[part] = {"components": live, "gone": gone}
        now: dict[str, Any] = {**known.pop(""), "parts": known}
        now["topics"] = self._topics(device_id, now)
        for topic in before["topics"]:
            if topic not in now["topics"]:  # the picture of an entity that is gone
                self._publish(topic, "")
        if now != before:
            self._remembered[device_id] = now
            self._keep_soon()

    def _wait(self, device_id: str) -> float:
        """Seconds until a device may be announced again; negative when it may be now."""
        return self._at.get(device_id, float("-inf")) + APART - asyncio.get_running_loop().time()

    def _topics(self, device_id: str, remembered: Mapping[str, Any]) -> list[str]:
        """All that is retained of a device that was announced like this."""
        known = _by_part(remembered)
        entities = {
            key: {"platform": platform}
            for one in known.values()
            for key, platform in one["components"].items()
        }
        own = [] if self._adopted else retained_topics(self._base, device_id, entities)
        return [*(wire.discovery_topic(self._discovery, self._base, device_id, part) for part in known), *own]

    def _keep_soon(self) -> None:
        if self._keeping is None:
            self._keeping = asyncio.get_running_loop().call_later(REMEMBER_AFTER, self._keep)

    def _keep(self) -> None:
        if self._keeping:
            self._keeping.cancel()
            self._keeping = None
        try:
            self._kept.write(self._remembered)
        except OSError as error:
            _LOGGER.warning("What is announced now will not be known after a restart: %s", error)


def _by_part(remembered: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """What lives and what is gone of the device itself, under "", and of each part that it ever had."""
    own = {key: remembered[key] for key in ("components", "gone")}
    return {"": own, **remembered.get("parts", {})}
