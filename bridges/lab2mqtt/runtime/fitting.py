"""What is too long for the wire is said shorter."""

import logging
from typing import Any

from lab2mqtt import wire

_LOGGER = logging.getLogger(__name__)

TEXT = 2000  # characters; more of a driver's words nobody reads


def shortened(text: str) -> str:
    """A text, cut where it is too long; then it tells how long it was."""
    return text if len(text) <= TEXT else f"{text[:TEXT]}… ({len(text)} characters)"


def fitting(message: dict[str, Any]) -> dict[str, Any]:
    """A message whose words for people are not too long."""
    error = message.get("error")
    return {**message, "error": shortened(error)} if isinstance(error, str) and len(error) > TEXT else message


def encoded(topic: str, message: dict[str, Any]) -> str | None:
    """A message of a device as it is published; None where it is too long to be read by anybody.

    A result that is too long becomes an error that says so: its command has an answer all the same.
    """
    text = wire.encode(fitting(message))
    size = len(text) if text.isascii() else len(text.encode())
    if size <= wire.MAX_MESSAGE:
        return text
    why = f"{size} bytes; at most {wire.MAX_MESSAGE} are allowed"
    _LOGGER.error("What was to be said on %s has %s", topic, why)
    if message.get("status") != "success":
        return None
    told = f"{message['task']} was done, but what it returned has {why}"
    failed = wire.failure(
        message["request_id"], message["task"], wire.DEVICE_ERROR, told, message["timestamp"]
    )
    return wire.encode(failed)
