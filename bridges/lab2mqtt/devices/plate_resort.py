"""The plate resort: a carousel of plate hotels on one Dynamixel servo."""

from typing import TYPE_CHECKING

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import BinarySensor, Button, Detail, Number, Select, Sensor, TextInput
from lab2mqtt.core.parameters import Setting

if TYPE_CHECKING:
    from lab2mqtt.drivers.plate_resort import Snapshot

_MOVE = Setting("movement_timeout")

DEVICE: "Device[Snapshot]" = Device(
    model="plate_resort",
    name="Plate resort",
    manufacturer="ROBOTIS",
    product="Dynamixel X carousel",
    driver="lab2mqtt.drivers.plate_resort:PlateResort",
    simulator="lab2mqtt.simulators.plate_resort",
    link_setting="device",
    stop="emergency_stop",
    pausable=True,
    faults=lambda now: now.hardware_error,
    after_stop="Torque is off and the carousel may have been turned by hand: see that nothing stands in its "
    "way. Its position is read again before it moves.",
    entities=(
        Select(
            "active_hotel",
            "Active hotel",
            icon="mdi:rotate-360",
            task="activate_hotel",
            parameter="hotel",
            read=lambda now: now.active_hotel,
        ),
        Sensor(
            "position",
            "Position",
            unit="°",
            precision=1,
            icon="mdi:angle-acute",
            read=lambda now: now.position,
        ),
        Number(
            "target",
            "Target",
            icon="mdi:target",
            task="move_to_angle",
            parameter="angle",
            step=0.1,
            mode="box",
            read=lambda now: now.target,
        ),
        BinarySensor("moving", "Moving", device_class="moving", read=lambda now: now.moving),
        Number(
            "speed",
            "Speed",
            icon="mdi:speedometer",
            category="config",
            task="set_speed",
            parameter="speed",
            mode="box",
            read=lambda now: now.speed,
        ),
        TextInput(
            "plate",
            "Fetch plate",
            icon="mdi:barcode-scan",
            task="activate_plate",
            parameter="plate",
        ),
        Sensor(
            "plates", "Plates", icon="mdi:tray-full", state_class="measurement", read=lambda now: now.plates
        ),
        Detail("hotels", "Hotels", read=lambda now: now.hotels),
        Detail("rooms", "Rooms in a hotel", read=lambda now: now.rooms),
        BinarySensor("torque", "Torque", icon="mdi:lock", category="diagnostic", read=lambda now: now.torque),
        Sensor(
            "temperature",
            "Temperature",
            unit="°C",
            device_class="temperature",
            category="diagnostic",
            read=lambda now: now.temperature,
        ),
        Sensor(
            "current",
            "Current",
            unit="mA",
            device_class="current",
            category="diagnostic",
            read=lambda now: now.current,
        ),
        Sensor(  # of a servo that does not measure its current
            "load",
            "Load",
            unit="%",
            icon="mdi:gauge",
            category="diagnostic",
            enabled=False,
            read=lambda now: now.load,
        ),
        Sensor(
            "voltage",
            "Voltage",
            unit="V",
            device_class="voltage",
            precision=1,
            category="diagnostic",
            read=lambda now: now.voltage,
        ),
        Sensor(
            "hardware_error",
            "Hardware error",
            icon="mdi:alert-circle-outline",
            category="diagnostic",
            none="none",
            read=lambda now: list(now.hardware_error),
        ),
        Sensor(
            "warnings",
            "Warnings",
            icon="mdi:alert-outline",
            category="diagnostic",
            none="none",
            read=lambda now: list(now.warnings),
        ),
        Button("home", "Home", icon="mdi:home-import-outline", task="go_home"),
        Button("identify", "Identify", device_class="identify", category="config", task="identify"),
        Button("reboot", "Reboot servo", device_class="restart", category="config", task="reboot"),
    ),
    tasks=(
        Task("connect", link="open"),
        Task("disconnect", link="close"),
        Task("status", effect="read"),
        Task("health", effect="read"),
        Task("activate_hotel", effect="move", timeout=_MOVE),
        Task("go_home", effect="move", timeout=_MOVE),
        Task("move_to_angle", effect="move", timeout=_MOVE),
        Task("set_speed"),
        Task("get_hotels", effect="read"),
        Task("get_position", effect="read"),
        Task("reboot"),
        Task("identify"),
        Task("place_plate"),
        Task("remove_plate"),
        Task("find_plate", effect="read"),
        Task("activate_plate", effect="move", timeout=_MOVE),
    ),
)
