"""A device that no lab has: one entity of every platform, and a task for every way in which a task can go.

Unit tests drive it without a broker. The tests of broker and hub announce it: what Home Assistant takes of
this one, it takes of any.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
import threading
from typing import Annotated, Any

from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.core.device import Device, Task
from lab2mqtt.core.entities import (
    BinarySensor,
    Button,
    Happening,
    Image,
    Light,
    Number,
    Picture,
    Select,
    Sensor,
    Switch,
    TextInput,
    Update,
)
from lab2mqtt.core.errors import Ended, Fault, Misconfigured, Unreachable
from lab2mqtt.core.parameters import Choices, Parameter, Range, Setting, Text, Unit
from lab2mqtt.core.run import Run
from lab2mqtt.runtime.config import DeviceConfig

PROGRAMS = ("off", "wash", "rinse")
# A thread that a test forgot would keep the interpreter from ending.
AT_LAST = 20.0  # s

DISHWASHER: Mapping[str, object] = {
    "name": "Dishwasher",
    "model": "Washer 3",
    "manufacturer": "Nobody",
    "serial": "W-1",
    "sw_version": "2.0",
}


@dataclass(frozen=True)
class KitchenSinkSettings:
    """How a sink is built.

    Attributes:
        basins: Its basins, from the left.
        most_flow: What the tap gives when it is wide open.
        longest_fill: How long filling may take.
    """

    basins: tuple[Annotated[str, Text(32, 1)], ...] = ("left", "right")
    most_flow: Annotated[float, Range(1, 100), Unit("L/min")] = 12.0
    longest_fill: Annotated[float, Range(0.01, 600), Unit("s")] = 30.0

    def __post_init__(self) -> None:
        if len(set(self.basins)) < len(self.basins):
            raise Misconfigured("basins has a name twice: each may stand there once")


@dataclass(frozen=True)
class Snapshot:
    """The sink at one moment."""

    temperature: float | None
    program: str
    label: str | None
    drains: tuple[str, ...]
    plugged: bool | None
    flow: float
    basin: str
    light: bool
    note: str | None
    firmware: dict[str, str]
    picture: Picture | None
    washing_temperature: float | None
    clogged: tuple[str, ...]
    cold: tuple[str, ...]
    borrowed: tuple[str, ...]


class KitchenSinkDriver:
    """The sink, and what a test lets happen to it.

    Attributes:
        calls: The names of the methods that were called, in order.
        unplugged: Nothing answers while this is set.
        opened: Whether somebody is connected.
        refuses_stops: How many of the next stops fail.
        go: Lets ``fill`` and ``soak`` end; both are plain methods in threads.
        entered: Set once ``fill``, ``soak`` or ``stare`` has begun.
        pours_go: Lets ``pour`` end, which is a coroutine.
        pours: How many ``pour`` have begun and how many were cancelled.
        parts: What is attached.
        borrowed: Who else uses the sink.
    """

    def __init__(self, settings: KitchenSinkSettings, state: Path | None = None) -> None:
        self.settings = settings
        self.state = state
        self.calls: list[str] = []
        self.unplugged = False
        self.opened = False
        self.refuses_stops = 0
        self.go = threading.Event()
        self.entered = threading.Event()
        self.pours_go = asyncio.Event()
        self.pours = self.cancelled_pours = 0
        self.flow = 0.0
        self.basin = settings.basins[0]
        self.light = False
        self.note: str | None = None
        self.temperature: float | None = 21.04
        self.clogged: tuple[str, ...] = ()
        self.cold: tuple[str, ...] = ()
        self.borrowed: tuple[str, ...] = ()
        self.parts: dict[str, Mapping[str, object]] = {"dishwasher": DISHWASHER}
        self.washing_temperature: float | None = 50.0
        self.picture: Picture | None = Picture(b"\xff\xd8 a sink \xff\xd9", 1_763_690_000.1234)

    # The connection.

    def open(self) -> None:
        """Connect."""
        self.calls.append("open")
        self._ask()
        self.opened = True

    def close(self) -> None:
        """Let go."""
        self.calls.append("close")
        self.opened = False

    def read(self) -> Snapshot:
        """Measure."""
        self._ask()
        return Snapshot(
            temperature=self.temperature,
            program="off",
            label="made by nobody",
            drains=("left", "right"),
            plugged=False,
            flow=self.flow,
            basin=self.basin,
            light=self.light,
            note=self.note,
            firmware={"installed_version": "1.0", "latest_version": "1.1"},
            picture=self.picture,
            washing_temperature=self.washing_temperature if self.parts else None,
            clogged=self.clogged,
            cold=self.cold,
            borrowed=self.borrowed,
        )

    def info(self) -> dict[str, object]:
        """Tell which sink it is."""
        return {"serial": "S-1", "sw_version": "1.0", "parts": dict(self.parts)}

    def _ask(self) -> None:
        if self.unplugged:
            raise Unreachable("nothing drips")

    # Tasks that end at once.

    def connect(self) -> dict[str, object]:
        """Connect to the sink."""
        self.open()
        return {"status": "connected"}

    def disconnect(self) -> dict[str, object]:
        """Let go of the sink."""
        self.close()
        return {"status": "disconnected"}

    def set_flow(
        self, flow: Annotated[float, Range(0, Setting("most_flow")), Unit("L/min")]
    ) -> dict[str, object]:
        """Open the tap.

        Args:
            flow: How far.

        Returns:
            The flow, in L/min.
        """
        self.calls.append("set_flow")
        self.flow = flow
        return {"flow": flow}

    def choose_basin(self, basin: Annotated[str, Choices(Setting("basins"))]) -> None:
        """Turn the tap to a basin.

        Args:
            basin: Which one.
        """
        self.calls.append(f"choose_basin {basin}")
        self.basin = basin

    async def set_light(self, on: bool) -> None:  # noqa: FBT001 - the parameter of a task
        """Switch the light.

        Args:
            on: Whether it shines.
        """
        self.calls.append("set_light")
        self.light = on

    def write_note(self, note: Annotated[str, Text(40, 1, "[A-Za-z0-9 ]+")]) -> None:
        """Write on the note at the fridge.

        Args:
            note: The words.
        """
        self.note = note

    def rinse(self, seconds: Annotated[int, Range(1, 60), Unit("s")], hot: bool = False) -> str:  # noqa: FBT001, FBT002
        """Rinse.

        Args:
            seconds: How long.
            hot: With warm water.
        """
        self.calls.append("rinse")
        return f"rinsed {seconds} s {'hot' if hot else 'cold'}"

    def explode(self, politely: bool) -> None:  # noqa: FBT001
        """Fail.

        Args:
            politely: As a driver should, or as one with a bug does.
        """
        if politely:
            raise Fault("the pipe burst")
        raise ZeroDivisionError("a bug in the driver")

    def conjure(self) -> object:
        """Return what JSON cannot hold."""
        return {"it": object()}

    def overflow(self, letters: Annotated[int, Range(0, 10_000_000)], fails: bool = False) -> str:  # noqa: FBT001, FBT002
        """Say far too much.

        Args:
            letters: How much.
            fails: As an error.
        """
        if fails:
            raise Fault("ä" * letters)
        return "ä" * letters

    async def drip(self) -> None:
        """Wait for something that is cancelled meanwhile, as a library does whose connection closes."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    async def use_dishwasher(self, task: str, arguments: Mapping[str, Any], run: Run) -> dict[str, object]:
        """Do one of the tasks that are data."""
        run.progress(50, task)
        self.calls.append(task)
        self.washing_temperature = arguments.get("temperature", self.washing_temperature)
        return {"task": task, "arguments": dict(arguments)}

    # Tasks that take a while.

    def fill(self, run: Run) -> str:
        """Fill the basin; a plain method that looks whether it may go on.

        Args:
            run: The task.
        """
        self.calls.append("fill")
        self.entered.set()
        run.progress(10, "water comes")
        try:
            while not self.go.is_set():
                run.sleep(0.005)
        except Ended as why:
            self.calls.append(f"tap closed: {why.error_code}")
            raise
        return "full"

    def soak(self) -> str:
        """Hang: a plain method that never looks whether it may go on."""
        self.calls.append("soak")
        self.entered.set()
        self.go.wait(AT_LAST)
        return "soaked"

    async def pour(self) -> str:
        """Pour; a coroutine."""
        self.calls.append("pour")
        self.pours += 1
        try:
            await self.pours_go.wait()
        except asyncio.CancelledError:
            self.cancelled_pours += 1
            raise
        return "poured"

    # Tasks that only read.

    def look(self) -> dict[str, object]:
        """Look into the basin."""
        self.calls.append("look")
        return {"water": 0.5}

    def stare(self) -> str:
        """Look into the basin until told otherwise."""
        self.entered.set()
        self.go.wait(AT_LAST)
        return "seen"

    # A task that only stops.

    async def turn_off(self) -> None:
        """Let nothing more run into the basin."""
        self.calls.append("turn_off")
        self.pours_go.set()

    def stop(self) -> None:
        """Close the tap."""
        self.calls.append("stop")
        self._ask()
        if self.refuses_stops:
            self.refuses_stops -= 1
            raise Fault("the tap is stuck")


