"""What people say to Assist, in English and German, with no file of sentences to be copied anywhere."""

from collections.abc import Sequence
import re
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, intent
from homeassistant.setup import async_when_setup
from homeassistant.util.hass_dict import HassKey

from .compat import OnSentence, register_sentences
from .const import DOMAIN
from .device import Device
from .lab import Lab

STOP: Final = "Lab2mqttStop"
STATUS: Final = "Lab2mqttStatus"
READY: Final = "Lab2mqttReady"
RUN: Final = "Lab2mqttRun"
CONFIRM: Final = "Lab2mqttConfirm"

SENTENCES: "HassKey[Sentences]" = HassKey("lab2mqtt_sentences")
_CONVERSATION = "conversation"
# NAME stands for the names of one device, {…} for any words. All are unlikely to be said of anything else.
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
        if "name_by_user" in event.data.get("changes", {}):
            self._listen()

    @callback
    def _listen(self) -> None:
        for deaf in self._deaf:
            deaf()
        self._deaf.clear()
        if not self._labs:
            return
        self._deaf += [listen(self._hass, STOP), listen(self._hass, STATUS)]
        owners: dict[str, set[tuple[str, str]]] = {}
        for lab in self._labs:
            for device in lab.devices.values():
                for name in names_of(self._hass, device):
                    owners.setdefault(name, set()).add((lab.entry.entry_id, device.device_id))
        groups: dict[frozenset[tuple[str, str]], list[str]] = {}
        for name, who in owners.items():
            groups.setdefault(frozenset(who), []).append(name)
        for names in groups.values():
            self._deaf += [listen(self._hass, kind, names) for kind in (READY, RUN)]


def listen(hass: HomeAssistant, kind: str, names: Sequence[str] = ()) -> CALLBACK_TYPE:
    """Have an intent handled whenever one of its sentences is said.

    Args:
        hass: Home Assistant.
        kind: The type of the intent.
        names: All mean the same; the first is the intent's ``device``.

    Returns:
        What ends that.
    """
    if _CONVERSATION not in hass.config.components:
        return lambda: None
    ends = []
    for language, sentences in _SENTENCES.items():
        choice = "(" + "|".join(sorted(names)) + ")"
        said = [sentence.replace("NAME", choice) for sentence in sentences[kind]]
        ends.append(register_sentences(hass, said, _answer(hass, kind, language, names)))

    @callback
    def deaf() -> None:
        for end in ends:
            end()

    return deaf


def _answer(hass: HomeAssistant, kind: str, language: str, names: Sequence[str]) -> OnSentence:
    """Answers in the language of the sentence."""

    async def answer(user_input: Any, result: Any) -> str:  # noqa: ANN401 - their classes are Assist's own
        slots = {name: {"value": str(entity.text).strip()} for name, entity in result.entities.items()}
        if names:
            slots["device"] = {"value": names[0]}
        response = await intent.async_handle(
            hass,
            DOMAIN,
            kind,
            slots,
            user_input.text,
            user_input.context,
            language,
            device_id=user_input.device_id,
        )
        return str(response.speech.get("plain", {}).get("speech", ""))

    return answer


def names_of(hass: HomeAssistant, device: Device) -> list[str]:
    """What a device is called when it is spoken of: "ot-2", "ot 2", "ot2"."""
    known = dr.async_get(hass).async_get(device.registry_id(hass) or "")
    given = known.name_by_user if known else None
    found: dict[str, None] = {}
    for name in (device.device_id, device.name, given or ""):
        plain = spoken(name)
        found |= dict.fromkeys((plain, plain.replace("-", " "), plain.replace("-", "")))
    return [name for name in found if name]


def spoken(text: str) -> str:
    """A text as it is compared with what is said: small letters, digits, spaces and hyphens."""
    return " ".join(re.sub(r"[^\w-]|_", " ", text.casefold()).split())
