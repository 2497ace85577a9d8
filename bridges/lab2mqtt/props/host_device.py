"""The worker host itself, as a device: how it is, and the stop of all firmware that no worker speaks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Sensor
from lab2mqtt.core.parameters import Parameter

MODEL = "worker_host"


@dataclass(frozen=True)
class HostSnapshot:
    """How the host is.

    Attributes:
        uptime: In seconds, in steps of ten.
        workers: How many run.
        firmware: The names of the boards that are heard of, and no worker's.
        dropped: Messages of workers that said more than the broker took.
        problems: What is wrong with which worker.
    """

    uptime: int
    workers: int
    firmware: tuple[str, ...]
    dropped: int
    problems: tuple[str, ...]


DEVICE: Device[HostSnapshot] = Device(
    model=MODEL,
    name="Worker host",
    manufacturer="",
    product="lab2mqtt worker host",
    driver="",
    entities=(
        Sensor(
            "uptime",
            "Uptime",
            unit="s",
            device_class="duration",
            category="diagnostic",
            read=lambda now: now.uptime,
        ),
        Sensor(
            "workers",
            "Workers",
            icon="mdi:account-hard-hat",
            state_class="measurement",
            read=lambda now: now.workers,
        ),
        Sensor(
            "firmware",
            "Boards without a worker",
            icon="mdi:chip",
            none="none",
            category="diagnostic",
            read=lambda now: ", ".join(now.firmware)[:255] or None,
        ),
        Sensor(
            "dropped",
            "Messages dropped",
            icon="mdi:tray-remove",
            state_class="total_increasing",
            category="diagnostic",
            read=lambda now: now.dropped,
        ),
    ),
    tasks=(
        Task(
            "restart_worker",
            effect="set",
            parameters=(Parameter(name="prop", type="string", longest=64, description="Its id."),),
            description="Load a worker's file anew, and start it.",
        ),
    ),
    stop="stop",
    poll=timedelta(seconds=10),
    poll_busy=timedelta(seconds=10),
    faults=lambda now: now.problems,
    after_stop="Boards without a worker were told to stop; whether they do is theirs: look at them.",
    icon="mdi:account-hard-hat",
)


class HostDriver:
    """Drives the host."""

    def __init__(
        self, look: Callable[[], HostSnapshot], restart: Callable[[str], None], stop: Callable[[], None]
    ) -> None:
        """Take what it does.

        Args:
            look: Tells how the host is.
            restart: Loads one prop's file anew; raises ``Refused`` where there is none.
            stop: Tells all firmware to stop; from any thread.
        """
        self._look = look
        self._restart = restart
        self._stop = stop

    async def open(self) -> None:
        """Nothing: it is here."""

    async def close(self) -> None:
        """Nothing: it ends with its process."""

    async def read(self) -> HostSnapshot:
        """How it is now."""
        return self._look()

    async def info(self) -> Mapping[str, object]:
        """Nothing beside what is declared."""
        return {}

    async def restart_worker(self, task: str, arguments: Mapping[str, object]) -> object:
        """Load a worker's file anew, and start it.

        Raises:
            Refused: There is no such prop.
        """
        del task
        self._restart(str(arguments["prop"]))
        return {"restarting": arguments["prop"]}

    def stop(self) -> None:
        """Tell all firmware to stop.

        Raises:
            Fault: There is no link to tell it by.
        """
        self._stop()
