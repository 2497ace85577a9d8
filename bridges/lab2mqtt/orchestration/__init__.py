"""Functions as tasks, and tasks called by name, over MQTT and over HTTP, as older scripts do it.

What speaks HTTP is loaded when it is asked for: it needs ``pip install 'lab2mqtt[http]'``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lab2mqtt.core.run import Run
from lab2mqtt.orchestration.functions import mqtt_task, task
from lab2mqtt.orchestration.micropython import MicroPythonOrchestrator
from lab2mqtt.orchestration.mqtt_client import MQTTOrchestratorClient
from lab2mqtt.orchestration.mqtt_server import MQTTDeviceServer
from lab2mqtt.orchestration.task_failed import TaskFailed

if TYPE_CHECKING:
    from lab2mqtt.orchestration.device_server import DeviceServer
    from lab2mqtt.orchestration.http_client import AsyncOrchestratorClient, OrchestratorClient

__all__ = [
    "AsyncOrchestratorClient",
    "DeviceServer",
    "MQTTDeviceServer",
    "MQTTOrchestratorClient",
    "MicroPythonOrchestrator",
    "OrchestratorClient",
    "Run",
    "TaskFailed",
    "mqtt_task",
    "task",
]

_OVER_HTTP = {
    "DeviceServer": "device_server",
    "OrchestratorClient": "http_client",
    "AsyncOrchestratorClient": "http_client",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class
    if name not in _OVER_HTTP:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.{_OVER_HTTP[name]}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("lab2mqtt"):
            raise
        text = f"{name} needs {error.name}, which is not installed: pip install 'lab2mqtt[http]'"
        raise ImportError(text) from error
    return getattr(module, name)
