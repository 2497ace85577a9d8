"""Names that several modules share."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "lab2mqtt"
CONF_BASE: Final = "base"
CONF_TASK_ACTIONS: Final = "task_actions"
PLATFORMS: Final[tuple[Platform, ...]] = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.SENSOR,
)
EVENT_TASK: Final = "lab2mqtt_task"
