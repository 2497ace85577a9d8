"""The link to the broker, as those who ask over HTTP are told of it."""

from lab2mqtt import wire
from lab2mqtt.client import Lab
from lab2mqtt.orchestration.http_errors import HttpRefused


def no_link(lab: Lab) -> str:
    """Why nothing can be asked, in words."""
    why = f": {lab.complaint}" if lab.complaint else ""
    return f"no link to the broker{why}; trying again"


def check_link(lab: Lab) -> None:
    """Refuse what needs a link.

    Raises:
        HttpRefused: There is none now.
    """
    if not lab.up:
        raise HttpRefused(503, no_link(lab), wire.DEVICE_UNAVAILABLE)
