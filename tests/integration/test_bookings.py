"""The calendar of bookings: what is reserved, and what persons book ahead."""

from datetime import datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
from tests.integration.lab_bridge import RESORT, Resort
from tests.integration.speaker import DEVICE, RESERVABLE, Speaker
from tests.integration.test_runs import act, entity_id
from tests.integration.waiting import meanwhile

from lab2mqtt import wire

CHUNK = 86400
MINUTE = timedelta(minutes=1)


async def book(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    title: str,
    start: datetime | None = None,
    lasts: timedelta = 60 * MINUTE,
) -> None:
    """Make a booking; it has begun a minute ago unless told otherwise."""
    start = start or dt_util.now() - MINUTE
    data = {
        "entity_id": entity_id(hass, entry, "calendar", "bookings"),
        "summary": title,
        "start_date_time": start,
        "end_date_time": start + lasts,
    }
    await hass.services.async_call("calendar", "create_event", data, blocking=True)


async def events(hass: HomeAssistant, entry: MockConfigEntry) -> list[dict[str, Any]]:
    """What the calendar shows of yesterday, today and the next days."""
    calendar = entity_id(hass, entry, "calendar", "bookings")
    now = dt_util.now()
    data = {
        "entity_id": calendar,
        "start_date_time": now - timedelta(days=1),
        "end_date_time": now + timedelta(days=9),
    }
    told = await hass.services.async_call("calendar", "get_events", data, blocking=True, return_response=True)
    found: list[dict[str, Any]] = told[calendar]["events"]
    return found


async def held(entry: MockConfigEntry, holder: str | None, device_id: str = RESORT) -> None:
    """Wait until somebody, or nobody, has a device."""
    device = entry.runtime_data.devices[device_id]
    await meanwhile(
        lambda: device.state.get("reserved_by") == holder,
        f"{device_id} is reserved by {holder}",
        within=15,
        more=lambda: str((device.state, entry.runtime_data.bookings.booked)),
    )


