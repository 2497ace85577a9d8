"""ONE table: what a device can have → what Home Assistant's MQTT platforms are told.

Full key names, as Home Assistant 2025.4 and newer document them. Every value is taken out of the one state
object; everything that commands writes a command, with an id and an expiry, to the one command topic.
"""

from collections.abc import Callable, Mapping
import json
from typing import Any, NamedTuple

Fields = dict[str, Any]

EXPIRES_AFTER = 15  # s; a command that a disconnected client delivers later is refused

# Home Assistant has no uuid in its templates: the moment and a random number make the id.
_ID = "ha-{{ (now().timestamp() * 1000) | int }}-{{ range(0, 100000) | random }}"


class Topics(NamedTuple):
    """The topics of one device."""

    state: str
    command: str
    event: str
    picture: Callable[[str], str]  # of the entity with this key


def value(key: str, entity: Mapping[str, Any]) -> str:
    """Where a value stands in the state, as a template expression; None is unknown.

    Before the instrument has answered, the state holds nothing of a part that the hub may know from before.
    That of a device that is not ours is as ``sure`` as its maker.
    """
    name = json.dumps(key)
    sure = entity.get("sure", True) and not entity.get("part")
    return f"value_json[{name}]" if sure else f"value_json.get({name})"


def _if(fits: str, key: str, entity: Mapping[str, Any]) -> str:
    """A value, or None where it is not sure and does not fit: the hub would log that each time.

    Args:
        fits: A template expression behind the value: ``in ["a", "b"]``.
        key: The key of the entity.
        entity: The entity in the description.
    """
    measured = value(key, entity)
    return measured if entity.get("sure", True) else f"{measured} if {measured} {fits} else None"


def command_template(entity: Mapping[str, Any], chosen: str = "value | tojson") -> str:
    """Writes a command, from the value that a person chose.

    Args:
        entity: The entity in the description.
        chosen: What is written for the value, as a template expression.
    """
    parameters = [
        f"{json.dumps(name)}: {json.dumps(fixed)}" for name, fixed in entity.get("parameters", {}).items()
    ]
    if parameter := entity.get("parameter"):
        parameters.append(f"{json.dumps(parameter)}: {{{{ {chosen} }}}}")
    return (
        f'{{"request_id": "{_ID}", "task": {json.dumps(entity["task"])}, '
        f'"parameters": {{{", ".join(parameters)}}}, '
        '"timestamp": {{ now().timestamp() | int }}, '
        f'"expires_at": {{{{ (now().timestamp() | int) + {EXPIRES_AFTER} }}}}, '
        '"issued_by": "home-assistant"}'
    )


