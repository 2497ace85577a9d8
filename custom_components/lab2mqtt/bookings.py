"""Who has which device and when: reservations as they are seen, and bookings that persons make ahead."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
import time
from typing import TYPE_CHECKING, Any, Final
import uuid

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_call_later

from . import wire
from .const import DOMAIN
from .device import Device
from .errors import InvalidCall, TaskError
from .kept import forget, store
from .words import local_time

if TYPE_CHECKING:
    from .lab import Lab

PLANNED: Final = "planned"
HELD: Final = "held"
REFUSED: Final = "refused"
TAKEN: Final = "taken"
GIVEN_BACK: Final = "given_back"

MAX_PAST: Final = 500  # reservations, and bookings, that are over and still known
_CHUNK = 86400.0  # s; a device reserves for no longer
_AGAIN = 10.0  # s until a device that did not answer is asked once more
_ANSWER_WITHIN = 5.0  # s
_SAVE_SOON = 5.0  # s


@dataclass
class Reservation:
    """One that a device has told.

    Attributes:
        device: Its id.
        name: Its name.
        holder: Who had it.
        reason: Why.
        start: When it was seen first, in seconds since 1970.
        end: When it ended, or will.
        uid: New for each.
    """

    device: str
    name: str
    holder: str
    reason: str
    start: float
    end: float
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Booking:
    """One that a person made.

    Attributes:
        summary: As they wrote it.
        note: What they wrote beside.
        holder: For whom.
        start: In seconds since 1970.
        end: The same.
        devices: Device id → ``planned``, ``held``, ``refused``, ``taken`` or ``given_back``.
        errors: Device id → why it is not held.
        uid: New for each.
    """

    summary: str
    note: str
    holder: str
    start: float
    end: float
    devices: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)


class Bookings:
    """Of one lab.

    Attributes:
        booked: The bookings, those that are over as well.
        seen: The reservations that are over, or run.
    """

    def __init__(self, lab: "Lab") -> None:
        """Prepare; ``load`` does the rest."""
        self._lab = lab
        self._store = store(lab.hass, lab.entry.entry_id, "bookings")
        self.booked: list[Booking] = []
        self.seen: list[Reservation] = []
        self._ours: dict[tuple[str, str], float] = {}  # booking, device → until when it is held at the least
        self._asked: dict[tuple[str, str], float] = {}  # the same → when it may be asked again
        self._timer: CALLBACK_TYPE | None = None
        self._remove: CALLBACK_TYPE | None = None

    async def load(self) -> None:
        """Read what is known, and make good what should have begun meanwhile."""
        stored = await self._store.async_load() or {"booked": [], "seen": []}
        self.booked = [Booking(**each) for each in stored["booked"]]
        self.seen = [Reservation(**each) for each in stored["seen"]]
        for booking in self.booked:
            for device_id, word in booking.devices.items():
                if word == HELD and booking.end > time.time():
                    booking.devices[device_id] = PLANNED  # renewed, or taken again
        self._remove = self._lab.on_change(self._look)
        self._look()

    async def close(self) -> None:
        """Do nothing more; what is reserved stays so until its time is over."""
        if self._remove:
            self._remove()
        self._remove = None
        if self._timer:
            self._timer()
            self._timer = None
        await self._store.async_save(self._stored())

    @callback
    def book(self, booking: Booking) -> None:
        """Make a booking.

        Raises:
            InvalidCall: It is over already, or another one has a device at that time.
        """
        if booking.end <= time.time():
            raise InvalidCall("booking_in_the_past", title=booking.summary)
        for other in self.booked:
            for device_id in booking.devices.keys() & other.devices.keys():
                if (
                    other.holder != booking.holder
                    and booking.start < other.end
                    and other.start < booking.end
                    and other.devices[device_id] != GIVEN_BACK
                ):
                    raise InvalidCall(
                        "booked_already",
                        device=self._name(device_id),
                        holder=other.holder,
                        start=local_time(other.start),
                        end=local_time(other.end),
                    )
        self.booked.append(booking)
        self._changed()
        self._look()

    async def cancel(self, uid: str) -> None:
        """Take a booking back, and release what it holds.

        Raises:
            InvalidCall: There is none, or it is a reservation that others made.
        """
        booking = next((each for each in self.booked if each.uid == uid), None)
        if booking is None:
            raise InvalidCall("no_booking")
        self.booked.remove(booking)
        ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(booking))
        self._changed()
        for device_id, word in booking.devices.items():
            device = self._lab.devices.get(device_id)
            if word == HELD and device and booking.end > time.time():
                await self._lab.calls.run(
                    device,
                    "release",
                    {"holder": booking.holder},
                    issued_by=booking.holder,
                    timeout=_ANSWER_WITHIN,
                    reservation=booking.holder,
                )

    def is_booked(self, reservation: Reservation) -> bool:
        """Whether a reservation is what a booking has made, and so need not be shown beside it."""
        return any(
            booking.holder == reservation.holder
            and reservation.device in booking.devices
            and booking.start <= reservation.start < booking.end
            for booking in self.booked
        )

    @callback
    def _look(self) -> None:
        """Compare what should be with what the devices say."""
        if self._remove is None:
            return
        now = time.time()
        for device in self._lab.devices.values():
            if device.reachable:
                self._see(device, now)
        for booking in self.booked:
            if booking.start <= now < booking.end:
                for device_id in booking.devices:
                    self._hold(booking, device_id, now)
            elif now >= booking.end:
                ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(booking))
        self._wait_for_next(now)

    def _see(self, device: Device, now: float) -> None:
        """Write down who has a device."""
        before = next(
            (each for each in reversed(self.seen) if each.device == device.device_id and each.end > now), None
        )
        holder, until = device.reserved_by, device.reserved_until
        if before and before.holder != holder:
            before.end = now
            self._changed()
        if holder and until and (not before or before.holder != holder):
            reason = str(device.state.get("reservation_reason") or "")
            self.seen.append(Reservation(device.device_id, device.name, holder, reason, now, until))
            self._changed()
        elif before and holder and until and before.end != until:
            before.end = until
            self._changed()

    def _hold(self, booking: Booking, device_id: str, now: float) -> None:
        """Have a device reserved, or find out why it is not."""
        device = self._lab.devices.get(device_id)
        word = booking.devices[device_id]
        if device is None or not device.reachable or word in (TAKEN, GIVEN_BACK):
            return
        by = device.reserved_by
        if word == HELD and by != booking.holder:
            self._say(booking, device_id, TAKEN if by else GIVEN_BACK, self._told(device) if by else "")
        elif word != HELD and by not in (None, booking.holder):
            if word != REFUSED:
                self._say(booking, device_id, REFUSED, self._told(device))
        else:
            ours = self._ours.get((booking.uid, device_id), 0.0)
            soon_over = ours < booking.end and ours - now < _CHUNK / 2
            if (word != HELD or soon_over) and now >= self._asked.get((booking.uid, device_id), 0.0):
                self._asked[booking.uid, device_id] = now + _AGAIN
                self._lab.entry.async_create_background_task(
                    self._lab.hass, self._take(booking, device), f"lab2mqtt reserves {device_id}"
                )

    async def _take(self, booking: Booking, device: Device) -> None:
        now = time.time()
        seconds = min(max(booking.end - now, 1.0), _CHUNK)
        try:
            await self._lab.calls.run(
                device,
                "reserve",
                {"holder": booking.holder, "seconds": seconds},
                issued_by=booking.holder,
                timeout=_ANSWER_WITHIN,
            )
        except TaskError as error:
            if error.code == wire.RESERVED:
                self._say(booking, device.device_id, REFUSED, self._lab.words.error(error))
            elif booking in self.booked:
                booking.errors[device.device_id] = self._lab.words.error(error)
                self._changed()
        else:
            if booking not in self.booked:  # taken back meanwhile
                return
            self._ours[booking.uid, device.device_id] = now + seconds
            self._say(booking, device.device_id, HELD, "")
        self._wait_for_next(time.time())

    def _say(self, booking: Booking, device_id: str, word: str, error: str) -> None:
        if self._remove is None or booking not in self.booked:
            return
        booking.devices[device_id] = word
        booking.errors.pop(device_id, None)
        if error:
            booking.errors[device_id] = error
        self._changed()
        wrong = [booking.errors[each] for each, told in booking.devices.items() if told in (REFUSED, TAKEN)]
        if not wrong:
            ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(booking))
            return
        ir.async_create_issue(
            self._lab.hass,
            DOMAIN,
            _issue_id(booking),
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key="booking_not_held",
            translation_placeholders={
                "title": booking.summary,
                "holder": booking.holder,
                "end": local_time(booking.end),
                "why": "; ".join(wrong),
            },
        )

    def _told(self, device: Device) -> str:
        return self._lab.words.sentence(
            "booking_device_taken",
            device=device.name,
            holder=str(device.reserved_by),
            until=local_time(device.reserved_until or 0),
        )

    def _name(self, device_id: str) -> str:
        device = self._lab.devices.get(device_id)
        return device.name if device else device_id

    def _wait_for_next(self, now: float) -> None:
        """Look again when something begins, ends, or is to be renewed or asked once more."""
        if self._remove is None:
            return
        moments = [at for booking in self.booked for at in (booking.start, booking.end)]
        for booking in self.booked:
            if booking.start <= now < booking.end:
                for device_id, word in booking.devices.items():
                    key = (booking.uid, device_id)
                    moments.append(self._asked.get(key, 0.0))
                    if word == HELD and self._ours.get(key, 0.0) < booking.end:
                        moments.append(self._ours.get(key, 0.0) - _CHUNK / 2)
        moments += [reservation.end for reservation in self.seen]
        if self._timer:
            self._timer()
            self._timer = None
        if ahead := [at for at in moments if at > now]:
            self._timer = async_call_later(self._lab.hass, min(min(ahead) - now + 0.05, _CHUNK), self._tick)

    @callback
    def _tick(self, _: datetime) -> None:
        self._timer = None
        self._lab.changed()  # the calendar may show something else now
        self._look()

    def _changed(self) -> None:
        now = time.time()
        over = [each for each in self.booked if each.end <= now]
        for booking in over[:-MAX_PAST]:
            self.booked.remove(booking)
        past = [each for each in self.seen if each.end <= now]
        for reservation in past[:-MAX_PAST]:
            self.seen.remove(reservation)
        self._lab.changed()
        self._store.async_delay_save(self._stored, _SAVE_SOON)

    def _stored(self) -> dict[str, Any]:
        return {
            "booked": [asdict(each) for each in self.booked],
            "seen": [asdict(each) for each in self.seen],
        }


async def forget_bookings(hass: HomeAssistant, entry_id: str) -> None:
    """Leave nothing of an entry that is removed."""
    await forget(
        hass,
        entry_id,
        "bookings",
        lambda kept: [_issue_id(Booking(**each)) for each in kept.get("booked", ())],
    )


def _issue_id(booking: Booking) -> str:
    return f"booking_not_held_{booking.uid}"
