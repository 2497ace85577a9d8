"""Devices called from scripts by name, as the older orchestration scripts did."""

from lab2mqtt.orchestration.micropython import MicroPythonOrchestrator
from lab2mqtt.orchestration.mqtt_client import MQTTOrchestratorClient, TaskFailed

__all__ = ["MQTTOrchestratorClient", "MicroPythonOrchestrator", "TaskFailed"]