def _state(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    if entity.get("stateless"):
        return {}
    shown: Fields = {"state_topic": topics.state, "value_template": f"{{{{ {value(key, entity)} }}}}"}
    return shown | _attributes(entity, topics)


def _attributes(entity: Mapping[str, Any], topics: Topics) -> Fields:
    if not (attributes := entity.get("attributes")):
        return {}
    chosen = ", ".join(f"{json.dumps(name)}: {value(name, entity)}" for name in attributes)
    return {
        "json_attributes_topic": topics.state,
        "json_attributes_template": f"{{{{ {{{chosen}}} | tojson }}}}",
    }


def _command(entity: Mapping[str, Any], topics: Topics, chosen: str = "value | tojson") -> Fields:
    # QoS 0: a publish at QoS 1 would wait in a disconnected client and move hardware minutes later.
    return {"command_topic": topics.command, "command_template": command_template(entity, chosen), "qos": 0}


def _sensor(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    fields = _state(key, entity, topics)
    names = {"unit": "unit_of_measurement", "precision": "suggested_display_precision"}
    fields |= {theirs: entity[ours] for ours, theirs in names.items() if ours in entity}
    if "state_class" in entity:
        fields["state_class"] = entity["state_class"]
    if "options" in entity:
        fields |= {"options": entity["options"], "device_class": "enum"}
        fields["value_template"] = f"{{{{ {_if(_one_of(entity), key, entity)} }}}}"
    measured = value(key, entity)
    if not entity.get("sure", True) and {"unit", "state_class"} & entity.keys():
        fields["value_template"] = f"{{{{ {_if('| is_number', key, entity)} }}}}"
    elif entity.get("device_class") == "timestamp":  # ours are seconds since the epoch
        fields["value_template"] = f"{{{{ None if {measured} is none else {measured} | as_datetime }}}}"
    elif "unit" not in entity and "options" not in entity:
        # A state holds 255 characters; lists become words.
        word = entity.get("none")
        nothing = f"{json.dumps(word)} if not value" if word else "None if value is none"
        fields["value_template"] = (
            f"{{% set value = {measured} %}}{{{{ {nothing} else "
            "((value | join('; ')) if value is iterable and value is not string"
            " else (value | string))[:255] }}"
        )
    return fields


def _binary_sensor(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    return _state(key, entity, topics) | {
        "value_template": _on_off(value(key, entity)),
        "payload_on": "ON",
        "payload_off": "OFF",
    }


def _on_off(measured: str, on: str = "ON", off: str = "OFF") -> str:
    return f"{{{{ None if {measured} is none else ('{on}' if {measured} else '{off}') }}}}"


def _one_of(entity: Mapping[str, Any]) -> str:
    return f"in {json.dumps(entity['options'])}"


def _number(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    fields = _state(key, entity, topics)
    if fields:
        low, high = entity["minimum"], entity["maximum"]
        fits = f"| is_number and {low} <= {value(key, entity)} | float <= {high}"
        fields["value_template"] = f"{{{{ {_if(fits, key, entity)} }}}}"
    return (
        fields
        | _command(entity, topics)
        | {
            "min": entity["minimum"],
            "max": entity["maximum"],
            "step": entity["step"],
            "mode": entity.get("mode", "auto"),
            **({"unit_of_measurement": entity["unit"]} if "unit" in entity else {}),
        }
    )


def _select(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    fields = _state(key, entity, topics)
    if fields:
        fields["value_template"] = f"{{{{ {_if(_one_of(entity), key, entity)} }}}}"
    return fields | _command(entity, topics) | {"options": entity["options"]}


def _switch(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    told = {"payload_on": "ON", "payload_off": "OFF", "state_on": "ON", "state_off": "OFF"}
    command = _command(entity, topics, "(value == 'ON') | tojson")
    fields = _state(key, entity, topics)
    return fields | command | told | ({"value_template": _on_off(value(key, entity))} if fields else {})


def _light(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    # The schema whose commands are templates: with "basic", a command would have no id and no end.
    fields: Fields = {
        "schema": "template",
        "command_topic": topics.command,
        "command_on_template": command_template(entity, "true | tojson"),
        "command_off_template": command_template(entity, "false | tojson"),
        "qos": 0,
    }
    if entity.get("stateless"):
        return fields
    shown = {
        "state_topic": topics.state,
        "state_template": _on_off(value(key, entity), "on", "off"),
    }
    return fields | shown | _attributes(entity, topics)


def _text(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    fields = _state(key, entity, topics)
    if fields:
        shown = value(key, entity)
        # A text has no way to be unknown; empty is the nearest.
        fields["value_template"] = f"{{{{ '' if {shown} is none else {shown} }}}}"
    else:
        # Else the word "unknown" would stand in the field, and a barcode scanner would write behind it.
        fields = {"state_topic": topics.state, "value_template": "{{ '' }}"}
    # The hub raises if an empty text does not fit; the task refuses what is too short.
    pattern = entity.get("pattern", "")
    fields |= {"min": 0, "max": min(entity.get("maximum", 255), 255)}
    return fields | _command(entity, topics) | ({"pattern": f"^$|{pattern}"} if pattern else {})


def _button(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    del key  # a button has no value
    return _command(entity, topics)


def _event(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    del key
    # A type that this entity does not show must not be logged as an error by the hub.
    types = json.dumps(list(entity["event_types"]))
    return {
        "state_topic": topics.event,
        "event_types": entity["event_types"],
        "value_template": f"{{{{ value if value_json.event_type in {types} else '' }}}}",
    }


def _update(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    # The hub refuses a version that is null, with a warning; one that it is not told is unknown to it.
    versions = f"({value(key, entity)} or {{}}).items() | rejectattr(1, 'none')"
    return _state(key, entity, topics) | {
        "title": entity["name"],
        "value_template": f"{{{{ dict({versions}) | tojson }}}}",
    }


def _image(key: str, entity: Mapping[str, Any], topics: Topics) -> Fields:
    shown: Fields = {"image_topic": topics.picture(key), "content_type": "image/jpeg"}
    return shown | _attributes(entity, topics)


PLATFORMS: dict[str, Callable[[str, Mapping[str, Any], Topics], Fields]] = {
    "binary_sensor": _binary_sensor,
    "button": _button,
    "event": _event,
    "image": _image,
    "light": _light,
    "number": _number,
    "select": _select,
    "sensor": _sensor,
    "switch": _switch,
    "text": _text,
    "update": _update,
}


def trigger(event_type: str, topics: Topics) -> Fields:
    """A device trigger: something that happened, as an automation can start from it."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": event_type,
        "subtype": "device",
        "topic": topics.event,
        "value_template": "{{ value_json.event_type }}",
        "payload": event_type,
    }
