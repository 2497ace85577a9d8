"""The AsyncAPI 3 document of the protocol: every topic, every message, and who sends it."""

from typing import Any, NamedTuple

import yaml

from _schemas import schemas
from lab2mqtt import wire

SENT, TAKEN = "send", "receive"  # by a bridge, or a board

_PARAMETERS = {
    "base": f"`{wire.DEFAULT_BASE}` unless the configuration says otherwise.",
    "device": "The device's id.",
    "bridge": "The bridge's id.",
    "key": "The key of an entity of the platform `image`.",
    "part": "A part that is attached to the device.",
    "discovery": f"`{wire.DEFAULT_DISCOVERY}` unless the configuration says otherwise.",
    "file": "Which file of the manifest, from 0.",
    "offset": "From which byte.",
    "prefix": "A base topic of the older dialect, such as `ot2`.",
    "serial": "The serial number of the OT-2.",
}
_DEFAULTS = {"base": wire.DEFAULT_BASE, "discovery": wire.DEFAULT_DISCOVERY, "prefix": "ot2"}


class Channel(NamedTuple):
    """A topic.

    Attributes:
        name: In the document.
        address: The topic, with parameters.
        action: What a bridge or a board does there.
        says: The schemas of its messages.
        what: In a few words.
        retained: Whether the broker keeps it.
        qos: Of what is sent.
        kind: What the payload is.
        reply: The channel on which it is answered.
    """

    name: str
    address: str
    action: str
    says: tuple[str, ...]
    what: str
    retained: bool = False
    qos: int = 1
    kind: str = "application/json"
    reply: str = ""


_EVENTS = (
    "task_succeeded",
    "task_failed",
    "emergency_stopped",
    "emergency_stop_reset",
    "reservation_taken_over",
    "reservation_ended",
    "own_event",
)
_DEVICE, _BRIDGE, _ANNOUNCED = (
    "{base}/{device}",
    "{base}/bridge/{bridge}",
    "{discovery}/device/{base}_{device}",
)
_PIPETTE, _COMPLETE = "command/ot2/{serial}/pipette", "status/ot2/{serial}/complete"

CHANNELS = (
    Channel(
        "description",
        f"{_DEVICE}/description",
        SENT,
        ("description",),
        "What the device is and can do.",
        retained=True,
    ),
    Channel(
        "status", f"{_DEVICE}/status", SENT, ("device_status",), "Whether it can be reached.", retained=True
    ),
    Channel("state", f"{_DEVICE}/state", SENT, ("state",), "What was measured.", retained=True),
    Channel(
        "picture",
        f"{_DEVICE}/picture/{{key}}",
        SENT,
        (),
        "The last picture, its bytes alone.",
        retained=True,
        kind="image/jpeg",
    ),
    Channel("command", f"{_DEVICE}/command", TAKEN, ("command",), "Do this. Never retained.", reply="result"),
    Channel("progress", f"{_DEVICE}/progress", SENT, ("progress",), "How far a command is.", qos=0),
    Channel("result", f"{_DEVICE}/result", SENT, ("success", "failure"), "The one outcome of a command."),
    Channel("event", f"{_DEVICE}/event", SENT, _EVENTS, "Something happened."),
    Channel(
        "bridge_status",
        f"{_BRIDGE}/status",
        SENT,
        ("bridge_status",),
        "Whether the bridge lives.",
        retained=True,
    ),
    Channel("health", f"{_BRIDGE}/health", SENT, ("health",), "Its heartbeat.", retained=True, qos=0),
    Channel("claim", f"{_BRIDGE}/claim", SENT, ("claim",), "Does anybody else run this bridge?"),
    Channel(
        "marker",
        f"{_BRIDGE}/marker",
        SENT,
        (),
        "A client's own word: when it comes back, all that is retained has come.",
        kind="text/plain",
    ),
    Channel(
        "emergency_stop",
        "{base}/emergency_stop",
        TAKEN,
        ("stop", "release"),
        "Stop the lab, or release that stop. A bridge says it again to a broker that has lost it.",
        retained=True,
    ),
    Channel(
        "announcement",
        f"{_ANNOUNCED}/config",
        SENT,
        ("announcement",),
        "To Home Assistant: the device.",
        retained=True,
    ),
    Channel(
        "part_announcement",
        f"{_ANNOUNCED}/{{part}}/config",
        SENT,
        ("announcement",),
        "To Home Assistant: a part of the device.",
        retained=True,
    ),
    Channel(
        "hub_status",
        "{discovery}/status",
        TAKEN,
        (),
        "Home Assistant's own `online`, upon which bridges announce again.",
        qos=0,
        kind="text/plain",
    ),
    Channel(
        "manifest",
        f"{_DEVICE}/update/manifest",
        SENT,
        ("manifest",),
        "The application that a bridge offers to a board.",
        retained=True,
    ),
    Channel("want", f"{_DEVICE}/update/want", TAKEN, ("want",), "A board asks for a piece.", reply="piece"),
    Channel(
        "piece",
        f"{_DEVICE}/update/piece/{{file}}/{{offset}}",
        SENT,
        (),
        "The bytes of that piece, alone.",
        kind="application/octet-stream",
    ),
    Channel(
        "older_command",
        "{prefix}/{device}/command",
        SENT,
        ("command",),
        "To a device of the older dialect.",
        qos=0,
    ),
    Channel("older_result", "{prefix}/{device}/result", TAKEN, ("any_result",), "From such a device."),
    Channel("older_status", "{prefix}/{device}/status", TAKEN, ("any_status",), "From such a device."),
    Channel(
        "pipette", _PIPETTE, TAKEN, ("mix_or_return",), "The colour cell's older dialect.", reply="complete"
    ),
    Channel("complete", _COMPLETE, SENT, ("sensor_status",), "Its answer."),
)


