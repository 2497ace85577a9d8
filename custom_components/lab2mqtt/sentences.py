"""What people say to Assist, in English and German, with no file of sentences to be copied anywhere."""

from collections.abc import Callable, Iterable, Sequence
import re
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, intent
from homeassistant.setup import async_when_setup

from .compat import register_sentences
from .const import DOMAIN
from .device import Device
from .lab import Lab

STOP: Final = "Lab2mqttStop"
STATUS: Final = "Lab2mqttStatus"
READY: Final = "Lab2mqttReady"
RUN: Final = "Lab2mqttRun"
CONFIRM: Final = "Lab2mqttConfirm"

_CONVERSATION = "conversation"
# NAME stands for the names of one device, {…} for any words. None of them is likely to be said to anything else.
_SENTENCES: dict[str, dict[str, list[str]]] = {
    "en": {
        STOP: [
            "[please] (stop|halt) the [whole|entire] lab[oratory]",
            "emergency stop",
            "emergency stop [in|of|for] the [whole|entire] lab[oratory]",
        ],
        STATUS: ["what is the lab[oratory] doing", "how is the lab[oratory]", "status of the lab[oratory]"],
        READY: ["is [the] NAME (ready|free|available)"],
        RUN: ["(run|start) {task} on [the] NAME", "(run|start) {task} on [the] NAME with {parameters}"],
        CONFIRM: ["yes do it", "yes go ahead", "confirm", "yes confirm"],
    },
    "de": {
        STOP: [
            "[bitte] (stopp|stoppe) das [ganze] labor",
            "[bitte] halte das [ganze] labor an",
            "[das] [ganze] labor (stoppen|anhalten)",
            "(nothalt|not-halt|not halt|notaus|not-aus|not aus) [im labor]",
        ],
        STATUS: ["was macht das labor", "wie geht es dem labor", "status des labors"],
        READY: ["ist [der|die|das] NAME (bereit|fertig|frei)"],
        RUN: [
            "starte {task} (auf|am|an) [dem|der] NAME",
            "starte {task} (auf|am|an) [dem|der] NAME mit {parameters}",
            "führe {task} (auf|am|an) [dem|der] NAME aus",
            "führe {task} (auf|am|an) [dem|der] NAME mit {parameters} aus",
        ],
        CONFIRM: ["ja mach (es|das)", "ja ausführen", "bestätige (es|das)", "bestätigt"],
    },
}


class Sentences:
    """Listens to what is said of the labs that are set up, and of their devices by name."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; nothing is listened to while there is no lab."""
        self._hass = hass
        self._labs: list[Lab] = []
        self._deaf: list[CALLBACK_TYPE] = []

        async def assist_is_there(_: HomeAssistant, __: str) -> None:
            self._listen()

        async_when_setup(hass, _CONVERSATION, assist_is_there)
        hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._renamed)

    @callback
    def add(self, lab: Lab) -> CALLBACK_TYPE:
        """Listen to what is said of a lab. Returns what ends that."""
        self._labs.append(lab)
        end = lab.on_devices(self._listen)
        self._listen()

        @callback
        def remove() -> None:
            end()
            self._labs.remove(lab)
            self._listen()

        return remove

    @callback
    def _renamed(self, event: Event[Any]) -> None:
        if event.data["action"] == "create" or "name_by_user" in event.data.get("changes", {}):
            self._listen()

    @callback
    def _listen(self) -> None:
        for deaf in self._deaf:
            deaf()
        self._deaf.clear()
        if not self._labs:
            return
        self._deaf += [listen(self._hass, STOP), listen(self._hass, STATUS)]
        devices = (device for lab in self._labs for device in lab.devices.values() if device.description)
        by_names: dict[str, list[str]] = {}
        for device in devices:
            for name in names_of(self._hass, device):
                # Those whose first name is the same are asked for together: the answer tells that there are several.
                by_names.setdefault(name, [])
        for names in _groups(self._hass, self._labs):
            self._deaf += [listen(self._hass, kind, names) for kind in (READY, RUN)]


def names_of(hass: HomeAssistant, device: Device) -> set[str]:
    """What a device is called when it is spoken of: "ot-2", "ot 2", "ot2"."""
    known = dr.async_get(hass).async_get(device.registry_id(hass) or "")
    given = known.name_by_user if known else None
    found = set()
    for name in (device.device_id, device.name, given or ""):
        plain = spoken(name)
        found |= {plain, plain.replace("-", " "), plain.replace("-", "")}
    return found - {""}


def spoken(text: str) -> str:
    """A text as it is compared with what is said: small letters, digits, spaces and hyphens."""
    return " ".join(re.sub(r"[^\w-]|_", " ", text.casefold()).split())
