"""One speaker for a device: of two bridges that have it, one is silent about it and says so."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
import contextlib
import logging
from typing import Any, NamedTuple, Protocol

from lab2mqtt import wire
from lab2mqtt.runtime.claim import ANSWER_WITHIN
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message

_LOGGER = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # s between two looks whether the other speaker lives
GONE_AFTER = 30.0  # s without a sign of life, after which a silent bridge speaks
FORGET_RIVAL_AFTER = 30.0  # s since a rival last said that it waits
ALIKE = 2.0  # s; bridges that are up for as long as each other, as far as they can tell
BOARD = "the device itself, which has a link of its own,"
SETTLE = 0.05  # s in which conflicts with one bridge become one question


class Voice(Protocol):
    """What a bridge does when it is told which devices it speaks for."""

    def speak(self, device_ids: list[str]) -> None:
        """Open these devices, announce them and take their commands."""

    def hush(self, device_id: str) -> None:
        """End a device's work, and say nothing of it any more."""

    def say_again(self, device_id: str) -> None:
        """Say everything of a device: another has written over it."""

    def say_health(self) -> None:
        """Say who is silent."""


class _Speaker(NamedTuple):
    """Who announces a device: a bridge, or a board with a link and a will of its own."""

    name: str
    is_board: bool = False


class _Bridge:
    """What is known of another bridge on the present link."""

    def __init__(self) -> None:
        self.status = ""
        self.returned = 0  # how many of our questions came back
        self.answers: list[dict[str, Any]] = []
        self.news = asyncio.Event()


