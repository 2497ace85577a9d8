"""The calendar of bookings: who had, has and will have which device."""

from datetime import date, datetime
import time
from typing import Any, override

from homeassistant.components.calendar import CalendarEntity, CalendarEntityFeature, CalendarEvent
from homeassistant.components.websocket_api.connection import current_connection
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .booking_words import read_title
from .bookings import PLANNED, Booking, Reservation
from .entity import LabEntity
from .errors import InvalidCall
from .lab import Lab, LabConfigEntry

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: LabConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the calendar."""
    async_add_entities([BookingCalendar(entry.runtime_data)])


class BookingCalendar(LabEntity, CalendarEntity):
    """Reservations as the devices tell them, and bookings that persons make. Nothing moves by one."""

    _attr_supported_features = CalendarEntityFeature.CREATE_EVENT | CalendarEntityFeature.DELETE_EVENT

    def __init__(self, lab: Lab) -> None:
        """Prepare."""
        super().__init__(lab, "bookings")

    @property
    @override
    def available(self) -> bool:
        return True  # it is ours, not the broker's

    @property
    @override
    def event(self) -> CalendarEvent | None:
        now = time.time()
        ahead = [each for each in self._all() if each.end > now]
        return self._event(min(ahead, key=lambda each: (each.start, each.uid))) if ahead else None

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        first, last = start_date.timestamp(), end_date.timestamp()
        within = [each for each in self._all() if each.end > first and each.start < last]
        return [self._event(each) for each in sorted(within, key=lambda each: each.start)]

    @override
    async def async_create_event(self, **kwargs: Any) -> None:
        if kwargs.get("rrule"):
            raise InvalidCall("booking_repeats")
        summary = kwargs["summary"]
        devices, holder = read_title(self.lab.devices.values(), summary)
        if holder is None:
            connection = current_connection.get()
            holder = connection.user.name if connection else None
        if not holder:
            raise InvalidCall("booking_for_nobody", title=summary)
        booking = Booking(
            summary,
            kwargs.get("description") or "",
            holder,
            _moment(kwargs["dtstart"]),
            _moment(kwargs["dtend"]),
            {device.device_id: PLANNED for device in devices},
        )
        self.lab.bookings.book(booking)
        self.async_write_ha_state()

    @override
    async def async_delete_event(
        self, uid: str, recurrence_id: str | None = None, recurrence_range: str | None = None
    ) -> None:
        await self.lab.bookings.cancel(uid)
        self.async_write_ha_state()

    def _all(self) -> list[Booking | Reservation]:
        bookings = self.lab.bookings
        return [*bookings.booked, *(each for each in bookings.seen if not bookings.is_booked(each))]

    def _event(self, shown: Booking | Reservation) -> CalendarEvent:
        words = self.lab.words
        if isinstance(shown, Reservation):
            summary = words.sentence("booking_title", devices=shown.name, holder=shown.holder)
            description = shown.reason
        else:
            summary = shown.summary
            told = [shown.note, words.sentence("booking_holder", holder=shown.holder)]
            for device_id, word in shown.devices.items():
                device = self.lab.devices.get(device_id)
                name = device.name if device else device_id
                error = shown.errors.get(device_id)
                told.append(f"{name}: {words.word('booking_status', word)}{f' ({error})' if error else ''}")
            description = "\n".join(part for part in told if part)
        return CalendarEvent(
            start=_local(shown.start),
            end=_local(max(shown.end, shown.start + 1)),
            summary=summary,
            description=description,
            uid=shown.uid,
        )


def _local(at: float) -> datetime:
    return dt_util.as_local(dt_util.utc_from_timestamp(at))


def _moment(told: date | datetime) -> float:
    """Whole days begin at midnight here."""
    if isinstance(told, datetime):
        return dt_util.as_utc(told).timestamp()
    return dt_util.start_of_local_day(told).timestamp()
