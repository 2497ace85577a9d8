"""A lab of one simulated plate resort: its servo, its bridge and an observer, on the hub's broker."""

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
import signal
from typing import Any

from tests.broker.bench import Servo
from tests.broker.observer import Observer, retained, until
from tests.broker.program import Program
import yaml

from lab2mqtt.hub.api import State
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

DEVICE = "plate-resort"
IDENTIFIER = f"lab2mqtt_{DEVICE}"
AREA = "Cold room"
BACK_WITHIN = 30.0  # s until everything is available again, whatever was killed

SELECT = "select.plate_resort_active_hotel"
POSITION = "sensor.plate_resort_position"
MOVING = "binary_sensor.plate_resort_moving"
TARGET = "number.plate_resort_target"
READINESS = "sensor.plate_resort_readiness"
EVENT = "event.plate_resort_happening"

# Every entity of a plate resort, with the name that a person reads on the device's page.
RESERVED_BY = "sensor.plate_resort_reserved_by"
RESERVED_UNTIL = "sensor.plate_resort_reserved_until"
MAINTENANCE = "switch.plate_resort_maintenance"
ENTITIES = {
    SELECT: "Active hotel",
    POSITION: "Position",
    TARGET: "Target",
    MOVING: "Moving",
    "number.plate_resort_speed": "Speed",
    "text.plate_resort_plate": "Fetch plate",
    "sensor.plate_resort_plates": "Plates",
    "binary_sensor.plate_resort_torque": "Torque",
    "sensor.plate_resort_temperature": "Temperature",
    "sensor.plate_resort_current": "Current",
    "sensor.plate_resort_voltage": "Voltage",
    "sensor.plate_resort_hardware_error": "Hardware error",
    "sensor.plate_resort_warnings": "Warnings",
    "button.plate_resort_home": "Home",
    "button.plate_resort_identify": "Identify",
    "button.plate_resort_reboot": "Reboot servo",
    READINESS: "Readiness",
    "sensor.plate_resort_task": "Task",
    "binary_sensor.plate_resort_connected": "Connection",
    "binary_sensor.plate_resort_emergency_stop": "Emergency stop",
    RESERVED_BY: "Reserved by",
    RESERVED_UNTIL: "Reserved until",
    MAINTENANCE: "Maintenance",
    EVENT: "Event",
    "button.plate_resort_stop": "Stop now",
    "button.plate_resort_reset_stop": "Release stop",
    "button.plate_resort_pause": "Pause",
    "button.plate_resort_resume": "Resume",
    "button.plate_resort_cancel": "Cancel task",
}

# Of another servo; there to be enabled.
DISABLED = {"sensor.plate_resort_load": "Load"}

# What stays available while the servo does not answer.
WITHOUT_SERVO = {
    READINESS,
    "binary_sensor.plate_resort_connected",
    "binary_sensor.plate_resort_emergency_stop",
    RESERVED_BY,
    RESERVED_UNTIL,
    MAINTENANCE,
    "button.plate_resort_stop",
    "button.plate_resort_reset_stop",
}