def issues(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """What is told of bookings that are not kept."""
    return [
        issue
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == "lab2mqtt" and issue_id.startswith("booking_not_held")
    ]


@pytest.mark.usefixtures("ready")
class TestBooking:
    """A person books a device, and it is reserved for that time."""

    async def test_reserved_and_taken_back(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
    ) -> None:
        """Others are refused with the name until its end, or until it is deleted; nothing moves."""
        await book(hass, lab_entry, "Plate resort for Anna")
        await held(lab_entry, "Anna")
        (booking,) = lab_entry.runtime_data.bookings.booked
        device = lab_entry.runtime_data.devices[RESORT]
        assert device.reserved_until == pytest.approx(booking.end, abs=3)
        with pytest.raises(HomeAssistantError, match="Anna"):
            await act(hass, "run_task", device=RESORT, task="go_home")
        await meanwhile(lambda: booking.devices[RESORT] == "held", "it says so")
        (event,) = await events(hass, lab_entry)
        assert event["summary"] == "Plate resort for Anna"
        assert event["description"] == "Reserved as: Anna\nPlate resort: reserved"
        calendar = entity_id(hass, lab_entry, "calendar", "bookings")
        await meanwhile(lambda: hass.states.get(calendar).state == "on", "the calendar is on")
        client = await hass_ws_client(hass)
        await client.send_json_auto_id(
            {"type": "calendar/event/delete", "entity_id": calendar, "uid": booking.uid}
        )
        assert (await client.receive_json())["success"]
        await held(lab_entry, None)
        assert lab_entry.runtime_data.bookings.booked == []

    async def test_somebody_else_has_it(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """The event and an issue say who; once it is free, it is reserved."""
        await act(hass, "reserve", device=RESORT, seconds=600, holder="Bob")
        await book(hass, lab_entry, f"{RESORT}: Anna")
        await meanwhile(lambda: issues(hass), "an issue tells")
        placeholders = issues(hass)[0].translation_placeholders
        assert placeholders
        assert "reserved by Bob" in placeholders["why"]
        shown = {event["summary"]: event for event in await events(hass, lab_entry)}
        assert "not reserved (Plate resort is reserved by Bob" in shown[f"{RESORT}: Anna"]["description"]
        assert "Plate resort for Bob" in shown
        await act(hass, "release", device=RESORT, holder="Bob")
        await held(lab_entry, "Anna")
        await meanwhile(lambda: not issues(hass), "the issue is gone")

    async def test_taken_over_and_given_back(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """What somebody takes over is not taken back, and what its holder gives back stays free."""
        await book(hass, lab_entry, f"{RESORT}: Anna")
        await held(lab_entry, "Anna")
        (booking,) = lab_entry.runtime_data.bookings.booked
        await meanwhile(lambda: booking.devices[RESORT] == "held", "it is held")
        await act(hass, "reserve", device=RESORT, seconds=600, holder="Bob", reason="urgent")
        await meanwhile(lambda: booking.devices[RESORT] == "taken", "it says so")
        assert issues(hass)
        await act(hass, "release", device=RESORT, holder="Bob")
        await held(lab_entry, None)
        await lab_entry.runtime_data.bookings.cancel(booking.uid)
        assert not issues(hass)
        await book(hass, lab_entry, f"{RESORT}: Carla")
        await held(lab_entry, "Carla")
        (booking,) = lab_entry.runtime_data.bookings.booked
        await meanwhile(lambda: booking.devices[RESORT] == "held", "it is held")
        await act(hass, "release", device=RESORT, holder="Carla")
        await meanwhile(lambda: booking.devices[RESORT] == "given_back", "it says so")
        assert not issues(hass)

    async def test_begins_later(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """It waits for its start."""
        await book(hass, lab_entry, f"{RESORT}: Anna", dt_util.now() + timedelta(seconds=2))
        (event,) = await events(hass, lab_entry)
        assert event["description"].endswith("Plate resort: planned")
        assert lab_entry.runtime_data.devices[RESORT].reserved_by is None
        await held(lab_entry, "Anna")
        (booking,) = lab_entry.runtime_data.bookings.booked
        assert booking.start <= dt_util.utcnow().timestamp()

    async def test_by_the_person_who_asks(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
    ) -> None:
        """Without a name it is for whoever makes it in the UI."""
        client = await hass_ws_client(hass)
        now = dt_util.now()
        event = {
            "summary": "Plate resort",
            "dtstart": (now + 60 * MINUTE).isoformat(),
            "dtend": (now + 90 * MINUTE).isoformat(),
        }
        calendar = entity_id(hass, lab_entry, "calendar", "bookings")
        await client.send_json_auto_id(
            {"type": "calendar/event/create", "entity_id": calendar, "event": event}
        )
        assert (await client.receive_json())["success"]
        (booking,) = lab_entry.runtime_data.bookings.booked
        assert booking.holder == "Mock User"
        await client.send_json_auto_id(
            {
                "type": "calendar/event/create",
                "entity_id": calendar,
                "event": {**event, "rrule": "FREQ=DAILY"},
            }
        )
        assert "does not repeat" in (await client.receive_json())["error"]["message"]

    @pytest.mark.parametrize(
        ("title", "told"),
        [
            ("Plate resrot for Anna", "nearest is plate resort"),
            ("ot2, plate-resort: Anna", "no device ot2"),
            ("plate-resort", "for whom"),
        ],
    )
    async def test_titles_that_are_refused(
        self, hass: HomeAssistant, lab_entry: MockConfigEntry, title: str, told: str
    ) -> None:
        """With what would be right."""
        with pytest.raises(ServiceValidationError, match=told):
            await book(hass, lab_entry, title)
        assert lab_entry.runtime_data.bookings.booked == []

    async def test_times_that_are_refused(self, hass: HomeAssistant, lab_entry: MockConfigEntry) -> None:
        """What is over, and what somebody else has booked."""
        now = dt_util.now()
        with pytest.raises(ServiceValidationError, match="over already"):
            await book(hass, lab_entry, f"{RESORT}: Anna", now - 90 * MINUTE)
        await book(hass, lab_entry, f"{RESORT}: Anna", now + 60 * MINUTE)
        with pytest.raises(ServiceValidationError, match="booked for Anna"):
            await book(hass, lab_entry, f"{RESORT}: Bob", now + 90 * MINUTE)
        await book(hass, lab_entry, f"{RESORT}: Bob", now + 120 * MINUTE)


async def test_away_at_the_start(
    hass: HomeAssistant, hass_storage: dict[str, Any], mqtt_entry: MockConfigEntry, resort: Resort
) -> None:
    """What should have begun while Home Assistant was away is reserved when it comes back."""
    del mqtt_entry, resort
    entry = MockConfigEntry(domain="lab2mqtt", title="Lab", unique_id="lab2mqtt", data={"base": "lab2mqtt"})
    key = f"lab2mqtt.{entry.entry_id}.bookings"
    now = dt_util.utcnow().timestamp()
    kept = {
        "summary": "Plate resort for Anna",
        "note": "",
        "holder": "Anna",
        "start": now - 600,
        "end": now + 600,
        "devices": {RESORT: "planned"},
    }
    data = {"booked": [kept], "seen": []}
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await meanwhile(lambda: RESORT in entry.runtime_data.devices, "the resort is known", within=10)
    await held(entry, "Anna")
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


async def test_reservations_are_shown(hass: HomeAssistant, lab_entry: MockConfigEntry, ready: Resort) -> None:
    """Who has a device, and who had it, also after a restart; they cannot be deleted here."""
    del ready
    await act(hass, "reserve", device=RESORT, seconds=600, holder="Bob")
    await meanwhile(lambda: lab_entry.runtime_data.bookings.seen, "it is seen")
    assert await hass.config_entries.async_reload(lab_entry.entry_id)
    bookings = lab_entry.runtime_data.bookings
    (event,) = await events(hass, lab_entry)
    assert event["summary"] == "Plate resort for Bob"
    with pytest.raises(ServiceValidationError, match="not booked here"):
        await bookings.cancel(bookings.seen[0].uid)
    await held(lab_entry, "Bob")
    await act(hass, "release", device=RESORT, holder="Bob")
    await meanwhile(lambda: bookings.seen[0].end <= dt_util.utcnow().timestamp(), "it is over")
    assert len(await events(hass, lab_entry)) == 1
    calendar = entity_id(hass, lab_entry, "calendar", "bookings")
    await meanwhile(lambda: hass.states.get(calendar).state == "off", "the calendar is off")


async def test_for_days(hass: HomeAssistant, lab_entry: MockConfigEntry, speaker: Speaker) -> None:
    """A device reserves for a day at most: what is booked for longer is renewed in time."""
    lab = lab_entry.runtime_data
    await speaker.device(tasks=RESERVABLE)
    await meanwhile(lambda: DEVICE in lab.devices and lab.devices[DEVICE].reachable, "the gadget is there")
    await book(hass, lab_entry, f"{DEVICE} for Anna", lasts=timedelta(days=3))
    command = await speaker.command()
    assert command["task"] == "reserve"
    assert command["parameters"] == {"holder": "Anna", "seconds": CHUNK}
    (booking,) = lab.bookings.booked
    now = dt_util.utcnow().timestamp()
    await speaker.state({"reserved_by": "Anna", "reserved_until": now + CHUNK})
    await speaker.succeed(command, {"holder": "Anna"})
    await meanwhile(lambda: booking.devices[DEVICE] == "held", "it is held")
    # The day goes by.
    lab.bookings._ours[booking.uid, DEVICE] = now + CHUNK / 2 - 1
    lab.bookings._asked.clear()
    lab.changed()
    renewal = await speaker.command(test=lambda told: told != command)
    assert renewal["parameters"] == {"holder": "Anna", "seconds": CHUNK}
    await speaker.fail(renewal, wire.DEVICE_ERROR, "not now")
    await meanwhile(lambda: booking.errors, "it says why")
