"""What stands on a prop's ``cmd`` topic: ``fire 750`` or ``{"action": "fire", "args": 750}``."""

from typing import NamedTuple

from lab2mqtt import wire
from lab2mqtt.core.words import show


class Spoken(NamedTuple):
    """An action, and what it is given; None without."""

    action: str
    args: object


class Unreadable(ValueError):
    """The message is no command; the text says what it lacks."""


def read(payload: bytes) -> Spoken:
    """Read a command.

    A JSON object has its ``action``, and its arguments in ``args`` or, as some firmware says it, ``params``.
    Any other text is the action and, behind it, one argument. In an action ``/`` stands for ``_``.

    Raises:
        Unreadable: It is none.
    """
    if len(payload) > wire.MAX_COMMAND:
        raise Unreadable(f"a command of {len(payload)} bytes; at most {wire.MAX_COMMAND} are allowed")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError:
        raise Unreadable("the command is not UTF-8") from None
    if not text:
        raise Unreadable("the command is empty; send an action, such as: ping hello")
    if text.startswith("{"):
        return _read_object(text)
    action, *rest = text.split(maxsplit=1)
    return Spoken(_action(action), rest[0] if rest else None)


def _read_object(text: str) -> Spoken:
    try:
        message = wire.decode(text.encode())
    except wire.WireError as error:
        raise Unreadable(f"the command is {error}") from None
    if not isinstance(message, dict) or "action" not in message:
        raise Unreadable('the command has no "action"; send {"action": "ping", "args": "hello"}')
    args = message.get("args")
    return Spoken(_action(message["action"]), message.get("params") if args is None else args)


def _action(told: object) -> str:
    if not isinstance(told, str) or not told.strip():
        raise Unreadable(f"the action {show(told)} is not a text")
    action = told.strip().replace("/", "_")
    if len(action) > wire.MAX_TASK:
        raise Unreadable(
            f"the action {show(action)} has {len(action)} characters; at most {wire.MAX_TASK} are allowed"
        )
    return action
