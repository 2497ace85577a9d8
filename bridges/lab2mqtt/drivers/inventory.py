"""Which plate stands in which room of which hotel, kept in a file of its own."""

from dataclasses import dataclass
import json
from pathlib import Path
import threading
import time
from typing import Any

from lab2mqtt.core.errors import Fault, Refused
from lab2mqtt.core.words import near
from lab2mqtt.whole_file import write_whole


@dataclass(frozen=True, order=True)
class Room:
    """A place for one plate; rooms are counted from 1."""

    hotel: str
    number: int

    def __str__(self) -> str:
        return f"{self.hotel} {self.number}"


class Inventory:
    """Plates by name or barcode, each in at most one room.

    Attributes:
        problem: Why the file could not be used, empty when all is well.
    """

    def __init__(self, state: Path | None) -> None:
        """Read the file.

        Args:
            state: The file; None keeps everything in memory. What cannot be read is set aside, not lost.
        """
        self.problem = ""
        self._state = state
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {}
        if state:
            self._rooms = self._load(state)

    def plates(self) -> dict[str, Room]:
        """Every plate and its room; also in hotels that are no longer configured."""
        with self._lock:
            return dict(self._rooms)

    def find(self, plate: str) -> Room:
        """The room of a plate.

        Raises:
            Refused: No such plate; the text names the nearest known.
        """
        with self._lock:
            return self._find(plate)

    def place(self, room: Room, plate: str) -> None:
        """Note that a plate was put into a room. The same again changes nothing.

        Raises:
            Refused: Somebody is there, or the plate stands elsewhere.
        """
        with self._lock:
            there = self._plate_in(room)
            if there == plate:
                return
            if there:
                raise Refused(f"room {room} is occupied by {there!r}")
            if plate in self._rooms:
                raise Refused(f"plate {plate!r} stands in room {self._rooms[plate]}: remove it there first")
            self._keep(self._rooms | {plate: room})

    def remove(self, plate: str) -> Room:
        """Note that a plate was taken out, and say from where.

        Raises:
            Refused: No such plate.
        """
        with self._lock:
            room = self._find(plate)
            self._keep({name: where for name, where in self._rooms.items() if name != plate})
            return room

    def plate_in(self, room: Room) -> str | None:
        """Who stands in a room."""
        with self._lock:
            return self._plate_in(room)

    def _find(self, plate: str) -> Room:
        if plate not in self._rooms:
            lost = f"; {self.problem}" if self.problem else ""
            raise Refused(f"plate {plate!r} stands in no room{near(plate, self._rooms)}{lost}")
        return self._rooms[plate]

    def _plate_in(self, room: Room) -> str | None:
        return next((plate for plate, where in self._rooms.items() if where == room), None)

    def _load(self, state: Path) -> dict[str, Room]:
        try:
            return _decode(json.loads(state.read_bytes()))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            aside = state.with_name(f"{state.name}.unreadable-{time.strftime('%Y%m%dT%H%M%S')}")
            state.rename(aside)
            self.problem = f"the inventory could not be read ({error}); the file is kept as {aside}"
            return {}

    def _keep(self, rooms: dict[str, Room]) -> None:
        """Write the file, then believe it: after a power cut there is the old one or the new one."""
        if self._state:
            plates = {plate: {"hotel": room.hotel, "room": room.number} for plate, room in rooms.items()}
            content = {"version": 1, "plates": plates}
            try:
                write_whole(self._state, json.dumps(content, ensure_ascii=False, indent=1))
            except OSError as error:
                raise Fault(f"the inventory cannot be written: {error}") from error
        self._rooms = rooms


def _decode(content: Any) -> dict[str, Room]:  # noqa: ANN401 - whatever the file holds
    rooms: dict[str, Room] = {}
    for plate, where in content["plates"].items():
        hotel, number = where["hotel"], where["room"]
        if not isinstance(hotel, str) or type(number) is not int:
            raise TypeError(f"plate {plate!r} has no room")
        room = Room(hotel, number)
        if room in rooms.values():
            raise ValueError(f"room {room} is given twice")
        rooms[plate] = room
    return rooms
