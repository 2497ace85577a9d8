"""A lab whose Home Assistant has our integration, added by its form: the newest, a resort and an OT-2."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
from typing import Any, Self

from tests.broker.bench import Servo
from tests.broker.observer import Observer
from tests.broker.program import Program
import yaml

from lab2mqtt.hub.forms import fill
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

COMPONENTS = Path(__file__).parents[2] / "custom_components"
RESORT = "plate-resort"
OT2 = "ot2"
SLOWLY = 40  # degrees a second: slow enough to be stopped on the way
READY_WITHIN = 30.0  # s


class CardsLab:
    """Broker, Home Assistant, servo and bridge, each a process of its own.

    Args:
        venv: Of the Home Assistant.
        broker: That runs.
        folder: Where they keep what they keep.
    """

    def __init__(self, venv: Path, broker: Mosquitto, folder: Path) -> None:
        self.broker = broker
        self.hub = HomeAssistant(
            venv, folder / "hub", broker.address, open_door=True, copies={"custom_components": COMPONENTS}
        )
        self.servo = Servo(folder)
        config = folder / "lab.yaml"
        resort = {
            "model": "plate_resort",
            "name": "Plate resort",
            "area": "Cold room",
            "simulated": True,
            "settings": {"device": str(self.servo.link), "default_speed": SLOWLY},
        }
        ot2 = {"model": "ot2", "name": "OT-2", "area": "Wet lab", "simulated": True}
        told: dict[str, Any] = {
            "bridge": "bench-pi",
            "broker": {"port": broker.port},
            "state": "kept",
            "devices": {RESORT: resort, OT2: ot2},
        }
        config.write_text(yaml.safe_dump(told))
        self.bridge = Program(["run", str(config)], folder / "bridge.log")

    def __enter__(self) -> Self:
        try:
            self.servo.start()
            self.bridge.start()
            self.hub.start()
            with self.observe() as seen:
                for device in (RESORT, OT2):
                    seen.wait(
                        f"lab2mqtt/{device}/state", lambda now: bool(now["connected"]), within=READY_WITHIN
                    )
            self.add_entry()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self.hub.stop()
        self.bridge.terminate()
        self.servo.stop()

    def observe(self) -> Observer:
        """All that is said in the lab, from what is kept on."""
        return Observer(self.broker.port, "lab2mqtt/#")

    def add_entry(self, base: str = "lab2mqtt") -> str:
        """Add the lab as a person does, by its form. Gives the entry's id."""
        form = self.hub.post("/api/config/config_entries/flow", {"handler": "lab2mqtt"})
        done = self.hub.post(
            f"/api/config/config_entries/flow/{form['flow_id']}", fill(form["data_schema"], {"base": base})
        )
        assert done["type"] == "create_entry", done
        entry_id: str = done["result"]["entry_id"]
        return entry_id

    def call(self, action: str, **data: object) -> Any:  # noqa: ANN401 - JSON
        """Call an action of ours. Gives its answer."""
        return self.hub.post(f"/api/services/lab2mqtt/{action}?return_response", data)["service_response"]

    def until_ready(self, device: str) -> None:
        """Wait until a device is ready."""
        with self.observe() as seen:
            seen.wait(
                f"lab2mqtt/{device}/state", lambda now: now["readiness"] == "ready", within=READY_WITHIN
            )

    @contextmanager
    def bridge_hung(self) -> Iterator[None]:
        """The bridge does nothing, and does not end either."""
        assert self.bridge.pid
        os.kill(self.bridge.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.bridge.pid, signal.SIGCONT)

    def dashboard(self, path: str, config: dict[str, Any]) -> str:
        """Make a dashboard, whole or by a strategy; ``path`` has a hyphen in it. Gives its address."""
        if path not in {entry["url_path"] for entry in self.hub.ws("lovelace/dashboards/list")}:
            self.hub.ws(
                "lovelace/dashboards/create",
                url_path=path,
                title=path,
                mode="storage",
                show_in_sidebar=True,
                require_admin=False,
            )
        self.hub.ws("lovelace/config/save", url_path=path, config=config)
        return f"{self.hub.url}/{path}"

    def cards(self, path: str, *cards: dict[str, Any]) -> str:
        """Make a dashboard of some cards. Gives its address."""
        section = {"type": "grid", "cards": list(cards)}
        return self.dashboard(path, {"views": [{"type": "sections", "path": "all", "sections": [section]}]})