class Speakers:
    """Which of a bridge's devices it speaks for.

    Attributes:
        silent: The devices that it does not speak for, with the name of who does.
    """

    def __init__(
        self, base: str, bridge: str, instance: str, device_ids: Iterable[str], link: Connection, voice: Voice
    ) -> None:
        """Prepare; ``find`` decides on every link, and ``run`` watches.

        Args:
            base: The base topic.
            bridge: Our own id.
            instance: What tells this process from others.
            device_ids: The devices of our configuration.
            link: The link to the broker.
            voice: Does what is decided.
        """
        self.silent: dict[str, str] = {}
        self._base = base
        self._bridge = bridge
        self._instance = instance
        self._devices = dict.fromkeys(device_ids)
        self._heeded: set[str] = set()
        self._link = link
        self._voice = voice
        self._since = _now()
        self._settled = False
        self._descriptions: dict[str, dict[str, Any]] = {}
        self._statuses: dict[str, dict[str, Any]] = {}
        self._bridges: dict[str, _Bridge] = {}
        self._alive_at: dict[str, float] = {}
        self._rivals: dict[str, tuple[str, float]] = {}
        self._verdicts: dict[str, bool] = {}
        self._contested: dict[str, set[str]] = {}
        self._look = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()

    @property
    def uptime(self) -> float:
        """Seconds since this process began; a duration needs no clock that is common to two machines."""
        return round(_now() - self._since, 3)

    @property
    def rivals(self) -> dict[str, str]:
        """The devices that another bridge has as well, and is silent about, with its id."""
        late = _now() - FORGET_RIVAL_AFTER
        return {device_id: rival for device_id, (rival, at) in self._rivals.items() if at > late}

    def is_ours(self, device_id: str) -> bool:
        """Whether we may say what is retained of a device, and take its commands."""
        ours = device_id in self._devices and device_id not in self.silent
        return ours and not any(device_id in contested for contested in self._contested.values())

    def topics(self, more: Iterable[str] = ()) -> list[tuple[str, int]]:
        """What to listen to: what is said of our devices, and of ``more`` of them."""
        ids = dict.fromkeys((*self._devices, *more))
        self._heeded = set(ids)
        return [topic for one in ids for topic in self._topics_of(one)]

    def _topics_of(self, device_id: str) -> list[tuple[str, int]]:
        return [(wire.device_topic(self._base, device_id, kind), 1) for kind in ("description", "status")]

    async def take_in(self, device_id: str, heard_all: Callable[[], Awaitable[None]]) -> bool:
        """Find whether we speak for one more device.

        Args:
            device_id: Which.
            heard_all: Waits until all that is retained has come.

        Raises:
            BrokerError: The link was lost.
        """
        self._heeded.add(device_id)
        await self._link.listen(self._topics_of(device_id))
        await heard_all()
        await self._ask_for([device_id])
        self._devices[device_id] = None
        return device_id not in self.silent

    def let_go(self, device_id: str) -> None:
        """Speak for a device no more, nor wait for our turn."""
        self._heeded.discard(device_id)
        for known in (self._devices, self.silent, self._alive_at, self._rivals):
            known.pop(device_id, None)

    def said_by_another(self, device_id: str) -> bool:
        """Whether another than this bridge announces a device."""
        return self._speaker(device_id) is not None

    # On every link

    def forget(self) -> None:
        """A new link tells everything anew."""
        self._settled = False
        self._descriptions.clear()
        self._statuses.clear()
        self._bridges.clear()
        self._contested.clear()
        for work in self._work:
            work.cancel()

    async def find(self) -> list[str]:
        """Find which devices we speak for, once all that is retained has come.

        Costs nothing where nobody else announces one of them.

        Raises:
            BrokerError: The link was lost.
        """
        await self._ask_for([device_id for device_id in self._devices if device_id not in self.silent])
        self._alive_at = dict.fromkeys(self.silent, _now())  # we could not hear them meanwhile
        self._settled = True
        return [device_id for device_id in self._devices if device_id not in self.silent]

    async def _ask_for(self, device_ids: list[str]) -> None:
        """Fall silent about the devices that somebody living speaks for."""
        found = {one: speaker for one in device_ids if (speaker := self._speaker(one))}
        bridges = list(dict.fromkeys(one.name for one in found.values() if not one.is_board))
        asked = [self._ask(one, [d for d, by in found.items() if by.name == one]) for one in bridges]
        answers = dict(zip(bridges, await asyncio.gather(*asked), strict=True))
        for device_id, speaker in found.items():
            if speaker.is_board:
                if self._statuses.get(device_id, {}).get("status") == wire.ONLINE:
                    self._fall_silent(device_id, speaker.name, BOARD)
            elif answer := answers[speaker.name]:
                self._fall_silent(device_id, speaker.name, _who(speaker.name, answer))

    def _speaker(self, device_id: str) -> _Speaker | None:
        """Who speaks for a device as far as the broker tells; None where nobody else does."""
        description, status = self._descriptions.get(device_id), self._statuses.get(device_id, {})
        if description is None:
            by = status.get("bridge", self._bridge)  # one without the key tells nothing of who spoke
            if by is None:
                return _Speaker(device_id, is_board=True)
        else:
            by = description.get("announced_by")
            if by != self._bridge and description.get("bridge") is None:
                return _Speaker(str(by) if wire.is_bridge_id(by) else device_id, is_board=True)
        return _Speaker(str(by)) if wire.is_bridge_id(by) and by != self._bridge else None

    def _fall_silent(self, device_id: str, name: str, who: str) -> None:
        if device_id not in self.silent:
            _LOGGER.warning(
                "%s: %s speaks for it, so this bridge is silent about it and does not open it."
                " Take it out of one of the two configurations; when the other is gone, this one takes over",
                device_id,
                who,
            )
        self.silent[device_id] = name
        self._alive_at[device_id] = _now()

    # Another bridge

    async def _ask(
        self, name: str, device_ids: list[str], *, speaks: bool = False, verdict: bool = False
    ) -> dict[str, Any] | None:
        """Ask another bridge whether it lives; None when it is offline, or silent for ``ANSWER_WITHIN``.

        Args:
            name: Its id.
            device_ids: What is asked about.
            speaks: Whether we speak for them.
            verdict: Whether only an answer that tells who goes on is one.

        Raises:
            BrokerError: The link was lost.
        """
        topic = wire.bridge_topic(self._base, name, "claim")
        if name not in self._bridges:
            self._bridges[name] = _Bridge()
            await self._link.listen([(wire.bridge_topic(self._base, name, "status"), 1), (topic, 1)])
        other = self._bridges[name]
        other.answers.clear()
        returned = other.returned
        question = wire.claim(
            self._instance, bridge=self._bridge, uptime_s=self.uptime, devices=device_ids, speaks=speaks
        )
        self._link.publish(topic, wire.encode(question), later=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN):
                while True:
                    for answer in other.answers:
                        if not verdict or "yields" in answer:
                            return answer
                    if other.returned > returned and other.status == wire.OFFLINE:
                        return None  # its will has spoken, or it has taken leave
                    other.news.clear()
                    await other.news.wait()
        return None

    def answer_to(self, question: dict[str, Any]) -> dict[str, Any]:
        """What to tell another bridge that asks about devices, beside that we live."""
        rival, devices = question["bridge"], question.get("devices") or []
        spoken = [one for one in devices if one in self._devices and one not in self.silent]
        now = _now()
        if not question.get("speaks"):
            if new := sorted(set(spoken) - set(self.rivals)):
                told = ", ".join(new)
                _LOGGER.warning("%s: bridge %s has it too, and is silent about it", told, rival)
            self._rivals.update(dict.fromkeys(spoken, (rival, now)))
            if new:
                self._voice.say_health()
            return {"uptime_s": self.uptime}
        if self._bridge > rival:  # the smaller one judges; ask it, if we do not already
            self._contest(rival, spoken)
            return {"uptime_s": self.uptime}
        stays = self._stays(question)
        self._settle(rival, spoken, _who(rival, question), stays=stays)
        return {"uptime_s": self.uptime, "yields": [one for one in devices if one not in spoken or not stays]}

    def _stays(self, other: dict[str, Any]) -> bool:
        """Whether we go on and the other yields: decided by the smaller id, once for each process."""
        lead = self.uptime - (other.get("uptime_s") or 0)
        return self._verdicts.setdefault(other["instance"], lead > -ALIKE)

    # Two that both speak

    def _contest(self, rival: str, device_ids: Iterable[str]) -> None:
        """Another speaks for devices that we speak for: find out which of us goes on."""
        if rival in self._contested:
            self._contested[rival].update(device_ids)
        elif fresh := set(device_ids):
            self._contested[rival] = fresh
            _LOGGER.warning("%s: bridge %s speaks for it too; asking it", ", ".join(sorted(fresh)), rival)
            work = asyncio.create_task(self._decide(rival))
            self._work.add(work)
            work.add_done_callback(self._work.discard)

    async def _decide(self, rival: str) -> None:
        await asyncio.sleep(SETTLE)
        asked = sorted(self._contested[rival])
        judge = self._bridge < rival
        try:
            answer = await self._ask(rival, asked, speaks=True, verdict=not judge)
        except BrokerError:
            return  # the next link tells everything anew
        left = self._contested.pop(rival)
        devices = [one for one in asked if one in left]  # the others were decided when the rival asked
        who = _who(rival, answer or {})
        if judge and answer:
            self._settle(rival, devices, who, stays=self._stays(answer))
        else:
            ours = set(answer["yields"] or ()) if answer else set(devices)
            self._settle(rival, [one for one in devices if one in ours], who, stays=True, alive=bool(answer))
            self._settle(rival, [one for one in devices if one not in ours], who, stays=False)
        self._contest(rival, left - set(asked))

    def _settle(
        self, rival: str, device_ids: list[str], who: str, *, stays: bool, alive: bool = True
    ) -> None:
        if rival in self._contested:
            self._contested[rival] -= set(device_ids)
        for device_id in device_ids:
            if device_id in self.silent:
                continue
            if not stays:
                self._fall_silent(device_id, rival, who)
                self._voice.hush(device_id)
                continue
            if alive:
                _LOGGER.warning("%s: %s spoke for it too and yields; this one goes on", device_id, who)
                self._rivals[device_id] = (rival, _now())
            self._descriptions.pop(device_id, None)
            self._statuses.pop(device_id, None)
            self._voice.say_again(device_id)
        self._voice.say_health()

    # What is heard

    def hear(self, message: Message) -> None:
        """Take a message about who speaks for a device, or from another bridge."""
        match wire.split_topic(self._base, message.topic):
            case "device", device_id, _ if device_id not in self._heeded:
                return  # of a board that is adopted
            case "device", device_id, "description":
                self._hear_device(device_id, self._descriptions, message.payload)
                if not message.payload and device_id in self.silent:
                    self._look.set()
            case "device", device_id, "status":
                self._hear_device(device_id, self._statuses, message.payload)
            case "bridge", name, "status" if name in self._bridges:
                with contextlib.suppress(wire.WireError):
                    self._bridges[name].status = wire.read_bridge_status(message.payload)["status"]
                self._bridges[name].news.set()
            case "bridge", name, "claim" if name in self._bridges:
                with contextlib.suppress(wire.WireError):
                    self._hear_claim(self._bridges[name], wire.read_claim(message.payload))

    def _hear_claim(self, other: _Bridge, claim: dict[str, Any]) -> None:
        if claim.get("asker") == self._instance:
            other.answers.append(claim)
        elif claim["instance"] == self._instance:
            other.returned += 1
        other.news.set()

    def _hear_device(self, device_id: str, said: dict[str, dict[str, Any]], payload: bytes) -> None:
        try:
            told = wire.decode(payload, wire.MAX_MESSAGE)
        except wire.WireError:
            told = None
        if not isinstance(told, dict):
            said.pop(device_id, None)
            return
        said[device_id] = told
        if not self._settled or device_id not in self._devices or device_id in self.silent:
            return
        if said is self._statuses and told.get("status") != wire.ONLINE:
            return
        by = told.get("announced_by" if said is self._descriptions else "bridge", self._bridge)
        if wire.is_bridge_id(by) and by != self._bridge:
            self._contest(by, [device_id])
        elif by is None and said is self._statuses:  # a board asks nobody, and does not yield
            self._fall_silent(device_id, device_id, BOARD)
            self._voice.hush(device_id)
            self._voice.say_health()

    # While silent

    async def run(self) -> None:
        """Speak for a device as soon as nobody else does, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._look.wait()
            self._look.clear()
            if self.silent and self._settled and self._link.up:
                try:
                    await self._look_again()
                except BrokerError:
                    _LOGGER.debug("The link was lost while others were asked")

    async def _look_again(self) -> None:
        silent, now = list(self.silent), _now()
        free = [one for one in silent if self._speaker(one) is None]
        await self._ask_for([one for one in silent if one not in free])
        free += [one for one in silent if one not in free and now - self._alive_at.get(one, now) > GONE_AFTER]
        free = [one for one in free if one in self.silent]  # some may have been let go meanwhile
        if free and self._settled:
            for device_id in free:
                name = self.silent.pop(device_id)
                _LOGGER.warning("%s: %s no longer speaks for it; this bridge does now", device_id, name)
            self._voice.speak(free)

    def close(self) -> None:
        """Ask no more."""
        for work in self._work:
            work.cancel()


def _who(name: str, told: dict[str, Any]) -> str:
    """Another bridge in words."""
    where = f" (on {told['host']}, process {told.get('pid', '?')})" if told.get("host") else ""
    return f"bridge {name}{where}"


def _now() -> float:
    return asyncio.get_running_loop().time()
