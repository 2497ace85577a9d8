"""What every device has, whatever its model: the entities and tasks that the runtime itself answers for."""

from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.device import Device
from lab2mqtt.core.entities import BinarySensor, Button, Entity, Happening, Sensor, Switch
from lab2mqtt.core.lease import LONGEST
from lab2mqtt.core.parameters import Parameter

TASK_SUCCEEDED = "task_succeeded"
TASK_FAILED = "task_failed"
TAKEN_OVER = "reservation_taken_over"
RESERVATION_ENDED = "reservation_ended"
STOPPED = "emergency_stopped"
RESET = "emergency_stop_reset"

# Keys of the state that the runtime fills in, beside those of the device's entities.
STATE_KEYS = (
    "readiness",
    "readiness_reasons",
    "connected",
    "emergency_stop",
    "stop_confirmed",
    "task",
    "reserved_by",
    "reserved_until",
    "reservation_reason",
    "maintenance",
    "maintenance_by",
    "updated_at",
)


def house_entities(device: Device[Any]) -> tuple[Entity[Any], ...]:
    """The entities that stand beside the device's own."""
    pause: tuple[Entity[Any], ...] = (
        (
            Button("pause", "Pause", task="pause", icon="mdi:pause"),
            Button("resume", "Resume", task="resume", icon="mdi:play"),
        )
        if device.pausable
        else ()
    )
    return (
        Sensor(
            "readiness",
            "Readiness",
            options=wire.READINESS,
            icon="mdi:clipboard-check-outline",
            attributes=("readiness_reasons",),
            reachable=False,
        ),
        Sensor("task", "Task", icon="mdi:play-circle-outline", category="diagnostic", none="none"),
        BinarySensor(
            "connected", "Connection", device_class="connectivity", category="diagnostic", reachable=False
        ),
        BinarySensor(
            "emergency_stop",
            "Emergency stop",
            device_class="safety",
            attributes=("stop_confirmed",),
            reachable=False,
        ),
        Sensor(
            "reserved_by",
            "Reserved by",
            icon="mdi:account-lock-outline",
            attributes=("reservation_reason",),
            none="nobody",
            reachable=False,
        ),
        Sensor("reserved_until", "Reserved until", device_class="timestamp", reachable=False),
        Switch(
            "maintenance",
            "Maintenance",
            task="set_maintenance",
            parameter="on",
            icon="mdi:wrench-clock",
            category="config",
            attributes=("maintenance_by",),
            reachable=False,
        ),
        Happening(
            "happening",
            "Event",
            event_types=(
                TASK_SUCCEEDED,
                TASK_FAILED,
                STOPPED,
                RESET,
                TAKEN_OVER,
                RESERVATION_ENDED,
                *device.events,
            ),
            icon="mdi:message-flash-outline",
        ),
        # Two buttons, so that no second tap on a stop releases it.
        Button("stop", "Stop now", task="emergency_stop", icon="mdi:alert-octagon", reachable=False),
        Button(
            "reset_stop",
            "Release stop",
            task="reset_emergency_stop",
            icon="mdi:lock-open-outline",
            reachable=False,
        ),
        *pause,
        Button("cancel", "Cancel task", task="cancel", icon="mdi:close-circle-outline"),
    )


_REASON = Parameter(
    name="reason", type="string", required=False, longest=255, description="Why, for the record."
)
_REQUEST_ID = Parameter(
    name="request_id",
    type="string",
    required=False,
    longest=wire.MAX_REQUEST_ID,
    description="Which command; without it the one that runs now.",
)

_HOLDER = Parameter(
    name="holder",
    type="string",
    required=True,
    shortest=1,
    longest=wire.MAX_NAME,
    description="Who has it; the same word stands as `reservation` in every command that is to pass.",
)
_SECONDS = Parameter(
    name="seconds",
    type="number",
    required=True,
    minimum=1,
    maximum=LONGEST,
    unit="s",
    description="For how long from now; renew before it ends.",
)
_HISTORY = (
    Parameter(
        name="since", type="number", required=False, unit="s", description="Received since then (epoch)."
    ),
    Parameter(
        name="until", type="number", required=False, unit="s", description="Received before then (epoch)."
    ),
    Parameter(
        name="request_id",
        type="string",
        required=False,
        longest=wire.MAX_REQUEST_ID,
        description="This command alone.",
    ),
    Parameter(
        name="reservation",
        type="string",
        required=False,
        longest=wire.MAX_NAME,
        description="Only commands under this reservation.",
    ),
    Parameter(
        name="before", type="integer", required=False, description="Older than the command of this `seq`."
    ),
    Parameter(
        name="limit",
        type="integer",
        required=False,
        minimum=1,
        maximum=1000,
        default=100,
        description="How many at most; the newest.",
    ),
)

# name → (effect, description, parameters)
HOUSE_TASKS: dict[str, tuple[str, str, tuple[Parameter, ...]]] = {
    "cancel": ("stop", "End a running or waiting task in an orderly way.", (_REQUEST_ID,)),
    "pause": ("stop", "Hold the running task where it is.", ()),
    "resume": ("move", "Go on with the paused task.", ()),
    "emergency_stop": (
        "stop",
        "Stop all motion of this device now, and refuse more until reset.",
        (_REASON,),
    ),
    "reset_emergency_stop": ("set", "Release this device's emergency stop. Moves nothing.", ()),
    "reserve": (
        "set",
        "Keep this device for one holder; renews one's own, and takes over another's only with a reason.",
        (_HOLDER, _SECONDS, _REASON),
    ),
    "release": ("set", "Give one's reservation back.", (_HOLDER,)),
    "set_maintenance": (
        "set",
        "Refuse new work while somebody works on the device; reading goes on.",
        (
            Parameter(name="on", type="boolean", required=True, description="Whether it is in maintenance."),
            _REASON,
        ),
    ),
    "get_history": ("read", "What became of this device's commands, newest first.", _HISTORY),
}


def house_tasks(device: Device[Any]) -> dict[str, tuple[str, str, tuple[Parameter, ...]]]:
    """The tasks that the runtime does itself, without those that this device cannot."""
    missing = set() if device.pausable else {"pause", "resume"}
    return {name: told for name, told in HOUSE_TASKS.items() if name not in missing}