DEVICE: Device[Snapshot] = Device(
    model="kitchen_sink",
    name="Kitchen sink",
    manufacturer="Nobody",
    product="Sink 2",
    driver="tests.unit.kitchen_sink:KitchenSinkDriver",
    stop="stop",
    poll=timedelta(seconds=0.05),
    poll_busy=timedelta(seconds=0.02),
    pausable=True,
    events=("overflowed",),
    faults=lambda now: now.clogged,
    needs_homing=lambda now: now.cold,
    occupied=lambda now: now.borrowed,
    entities=(
        Sensor(
            "temperature",
            "Temperature",
            unit="°C",
            device_class="temperature",
            precision=1,
            attributes=("plugged",),
            read=lambda now: now.temperature,
        ),
        Sensor("program", "Program", options=PROGRAMS, read=lambda now: now.program),
        Sensor("label", "Label", category="diagnostic", enabled=False, read=lambda now: now.label),
        Sensor("drains", "Drains", icon="mdi:pipe", read=lambda now: now.drains),
        BinarySensor("plugged", "Plugged", device_class="plug", read=lambda now: now.plugged),
        Number(
            "flow",
            "Flow",
            device_class="volume_flow_rate",
            task="set_flow",
            parameter="flow",
            step=0.5,
            mode="slider",
            read=lambda now: now.flow,
        ),
        Select("basin", "Basin", task="choose_basin", parameter="basin", read=lambda now: now.basin),
        Switch("light", "Light", task="set_light", parameter="on", read=lambda now: now.light),
        Button("rinse", "Rinse", task="rinse", parameters={"seconds": 5, "hot": True}),
        TextInput("note", "Note", task="write_note", parameter="note", read=lambda now: now.note),
        TextInput("memo", "Memo", task="write_note", parameter="note", category="config"),
        Happening("accidents", "Accidents", event_types=("overflowed", "clogged")),
        Update("firmware", "Firmware", category="diagnostic", read=lambda now: now.firmware),
        Update("valves", "Valves", read=lambda _: {"installed_version": "7.1", "latest_version": None}),
        Image("picture", "Picture", read=lambda now: now.picture),
        Light("lamp", "Lamp", task="set_light", parameter="on", read=lambda now: now.light),
        Number(
            "washing_temperature",
            "Temperature",
            part="dishwasher",
            device_class="temperature",
            task="wash",
            parameter="temperature",
            step=5,
            read=lambda now: now.washing_temperature,
        ),
        Button("dry", "Dry", part="dishwasher", task="dry"),
    ),
    tasks=(
        Task("connect", link="open"),
        Task("disconnect", link="close"),
        Task("set_flow"),
        Task("choose_basin"),
        Task("set_light"),
        Task("write_note"),
        Task("rinse"),
        Task("explode"),
        Task("conjure"),
        Task("overflow"),
        Task("drip"),
        Task("fill", effect="move", timeout=Setting("longest_fill")),
        Task("soak", effect="move"),
        Task("pour", effect="move"),
        Task("look", effect="read"),
        Task("stare", effect="read"),
        Task("turn_off", effect="stop"),
        Task(
            "wash",
            run="use_dishwasher",
            parameters=(
                Parameter(
                    name="temperature",
                    type="number",
                    minimum=30,
                    maximum=70,
                    unit="°C",
                    description="Of the water.",
                ),
                Parameter(name="salt", type="boolean", required=False, description="Whether to add some."),
            ),
            description="Wash the dishes.",
            returns="What was done.",
        ),
        Task("dry", run="use_dishwasher", parameters=(), description="Dry the dishes."),
    ),
)


def make_config(device_id: str = "sink", bridge: str = "bench") -> DeviceConfig:
    """A sink as a bridge's configuration would hold it, without a file."""
    settings = KitchenSinkSettings()
    tasks = bind(DEVICE, KitchenSinkDriver, settings)
    return DeviceConfig(DEVICE, Instance(device_id, DEVICE.name, bridge), KitchenSinkDriver, settings, tasks)


def description(device_id: str = "sink", bridge: str = "bench") -> dict[str, object]:
    """What a sink that has been opened says of itself."""
    config = make_config(device_id, bridge)
    driver = KitchenSinkDriver(KitchenSinkSettings())
    return describe(config.device, config.tasks, config.instance, driver.info())
