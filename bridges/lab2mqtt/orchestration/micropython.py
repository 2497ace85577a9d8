"""``MicroPythonOrchestrator``: a board with the tasks of the guide's device, method by method."""

from collections.abc import Sequence
import time
from types import TracebackType
from typing import Any, Self

from lab2mqtt.orchestration.mqtt_client import MQTTOrchestratorClient

BETWEEN = 0.5  # s between two readings of an experiment


class MicroPythonOrchestrator:
    """One board.

    Attributes:
        device_id: Its id.
        client: The link to it, for tasks that have no method here.
    """

    def __init__(
        self,
        broker_host: str,
        device_id: str,
        broker_port: int = 1883,
        topic_prefix: str = "ot2",
        timeout: float = 10.0,
    ) -> None:
        """Prepare; entering the context connects.

        Args:
            broker_host: Where the broker is.
            device_id: Which board.
            broker_port: The broker's port.
            topic_prefix: ``lab2mqtt`` for a board with our firmware, ``ot2`` for one of the older dialect.
            timeout: Seconds that an answer is waited for.
        """
        self.device_id = device_id
        self.client = MQTTOrchestratorClient(
            broker_host, device_id, broker_port, topic_prefix=topic_prefix, timeout=timeout
        )

    def __enter__(self) -> Self:
        self.client.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.disconnect()

    def read_sensor_data(self, sensor_pin: int) -> dict[str, Any]:
        """Read an analogue input: ``sensor_pin``, ``raw_value`` (16 bits), ``voltage`` (V), ``timestamp``."""
        data: dict[str, Any] = self.client.execute_task("read_sensor", sensor_pin=sensor_pin)
        return data

    def control_device_led(self, pin: int, state: bool) -> Any:  # noqa: ANN401, FBT001 - the known shape
        """Switch an LED on or off."""
        return self.client.execute_task("control_led", pin=pin, state=state)

    def move_device_servo(self, pin: int, angle: float) -> Any:  # noqa: ANN401 - the board's words
        """Turn a servo to an angle, 0 to 180°."""
        return self.client.execute_task("move_servo", pin=pin, angle=angle)

    def get_device_info(self) -> dict[str, Any]:
        """How the board is: ``free_memory`` (B), ``platform``, ``tasks_available``, ``uptime_ms``."""
        info: dict[str, Any] = self.client.execute_task("get_device_status")
        return info

    def run_sensor_experiment(self, sensors: Sequence[int], led_pin: int) -> dict[str, Any]:
        """Read sensors one after the other, with the LED on meanwhile; it is off at the end however that is.

        Args:
            sensors: The pins of the analogue inputs, one at least.
            led_pin: The LED's pin.

        Returns:
            experiment, sensors_tested, results, average_voltage (V), device_id.

        Raises:
            ValueError: No sensors were given.
        """
        if not sensors:
            raise ValueError("an experiment needs one sensor at least; sensors is empty")
        results: list[dict[str, Any]] = []
        self.control_device_led(led_pin, True)  # noqa: FBT003
        try:
            for pin in sensors:
                if results:
                    time.sleep(BETWEEN)
                results.append(self.read_sensor_data(pin))
        finally:
            self.control_device_led(led_pin, False)  # noqa: FBT003
        return {
            "experiment": "sensor_reading",
            "sensors_tested": len(results),
            "results": results,
            "average_voltage": sum(one["voltage"] for one in results) / len(results),
            "device_id": self.device_id,
        }
