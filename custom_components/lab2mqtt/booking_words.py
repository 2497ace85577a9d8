"""What the title of a booking means: ``OT-2 for Anna``, ``ot2, plate-resort: Colour loop``."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
import re

from .device import Device
from .errors import InvalidCall

_BETWEEN = re.compile(r"\s*[,;&+]\s*|\s+(?:and|und)\s+")
_FOR = re.compile(r"\s+(?:for|für)\s+", re.IGNORECASE)


def read_title(devices: Iterable[Device], title: str) -> tuple[list[Device], str | None]:
    """The devices that a title names, by id or name, and the holder; None where it names none.

    Raises:
        InvalidCall: There is no such device.
    """
    known = [device for device in devices if device.description]
    names = {device.name.casefold(): device for device in known}
    names |= {device.device_id.casefold(): device for device in known}
    unknown = title
    for part, holder in _readings(title.strip()):
        words = [word for word in _BETWEEN.split(part) if word]
        missing = [word for word in words if word.casefold() not in names]
        if words and not missing:
            found = {names[word.casefold()].device_id: names[word.casefold()] for word in words}
            return list(found.values()), holder or None
        unknown = (missing or [part])[0]
    near = get_close_matches(unknown.casefold(), sorted(names), 1)
    raise InvalidCall(
        "booking_unknown_device",
        device=unknown,
        near=near[0] if near else "-",
        known=", ".join(sorted(device.device_id for device in known)) or "-",
    )


def _readings(title: str) -> Iterator[tuple[str, str]]:
    """How it can be read; a device may have a colon in its name."""
    yield title, ""
    if ":" in title:
        part, _, holder = title.partition(":")
        yield part.strip(), holder.strip()
    for found in _FOR.finditer(title):
        yield title[: found.start()].strip(), title[found.end() :].strip()
