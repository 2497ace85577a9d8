"""Tasks that devices of the older dialect have by agreed names: what they take and what they do."""

from lab2mqtt.core.device import Task
from lab2mqtt.core.parameters import Parameter

ASK_STATUS = "get_device_status"
ASK_AIR = "read_environmental_sensors"
# Names by which a task that ends all motion is known.
STOPS = ("emergency_stop", "stop", "stop_all", "halt")
UNKNOWN_TIMEOUT = 30.0  # s, as the older clients wait

_HIGHEST_PIN = 48  # of an ESP32-S3


def _pin(name: str, description: str) -> Parameter:
    return Parameter(name=name, type="integer", minimum=0, maximum=_HIGHEST_PIN, description=description)


def _whole(name: str, low: int, high: int, unit: str = "") -> Parameter:
    return Parameter(name=name, type="integer", minimum=low, maximum=high, unit=unit)


def _volume(name: str) -> Parameter:
    return Parameter(name=name, type="number", minimum=0, maximum=300, unit="µL")


_WELL = Parameter(name="well", type="string", shortest=2, longest=4, description="A1 to H12.")

_KNOWN = (
    Task(
        "read_sensor",
        effect="read",
        parameters=(_pin("sensor_pin", "The pin of the analogue input."),),
        description="Read an analogue input.",
        returns="sensor_pin, raw_value (16 bits), voltage (V), timestamp.",
    ),
    Task(
        "control_led",
        effect="set",
        parameters=(
            _pin("pin", "The LED's pin."),
            Parameter(name="state", type="boolean", description="Whether it is on."),
        ),
        description="Switch an LED on or off.",
    ),
    Task(
        "move_servo",
        effect="move",
        parameters=(_pin("pin", "The servo's pin."), _whole("angle", 0, 180, "°")),
        description="Turn a servo to an angle.",
    ),
    Task(
        ASK_STATUS,
        effect="read",
        parameters=(),
        description="Tell how the device is.",
        returns="device_id, free_memory (B), platform, tasks_available, uptime_ms.",
    ),
    Task(
        ASK_AIR,
        effect="read",
        parameters=(),
        description="Measure temperature and humidity of the air.",
        returns="temperature (°C), humidity (%).",
    ),
    Task(
        "mix_colors",
        effect="move",
        timeout=120.0,
        parameters=(_whole("r", 0, 255), _whole("g", 0, 255), _whole("b", 0, 255), _WELL),
        description="Mix a colour in a well.",
    ),
    Task(
        "mix_color",
        effect="move",
        timeout=300.0,
        parameters=(_volume("R"), _volume("Y"), _volume("B"), _WELL),
        description="Mix red, yellow and blue paint in a well.",
    ),
    Task(
        "move_sensor_to_measurement_position",
        effect="move",
        timeout=120.0,
        parameters=(_WELL,),
        description="Hold the colour sensor over a well.",
    ),
    Task(
        "move_sensor_back",
        effect="move",
        timeout=120.0,
        parameters=(),
        description="Put the colour sensor back into its port.",
    ),
    Task(
        "adjust_cooling",
        effect="set",
        timeout=40.0,
        parameters=(
            Parameter(
                name="target",
                type="number",
                required=False,
                minimum=4,
                maximum=95,
                unit="°C",
                description="The temperature of the temperature module.",
            ),
        ),
        description="Set the cooling.",
    ),
)

KNOWN = {task.name: task for task in _KNOWN}
