"""The robot's own MQTT: hints that something changed, never what; a reason to look at once.

This is the robot's broker, on the robot, not the lab's. Where its port is blocked there are no hints, and
polling finds everything a little later.
"""

import asyncio
from collections.abc import Callable, Mapping
import json
import logging
from typing import Any, Final
import uuid

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from lab2mqtt.paho_loop import end_loop

_LOGGER = logging.getLogger(__name__)

PORT: Final = 1883
QUIET: Final = 0.2  # s in which hints are gathered: two small runs sent 36 of them
_PREFIX: Final = "robot-server/"
_TOPICS: Final = ("runs/#", "maintenance_runs/#", "clientData/#", "deck_configuration")
_CONNECT = 3.0  # s
_PAUSES = (1, 60)  # s between two attempts, the first and the longest
_KEEPALIVE = 30  # s


class Hints:
    """Listens for hints in a thread of paho's, and calls in the event loop.

    Attributes:
        connected: Whether the robot's broker is there.
    """

    def __init__(self, host: str, heard: Callable[[frozenset[str]], None], port: int = PORT) -> None:
        """Prepare; nothing is opened.

        Args:
            host: The robot.
            heard: Called in the loop with what may have changed, ``runs/<id>``, gathered.
            port: Of its broker.
        """
        self.connected = False
        self._heard = heard
        self._address = host, port
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathered: set[str] = set()
        self._later: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to listen. Never fails: a port that is blocked is tried again, later and later."""
        self._loop = asyncio.get_running_loop()
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"lab2mqtt-{uuid.uuid4().hex[:12]}")
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.connect_timeout = _CONNECT
        client.reconnect_delay_set(*_PAUSES)
        client.connect_async(*self._address, keepalive=_KEEPALIVE)
        client.loop_start()
        self._client = client

    async def close(self) -> None:
        """Stop listening. Safe to repeat."""
        client, self._client = self._client, None
        if client:
            client.disconnect()
            await asyncio.to_thread(end_loop, client)  # it may be in the midst of connecting
        if self._later:
            self._later.cancel()
            self._later = None
        self.connected = False

    # In paho's thread.

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _more: Properties | None,
    ) -> None:
        if reason.is_failure:
            return
        client.subscribe([(_PREFIX + topic, 0) for topic in _TOPICS])
        # What changed while nobody listened was not heard.
        self._call(self._connected, True)  # noqa: FBT003 - its only argument

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        _reason: ReasonCode,
        _more: Properties | None,
    ) -> None:
        self._call(self._connected, False)  # noqa: FBT003

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            told = json.loads(message.payload)
        except ValueError:
            return
        if isinstance(told, Mapping) and (told.get("refetch") or told.get("unsubscribe")):
            self._call(self._gather, message.topic.removeprefix(_PREFIX))

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - of that function
        loop = self._loop
        if loop and not loop.is_closed():
            loop.call_soon_threadsafe(function, *arguments)

    # In the loop.

    def _connected(self, there: bool) -> None:  # noqa: FBT001 - its only argument
        if self._client is None:
            return
        if there != self.connected:
            _LOGGER.debug("hints of the robot at %s:%s: %s", *self._address, "there" if there else "gone")
        self.connected = there
        if there:
            self._gather("runs")

    def _gather(self, topic: str) -> None:
        if self._client is None:
            return
        self._gathered.add(topic)
        if self._later is None and self._loop:
            self._later = self._loop.call_later(QUIET, self._tell)

    def _tell(self) -> None:
        gathered, self._gathered, self._later = frozenset(self._gathered), set(), None
        self._heard(gathered)
