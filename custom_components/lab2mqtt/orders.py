"""What somebody said that is to be done, and has not said yes to yet."""

from dataclasses import dataclass
from typing import Any

from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util.hass_dict import HassKey

from .device import Device
from .lab import Lab
from .sentences import CONFIRM, listen

ORDERS: "HassKey[Orders]" = HassKey("lab2mqtt_orders")
ANSWER_WITHIN = 30.0  # s

type Speaker = tuple[str | None, str | None]
"""Who speaks: the user's id, and the registry id of the voice assistant; not both are None."""


@dataclass(frozen=True)
class Order:
    """A task that somebody wants to be run.

    Attributes:
        lab: Of the device.
        device: Whose task.
        task: Its name.
        parameters: By name.
    """

    lab: Lab
    device: Device
    task: str
    parameters: dict[str, Any]

    @property
    def words(self) -> str:
        """The task and its parameters, to be spoken."""
        given = ", ".join(f"{_spoken(key)} {value}" for key, value in self.parameters.items())
        return f"{_spoken(self.task)} ({given})" if given else _spoken(self.task)


class Orders:
    """The orders that wait for a yes of who gave them: the last of each speaker, for 30 s.

    The sentences that say yes are listened to only meanwhile, because people say them to others, too.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; nothing waits."""
        self._hass = hass
        self._waiting: dict[Speaker, tuple[Order, CALLBACK_TYPE]] = {}
        self._deaf: CALLBACK_TYPE | None = None

    @callback
    def keep(self, speaker: Speaker, order: Order) -> None:
        """Keep an order until the speaker says yes."""
        self.take(speaker)
        end = async_call_later(self._hass, ANSWER_WITHIN, lambda _: self._drop(speaker))
        self._waiting[speaker] = order, end
        if self._deaf is None:
            self._deaf = listen(self._hass, CONFIRM)

    @callback
    def take(self, speaker: Speaker) -> Order | None:
        """The order that waits for this speaker; it waits no more."""
        if speaker not in self._waiting:
            return None
        order, end = self._waiting[speaker]
        end()
        self._drop(speaker)
        return order

    @callback
    def forget(self, lab: Lab) -> None:
        """A lab is unloaded: nothing waits for it."""
        for speaker, (order, _) in list(self._waiting.items()):
            if order.lab is lab:
                self.take(speaker)

    @callback
    def _drop(self, speaker: Speaker) -> None:
        self._waiting.pop(speaker, None)
        if not self._waiting and self._deaf:
            self._deaf()
            self._deaf = None


def speaker_of(context: Context | None, device_id: str | None) -> Speaker | None:
    """Who speaks; None where nobody can tell, and so nobody's yes can be taken."""
    user_id = context.user_id if context else None
    return (user_id, device_id) if user_id or device_id else None


def _spoken(name: str) -> str:
    return name.replace("_", " ")
