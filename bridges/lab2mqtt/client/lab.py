"""Every device on one broker, on one connection."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import contextlib
import getpass
import socket
import time
from types import TracebackType
from typing import Any, Self
import uuid

from lab2mqtt import wire
from lab2mqtt.client.errors import BridgeOffline, NoAnswer, UnknownDevice, error_of
from lab2mqtt.client.remote import OnProgress, RemoteDevice, readable
from lab2mqtt.core.words import near
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.mqtt import BrokerError, Connection, Message

CONNECT_WITHIN = 10.0  # s
ONCE_MORE = 1.0  # s, for a broker that did not take us at once
# s until a link is made anew: amqtt now and then takes a part of a subscription, and says that it has all.
SETTLED_WITHIN = 3.0
PATIENCE = 5.0  # s beyond a task's own time until a missing answer is an error
_LOOK = 1.0  # s between two looks at a call that waits for others
WATCHED = 10_000  # messages that wait for one who watches
TASK_TIMEOUT = 30.0  # s, where neither the call nor the description tells one

# Told of a message: device id (or the bridge's, or ``emergency_stop``), kind, message.
Listener = Callable[[str, str, dict[str, Any]], None]


def myself() -> str:
    """Who commands, unless told: the user and the machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


class _Call:
    """One call that waits for its result."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.result: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.on_progress = on_progress
        self.moved = asyncio.get_running_loop().time()
        self.holds = False  # it waits in the queue or is paused: only others know for how long


class Lab:
    """Every device on one broker; several calls may run at once on the one connection.

    Attributes:
        devices: What was heard, by device id.
        bridges: ``online`` or ``offline``, by bridge id.
        stop: The lab's emergency stop, if one is engaged.
    """

    def __init__(
        self,
        broker: str | Broker = "mqtt://127.0.0.1:1883",
        *,
        base: str = wire.DEFAULT_BASE,
        issued_by: str = "",
        connect_within: float = 0.0,
    ) -> None:
        """Prepare; entering the context connects.

        Args:
            broker: Its address; a password may stand in LAB2MQTT_PASSWORD.
            base: The base topic.
            issued_by: Who commands, for the record; user and machine by default.
            connect_within: Seconds in which the broker may still come up; by default it must be there.

        Raises:
            ValueError: The address is none.
        """
        self.devices: dict[str, RemoteDevice] = {}
        self.bridges: dict[str, str] = {}
        self.stop: dict[str, Any] | None = None
        self.base = base
        self.issued_by = issued_by or myself()
        self.broker = Broker.parse(broker) if isinstance(broker, str) else broker
        self._calls: dict[tuple[str, str], _Call] = {}  # of one device and one request id
        self._heard = asyncio.Event()
        self._listeners: list[Listener] = []
        self._marker = uuid.uuid4().hex
        self._returned = asyncio.Event()
        self._doubted = False  # whether the last link did not settle
        self._kept: dict[str, bytes] = {}
        self._stop_topic = wire.emergency_stop_topic(base)
        # Our own message tells when all that is retained has come in; nobody is called like this.
        self._marker_topic = wire.bridge_topic(base, self._marker, "marker")
        self._connection = Connection(self.broker, self._message, self._up)
        self._connect_within = connect_within
        self._link: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect and learn what is there.

        Raises:
            BrokerError: The broker does not answer.
        """
        self._link = asyncio.create_task(self._connection.run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._connect_within or CONNECT_WITHIN):
                await (self._connection.wait_up() if self._connect_within else self._connection.wait_tried())
        if not self._connection.up and not self._connect_within:
            # amqtt drops who comes in the moment in which somebody else subscribes.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE if self._doubted else ONCE_MORE):
                    await self._connection.wait_up()
        if not self._connection.up:
            await self.__aexit__(None, None, None)
            raise BrokerError(f"no broker at {self.broker}: {self._connection.complaint or 'no answer'}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._link:
            self._link.cancel()
            await asyncio.gather(self._link, return_exceptions=True)

    @property
    def up(self) -> bool:
        """Whether there is a link on which everything that is retained was heard."""
        return self._connection.up and self._returned.is_set()

    @property
    def links(self) -> int:
        """How many links there were; another one may have brought what was missed."""
        return self._connection.reconnects + 1

    @property
    def complaint(self) -> str:
        """Why there is no link, as far as that is known."""
        return self._connection.complaint

    def __getitem__(self, device_id: str) -> RemoteDevice:
        if device_id not in self.devices:
            known = ", ".join(sorted(self.devices)) or "none"
            raise UnknownDevice(
                f"no device {device_id!r}{near(device_id, self.devices)} on {self.broker}; there are: {known}"
            )
        return self.devices[device_id]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.devices))

    async def ask(
        self, device: RemoteDevice, command: dict[str, Any], on_progress: OnProgress | None = None
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Send a command and wait for its one result; ``RemoteDevice.call`` makes one and tells the rest."""
        device_id, request_id, task = device.device_id, command["request_id"], command["task"]
        if not self.up:
            raise BrokerError(f"no link to {self.broker}")
        bridge = device.description.get("bridge")
        if bridge and self.bridges.get(bridge) != wire.ONLINE:
            raise BridgeOffline(f"{device_id} cannot be reached: its bridge {bridge} is offline")
        call = self._calls[device_id, request_id] = _Call(on_progress)
        try:
            topic = wire.device_topic(self.base, device_id, "command")
            # Never by a later link: by then nobody waits for what it does.
            self._connection.publish(topic, wire.encode(command), later=False)
            own = device.tasks.get(task, {}).get("timeout")
            own = own if isinstance(own, int | float) else None
            patience = (command.get("timeout") or own or TASK_TIMEOUT) + PATIENCE
            result = await self._result(call, device, patience)
        finally:
            del self._calls[device_id, request_id]
        if result is None:
            away = "" if device.reachable else f": {device_id} is not reachable"
            raise NoAnswer(f"{task} was not answered within {patience:g} s{away}")
        if result["status"] == "error":
            raise error_of(result)
        return result.get("result")

    async def _result(self, call: _Call, device: RemoteDevice, patience: float) -> dict[str, Any] | None:
        """The result, or None when nothing was heard for so long; progress renews the patience."""
        loop = asyncio.get_running_loop()
        while call.holds or loop.time() < call.moved + patience:
            left = _LOOK if call.holds else call.moved + patience - loop.time()
            done, _ = await asyncio.wait([call.result], timeout=min(left, _LOOK))
            if done:
                return call.result.result()
            call.holds = call.holds and device.reachable
        return None

    async def engage_stop(self, reason: str = "", *, by: str = "", stop_id: str = "") -> str:
        """Stop the whole lab, by whom is told or this client. Returns the stop's id, by which it is released.

        Raises:
            BrokerError: The broker did not take it.
        """
        stop_id = stop_id or uuid.uuid4().hex
        await self._say_stop(True, stop_id, by, reason)  # noqa: FBT003
        return stop_id

    async def release_stop(self, reason: str = "", *, by: str = "") -> bool:
        """Release the lab's stop; nothing moves by it. False when none was engaged.

        Raises:
            BrokerError: The broker did not take it.
        """
        if self.stop is None:
            return False
        stop_id = self.stop["stop_id"]
        await self._say_stop(False, stop_id, by, reason)  # noqa: FBT003
        return True

    async def _say_stop(self, engaged: bool, stop_id: str, by: str, reason: str) -> None:  # noqa: FBT001
        message = wire.stop_message(engaged, stop_id, by or self.issued_by, reason, int(time.time()))
        if not self._connection.up:
            raise BrokerError(f"no link to {self.broker}")
        self._connection.publish(self._stop_topic, wire.encode(message), retain=True)
        await self._taken()

    async def wait_until(self, test: Callable[["Lab"], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Wait until a test of this lab is true; it is asked whenever something was heard.

        Raises:
            TimeoutError: It was not, in time.
        """
        async with asyncio.timeout(timeout):
            while not test(self):
                await self._heard.wait()

    async def watch(self) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
        """All that is said from now on: device id (or ``bridge/…``, ``emergency_stop``), kind, message.

        Who takes it too slowly misses something and is told: ``("lab", "missed", {"messages": 12})``.
        """
        queue: asyncio.Queue[tuple[str, str, dict[str, Any]]] = asyncio.Queue(WATCHED)
        missed = 0

        def listen(*told: Any) -> None:  # noqa: ANN401 - as a listener is told
            nonlocal missed
            if queue.full():
                missed += 1
            else:
                queue.put_nowait(told)

        with self.listening(listen):
            while True:
                yield await queue.get()
                if missed and queue.empty():
                    told, missed = {"messages": missed}, 0
                    yield ("lab", "missed", told)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Tell a function of each message at once, in their order; it must not block."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def retained(self, topic_filter: str) -> dict[str, bytes]:
        """Topics outside of the base, with what the broker keeps there; none where it may not be read.

        Args:
            topic_filter: What they are to fit, with ``+`` and ``#``.

        Raises:
            BrokerError: The broker does not let us subscribe, or does not answer.
        """
        self._kept.clear()
        self._returned.clear()
        await self._connection.listen([(topic_filter, 1)])
        self._connection.publish(self._marker_topic, self._marker)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._returned.wait()
        except TimeoutError:
            raise BrokerError(f"{self.broker} did not answer within {PATIENCE:g} s") from None
        return dict(sorted(self._kept.items()))

    async def clear(self, topics: list[str]) -> None:
        """Clear retained messages.

        Raises:
            BrokerError: The broker does not take it.
        """
        for topic in topics:
            self._connection.publish(topic, "", retain=True)
        await self._taken()

    async def _taken(self) -> None:
        """Wait until the broker has taken what was said; one that hangs or refuses may never say so."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connection.drained()
        except TimeoutError:
            raise BrokerError(f"{self.broker} did not take it within {PATIENCE:g} s") from None

    async def _up(self, connection: Connection) -> None:
        # What was known is what was true on the last link; a broker may have come back empty.
        self._returned.clear()
        self.bridges.clear()
        self.stop = None
        for device in self.devices.values():
            device.told.status = wire.OFFLINE
        kinds = ("description", "status", "state", "progress", "result", "event")
        topics = [wire.device_topic(self.base, "+", kind) for kind in kinds]
        topics += [wire.bridge_topic(self.base, "+", "status"), self._stop_topic, self._marker_topic]
        try:
            async with asyncio.timeout(None if self._doubted else SETTLED_WITHIN):
                await connection.listen([(topic, 1) for topic in topics])
                connection.publish(self._marker_topic, self._marker)
                async with asyncio.timeout(PATIENCE):
                    await self._returned.wait()
        except TimeoutError:
            if not self._doubted:
                self._doubted = True
                raise BrokerError("it does not say all that was subscribed to") from None
        self._doubted = False
        self._returned.set()

    def _message(self, message: Message) -> None:
        if message.topic == self._marker_topic:
            self._returned.set()
            return
        place = wire.split_topic(self.base, message.topic)
        if place is None:
            if message.retained and message.payload:
                self._kept[message.topic] = message.payload
            return
        what, name, kind = place
        if not message.payload:
            self._forget(what, name, kind)
        else:
            try:
                self._take(what, name, kind, message.payload)
            except wire.WireError:
                return  # whoever said that has said nothing
        self._heard.set()
        self._heard = asyncio.Event()

    def _take(self, what: str, name: str, kind: str, payload: bytes) -> None:
        told: dict[str, Any]
        if what == "emergency_stop":
            told = wire.read_stop(payload)
            self.stop = told if told["engaged"] else None
        elif what == "bridge":
            told = wire.read_bridge_status(payload)
            self.bridges[name] = told["status"]
        elif kind == "result":
            told = wire.read_result(payload)
            if (call := self._calls.get((name, told["request_id"]))) and not call.result.done():
                call.result.set_result(told)
        elif kind == "progress":
            told = wire.read_progress(payload)
            if call := self._calls.get((name, told["request_id"])):
                call.moved = asyncio.get_running_loop().time()
                call.holds = told["status"] in ("accepted", "paused")
                if call.on_progress:
                    call.on_progress(told)
        else:
            told = self._take_retained(name, kind, payload)
        for listener in self._listeners:
            listener(name or what, kind or what, told)

    def _take_retained(self, name: str, kind: str, payload: bytes) -> dict[str, Any]:
        read = wire.decode(payload, limit=wire.MAX_MESSAGE)
        if not isinstance(read, dict):
            raise wire.WireError(wire.MALFORMED, f"{kind} is no object")
        if kind != "event":
            told = self.devices.setdefault(name, RemoteDevice(self, name)).told
            if kind == "status":
                told.status = wire.read_status(payload)["status"]
            elif kind == "state":
                told.state = read
            else:
                told.description = read = readable(read)
        return read

    def _forget(self, what: str, name: str, kind: str) -> None:
        if what == "device" and kind in ("status", "description"):
            self.devices.pop(name, None)
        elif what == "bridge":
            self.bridges.pop(name, None)
        elif what == "emergency_stop":
            self.stop = None
