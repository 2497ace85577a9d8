"""What is known of a device of the older dialect, as a declaration like that of every other device."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
import logging
import re
from typing import Any

from lab2mqtt.adopt.known_tasks import ASK_STATUS
from lab2mqtt.adopt.old_device import OldDevice, Snapshot
from lab2mqtt.adopt.settings import undeclared
from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import Button, Entity, Sensor
from lab2mqtt.core.house import HOUSE_TASKS

_LOGGER = logging.getLogger(__name__)

MODEL = "older_dialect"
OLDER = "older_topics"  # in the description: where it speaks itself
_POLL = timedelta(seconds=1)
_PROMISE = "once or twice"  # it knows no command that comes again, and may not tell that it was done


def declare(device: OldDevice) -> Device[Snapshot]:
    """Declare a device with the tasks that are known of it by now."""
    declared = device.settings.declared()
    tasks = {name: declared.get(name) or undeclared(name) for name in device.tasks}
    for name in [name for name in tasks if name in HOUSE_TASKS]:
        del tasks[name]  # ours does it, by the device's own where that is its stop
        if name != device.stop_task:
            _LOGGER.warning(
                "%s/%s: its task %s is left out, as every device has one of that name",
                device.settings.prefix,
                device.name,
                name,
            )
    stop = device.stop_task
    told = f"; its task {stop} is sent" if stop else ", because it cannot be stopped from here"
    return Device(
        model=MODEL,
        name=device.name,
        manufacturer="",
        product=f"Device of the older dialect ({device.settings.prefix}/{device.name})",
        driver="",
        entities=(*_sensors(device), *buttons(tasks, declared)),
        tasks=[replace(task, run="do") for task in tasks.values()],
        stop="stop",
        poll=_POLL,
        poll_busy=_POLL,
        after_stop=f"See that it stands{told}.",
        icon="mdi:chip",
        more={"at_most_once": "no", OLDER: f"{device.settings.prefix}/{device.name}"},
    )


def _sensors(device: OldDevice) -> Iterator[Entity[Snapshot]]:
    if device.polls:
        yield Sensor(
            "temperature",
            "Temperature",
            unit="°C",
            device_class="temperature",
            precision=1,
            read=lambda now: now.temperature,
        )
        yield Sensor(
            "humidity",
            "Humidity",
            unit="%",
            device_class="humidity",
            precision=1,
            read=lambda now: now.humidity,
        )
    if device.told is None or ASK_STATUS in device.tasks:
        yield Sensor(
            "free_memory",
            "Free memory",
            unit="B",
            device_class="data_size",
            category="diagnostic",
            read=lambda now: now.free_memory,
        )
        yield Sensor(
            "uptime",
            "Uptime",
            unit="s",
            device_class="duration",
            precision=0,
            category="diagnostic",
            read=lambda now: now.uptime,
        )
    yield Sensor(
        "delivery",
        "Commands are done",
        icon="mdi:numeric-1-circle-outline",
        category="diagnostic",
        read=lambda _: _PROMISE,
    )


def buttons(tasks: Mapping[str, Task], known: Collection[str]) -> Iterator[Button[Any]]:
    """One for each task that can be called without parameters, and does something.

    Args:
        tasks: By name.
        known: Those of which somebody has told what they take; others are not shown at first.
    """
    keys: set[str] = set()
    for name, task in tasks.items():
        key = f"do_{re.sub(r'[^a-z0-9]+', '_', name.lower())}"[:64]
        needs = any(parameter.required for parameter in task.parameters or ())
        if task.effect == "read" or needs or key in keys:
            continue
        keys.add(key)
        words = name.replace("_", " ")
        yield Button(
            key,
            words[:1].upper() + words[1:],
            task=name,
            icon="mdi:gesture-tap-button",
            enabled=name in known and not task.is_open,
        )
