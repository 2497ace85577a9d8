"""The pages of docs/devices: every model, the example props, the boards' nodes, and their index."""

import ast
from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from lab2mqtt.core.description import Instance, bind, describe
from lab2mqtt.core.house import HOUSE_TASKS, house_entities
from lab2mqtt.core.page import entity_table, page, task_table
from lab2mqtt.core.parameters import parameters_of
from lab2mqtt.props.actions import actions_of
from lab2mqtt.props.declaration import RESTART, declare
from lab2mqtt.props.driver import PropDriver
from lab2mqtt.props.finding import Found
from lab2mqtt.props.loading import load
from lab2mqtt.props.seen import Seen
from lab2mqtt.runtime import config

FOLDER = Path("docs/devices")
MADE = "`script/docs` makes this page from the code."
OF_EVERY_PROP = ("state", "message", "status_message", "restart_worker")


def descriptions() -> dict[str, dict[str, Any]]:
    """A description of each model, as on the wire."""
    return {model: _model(model)[0] for model in config.known_models()}


def device_pages() -> dict[Path, str]:
    """Every page, by its file."""
    models = {model: _model(model) for model in config.known_models()}
    pages = {FOLDER / f"{model}.md": page(*told) for model, told in models.items()}
    return {
        **pages,
        FOLDER / "props.md": _props(),
        FOLDER / "nodes.md": _nodes(),
        FOLDER / "README.md": _index({model: description for model, (description, _) in models.items()}),
    }


def _model(model: str) -> tuple[dict[str, Any], Any]:
    device = config.load_device(model)
    _, settings = config.load_driver(device)
    told = config.DeviceSettings(model=model, simulated=True)  # so that nobody need say where it is
    made = config.make_device(model.replace("_", "-"), "bench-pi", told)
    parts = {entity.part: {"name": entity.part} for entity in made.device.entities if entity.part}
    description = describe(made.device, made.tasks, made.instance, {"parts": parts})
    return description, parameters_of(settings)


def _index(models: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "# Devices",
        "",
        f"What each can do, what Home Assistant shows of it, and its settings. {MADE}",
        "",
        "| device | model | maker | own tasks | entities |",
        "| --- | --- | --- | --- | --- |",
    ]
    for model, told in models.items():
        own = len(told["tasks"].keys() - HOUSE_TASKS.keys())
        maker = told["manufacturer"]
        lines.append(
            f"| [{told['name']}]({model}.md) | `{model}` | {maker} | {own} | {len(told['entities'])} |"
        )
    lines += [
        "",
        "Also: [an OT-2 with a cell of your own](ot2-own-cell.md) · [boards](nodes.md) · [props](props.md)",
        "",
        "## What every device has",
        "",
        "Told in full in [the protocol](../protocol.md#order); `pause` and `resume` only where it can hold.",
        "",
    ]
    some = models["ot2"]
    house = {one.key for one in house_entities(config.load_device("ot2"))}
    tasks = {name: some["tasks"][name] for name in HOUSE_TASKS}
    entities = {key: one for key, one in some["entities"].items() if key in house}
    return "\n".join([*lines, *task_table(tasks), "", *entity_table(entities), ""])


def _props() -> str:
    lines = [
        "# Example props",
        "",
        f"The workers in [props/](../../props), as devices. {MADE}",
        f"Left out is what every prop has: *State*, *Message*, *Status message*, and `{RESTART}`.",
        "Telemetry that a worker says and does not declare is learned from it.",
    ]
    for file in sorted(Path("props").glob("*/backend/worker.py")):
        loaded = load(Found(file.parts[-3], file.absolute(), "prop"))
        device = declare(loaded.prop_id, loaded.worker, actions_of(loaded.worker), Seen())
        tasks = bind(device, PropDriver, None)
        told: dict[str, Any] = describe(device, tasks, Instance(loaded.prop_id, device.name, "example"))
        house = {one.key for one in house_entities(device)} | set(OF_EVERY_PROP)
        own = {name: one for name, one in told["tasks"].items() if name not in {*HOUSE_TASKS, RESTART}}
        shown = {key: one for key, one in told["entities"].items() if key not in house}
        lines += ["", f"## {told['name']}", "", f"[props/{file.parts[-3]}](../../props/{file.parts[-3]}):"]
        lines += [f"`halloween/{loaded.prop_id}/…`", "", *task_table(own), "", *entity_table(shown)]
    return "\n".join([*lines, ""])


def _nodes() -> str:
    lines = [
        "# Nodes: boards that are wired already",
        "",
        f"The folders in [firmware/nodes](../../firmware/nodes), with their pins and settings. {MADE}",
        "Tasks and entities come from the parts that a `main.py` wires: the board says them, and",
        "[boards.md](../boards.md) has them in short.",
        "",
        "| node | what it is | pins (GPIO) | settings, as they come |",
        "| --- | --- | --- | --- |",
    ]
    for file in sorted(Path("firmware/nodes").glob("*/node.json")):
        told = json.loads(file.read_text("utf-8"))
        what = ast.get_docstring(ast.parse(file.with_name("main.py").read_text("utf-8"))) or ""
        pins = ", ".join(f"{name} {pin}" for name, pin in told["pins"].items())
        settings = "<br>".join(
            f"`{part}`: " + ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())
            for part, values in told.get("settings", {}).items()
        )
        link = f"[{file.parts[-2]}](../../firmware/nodes/{file.parts[-2]})"
        lines.append(f"| {link} | {' '.join(what.split())} | {pins} | {settings} |")
    return "\n".join([*lines, ""])
