"""Our integration and our blueprints in real Home Assistants, out of the folders that they are given in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.lab import complaints

from lab2mqtt.hub import given
from lab2mqtt.hub.mosquitto import Mosquitto
from lab2mqtt.hub.process import HomeAssistant

# Said of every integration that is not Home Assistant's own.
CUSTOM = "We found a custom integration"


@pytest.fixture(scope="module")
def own_hub(
    hub_environment: Path, hub_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HomeAssistant]:
    """A Home Assistant with all that is ours."""
    folder = tmp_path_factory.mktemp("own-hub")
    with HomeAssistant(hub_environment, folder, hub_broker.address, copies=given.folders()) as running:
        yield running


def test_added_by_hand_and_removed(own_hub: HomeAssistant) -> None:
    """It is loaded, and is again after a restart; removed it leaves no device; the log has no complaint."""
    form = own_hub.post("/api/config/config_entries/flow", {"handler": "lab2mqtt"})
    assert [field["name"] for field in form["data_schema"]] == ["base"]
    made = own_hub.post(f"/api/config/config_entries/flow/{form['flow_id']}", {"base": "another/lab"})
    assert made["type"] == "create_entry"
    assert _states(own_hub) == ["loaded"]
    log = own_hub.log()
    own_hub.restart()
    assert _states(own_hub) == ["loaded"]
    own_hub.request("DELETE", f"/api/config/config_entries/entry/{made['result']['entry_id']}")
    assert _states(own_hub) == []
    assert [device for device in own_hub.devices() if _is_ours(device["identifiers"])] == []
    found = [one for one in complaints(log + own_hub.log()) if CUSTOM not in one]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("domain", ["automation", "script"])
def test_blueprints_are_offered(own_hub: HomeAssistant, domain: str) -> None:
    """Every one of ours, and none with an error."""
    listed = own_hub.ws("blueprint/list", domain=domain)
    folder = given.folders()[f"blueprints/{domain}/lab2mqtt"]
    ours = {f"lab2mqtt/{file.name}" for file in folder.glob("*.yaml")}
    assert ours
    assert ours <= listed.keys()
    assert {path: listed[path] for path in ours if "error" in listed[path]} == {}


def _states(hub: HomeAssistant) -> list[str]:
    return [entry["state"] for entry in hub.ws("config_entries/get", domain="lab2mqtt")]


def _is_ours(identifiers: list[list[str]]) -> bool:
    return any(domain == "lab2mqtt" for domain, _ in identifiers)
