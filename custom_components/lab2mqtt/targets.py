"""Whom an action means: labs and devices, by the ids that people have of them."""

from difflib import get_close_matches

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .device import Device
from .errors import InvalidCall
from .lab import Lab, LabConfigEntry


def labs(hass: HomeAssistant) -> list[Lab]:
    """The labs that are set up."""
    entries: list[LabConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    return [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]


def find_lab(hass: HomeAssistant, entry_id: str | None) -> Lab:
    """The lab of a config entry; without one, the only one.

    Raises:
        InvalidCall: There is none, or it is not told which.
    """
    found = labs(hass)
    if entry_id:
        found = [lab for lab in found if lab.entry.entry_id == entry_id]
    if not found:
        raise InvalidCall("lab_not_loaded")
    if len(found) > 1:
        raise InvalidCall("which_lab", labs=", ".join(lab.title for lab in found))
    return found[0]


def find_device(hass: HomeAssistant, device: str) -> tuple[Lab, Device]:
    """The device of an id, be it of the device registry or our own.

    Raises:
        InvalidCall: There is none, or more than one lab has it.
    """
    known = [(lab, each) for lab in labs(hass) for each in lab.devices.values() if each.description]
    if not known and not labs(hass):
        raise InvalidCall("lab_not_loaded")
    found = [(lab, each) for lab, each in known if each.device_id == device]
    found = found or [(lab, each) for lab, each in known if each.registry_id(hass) == device]
    if len(found) > 1:
        raise InvalidCall("ambiguous_device", device=device, labs=", ".join(lab.title for lab, _ in found))
    if not found:
        names = sorted(each.device_id for _, each in known)
        near = get_close_matches(device, names, 1)
        raise InvalidCall(
            "unknown_device",
            device=device,
            near=near[0] if near else "-",
            known=", ".join(names) or "-",
        )
    return found[0]
