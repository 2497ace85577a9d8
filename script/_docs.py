"""Write a page for every model, or with --check tell which is not as its declaration says."""

from pathlib import Path
import sys

from lab2mqtt.core.description import describe
from lab2mqtt.core.page import page
from lab2mqtt.core.parameters import parameters_of
from lab2mqtt.runtime import config

FOLDER = Path("docs/devices")


def pages() -> dict[Path, str]:
    """The page of every model."""
    found = {}
    for model in config.known_models():
        device = config.load_device(model)
        _, settings = config.load_driver(device)
        told = config.DeviceSettings(model=model, simulated=True)  # so that nobody need say where it is
        made = config.make_device("example", "example", told)
        parts = {entity.part: {"name": entity.part} for entity in made.device.entities if entity.part}
        described = describe(made.device, made.tasks, made.instance, {"parts": parts})
        found[FOLDER / f"{model}.md"] = page(described, parameters_of(settings))
    return found


def main() -> int:
    """Write or check; gives the exit code."""
    wrong = [file for file, text in pages().items() if not file.exists() or file.read_text() != text]
    if "--check" in sys.argv:
        for file in wrong:
            print(f"{file} is not as its declaration says; run script/docs")
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in wrong:
        file.write_text(pages()[file])
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
