"""Boards that speak for themselves: one bridge of the lab announces them to Home Assistant.

Their commands, states and answers do not pass through this bridge: it only reads what they say that they are.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
import logging
from typing import Any, NamedTuple, Protocol

from lab2mqtt import wire
from lab2mqtt.runtime.announcer import Announcer
from lab2mqtt.runtime.config import Config
from lab2mqtt.runtime.election import Election
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message
from lab2mqtt.runtime.updates import Updates

_LOGGER = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # s between two looks whether another adopter has gone
REST = 1.0  # s in which a board is looked at once, however often it says what it is
RETURN_WITHIN = 30.0  # s in which all that is retained for a thousand boards has come
OLDER_AFTER = 2.0  # s without a description, after which a device is taken to speak the older dialect
HELD = 4  # messages of such a device that are kept meanwhile
TELL_AFTER = 1.0  # s in which changes become one word about the health
MOST = 1000  # boards of one bridge
TOLD = 100  # refusals that the health names


class Place(NamedTuple):
    """Where a board speaks."""

    base: str
    device_id: str


class OlderDevices(Protocol):
    """Who adopts what has no description: devices of the older dialect, under one of the prefixes."""

    def adopt(self, *, adopts: bool) -> None:
        """This bridge is the one that adopts from now on, or another is."""

    @property
    def refused(self) -> Mapping[str, str]:
        """What was not taken in, with the reason."""

    def knows(self, prefix: str, device_id: str) -> bool:
        """Whether a device is known to have no description."""

    def hear(self, prefix: str, device_id: str, kind: str, message: Message) -> None:
        """Take a ``status`` or ``result`` of a device without a description; its id may be none of ours."""

    def described(self, prefix: str, device_id: str) -> None:
        """A device has a description by now: it is not of the older dialect."""


class Adoption:
    """The boards that one bridge announces: none, unless its configuration says so and no other does it.

    Attributes:
        topics: What to listen to on every link, to know who adopts.
        older: Who adopts devices of the older dialect.
    """

    def __init__(
        self,
        config: Config,
        adopts: int,
        link: Connection,
        retain: Callable[[str, str], None],
        is_own: Callable[[str], bool],
        say_health: Callable[[], None],
    ) -> None:
        """Prepare; ``begin`` looks on every link whose turn it is, and ``run`` looks again and again.

        Args:
            config: Of the bridge.
            adopts: When this process began, in seconds since the epoch.
            link: The link to the broker.
            retain: Publishes a retained payload on a topic.
            is_own: Whether a device of the base is one of this bridge's own.
            say_health: Says at once how the bridge is.
        """
        bases = (config.base, *config.adopt_prefixes) if config.adopt else ()
        self.older: OlderDevices | None = None
        folder = config.updates if config.adopt else None
        self._updates = Updates(folder, config.base, link.publish) if folder else None
        self._election = Election(config.base, config.bridge, adopts)
        self.topics = [(topic, 1) for topic in self._election.topics] if bases else []
        self._base = config.base
        self._bridges = f"{config.base}/bridge"
        self._marker_topic = wire.bridge_topic(config.base, config.bridge, "marker")
        self._link = link
        self._is_own = is_own
        self._say_health = say_health
        self._announcers = {
            base: Announcer(
                config.state and config.state / f"adopted-{base.replace('/', '_')}.json",
                base,
                config.discovery,
                retain,
                adopted=True,
            )
            for base in bases
        }
        self._settled = self._is_ours = self._remembers = False
        self._adopter = ""
        self._returned = asyncio.Event()
        self._adopted: set[Place] = set()
        self._refused: dict[Place, str] = {}
        self._described: set[Place] = set()
        self._known: dict[Place, int] = {}  # hashes of what was looked at last
        self._said: dict[Place, bytes] = {}  # what was said since
        self._turns: deque[Place] = deque()
        self._waiting: set[Place] = set()  # for a turn, or for the end of the rest after one
        self._older: dict[Place, deque[tuple[str, Message]]] = {}
        self._telling: asyncio.TimerHandle | None = None
        self._work: set[asyncio.Task[None]] = set()

    @property
    def status(self) -> dict[str, int]:
        """What the bridge's status says of it."""
        return {"adopts": self._election.adopts} if self._announcers else {}

    @property
    def health(self) -> dict[str, Any]:
        """What the bridge's health says of it."""
        if not self._announcers:
            return {}
        if self._adopter:
            return {"adopted": 0, "refused": {}, "adopter": self._adopter}
        told = {self._name(place): why for place, why in self._refused.items()}
        refused = list({**told, **(self.older.refused if self.older else {})}.items())[:TOLD]
        return {"adopted": len(self._adopted), "refused": dict(refused)}

    def _name(self, place: Place) -> str:
        return place.device_id if place.base == self._base else "/".join(place)

    # Whose turn it is

    def forget(self) -> None:
        """A new link tells everything anew; a broker may have lost what we announced."""
        self._settled = self._is_ours = False
        self._known.clear()
        self._described.clear()
        if self._updates:
            self._updates.forget()
        self._election.renew(_now())
        for work in self._work:
            work.cancel()

    def begin(self, *, remembers: bool) -> None:
        """Announce, if it is our turn: all that the broker keeps of the other adopters has come.

        Args:
            remembers: Whether the broker has kept what was said on another link. One that came back empty
                does not tell that a board is no more.
        """
        self._settled, self._remembers = True, remembers
        self._look()

    async def run(self) -> None:
        """Take over from an adopter that is gone, until cancelled."""
        while self._announcers:
            await asyncio.sleep(LOOK_EVERY)
            self._look()
            if self._is_ours and self._updates:
                self._updates.look()

    def _look(self) -> None:
        if not self._settled or not self._announcers:
            return
        elsewhere = self._election.elsewhere(_now())
        if elsewhere != self._adopter:
            _LOGGER.info("%s announces boards", f"Bridge {elsewhere}" if elsewhere else "This bridge")
            self._adopter = elsewhere
            self._tell()
        if elsewhere:
            self._yield()
        elif not self._is_ours:
            self._is_ours = True
            work = asyncio.create_task(self._take())
            self._work.add(work)
            work.add_done_callback(self._work.discard)

    async def _take(self) -> None:
        """Hear of all boards; what is gone since it was announced is withdrawn."""
        topics = [wire.device_topic(base, "+", "description") for base in self._announcers]
        topics += [
            wire.device_topic(base, "+", kind)
            for base in self._announcers
            if base != self._base
            for kind in ("status", "result")
        ]
        topics += self._updates.topics if self._updates else []
        self._returned.clear()
        try:
            # Each by itself: of several topics in one packet amqtt now and then takes only the first.
            for topic in (*topics, self._marker_topic):
                await self._link.listen([(topic, 1)])
            self._link.publish(self._marker_topic, "{}", later=False)
            async with asyncio.timeout(RETURN_WITHIN):
                await self._returned.wait()
        except (BrokerError, TimeoutError) as error:
            if self._link.up:
                _LOGGER.warning("What the broker keeps of boards did not come: %s", str(error) or "no answer")
            return  # the next link does it again
        if self.older:
            self.older.adopt(adopts=True)
        for base, announcer in self._announcers.items():
            for device_id in announcer.remembered:
                if base == self._base and self._is_own(device_id):
                    announcer.leave(device_id)  # announced as our own by now
                elif self._remembers and Place(base, device_id) not in self._described:
                    self._withdraw(Place(base, device_id))

    def _yield(self) -> None:
        """Another bridge announces: say nothing more, and clear nothing, for it is said there."""
        if not self._is_ours:
            return
        self._is_ours = False
        for base, device_id in self._adopted:
            self._announcers[base].hush(device_id)
        for known in (self._adopted, self._refused, self._described, self._known, self._said, self._older):
            known.clear()
        if self._updates:
            self._updates.forget()
        if self.older:
            self.older.adopt(adopts=False)

    # What is heard

    def hear(self, message: Message) -> None:
        """Take a message, if it is from a board or about who adopts."""
        front, _, kind = message.topic.rpartition("/")
        base, _, name = front.rpartition("/")
        if base == self._bridges and self._announcers:
            self._hear_bridge(name, kind, message)
        elif self._is_ours and base in self._announcers:
            if kind == "description" and wire.is_device_id(name):
                self._hear_description(Place(base, name), message.payload)
            elif base != self._base and name:
                self._hear_older(Place(base, name), kind, message)
        elif self._is_ours and self._updates:
            self._updates.hear(message)

    def _hear_bridge(self, name: str, kind: str, message: Message) -> None:
        if message.topic == self._marker_topic:
            self._returned.set()
        elif wire.is_bridge_id(name):
            self._election.hear(name, kind, message, _now())
            if kind == "status":
                self._look()

    def _hear_description(self, place: Place, payload: bytes) -> None:
        if place.base == self._base and self._is_own(place.device_id):
            return  # who speaks for it is decided elsewhere
        if payload:
            self._described.add(place)
            self._older.pop(place, None)
            if self.older and self.older.knows(*place):
                self.older.described(*place)
        else:
            self._described.discard(place)
        self._said[place] = payload
        if place not in self._waiting:
            self._waiting.add(place)
            self._queue(place)

    def _queue(self, place: Place) -> None:
        if not self._turns:
            asyncio.get_running_loop().call_soon(self._take_turn)
        self._turns.append(place)

    def _take_turn(self) -> None:
        """Look at one board in a turn of the loop: hundreds that come at once hold up nothing else."""
        place = self._turns.popleft()
        loop = asyncio.get_running_loop()
        if self._turns:
            loop.call_soon(self._take_turn)
        loop.call_later(REST, self._rested, place)
        if (payload := self._said.pop(place, None)) is not None:
            self._look_at(place, payload)

    def _rested(self, place: Place) -> None:
        if place in self._said:
            self._queue(place)
        else:
            self._waiting.discard(place)

    def _look_at(self, place: Place, payload: bytes) -> None:
        from lab2mqtt.core.foreign import understand  # noqa: PLC0415 - who adopts nothing does not pay for it

        if not payload:
            self._withdraw(place)
            return
        if self._known.get(place) == hash(payload):
            return
        self._known[place] = hash(payload)
        announcer = self._announcers[place.base]
        if place not in self._adopted and len(self._adopted) >= MOST:
            self._refuse(place, f"this bridge has adopted {MOST} boards, and takes no more")
            return
        try:
            told = understand(payload, place.device_id)
        except ValueError as misfit:
            self._refuse(place, str(misfit))
            return
        if self._refused.pop(place, None):
            self._tell()
        if told is None:  # a bridge speaks for it, and announces it
            self._adopted.discard(place)
            announcer.leave(place.device_id)
            self._tell()
            return
        if place not in self._adopted:
            self._adopted.add(place)
            _LOGGER.info("%s is announced", self._name(place))
            self._tell()
        if self._updates and place.base == self._base:
            self._updates.described(place.device_id, told.get("node", ""))
        announcer.describe(told)

    def _refuse(self, place: Place, why: str) -> None:
        """Tell once that a description is refused; what was announced of an earlier one stays."""
        if self._refused.get(place) != why:
            _LOGGER.warning("%s is not announced as it describes itself: %s", self._name(place), why)
            self._refused[place] = why
            self._tell()

    def _withdraw(self, place: Place) -> None:
        self._known.pop(place, None)
        self._refused.pop(place, None)
        self._adopted.discard(place)
        if self._updates and place.base == self._base:
            self._updates.gone(place.device_id)
        self._announcers[place.base].take_back(place.device_id)
        self._tell()

    # What speaks the older dialect

    def _hear_older(self, place: Place, kind: str, message: Message) -> None:
        if not self.older or kind not in ("status", "result") or place in self._described:
            return
        if self.older.knows(*place):
            self.older.hear(*place, kind, message)
            return
        if place not in self._older:
            if len(self._older) >= MOST:
                return
            self._older[place] = deque(maxlen=HELD)
            asyncio.get_running_loop().call_later(OLDER_AFTER, self._has_none, place)
        self._older[place].append((kind, message))

    def _has_none(self, place: Place) -> None:
        """A device has no description after a while: hand over what was heard of it."""
        for kind, message in self._older.pop(place, ()):
            if self.older:
                self.older.hear(*place, kind, message)

    # The hub

    def again(self) -> None:
        """Announce everything once more: a hub was born."""
        for announcer in self._announcers.values():
            announcer.again()

    def close(self) -> None:
        """Announce nothing more."""
        for work in self._work:
            work.cancel()
        if self._telling:
            self._telling.cancel()
        for announcer in self._announcers.values():
            announcer.close()

    def _tell(self) -> None:
        """Say the health soon."""
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_AFTER, self._say)

    def _say(self) -> None:
        self._telling = None
        self._say_health()


def _now() -> float:
    return asyncio.get_running_loop().time()
