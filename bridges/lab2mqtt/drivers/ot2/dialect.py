"""The colour cell's first dialect: one message mixes and places the sensor, another puts it back.

Its senders wait on one topic for a sensor status, ``in_place`` or ``charging``. They match it by
``experiment_id`` and ``session_id``, which are all that tells one message from another.
"""

from collections.abc import Mapping
import json

from lab2mqtt import wire
from lab2mqtt.core.dialect import Order, Topics, Unreadable
from lab2mqtt.core.words import show
from lab2mqtt.drivers.ot2.settings import Ot2Settings

LONGEST = 4096  # bytes; its messages have 150
LONGEST_ID = 128  # characters

_MIX = {"R", "Y", "B", "well"}
_RETURN = {"sensor_status"}
_KNOWN = "R, Y, B and well, or sensor_status"


class PipetteDialect:
    """``command/ot2/<serial>/pipette``, answered on ``status/ot2/<serial>/complete``."""

    def __init__(self, settings: Ot2Settings) -> None:
        self._settings = settings

    def topics(self, told: Mapping[str, object]) -> Topics | None:
        """Where it is spoken: by the serial number of the settings, else by the robot's own."""
        serial = self._settings.serial or told.get("serial")
        if not self._settings.older_dialect or not wire.is_base(serial) or "/" in str(serial):
            return None
        return Topics(f"command/ot2/{serial}/pipette", f"status/ot2/{serial}/complete")

    def read(self, payload: bytes) -> Order:
        """Read a message.

        Raises:
            Unreadable: It is none of this dialect.
        """
        try:
            message = wire.decode(payload, LONGEST)
        except wire.WireError as error:
            raise Unreadable(error.message) from error
        if not isinstance(message, dict):
            raise Unreadable("a message is a JSON object with command, experiment_id and session_id")
        experiment = _id(message, "experiment_id")
        if experiment is None:
            raise Unreadable("experiment_id is missing; without one, a message that comes twice acts twice")
        ids = {"experiment_id": experiment}
        try:
            session = _id(message, "session_id")
        except Unreadable as error:
            raise Unreadable(str(error), _failed(ids)) from error
        if session is not None:
            ids["session_id"] = session
        try:
            return _order(message.get("command"), ids)
        except Unreadable as error:
            raise Unreadable(str(error), _failed(ids)) from error


def _order(command: object, ids: Mapping[str, str]) -> Order:
    if not isinstance(command, dict):
        raise Unreadable(f"command {show(command)} is not an object with {_KNOWN}")
    if command.keys() == _MIX:
        done, steps = "in_place", [("mix_and_measure", {**command, **ids})]
    elif command.keys() == _RETURN:
        why = command["sensor_status"]
        if not isinstance(why, str):
            raise Unreadable(f"sensor_status {show(why)} is not a text, such as sensor_timeout")
        done, steps = "charging", [("move_sensor_back", {})]
        if why == "sensor_timeout":
            steps.append(("home", {}))
    else:
        raise Unreadable(f"command has {_KNOWN}; here it has {', '.join(command) or 'nothing'}")
    plain = {key: float(value) if _is_number(value) else value for key, value in command.items()}
    key = json.dumps([ids, plain], sort_keys=True)
    return Order(steps, key, {"status": {"sensor_status": done}, **_told(ids)}, _failed(ids))


def _failed(ids: Mapping[str, str]) -> dict[str, object]:
    """The keys that a sender looks for; it waits for another status than this."""
    return {"status": {"sensor_status": "error"}, **_told(ids)}


def _told(ids: Mapping[str, str]) -> dict[str, object]:
    return {"experiment_id": ids["experiment_id"], "session_id": ids.get("session_id")}


def _id(message: Mapping[str, object], key: str) -> str | None:
    value = message.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID:
        raise Unreadable(f"{key} {show(value)} is not a text of 1 to {LONGEST_ID} characters")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
