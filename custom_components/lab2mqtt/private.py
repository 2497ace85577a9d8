"""What is left out of what people pass on: names of persons, secrets, addresses and serial numbers."""

from collections.abc import Iterator
import re
from typing import Any

from homeassistant.components.diagnostics import REDACTED

_PERSONS = frozenset(
    {
        "by",
        "holder",
        "issued_by",
        "maintenance_by",
        "reservation",
        "reserved_by",
        "taken_from",
    }
)
_OTHER = frozenset(
    {
        "address",
        "configuration_url",
        "host",
        "hostname",
        "ip",
        "latitude",
        "longitude",
        "mac",
        "password",
        "reason",
        "reservation_reason",
        "secret",
        "serial",
        "ssid",
        "token",
        "url",
        "user",
        "username",
    }
)
# In the middle of a text, such as why a device is not ready.
_ADDRESS = re.compile(
    r"(?<=://)[^\s/'\"]+"  # with user and password, if they are there
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b"
    r"|\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"
    r"|\b[\w-]+(?:\.[\w-]+)*\.(?:local|lan|home|internal|localdomain|fritz\.box)\b"
)


def without_private(tree: dict[str, Any]) -> dict[str, Any]:
    """A copy in which everything private is redacted, also where a text names a person of another key."""
    # The longest first: "Anna B" before "Anna".
    names = sorted({name for name in _names(tree) if len(name) > 1}, key=len, reverse=True)
    words = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in names]
    found: dict[str, Any] = _cleaned(tree, re.compile("|".join(words)) if words else None)
    return found


def _names(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in _PERSONS and isinstance(value, str):
                yield value
            yield from _names(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _names(value)


def _cleaned(tree: Any, names: re.Pattern[str] | None) -> Any:  # noqa: ANN401 - JSON
    if isinstance(tree, dict):
        return {
            key: REDACTED if _is_private(key, value) else _cleaned(value, names)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_cleaned(value, names) for value in tree]
    if isinstance(tree, str):
        text = _ADDRESS.sub(REDACTED, tree)
        return names.sub(REDACTED, text) if names else text
    return tree


def _is_private(key: str, value: object) -> bool:
    """Whether a value is left out; not the schema of a parameter of that name."""
    return key in _PERSONS | _OTHER and value not in (None, "") and not isinstance(value, dict)