class _Plain(yaml.SafeDumper):
    """Writes out what stands in two places."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - as it is declared there
        return True


def document() -> str:
    """The document, as YAML."""
    told = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "lab2mqtt",
            "version": f"{wire.PROTOCOL}.0.0",
            "description": "Lab devices over MQTT 3.1.1, as docs/protocol.md tells in words. "
            "`send` and `receive` are those of a bridge or a board; a client does the other. "
            f"Readers are stricter than JSON Schema can say: at most {wire.MAX_COMMAND} bytes a command and "
            f"{wire.MAX_MESSAGE} any other message, {wire.MAX_DEPTH} levels, no key twice, no NaN, "
            f"integers of at most {wire.LONGEST_INTEGER} digits.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "lab": {"host": "localhost:1883", "protocol": "mqtt", "protocolVersion": "3.1.1"},
            "lab_with_tls": {"host": "localhost:8883", "protocol": "secure-mqtt", "protocolVersion": "3.1.1"},
        },
        "channels": {one.name: _channel(one) for one in CHANNELS},
        "operations": {f"{one.action}_{one.name}": _operation(one) for one in CHANNELS},
        "components": {
            "messages": {name: one for channel in CHANNELS for name, one in _messages(channel).items()},
            "schemas": schemas(),
        },
    }
    lines = yaml.dump(told, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return "# `script/docs` makes this file from the code.\n" + lines


def _channel(channel: Channel) -> dict[str, Any]:
    names = [level[1:-1] for level in _levels(channel.address) if level.startswith("{")]
    parameters = {
        name: {
            "description": _PARAMETERS[name],
            **({"default": _DEFAULTS[name]} if name in _DEFAULTS else {}),
        }
        for name in names
    }
    return {
        "address": channel.address,
        "description": channel.what,
        **({"parameters": parameters} if parameters else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(channel)},
    }


def _levels(address: str) -> list[str]:
    return address.replace("_{", "/{").split("/")


def _operation(channel: Channel) -> dict[str, Any]:
    told: dict[str, Any] = {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.what,
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }
    if channel.reply:
        told["reply"] = {"channel": {"$ref": f"#/channels/{channel.reply}"}}
    return told


def _messages(channel: Channel) -> dict[str, dict[str, Any]]:
    if not channel.says:
        payload = {"type": "string"}
        return {channel.name: {"name": channel.name, "contentType": channel.kind, "payload": payload}}
    answered = {"command", "progress", "success", "failure", "any_result"}
    found: dict[str, dict[str, Any]] = {}
    for name in channel.says:
        found[name] = {"name": name, "payload": {"$ref": f"#/components/schemas/{name}"}}
        if name in answered:
            found[name]["correlationId"] = {"location": "$message.payload#/request_id"}
    return found
