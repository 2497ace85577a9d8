"""How a bridge is, in words, and whether it should be started anew."""

from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.systemd import Condition


def condition_of(bridge: Bridge) -> Condition:
    """Online once everything was said on the present link; not well when a part has ended by an error."""
    link = bridge.connection
    if broken := bridge.broken:
        return Condition(f"Broken: {type(broken).__name__}: {broken}", bridge.online, well=False)
    if not link.up:
        why = f": {link.complaint}" if link.complaint else ""
        return Condition(f"No link to {link.broker}{why}; trying again", online=False)
    if not bridge.online:
        return Condition(f"Connected to {link.broker}; announcing its devices", online=False)
    number = len(bridge.workers)
    return Condition(f"Online at {link.broker} with {number} device{'s' * (number != 1)}", online=True)
