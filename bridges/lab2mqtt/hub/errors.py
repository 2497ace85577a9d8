"""What can go wrong with a private hub, its broker and what they are made of."""

from lab2mqtt.core.errors import LabError


class HubError(LabError):
    """Home Assistant, its broker or an installation did not do what it was asked."""


class NotAvailable(HubError):
    """It cannot be had on this machine; the text says why, and what would help."""
