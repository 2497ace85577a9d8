"""Names that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "lab2mqtt"
CONF_BASE: Final = "base"
CONF_TASK_ACTIONS: Final = "task_actions"
PLATFORMS: Final[tuple[Platform, ...]] = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.EVENT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TODO,
)
EVENT_TASK: Final = "lab2mqtt_task"
