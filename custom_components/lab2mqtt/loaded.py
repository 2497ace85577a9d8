"""Labs as they are set up: for what lives longer than a config entry, as a trigger does."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from .lab import Lab
from .targets import labs

_LOADED: SignalType[Lab] = SignalType("lab2mqtt_loaded")


@callback
def lab_loaded(hass: HomeAssistant, lab: Lab) -> None:
    """Tell that a lab was set up, and knows what the broker keeps of it."""
    async_dispatcher_send(hass, _LOADED, lab)


@callback
def follow_labs(hass: HomeAssistant, attach: Callable[[Lab], CALLBACK_TYPE]) -> CALLBACK_TYPE:
    """Attach something to each lab that is set up, now or later, anew after a reload.

    Args:
        hass: Home Assistant.
        attach: Does that, and returns what ends it.

    Returns:
        What ends all of it.
    """
    attached: dict[str, CALLBACK_TYPE] = {}

    @callback
    def come(lab: Lab) -> None:
        if end := attached.pop(lab.entry.entry_id, None):
            end()
        attached[lab.entry.entry_id] = attach(lab)

    for lab in labs(hass):
        come(lab)
    ends = async_dispatcher_connect(hass, _LOADED, come)

    @callback
    def stop() -> None:
        ends()
        for end in attached.values():
            end()

    return stop