class Lab:
    """The bridge and the servo are processes of their own; what the bridge keeps stays in the folder."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.config = folder / "lab.yaml"
        self.servo = Servo(folder)
        self.bridge = Program(["run", str(self.config)], folder / "bridge.log")
        self.configure()
        self.servo.start()
        self._seen: Observer | None = None
        self._looked_at = 0  # how much of the hub's log

    @property
    def seen(self) -> Observer:
        """All that is said on the broker; made anew after the broker was away."""
        if self._seen is None:
            self._seen = Observer(self.broker.port, "lab2mqtt/#", "homeassistant/#")
        return self._seen

    def observe_anew(self) -> Observer:
        """An observer that has just come."""
        self.stop_observing()
        return self.seen

    def stop_observing(self) -> None:
        """Let the observer go."""
        if self._seen:
            self._seen.close()
            self._seen = None

    def configure(self, name: str = "Plate resort", more: dict[str, Any] | None = None) -> None:
        """Write the configuration: the resort under a display name, and more devices."""
        resort = {
            "model": "plate_resort",
            "name": name,
            "area": AREA,
            "simulated": True,
            "settings": {"device": str(self.servo.link), "default_speed": 100},
        }
        told = {
            "bridge": "bench",
            "broker": {"port": self.broker.port},
            "state": "kept",
            "devices": {DEVICE: resort, **(more or {})},
        }
        self.config.write_text(yaml.safe_dump(told, sort_keys=False))

    def reconfigure(self, name: str = "Plate resort", more: dict[str, Any] | None = None) -> None:
        """End the bridge in order and start it with another configuration."""
        self.bridge.terminate()
        self.configure(name, more)
        self.bridge.start()

    def ready(self, hub: HomeAssistant) -> "Lab":
        """Bring everything back to work, whatever the last test left, as seen by the hub."""
        if self.broker.pid is None:
            self.broker.start()
        if hub.pid is None:
            hub.start()
        self.observe_anew()
        for fault in self.servo.truth()["faults"]:
            self.servo.fault(fault, on=False)
        if self.bridge.pid is None:
            self.bridge.start()
        self.until_available(hub)
        if self.state()["emergency_stop"] or self.state()["task"]:
            press(hub, "cancel")
            press(hub, "reset_stop")
        if self.state()["maintenance"]:
            hub.call_service("switch", "turn_off", {"entity_id": MAINTENANCE})
        hub.wait_for(READINESS, lambda now: now["state"] == "ready")
        return self

    def complaints(self, hub: HomeAssistant) -> list[str]:
        """What the hub complained about since this was asked last, or since it was started."""
        log = hub.log()
        # One that was started since then has a new log.
        found = complaints(log[self._looked_at :] if len(log) >= self._looked_at else log)
        self._looked_at = len(log)
        return found

    def state(self) -> dict[str, Any]:
        """What the device said last."""
        said: dict[str, Any] = self.seen.last(f"lab2mqtt/{DEVICE}/state")
        return said

    def until_available(self, hub: HomeAssistant, within: float = BACK_WITHIN) -> dict[str, State]:
        """Wait until every entity is available and shows what the servo measures; gives the states."""
        states: dict[str, State] = {}

        def back() -> bool:
            nonlocal states
            states = self.entities(hub)
            return (
                states.keys() == ENTITIES.keys()
                and available(states) == ENTITIES.keys()
                and abs(number(states[POSITION]) - self.servo.truth()["position"] % 360) < 0.5
            )

        until(
            back,
            "every entity is available",
            within=within,
            every=0.05,
            more=lambda: f"{ENTITIES.keys() - available(states)} is not; the bridge: {self.bridge.said()}",
        )
        return states

    def until_turning(self) -> None:
        """Wait until the servo truly turns."""
        until(lambda: abs(self.servo.truth()["velocity"]) > 5, "the servo turns")

    def entities(self, hub: HomeAssistant) -> dict[str, State]:
        """The states of the resort's entities, by entity id."""
        return {entity: state for entity, state in hub.states().items() if ".plate_resort" in entity}

    def retained(self) -> dict[str, bytes]:
        """All that the broker keeps."""
        return retained(self.broker.port, "lab2mqtt/#", "homeassistant/#")

    @contextlib.contextmanager
    def bridge_held(self) -> Iterator[None]:
        """The bridge hangs for a moment, and says nothing; its broker waits longer than that."""
        assert self.bridge.pid
        os.kill(self.bridge.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.bridge.pid, signal.SIGCONT)

    def close(self) -> None:
        """End everything."""
        self.bridge.terminate()
        self.servo.stop()
        self.stop_observing()


def available(states: dict[str, State]) -> set[str]:
    """Which entities are available."""
    return {entity for entity, state in states.items() if state["state"] != "unavailable"}


def number(state: State) -> float:
    """The state as a number; while it is none, one that is equal to nothing."""
    try:
        return float(state["state"])
    except ValueError:
        return float("nan")


def near(value: float, within: float = 0.5) -> Callable[[State], bool]:
    """Whether a state is a number near another."""
    return lambda now: abs(number(now) - value) <= within


def shows(word: str) -> Callable[[State], bool]:
    """Whether a state is this word."""
    return lambda now: now["state"] == word


def press(hub: HomeAssistant, button: str) -> None:
    """Press one of the resort's buttons."""
    hub.call_service("button", "press", {"entity_id": f"button.plate_resort_{button}"})


def choose(hub: HomeAssistant, hotel: str) -> None:
    """Choose a hotel."""
    hub.call_service("select", "select_option", {"entity_id": SELECT, "option": hotel})


def set_number(hub: HomeAssistant, key: str, value: float) -> None:
    """Set one of the resort's numbers."""
    hub.call_service("number", "set_value", {"entity_id": f"number.plate_resort_{key}", "value": value})


def complaints(log: str) -> list[str]:
    """The errors and warnings in a hub's log that have to do with us, with the lines that belong to them."""
    ours = ("lab2mqtt", "plate_resort", "plate-resort", "kitchen_sink", "spook", "template variable", "mqtt")
    own = (
        # 2025.4 clears the topic of a device that goes, as we just did, and wonders that nothing is left.
        "No device components to cleanup",
        # 2025.4 logs a value that it refuses as an error of its own, a moment after it answered.
        "Error handling request from",
    )
    found: list[str] = []
    entry = ""
    for line in [*log.splitlines(), "0000-"]:
        if line[:4].isdecimal() and line[4:5] == "-":  # a new entry begins with its date
            bad = any(f" {level} " in entry for level in ("WARNING", "ERROR", "CRITICAL"))
            about_us = any(word in entry.lower() for word in ours)
            if bad and about_us and not any(words in entry for words in own):
                found.append(entry)
            entry = line
        else:
            entry += f"\n{line}"
    return found
