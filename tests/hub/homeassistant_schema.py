"""Ask Home Assistant's own schemas about discovery messages; run by the Python of one of its environments.

Standard input is a JSON list of ``{"topic": …, "payload": …}``, standard output a JSON list of
``{"topic": …, "component": …, "error": …}``: what this release would refuse, or drop without a word.
"""

import asyncio
from collections.abc import Iterator
import copy
import importlib
import json
import sys
import tempfile
from typing import Any

from homeassistant.components.mqtt import (  # type: ignore[import-not-found]
    device_trigger,
    discovery,
    schemas,
    tag,
)
from homeassistant.core import HomeAssistant  # type: ignore[import-not-found]
from homeassistant.helpers import frame  # type: ignore[import-not-found]

# Each is known to one of the releases that we support, so we send both.
ONLY_SOMEWHERE = {"object_id", "default_entity_id"}

# These two check their messages with other schemas than the platforms do.
SCHEMAS = {
    "device_automation": device_trigger.TRIGGER_DISCOVERY_SCHEMA,
    "tag": getattr(tag, "DISCOVERY_SCHEMA", None) or tag.PLATFORM_SCHEMA,
}


def problems(topic: str, payload: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every component with what is wrong with it; an empty component for the message itself."""
    kind = topic.split("/")[1]
    config = discovery.MQTTDiscoveryPayload(copy.deepcopy(payload))
    discovery._replace_all_abbreviations(config)
    if kind != "device":
        yield from _component(kind, kind, config)
        return
    try:
        schemas.DEVICE_DISCOVERY_SCHEMA(copy.deepcopy(config))
        if whole := getattr(schemas, "validate_device_discovery_components", None):  # of newer releases
            whole(config)
    except Exception as error:  # noqa: BLE001, voluptuous.Invalid in one release, probatio.Invalid in the other
        yield "", str(error)
        return
    for name, component in config["components"].items():
        platform = component.pop("platform")
        if component:  # else: "this component is gone"
            yield from _component(name, platform, component, config)


def _component(
    name: str, platform: str, own: dict[str, Any], device: dict[str, Any] | None = None
) -> Iterator[tuple[str, str]]:
    """What the platform's schema says, and which of the component's own keys do not come out of it."""
    whole = discovery.MQTTDiscoveryPayload(copy.deepcopy(own))
    if device is not None:
        whole.update(device=device["device"], origin=device["origin"])
        discovery._merge_common_device_options(whole, device)
    if "~" in whole:
        discovery._replace_topic_base(whole)
    try:
        schema = SCHEMAS.get(platform) or _platform(platform).DISCOVERY_SCHEMA
        taken = schema(copy.deepcopy(dict(whole)))
    except Exception as error:  # noqa: BLE001, of a schema, or of what it calls
        yield name, str(error) or repr(error)
        return
    for key in _lost({key: whole[key] for key in (*own, "device") if key in whole}, taken):
        if key not in ONLY_SOMEWHERE:
            yield name, f"{key!r} is silently dropped"


def _platform(platform: str) -> Any:  # noqa: ANN401, a module
    return importlib.import_module(f"homeassistant.components.mqtt.{platform}")


def _lost(before: object, after: object, path: str = "") -> Iterator[str]:
    """The paths of keys that are in ``before`` and not in ``after``."""
    match before, after:
        case dict(), dict():
            for key, value in before.items():
                inner = f"{path}.{key}" if path else key
                if key not in after:
                    yield inner
                else:
                    yield from _lost(value, after[key], inner)
        case list(), list():
            for position, (one, other) in enumerate(zip(before, after, strict=False)):
                yield from _lost(one, other, f"{path}[{position}]")


async def _main() -> None:
    # The checks of templates ask for a Home Assistant in the loop that they run in; nothing of it is started.
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        frame.async_setup(hass)
        found = [
            {"topic": message["topic"], "component": component, "error": error}
            for message in json.load(sys.stdin)
            for component, error in problems(message["topic"], message["payload"])
        ]
        await hass.async_stop(force=True)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main())
