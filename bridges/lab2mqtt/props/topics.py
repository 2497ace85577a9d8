"""Topics as MQTT allows them. For another a broker drops the link, and that is everybody's."""

import re

from lab2mqtt.core.words import show

LONGEST = 65_535  # bytes

_CONTROL = "\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff"
_NOT_IN_TOPIC = re.compile(f"[+#{_CONTROL}]")


def topic_or_error(topic: str) -> str:
    """Check a topic to publish on.

    Raises:
        ValueError: It is none.
    """
    if not topic or _NOT_IN_TOPIC.search(topic) or len(topic.encode()) > LONGEST:
        raise ValueError(
            f"{show(topic)} is no topic: no +, no #, no control characters, at most {LONGEST} bytes"
        )
    return topic


def filter_or_error(topic: str) -> str:
    """Check a topic to subscribe to, which may have wildcards.

    Raises:
        ValueError: It is none.
    """
    *levels, last = topic.split("/")
    plain = [one for one in (*levels, "" if last == "#" else last) if one != "+"]
    if not topic or any(map(_NOT_IN_TOPIC.search, plain)) or len(topic.encode()) > LONGEST:
        raise ValueError(
            f"{show(topic)} cannot be subscribed to: + is a level of its own, # the last one; no control"
            f" characters, at most {LONGEST} bytes"
        )
    return topic
