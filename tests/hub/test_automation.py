"""Automations can start from what happens on a device."""

from tests.broker.observer import until
from tests.hub.lab import IDENTIFIER, SELECT, Lab, choose, shows

from lab2mqtt.hub.process import HomeAssistant

# What a person may choose from when making an automation.
TRIGGERS = {
    "task_succeeded",
    "task_failed",
    "emergency_stopped",
    "emergency_stop_reset",
    "reservation_taken_over",
    "reservation_ended",
}


def _triggers(hub: HomeAssistant) -> dict[str, dict[str, object]]:
    """The device's own triggers, by type."""
    device = hub.wait_for_device(IDENTIFIER)["id"]
    listed = hub.ws("device_automation/trigger/list", device_id=device)
    return {trigger["type"]: trigger for trigger in listed if trigger["domain"] == "mqtt"}


def test_what_happens_is_offered_as_a_trigger(hub: HomeAssistant, lab: Lab) -> None:
    """Each type of event that the event entity shows is a trigger of the device, and no other is."""
    lab.until_available(hub)
    until(lambda: set(_triggers(hub)) == TRIGGERS, "the device has its triggers")
    shown = hub.wait_for("event.plate_resort_happening")["attributes"]["event_types"]
    assert set(shown) == TRIGGERS
    assert {trigger["subtype"] for trigger in _triggers(hub).values()} == {"device"}


def test_an_automation_starts_from_a_trigger(hub: HomeAssistant, lab: Lab) -> None:
    """Made as the page makes it; it runs once for one success, and not for what succeeded before."""
    trigger = _triggers(hub)["task_succeeded"]
    chosen = {key: value for key, value in trigger.items() if key not in ("metadata", "platform")}
    made = {
        "alias": "Tell that it is done",
        "triggers": [{"trigger": "device", **chosen}],
        "actions": [{"action": "mqtt.publish", "data": {"topic": "lab2mqtt/test/told", "payload": '"done"'}}],
        "mode": "queued",
    }
    hub.post("/api/config/automation/config/told", made)
    try:
        hub.wait_for("automation.tell_that_it_is_done", shows("on"))
        since = lab.seen.mark()
        choose(hub, "D")
        hub.wait_for(SELECT, shows("D"))
        lab.seen.wait("lab2mqtt/test/told", since=since)
        lab.seen.barrier()
        assert len(lab.seen.heard("lab2mqtt/test/told", since)) == 1
    finally:
        hub.request("DELETE", "/api/config/automation/config/told")
