"""What a device has on record of its commands."""

from collections.abc import Mapping
import time
from typing import Any
import uuid

from lab2mqtt import wire
from lab2mqtt.client import Lab, RemoteDevice
from lab2mqtt.client.remote import EXPIRES_IN

Told = dict[str, Any]


def question(task: str, parameters: Mapping[str, Any], issued_by: str) -> Told:
    """A command of the gateway's own making."""
    now = time.time()
    return wire.command(
        task,
        dict(parameters),
        request_id=uuid.uuid4().hex,
        timestamp=int(now),
        expires_at=int(now + EXPIRES_IN),
        issued_by=issued_by,
    )


async def history(lab: Lab, device: RemoteDevice, asked: Told, issued_by: str) -> Told:
    """Ask a device for its history, with the parameters and the answer of ``get_history``.

    Raises:
        LabError: It refuses, or does not answer.
        BrokerError: There is no link.
    """
    found = await lab.ask(device, question("get_history", asked, issued_by))
    return found if isinstance(found, dict) else {}


async def command_of(lab: Lab, device: RemoteDevice, request_id: str, issued_by: str) -> Told | None:
    """What a device has of one command; None where it knows nothing of it, or keeps no history.

    Raises:
        LabError: It refuses, or does not answer.
        BrokerError: There is no link.
    """
    if "get_history" not in device.tasks or len(request_id) > wire.MAX_REQUEST_ID:
        return None
    found = await history(lab, device, {"request_id": request_id, "limit": 1}, issued_by)
    rows = found.get("commands")
    row = rows[0] if isinstance(rows, list) and rows else None
    if isinstance(row, dict) and row.get("request_id") == request_id and isinstance(row.get("task"), str):
        return row
    return None


def result_in(row: Told) -> Told | None:
    """The result of a command, as on the wire; None while it is not over."""
    at = row.get("ended_at") or row.get("received_at")
    if not isinstance(row.get("status"), str) or not isinstance(at, int | float):
        return None
    if row["status"] == "success":
        return wire.success(row["request_id"], row["task"], row.get("result"), at)
    code = row.get("error_code")
    known = code if isinstance(code, str) else wire.DEVICE_ERROR
    return wire.failure(row["request_id"], row["task"], known, str(row.get("error", "failed")), at)
