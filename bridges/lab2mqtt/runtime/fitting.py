"""What is too long for the wire is said shorter, or not at all."""

import logging
from typing import Any

from lab2mqtt import wire

_LOGGER = logging.getLogger(__name__)

TEXT = 2000  # characters; more of a driver's words nobody reads


def shortened(text: str) -> str:
    """A text, cut where it is too long; then it tells how long it was."""
    return text if len(text) <= TEXT else f"{text[:TEXT]}… ({len(text)} characters)"


def too_long(text: str | bytes) -> str:
    """Why an encoded message is too long for anybody to read, in words; empty when it is not."""
    size = len(text) if text.isascii() or isinstance(text, bytes) else len(text.encode())
    return f"{size} bytes; at most {wire.MAX_MESSAGE} are allowed" if size > wire.MAX_MESSAGE else ""


def encoded(topic: str, message: dict[str, Any] | bytes) -> str | bytes | None:
    """What a device says, as it is published; None where it is too long to be read by anybody."""
    text = message if isinstance(message, bytes) else wire.encode(message)
    if why := too_long(text):
        _LOGGER.error("What was to be said on %s has %s", topic, why)
        return None
    return text
