"""A carousel of plate hotels, turned by one Dynamixel X servo."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
import math
from pathlib import Path
import time
from typing import Annotated, Any

from lab2mqtt.core.errors import LabError, Refused, Unreachable
from lab2mqtt.core.parameters import Choices, Range, Setting, Text, Unit
from lab2mqtt.core.run import Run
from lab2mqtt.core.words import near, show
from lab2mqtt.drivers.carousel import difference, hotel_angles, hotel_at, to_degrees, to_pulses
from lab2mqtt.drivers.dynamixel import BAUDRATES, MAX_ID, Dynamixel
from lab2mqtt.drivers.inventory import Inventory, Room
from lab2mqtt.drivers.plate_resort_settings import PlateResortSettings
from lab2mqtt.drivers.servo_axis import Axis, Look, Profile

__all__ = ["PlateResort", "PlateResortSettings", "Snapshot"]

_BLINKS = 6
_BLINK = 0.25  # s
# A carousel that has arrived may creep out of the tolerance by an encoder step or two, and a hotel that
# comes and goes by itself helps nobody.
_STILL_THERE = 2  # times the position_tolerance
_SAID_EACH = 150  # plates, of up to 64 characters; the state stays below 16 KB

Hotel = Annotated[str, Choices(Setting("hotels"))]
RoomNumber = Annotated[int, Range(1, Setting("rooms_per_hotel"))]
Plate = Annotated[str, Text(64, 1)]


@dataclass(frozen=True)
class Snapshot:
    """The resort at one moment, measured; None is unknown.

    Attributes:
        connected: Whether the servo answers.
        position: Degrees, 0 up to 360.
        target: Where the servo wants to be, in degrees; None while its torque is off.
        active_hotel: The hotel that faces the opening, None when none does or it moves.
        moving: Whether it turns.
        velocity: How fast it turns, °/s.
        speed: The profile velocity of moves, as ``set_speed`` takes it.
        torque: Whether it holds; without, it turns by hand.
        temperature: °C.
        current: mA; None on a servo that measures none.
        load: Estimated, in % of the most; None on a servo that measures its current.
        voltage: V.
        hardware_error: What the servo protects itself against, by name.
        warnings: What a person should know, in words.
        plates: How many plates stand in it.
        hotels: By name: ``angle``, where it faces the opening, None where it is not on the carousel any more;
            ``count`` of its plates; ``plates`` by room, None where there are too many to say each.
        rooms: How many plates one hotel takes.
    """

    connected: bool
    speed: int
    position: float | None = None
    target: float | None = None
    active_hotel: str | None = None
    moving: bool | None = None
    velocity: float | None = None
    torque: bool | None = None
    temperature: int | None = None
    current: int | None = None
    load: float | None = None
    voltage: float | None = None
    hardware_error: Sequence[str] = ()
    warnings: Sequence[str] = ()
    plates: int = 0
    hotels: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    rooms: int | None = None


class PlateResort:
    """The resort. Methods block; ``emergency_stop`` and ``read`` may be called while another runs.

    Moves take the way that never crosses 0°, see ``servo_axis``.
    """

    def __init__(self, settings: PlateResortSettings, state: Path | None = None) -> None:
        """Prepare; nothing is opened.

        Args:
            settings: How it is built.
            state: File of the inventory; None keeps it in memory.
        """
        self.settings = settings
        self.inventory = Inventory(state)
        self.speed = settings.default_speed
        self._angles = hotel_angles(settings.hotels, settings.offset_angle, settings.rotation_direction)
        self._servo = Dynamixel()
        self._axis = Axis(self._servo)
        self._link = settings.device, settings.baudrate, settings.motor_id
        self._disconnected = False  # on purpose
        self._healthy = False  # whether the last packet of a poll was answered
        self._firmware = 0
        self._velocity_limit = 0

    # The connection.

    def open(self) -> None:
        """Connect to the servo. Switches nothing on and moves nothing.

        A servo that a killed bridge left in motion is brought to rest where it is.
        """
        self._healthy = False
        self._servo.open(*self._link)
        try:
            self._firmware = self._servo.read("firmware_version")
            self._velocity_limit = self._servo.read("velocity_limit")
            self._axis.settle()
        except LabError:
            self._servo.close()
            raise
        self._disconnected = False
        self._healthy = True

    def close(self) -> None:
        """Leave the servo as ``exit`` says, where the line still works, and let go of the port."""
        try:
            if self._servo.is_open and self._healthy and self.settings.exit == "release":
                self._servo.write("torque_enable", 0, again=True)
        except LabError:
            pass  # it is as unreachable as it will be
        finally:
            self._healthy = False
            self._servo.close()

    def connect(
        self,
        device: Annotated[str, Text(255, 1)] | None = None,
        baudrate: Annotated[int, Choices(BAUDRATES)] | None = None,
        motor_id: Annotated[int, Range(0, MAX_ID)] | None = None,
    ) -> dict[str, object]:
        """Connect to the servo.

        Args:
            device: The serial port; the configured one by default.
            baudrate: Its speed; the configured one by default.
            motor_id: The servo's id; the configured one by default.
        """
        ours = self.settings
        before = self._link
        self._link = (
            device or ours.device,
            baudrate or ours.baudrate,
            ours.motor_id if motor_id is None else motor_id,
        )
        try:
            self.open()
        except LabError:
            self._link = before  # or every later attempt would go to where nobody is
            raise
        return {"status": "connected"} | self._told_servo()

    def disconnect(self) -> dict[str, object]:
        """Let go of the servo until the next connect; its torque stays or goes as configured."""
        self.close()
        self._disconnected = True
        return {"status": "disconnected", "torque": self.settings.exit}

    # What it is.

    def read(self) -> Snapshot:
        """Measure.

        Raises:
            Unreachable: The servo does not answer, or was never connected. After ``disconnect`` there is no
                error but a snapshot that knows nothing.
        """
        if self._disconnected:
            return Snapshot(
                connected=False,
                speed=self.speed,
                warnings=tuple(self._standing_warnings()),
                **self._noted(),
            )
        if not self._servo.is_open:
            raise Unreachable(f"{self._link[0]} is not open")
        try:
            now = self._axis.look()
        except LabError:
            self._healthy = False
            raise
        self._healthy = True
        return self._snapshot(now)

    def info(self) -> dict[str, object]:
        """Tell which servo it is."""
        return {"product": self._servo.model.name, "sw_version": str(self._firmware)}

    def status(self) -> dict[str, object]:
        """Tell everything: connection, servo and measurements."""
        return self._told_servo() | asdict(self.read())

    def health(self) -> dict[str, object]:
        """Tell temperature, current, voltage, hardware error and warnings."""
        now = self.read()
        return {
            "temperature": now.temperature,
            "current": now.current,
            "load": now.load,
            "voltage": now.voltage,
            "hardware_error": list(now.hardware_error),
            "position": now.position,
            "warnings": list(now.warnings),
        }

    def get_hotels(self) -> dict[str, object]:
        """List the hotels, their angles and the plates in them."""
        plates: dict[str, dict[int, str]] = {hotel: {} for hotel in self.settings.hotels}
        for plate, room in sorted(self.inventory.plates().items(), key=lambda item: item[1]):
            plates.setdefault(room.hotel, {})[room.number] = plate
        return {
            "hotels": list(self.settings.hotels),
            "hotel_angles": self._angles,
            "rooms_per_hotel": self.settings.rooms_per_hotel,
            "plates": {
                hotel: {str(room): plate for room, plate in rooms.items()} for hotel, rooms in plates.items()
            },
        }

    def get_position(self) -> dict[str, object]:
        """Tell where it stands."""
        now = self.read()
        return {"position": now.position, "active_hotel": now.active_hotel, "moving": now.moving}

    def identify(self, run: Run) -> dict[str, object]:
        """Blink the servo's light."""
        try:
            for blink in range(2 * _BLINKS):
                self._servo.write("led", 1 - blink % 2, again=True)
                run.sleep(_BLINK)
        finally:
            self._servo.write("led", 0, again=True)
        return {"blinks": _BLINKS}

    # What it does.

    def activate_hotel(self, hotel: Hotel, run: Run) -> dict[str, object]:
        """Rotate until a hotel faces the opening.

        Args:
            hotel: Which one.
            run: The task.
        """
        if hotel not in self._angles:
            allowed = ", ".join(self._angles)
            raise Refused(f"hotel {show(hotel)} is not one of {allowed}{near(str(hotel), self._angles)}")
        return self._turn(self._angles[hotel], run) | {"hotel": hotel}

    def activate_plate(self, plate: Plate, run: Run) -> dict[str, object]:
        """Rotate until the hotel with a plate faces the opening.

        Args:
            plate: Its name or barcode.
            run: The task.
        """
        room = self.inventory.find(plate)
        return self.activate_hotel(room.hotel, run) | {"room": room.number, "plate": plate}

    def go_home(self, run: Run) -> dict[str, object]:
        """Rotate to 0°."""
        return self._turn(0.0, run)

    def move_to_angle(self, angle: Annotated[float, Range(0, 360), Unit("°")], run: Run) -> dict[str, object]:
        """Rotate to an angle.

        Args:
            angle: Where to; 360 is 0.
            run: The task.
        """
        if not math.isfinite(angle) or not 0 <= angle <= 360:  # noqa: PLR2004
            raise Refused(f"angle {show(angle)} is not a number, 0 to 360 °")
        return self._turn(angle, run)

    def set_speed(self, speed: Annotated[int, Range(1, 2047)]) -> dict[str, object]:
        """Set the speed of moves from now on.

        Args:
            speed: The servo's profile velocity, 0.229 rev/min each; up to the limit that is set in the servo.
        """
        if speed < 1:
            raise Refused(f"speed {show(speed)} is not 1 or more: to the servo, 0 means unlimited")
        limit = self._velocity_limit
        if limit and speed > limit:
            raise Refused(f"speed {speed} is above this servo's velocity limit: 1 to {limit}")
        self.speed = speed
        return {"speed": speed, "degrees_per_second": round(speed * 0.229 * 6, 1)}

    def emergency_stop(self) -> dict[str, object]:
        """Switch the torque off at once. The carousel runs out and turns by hand afterwards."""
        began = time.monotonic()
        now = self._axis.stop()
        if self._disconnected:
            self._servo.close()
        return {
            "status": "emergency_stopped",
            "torque": False,
            "angle_deg": now and round(now.degrees, 2),
            "seconds": round(time.monotonic() - began, 3),
        }

    def reboot(self) -> dict[str, object]:
        """Restart the servo, the only way to clear a hardware error. The torque goes off, nothing moves."""
        now = self._axis.reboot()
        return {"status": "rebooted", "torque": now.torque, "angle_deg": round(now.degrees, 2)}

    # Plates.

    def place_plate(self, hotel: Hotel, room: RoomNumber, plate: Plate) -> dict[str, object]:
        """Note that a plate was put into a room.

        Args:
            hotel: Where.
            room: Counted from 1.
            plate: Its name or barcode.
        """
        if not plate.strip():
            raise Refused("plate is blank: a name or barcode is needed")
        place = self._room(hotel, room)
        self.inventory.place(place, plate)
        return {"plate": plate, "hotel": place.hotel, "room": place.number}

    def remove_plate(
        self, plate: Plate | None = None, hotel: Hotel | None = None, room: RoomNumber | None = None
    ) -> dict[str, object]:
        """Note that a plate was taken out: by its name, or by hotel and room.

        Args:
            plate: Its name or barcode.
            hotel: Where it stood, with ``room``.
            room: Counted from 1.
        """
        if hotel is not None and room is not None:
            there = self.inventory.plate_in(self._room(hotel, room))
            if there is None:
                raise Refused(f"room {hotel} {room} is empty")
            if plate not in (None, there):
                raise Refused(f"in room {hotel} {room} stands {there!r}, not {plate!r}")
            plate = there
        if plate is None or (hotel is None) != (room is None):
            raise Refused("plate, or hotel and room are needed")
        taken = self.inventory.remove(plate)
        return {"plate": plate, "hotel": taken.hotel, "room": taken.number}

    def find_plate(self, plate: Plate) -> dict[str, object]:
        """Tell where a plate stands.

        Args:
            plate: Its name or barcode.
        """
        room = self.inventory.find(plate)
        return {"plate": plate, "hotel": room.hotel, "room": room.number}

    # Parts.

    def _turn(self, angle: float, run: Run) -> dict[str, object]:
        if not self._servo.is_open:
            raise Unreachable(f"{self._link[0]} is not open")
        ours = self.settings
        began = time.monotonic()
        profile = Profile(min(self.speed, self._velocity_limit), ours.profile_acceleration, ours.pwm)
        now = self._axis.move(to_pulses(angle), profile, ours.position_tolerance, ours.movement_timeout, run)
        return {
            "result": "reached",
            "angle_deg": round(now.degrees, 2),
            "target_deg": round(angle % 360, 3),
            "error_deg": round(difference(now.degrees, angle), 2),
            "hotel": hotel_at(now.degrees, self._angles, ours.position_tolerance),
            "seconds": round(time.monotonic() - began, 2),
        }

    def _room(self, hotel: str, room: int) -> Room:
        if hotel not in self._angles:
            raise Refused(f"hotel {show(hotel)} is not one of {', '.join(self._angles)}")
        if not 1 <= room <= self.settings.rooms_per_hotel:
            raise Refused(f"room {show(room)} is not in 1 to {self.settings.rooms_per_hotel}")
        return Room(hotel, room)

    def _told_servo(self) -> dict[str, object]:
        device, baudrate, motor_id = self._link
        return {
            "device": device,
            "baudrate": baudrate,
            "motor_id": motor_id,
            "model": self._servo.model.name,
            "firmware": self._firmware,
        }

    def _snapshot(self, now: Look) -> Snapshot:
        position = round(now.degrees, 2) % 360
        tolerance = _STILL_THERE * self.settings.position_tolerance
        return Snapshot(
            connected=True,
            speed=self.speed,
            position=position,
            target=round(to_degrees(now.goal), 2) if now.torque else None,
            active_hotel=None if now.moving else hotel_at(position, self._angles, tolerance),
            moving=now.moving,
            velocity=round(now.degrees_per_second, 1),
            torque=now.torque,
            temperature=now.temperature,
            current=now.current,
            load=None if now.load is None else now.load / 10,
            voltage=now.voltage,
            hardware_error=tuple(now.hardware_error),
            warnings=tuple(self._warnings(now)),
            **self._noted(),
        )

    def _noted(self) -> dict[str, Any]:
        """What is known of plates and hotels without the servo."""
        where = sorted(self.inventory.plates().items(), key=lambda item: item[1])
        each: dict[str, dict[str, str]] = {hotel: {} for hotel in self.settings.hotels}
        for plate, room in where:
            each.setdefault(room.hotel, {})[str(room.number)] = plate
        hotels = {
            hotel: {
                "angle": self._angles.get(hotel),
                "count": len(rooms),
                "plates": rooms if len(where) <= _SAID_EACH else None,
            }
            for hotel, rooms in each.items()
        }
        return {"plates": len(where), "hotels": hotels, "rooms": self.settings.rooms_per_hotel}

    def _warnings(self, now: Look) -> list[str]:
        ours = self.settings
        found = [f"hardware error: {name}" for name in now.hardware_error]
        if now.temperature > ours.temperature_limit:
            found.append(f"temperature {now.temperature} °C is above {ours.temperature_limit:g} °C")
        if now.current is not None and abs(now.current) > ours.current_limit:
            found.append(f"current {abs(now.current)} mA is above {ours.current_limit:g} mA")
        if now.voltage < ours.voltage_min:
            found.append(f"voltage {now.voltage:g} V is below {ours.voltage_min:g} V")
        if now.voltage > ours.voltage_max:
            found.append(f"voltage {now.voltage:g} V is above {ours.voltage_max:g} V")
        return found + self._standing_warnings()

    def _standing_warnings(self) -> list[str]:
        found = self.settings.warnings()
        if self._velocity_limit and self.speed > self._velocity_limit:
            limit = self._velocity_limit
            found.append(f"speed {self.speed} is above the servo's velocity limit: moves go at {limit}")
        if self.inventory.problem:
            found.append(self.inventory.problem)
        return found
