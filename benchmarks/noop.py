"""``noop.py PORT N [--blocking] [--poll S] [--changing] [--state DIR]``: a bridge whose devices do nothing.

On its standard input it takes ``announce`` (say all that is retained once more, as on a reconnect) and
``flood N`` (publish N results as fast as it goes).
"""

import argparse
import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
import sys
from typing import Annotated, Any

from bare import result
from lab2mqtt.core.description import Instance, bind
from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import BinarySensor, Button, Entity, Number, Sensor, Switch
from lab2mqtt.core.parameters import Range, Text, Unit
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.bridge import Bridge
from lab2mqtt.runtime.config import Config, DeviceConfig
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal

SENSORS = 8  # with those below and the house's own: 20 entities


@dataclass(frozen=True)
class Settings:
    """How the device that does nothing is built.

    Attributes:
        changing: Whether each reading differs from the last.
    """

    changing: bool = False


@dataclass(frozen=True)
class Snapshot:
    """One reading."""

    value: float
    on: bool


class Noop:
    """A driver of coroutines."""

    def __init__(self, settings: Settings, state: Path | None) -> None:
        del state
        self._settings = settings
        self._value = 0.0
        self._on = False

    async def open(self) -> None:
        """Connect to nothing."""

    async def close(self) -> None:
        """Let go of nothing."""

    async def info(self) -> dict[str, object]:
        """What it tells of itself."""
        return {"serial": "0001", "sw_version": "1.0"}

    async def read(self) -> Snapshot:
        """Measure nothing."""
        return self._read()

    async def apply(
        self,
        value: Annotated[float, Range(0, 100), Unit("%")] = 0,
        label: Annotated[str, Text(64)] = "",
    ) -> dict[str, object]:
        """Take a value.

        Args:
            value: The value.
            label: A word for it.
        """
        return self._apply(value, label)

    async def turn(self, on: bool) -> None:  # noqa: FBT001
        """Turn it on or off.

        Args:
            on: Whether it is to be on.
        """
        self._on = on

    async def halt(self) -> None:
        """Stop nothing."""

    def _read(self) -> Snapshot:
        if self._settings.changing:
            self._value = (self._value + 0.1) % 100
        return Snapshot(self._value, self._on)

    def _apply(self, value: float, label: str) -> dict[str, object]:
        return {"value": value, "label": label}


class Blocking(Noop):
    """The same with methods that block, as most instruments' libraries do: each call takes a thread."""

    def open(self) -> None:  # type: ignore[override]
        """Connect to nothing."""

    def close(self) -> None:  # type: ignore[override]
        """Let go of nothing."""

    def info(self) -> dict[str, object]:  # type: ignore[override]
        """What it tells of itself."""
        return {"serial": "0001", "sw_version": "1.0"}

    def read(self) -> Snapshot:  # type: ignore[override]
        """Measure nothing."""
        return self._read()

    def apply(  # type: ignore[override]
        self,
        value: Annotated[float, Range(0, 100), Unit("%")] = 0,
        label: Annotated[str, Text(64)] = "",
    ) -> dict[str, object]:
        """Take a value.

        Args:
            value: The value.
            label: A word for it.
        """
        return self._apply(value, label)

    def halt(self) -> None:  # type: ignore[override]
        """Stop nothing."""


def device(poll: float) -> Device[Snapshot]:
    """The declaration: twelve entities of its own, eight of the house."""
    sensors: list[Entity[Any]] = [
        Sensor(f"value_{number}", f"Value {number}", unit="%", precision=1, read=lambda now: now.value)
        for number in range(SENSORS)
    ]
    return Device(
        model="noop",
        name="Nothing",
        manufacturer="Nobody",
        product="Noop 1",
        driver="noop:Noop",
        poll=timedelta(seconds=poll),
        poll_busy=timedelta(seconds=poll),
        entities=(
            *sensors,
            Number("target", "Target", task="apply", parameter="value", read=lambda now: now.value),
            Switch("power", "Power", task="turn", parameter="on", read=lambda now: now.on),
            BinarySensor("on", "On", read=lambda now: now.on),
            Button("apply", "Apply", task="apply"),
        ),
        tasks=(Task("apply"), Task("turn")),
        stop="halt",
    )


def config(options: argparse.Namespace) -> Config:
    """A bridge of as many devices as were asked for, each made as a configuration makes it."""
    declared = device(options.poll)
    driver = Blocking if options.blocking else Noop
    settings = Settings(options.changing)
    devices = tuple(
        DeviceConfig(
            declared,
            Instance(f"noop-{number}", f"Nothing {number}", options.base),
            driver,
            settings,
            bind(declared, driver, settings),
        )
        for number in range(options.devices)
    )
    broker = Broker("127.0.0.1", options.port)
    return Config(options.base, broker, devices, base=options.base, state=options.state)


async def serve(options: argparse.Namespace) -> None:
    """Run the bridge, and do what standard input says."""
    bridge = Bridge(config(options))

    def told() -> None:
        word, _, number = sys.stdin.readline().strip().partition(" ")
        if word == "announce":
            for worker in bridge.workers.values():
                worker.say_everything()
        elif word == "flood":
            for one in range(int(number)):
                bridge.connection.publish(f"{options.base}/noop-0/result", result(one))
        else:
            asyncio.get_running_loop().remove_reader(sys.stdin)

    asyncio.get_running_loop().add_reader(sys.stdin, told)
    await bridge.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("devices", type=int)
    parser.add_argument("--base", default="noop")
    parser.add_argument("--blocking", action="store_true")
    parser.add_argument("--poll", type=float, default=1.0)
    parser.add_argument("--changing", action="store_true")
    parser.add_argument("--state", type=Path)
    log_to_stderr()
    run_until_signal(serve(parser.parse_args()))
