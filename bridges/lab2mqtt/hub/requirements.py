"""What else Home Assistant wants installed for what our hub loads.

Home Assistant installs the requirements of an integration when it first loads it. We install them beforehand,
in one go with its own constraints: a start then needs no network, and is quick.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

# What the hub's configuration names; the rest Home Assistant adds itself.
INTEGRATIONS = (
    "api",
    "automation",
    "blueprint",
    "config",
    "frontend",
    "history",
    "logbook",
    "mqtt",
    "recorder",
    "script",
    "template",
)


def requirements(core: Path) -> list[str]:
    """The pinned requirements of ours, of what Home Assistant always loads, and of all they depend on.

    Args:
        core: The installed package ``homeassistant``.
    """
    manifests = {path.parent.name: _manifest(path) for path in core.glob("components/*/manifest.json")}
    waiting = [*INTEGRATIONS, *_defaults(core / "bootstrap.py")]
    # Sensor, camera, assistants, …: loaded even though nobody uses them here.
    waiting += [
        domain for domain, manifest in manifests.items() if manifest.get("integration_type") == "entity"
    ]
    seen: set[str] = set()
    wanted: set[str] = set()
    while waiting:
        domain = waiting.pop()
        if domain in seen or domain not in manifests:
            continue
        seen.add(domain)
        wanted.update(manifests[domain].get("requirements", ()))
        # Those of after_dependencies, too: mqtt, for one, imports what is only named there.
        waiting += manifests[domain].get("dependencies", ())
        waiting += manifests[domain].get("after_dependencies", ())
    return sorted(wanted)


def _manifest(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _defaults(bootstrap: Path) -> Iterator[str]:
    """The domains in ``DEFAULT_INTEGRATIONS``, read without importing Home Assistant."""
    for statement in ast.parse(bootstrap.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="DEFAULT_INTEGRATIONS")], value=value):
                for node in ast.walk(value):
                    match node:
                        case ast.Constant(value=str(domain)):
                            yield domain
