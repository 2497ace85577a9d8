"""The configuration folder of the private hub, written before each start."""

from collections.abc import Mapping
import json
from pathlib import Path
import shutil

from lab2mqtt.hub.mosquitto import BrokerAddress
from lab2mqtt.hub.ports import LOOPBACK

_YAML = """\
homeassistant:
  name: Lab
  latitude: 52.0
  longitude: 4.0
  elevation: 0
  unit_system: metric
  time_zone: UTC
  country: NL
  currency: EUR
  language: en
{auth}{http}frontend:
config:
api:
recorder:
  commit_interval: 1
history:
logbook:
automation: !include automations.yaml
script: !include scripts.yaml
logger:
  default: warning
  logs:
    # These two miss libturbojpeg and ffmpeg, which only cameras use.
    homeassistant.components.camera.img_util: fatal
    haffmpeg: fatal
{extra}"""

# Whoever reaches loopback is the owner: the page opens without a login.
_OPEN_DOOR = f"""\
  auth_providers:
    - type: trusted_networks
      trusted_networks: [{LOOPBACK}]
      allow_bypass_login: true
    - type: homeassistant
"""

_HTTP = """\
http:
  server_host: {host}
  server_port: {port}
"""


def prepare(
    folder: Path, core: Path, port: int, *, open_door: bool, extra_yaml: str, copies: Mapping[str, Path]
) -> None:
    """Write the folder, new or used before.

    Args:
        folder: The configuration folder.
        core: The installed package ``homeassistant``, which tells what form the settings take.
        port: Where it is to serve.
        open_door: Whether the page opens without a login.
        extra_yaml: More of configuration.yaml.
        copies: Folders to copy anew, by where in it they belong, see ``given.folders``.
    """
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    http = ""
    if (core / "components" / "http" / "config.py").exists():
        # 2026 keeps the server's address in storage. From YAML it takes it once, on trial, and undoes that
        # after five minutes. Of a file of the first version it makes a settled one of today's.
        _store(storage, "http", 1, {"server_host": [LOOPBACK], "server_port": port})
    else:
        http = _HTTP.format(host=LOOPBACK, port=port)
    (folder / "configuration.yaml").write_text(
        _YAML.format(auth=_OPEN_DOOR if open_door else "", http=http, extra=extra_yaml)
    )
    for name, empty in (("automations.yaml", "[]\n"), ("scripts.yaml", "{}\n")):
        if not (folder / name).exists():
            (folder / name).write_text(empty)
    if not (storage / "onboarding").exists():
        # Only the owner is left to create; the other steps would ask the internet for things.
        _store(storage, "onboarding", 4, {"done": ["core_config", "analytics", "integration"]})
    for name, given in copies.items():
        # No links: a blueprint that a person changes or deletes there is a file that is written or deleted.
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(given, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def move_broker(folder: Path, broker: BrokerAddress) -> None:
    """Tell an MQTT entry made before where the broker is this time. Only while Home Assistant is stopped."""
    path = folder / ".storage" / "core.config_entries"
    if path.exists():
        stored = json.loads(path.read_text())
        for entry in stored["data"]["entries"]:
            if entry["domain"] == "mqtt":
                entry["data"].update(broker=broker.host, port=broker.port)
                if broker.protocol:
                    entry["data"]["protocol"] = broker.protocol
        path.write_text(json.dumps(stored))


def _store(storage: Path, key: str, version: int, data: object) -> None:
    """Write a file as Home Assistant's own storage does."""
    (storage / key).write_text(json.dumps({"version": version, "minor_version": 1, "key": key, "data": data}))
