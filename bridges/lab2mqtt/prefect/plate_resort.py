"""Plate resort: Prefect flows and the functions that have them run.

Made by `lab2mqtt prefect module plate-resort` from what the device says of itself. The flows run on a worker,
and call the device over MQTT; the functions run anywhere, and need nothing but the Prefect API:

    from lab2mqtt.prefect.plate_resort import connect, disconnect, status
"""

from typing import Annotated, Literal

from pydantic import Field

from lab2mqtt.prefect.task_flow import Result, caller, task_flow

DEVICE = "plate-resort"

Baudrate = Literal[9600, 57600, 115200, 1000000, 2000000, 3000000, 4000000]


@task_flow(DEVICE, "connect", effect="set")
def connect_flow(
    device: Annotated[str, Field(min_length=1, max_length=255)] | None = None,
    baudrate: Baudrate | None = None,
    motor_id: Annotated[int, Field(ge=0, le=252)] | None = None,
) -> Result:
    """Connect to the servo.

    Args:
        device: The serial port; the configured one by default.
        baudrate: Its speed; the configured one by default.
        motor_id: The servo's id; the configured one by default.
    """


connect = caller(connect_flow)


@task_flow(DEVICE, "disconnect", effect="set")
def disconnect_flow() -> Result:
    """Let go of the servo until the next connect; its torque stays or goes as configured."""


disconnect = caller(disconnect_flow)


@task_flow(DEVICE, "status", effect="read")
def status_flow() -> Result:
    """Tell everything: connection, servo and measurements."""


status = caller(status_flow)
get_status = status


@task_flow(DEVICE, "health", effect="read")
def health_flow() -> Result:
    """Tell temperature, current, voltage, hardware error and warnings."""


health = caller(health_flow)
get_health = health


@task_flow(DEVICE, "activate_hotel", effect="move")
def activate_hotel_flow(hotel: Literal["A", "B", "C", "D"]) -> Result:
    """Rotate until a hotel faces the opening.

    Args:
        hotel: Which one.
    """


activate_hotel = caller(activate_hotel_flow)


@task_flow(DEVICE, "go_home", effect="move")
def go_home_flow() -> Result:
    """Rotate to 0°."""


go_home = caller(go_home_flow)


@task_flow(DEVICE, "move_to_angle", effect="move")
def move_to_angle_flow(angle: Annotated[float, Field(ge=0, le=360)]) -> Result:
    """Rotate to an angle.

    Args:
        angle: In °. Where to; 360 is 0.
    """


move_to_angle = caller(move_to_angle_flow)


@task_flow(DEVICE, "set_speed", effect="set")
def set_speed_flow(speed: Annotated[int, Field(ge=1, le=2047)]) -> Result:
    """Set the speed of moves from now on.

    Args:
        speed: The servo's profile velocity, 0.229 rev/min each; up to the limit that is set in the servo.
    """


set_speed = caller(set_speed_flow)


@task_flow(DEVICE, "get_hotels", effect="read")
def get_hotels_flow() -> Result:
    """List the hotels, their angles and the plates in them."""


get_hotels = caller(get_hotels_flow)


@task_flow(DEVICE, "get_position", effect="read")
def get_position_flow() -> Result:
    """Tell where it stands."""


get_position = caller(get_position_flow)


@task_flow(DEVICE, "reboot", effect="set")
def reboot_flow() -> Result:
    """Restart the servo, the only way to clear a hardware error. The torque goes off, nothing moves."""


reboot = caller(reboot_flow)


@task_flow(DEVICE, "identify", effect="set")
def identify_flow() -> Result:
    """Blink the servo's light."""


identify = caller(identify_flow)


@task_flow(DEVICE, "place_plate", effect="set")
def place_plate_flow(
    hotel: Literal["A", "B", "C", "D"],
    room: Annotated[int, Field(ge=1, le=20)],
    plate: Annotated[str, Field(min_length=1, max_length=64)],
) -> Result:
    """Note that a plate was put into a room.

    Args:
        hotel: Where.
        room: Counted from 1.
        plate: Its name or barcode.
    """


place_plate = caller(place_plate_flow)


@task_flow(DEVICE, "remove_plate", effect="set")
def remove_plate_flow(
    plate: Annotated[str, Field(min_length=1, max_length=64)] | None = None,
    hotel: Literal["A", "B", "C", "D"] | None = None,
    room: Annotated[int, Field(ge=1, le=20)] | None = None,
) -> Result:
    """Note that a plate was taken out: by its name, or by hotel and room.

    Args:
        plate: Its name or barcode.
        hotel: Where it stood, with ``room``.
        room: Counted from 1.
    """


remove_plate = caller(remove_plate_flow)


@task_flow(DEVICE, "find_plate", effect="read")
def find_plate_flow(plate: Annotated[str, Field(min_length=1, max_length=64)]) -> Result:
    """Tell where a plate stands.

    Args:
        plate: Its name or barcode.
    """


find_plate = caller(find_plate_flow)


@task_flow(DEVICE, "activate_plate", effect="move")
def activate_plate_flow(plate: Annotated[str, Field(min_length=1, max_length=64)]) -> Result:
    """Rotate until the hotel with a plate faces the opening.

    Args:
        plate: Its name or barcode.
    """


activate_plate = caller(activate_plate_flow)


@task_flow(DEVICE, "emergency_stop", effect="stop")
def emergency_stop_flow(reason: Annotated[str, Field(max_length=255)] | None = None) -> Result:
    """Stop all motion of this device now, and refuse more until reset.

    Args:
        reason: Why, for the record.
    """


emergency_stop = caller(emergency_stop_flow)
