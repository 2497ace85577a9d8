"""The robot's own MQTT hints: that something changed, never what.

A real robot publishes them on a broker of its own; this one on a broker that it is given.
"""

import json
from urllib.parse import urlsplit
import uuid

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from lab2mqtt.paho_loop import end_loop

_PREFIX = "robot-server/"
_PORT = 1883
_KEPT = 100  # hints while there is no broker


class Hints:
    """Publishes hints; without a broker the robot works all the same."""

    def __init__(self, address: str) -> None:
        """Connect in the background.

        Args:
            address: ``mqtt://host:port``.
        """
        parts = urlsplit(address)
        if parts.scheme != "mqtt" or not parts.hostname:
            raise ValueError(f"{address!r} is no address of a broker, such as mqtt://127.0.0.1:1883")
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"robot-server-{uuid.uuid4().hex[:12]}")
        self._client.max_queued_messages_set(_KEPT)
        self._client.connect_async(parts.hostname, parts.port or _PORT)
        self._client.loop_start()

    def tell(self, topic: str, what: str) -> None:
        """Hint that a subject changed (``refetch``), or that it is gone (``unsubscribe``)."""
        self._client.publish(_PREFIX + topic, json.dumps({what: True}), qos=1)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        end_loop(self._client)
