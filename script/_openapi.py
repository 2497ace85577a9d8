"""The OpenAPI document of a gateway in front of a device of each model that lab2mqtt declares."""

import asyncio
from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

import httpx

from lab2mqtt import wire
from lab2mqtt.client import RemoteDevice
from lab2mqtt.client.remote import Told
from lab2mqtt.gateway.rights import ALL, Person
from lab2mqtt.gateway.server import Server
from lab2mqtt.gateway.settings import Gateway, HttpSettings
from lab2mqtt.orchestration.bearer import hash_of
from lab2mqtt.runtime.address import Broker

_TOKEN = "of-the-documentation"  # noqa: S105 - nobody listens


def document(devices: Mapping[str, Mapping[str, Any]]) -> str:
    """The document, as JSON.

    Args:
        devices: Descriptions, as on the wire, by device id.
    """
    return asyncio.run(_document(devices))


async def _document(devices: Mapping[str, Mapping[str, Any]]) -> str:
    people = (Person("reader", {ALL: "read"}, hash_of(_TOKEN)),)
    gateway = Gateway(Broker("127.0.0.1", 1883), wire.DEFAULT_BASE, HttpSettings(), people)
    server = Server(Path("gateway.yaml"), gateway)
    lab = server._lab  # noqa: SLF001 - in which nothing is heard, as it is not connected
    for device_id, description in devices.items():
        lab.devices[device_id] = RemoteDevice(lab, device_id, Told(dict(description)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=server.app), base_url="http://127.0.0.1"
    ) as client:
        answer = await client.get("/openapi.json", headers={"Authorization": f"Bearer {_TOKEN}"})
    answer.raise_for_status()
    return json.dumps(answer.json(), indent=1, ensure_ascii=False) + "\n"
