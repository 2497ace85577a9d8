"""The hub's pages: where a device is, what a person sees first."""

from collections.abc import Mapping
import time
from typing import Any

from lab2mqtt.hub.api import Api
from lab2mqtt.hub.errors import HubError


def device(api: Api, identifier: str, timeout: float = 10) -> dict[str, Any]:
    """Wait for an MQTT device in the registry.

    Args:
        api: The hub.
        identifier: One of its ``identifiers`` in the discovery message.
        timeout: Seconds.

    Raises:
        TimeoutError: It did not appear.
    """
    deadline = time.monotonic() + timeout
    while True:
        devices = api.devices()
        for entry in devices:
            if ["mqtt", identifier] in entry["identifiers"]:
                return entry
        if time.monotonic() > deadline:
            names = ", ".join(sorted(str(entry["name"]) for entry in devices))
            raise TimeoutError(f"after {timeout:g} s no device {identifier!r}, only {names}")
        time.sleep(0.1)


def show_device(api: Api, identifier: str, area: str, timeout: float = 10) -> str:
    """Put a device into an area, made if there is none of that name; gives the address of its page."""
    found = device(api, identifier, timeout)
    areas = {entry["name"]: entry["area_id"] for entry in api.ws("config/area_registry/list")}
    area_id = areas.get(area) or api.ws("config/area_registry/create", name=area)["area_id"]
    api.ws("config/device_registry/update", device_id=found["id"], area_id=area_id)
    return f"{api.url}/config/devices/device/{found['id']}"


def save_dashboard(api: Api, path: str, title: str, cards: list[dict[str, Any]]) -> str:
    """Make a dashboard of one view, or give it these cards; gives its address.

    Newer releases open it first; in older ones the overview, which has all entities, stays first.

    Args:
        api: The hub.
        path: Its path, with a hyphen in it, as Home Assistant wants.
        title: What the sidebar calls it.
        cards: As in the YAML of a dashboard: ``{"type": "entities", "entities": [...]}``.
    """
    views = [{"title": title, "path": "all", "cards": cards}]
    return _save(api, path, title, {"title": title, "views": views})


def show_lab(api: Api, base: str, path: str = "lab2mqtt-lab", title: str = "Lab") -> str:
    """Add our integration, unless it is there, and a dashboard that lays its lab out; gives its address.

    Args:
        api: The hub.
        base: The lab's base topic.
        path: The dashboard's path, with a hyphen in it.
        title: What the sidebar calls it.

    Raises:
        HubError: It does not take the integration.
    """
    flow = "/api/config/config_entries/flow"
    form = api.post(flow, {"handler": "lab2mqtt"})
    if form["type"] == "form":
        form = api.post(f"{flow}/{form['flow_id']}", {"base": base})
    if form["type"] != "create_entry" and form.get("reason") != "already_configured":
        raise HubError(f"Home Assistant did not take lab2mqtt: {form.get('errors') or form}")
    return _save(api, path, title, {"strategy": {"type": "custom:lab2mqtt"}})


def _save(api: Api, path: str, title: str, config: Mapping[str, object]) -> str:
    """Make a dashboard, or change it, and show it first."""
    if path not in {entry["url_path"] for entry in api.ws("lovelace/dashboards/list")}:
        api.ws(
            "lovelace/dashboards/create",
            url_path=path,
            title=title,
            icon="mdi:flask",
            mode="storage",
            show_in_sidebar=True,
            require_admin=False,
        )
    api.ws("lovelace/config/save", url_path=path, config=config)
    api.ws("frontend/set_user_data", key="core", value={"default_panel": path})
    return f"{api.url}/{path}"
