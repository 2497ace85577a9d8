"""The lab's emergency stop, with the word of each device: whether it stands, and what is to be done then."""

from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import math
from typing import Any
import uuid

from lab2mqtt.client.lab import Lab
from lab2mqtt.core.house import RESET, STOPPED

OnConfirmed = Callable[[str, int | None], None]


@dataclass(frozen=True)
class Engaged:
    """A stop that was engaged.

    Attributes:
        stop_id: Its id.
        confirmed: Who has confirmed it, with the milliseconds that it took, where the device tells.
        not_confirmed: Who could be reached, and has not confirmed it in time.
        unreachable: Who could not be reached.
    """

    stop_id: str
    confirmed: dict[str, int | None]
    not_confirmed: list[str]
    unreachable: list[str]


async def engage(
    lab: Lab, within: float, reason: str = "", by: str = "", on_confirmed: OnConfirmed | None = None
) -> Engaged:
    """Stop the whole lab, and wait for the proofs.

    Args:
        lab: The lab.
        within: Seconds for the proofs.
        reason: For the record.
        by: Who stops; the lab's own ``issued_by`` unless told.
        on_confirmed: Called with each device that proves it, and its milliseconds.

    Raises:
        BrokerError: The broker did not take it.
    """
    stop_id = uuid.uuid4().hex
    # What the state of one that was stopped already says is of the earlier stop.
    before = {name for name, device in lab.devices.items() if device.state.get("emergency_stop")}
    confirmed: dict[str, int | None] = {}

    def hear(name: str, kind: str, message: dict[str, Any]) -> None:
        if kind == "event" and message.get("event_type") == STOPPED and message.get("confirmed"):
            if message.get("stop_id") != stop_id:
                return
            confirmed[name] = _took(message)
            if on_confirmed:
                on_confirmed(name, confirmed[name])
        elif kind == "state" and name not in before and _stands(message):
            confirmed.setdefault(name, None)

    with lab.listening(hear):
        await lab.engage_stop(reason, by=by, stop_id=stop_id)
        reachable = {name for name in lab if lab[name].reachable}  # after it: nothing stands in its way
        with contextlib.suppress(TimeoutError):
            await lab.wait_until(lambda _: reachable <= confirmed.keys(), within)
    return Engaged(
        stop_id,
        dict(sorted(confirmed.items())),
        sorted(reachable - confirmed.keys()),
        sorted(set(lab) - reachable - confirmed.keys()),
    )


async def release(
    lab: Lab, within: float, reason: str = "", by: str = ""
) -> tuple[bool, dict[str, dict[str, Any]]]:
    """Release the lab's stop; nothing moves by it.

    Args:
        lab: The lab.
        within: Seconds for the devices' words.
        reason: For the record.
        by: Who releases it; the lab's own ``issued_by`` unless told.

    Returns:
        Whether one was engaged, and of each device that was stopped ``readiness``, and ``needs_homing`` and
        ``look_at`` where it tells.

    Raises:
        BrokerError: The broker did not take it.
    """
    stopped = {name for name in lab if lab[name].reachable and lab[name].state.get("emergency_stop")}
    told: dict[str, dict[str, Any]] = {}

    def hear(name: str, kind: str, message: dict[str, Any]) -> None:
        if kind == "event" and message.get("event_type") == RESET and name in lab.devices:
            told[name] = {"readiness": lab[name].state.get("readiness", "unknown")}
            told[name] |= {key: message[key] for key in ("needs_homing", "look_at") if key in message}

    with lab.listening(hear):
        released = await lab.release_stop(reason, by=by)
        if released:
            with contextlib.suppress(TimeoutError):
                await lab.wait_until(lambda _: stopped <= told.keys(), within)
    return released, dict(sorted(told.items()))


def _stands(state: dict[str, Any]) -> bool:
    return bool(state.get("emergency_stop") and state.get("stop_confirmed"))


def _took(message: dict[str, Any]) -> int | None:
    began, ended = message.get("received_at"), message.get("stopped_at")
    if isinstance(began, int | float) and isinstance(ended, int | float):
        took = (ended - began) * 1000
        return round(took) if math.isfinite(took) else None
    return None
