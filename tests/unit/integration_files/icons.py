"""Icons: the shape of icons.json, and that what has one is there."""

from collections.abc import Iterator
from typing import Any

from tests.unit.integration_files.described import ICON_KEYS
from tests.unit.integration_files.integration import Integration, misfits
from tests.unit.integration_files.texts import KEY
import voluptuous as vol

_ICON = vol.Match(r"^mdi:[a-z0-9]+(-[a-z0-9]+)*$", msg="is no icon such as mdi:flask")
_KEY = vol.Match(rf"^{KEY.pattern}$")


def _other_than_default(value: dict[str, Any]) -> dict[str, Any]:
    for state, icon in value.get("state", {}).items():
        if icon == value.get("default"):
            raise vol.Invalid(f"the icon of the state {state} is the default one, and can go")
    return value


_SHOWN = {
    vol.Optional("default"): _ICON,
    vol.Optional("state"): {_KEY: _ICON},
    vol.Optional("range"): {str: _ICON},
}
_ENTITY = vol.All(
    {**_SHOWN, vol.Optional("state_attributes"): {_KEY: vol.All(_SHOWN, _other_than_default)}},
    _other_than_default,
)
SCHEMA = vol.Schema(
    {
        vol.Optional("entity"): {_KEY: {_KEY: _ENTITY}},
        vol.Optional("services"): {
            _KEY: {vol.Required("service"): _ICON, vol.Optional("sections"): {_KEY: _ICON}}
        },
        vol.Optional("triggers"): {_KEY: {vol.Required("trigger"): _ICON}},
        vol.Optional("conditions"): {_KEY: {vol.Required("condition"): _ICON}},
    }
)


def icon_problems(integration: Integration) -> Iterator[str]:
    """Of icons.json."""
    icons = integration.icons
    wrong = list(misfits("icons.json", SCHEMA, icons))
    yield from wrong
    if wrong:
        return
    for kind in ICON_KEYS:
        if kind not in integration.described and icons.get(kind):
            yield f"icons.json: has icons of {kind}, and there is no {kind}.yaml"
    texts = integration.strings.get("entity", {})
    for platform, entities in icons.get("entity", {}).items():
        for key, shown in entities.items():
            entity = texts.get(platform, {}).get(key)
            if entity is None:
                yield f"icons.json: the translations have no entity.{platform}.{key}"
                continue
            if "state" in entity:
                for state in sorted(set(shown.get("state", {})) - set(entity["state"])):
                    yield f"icons.json: entity.{platform}.{key} has no state {state}"
            for attribute in sorted(
                set(shown.get("state_attributes", {})) - set(entity.get("state_attributes", {}))
            ):
                yield f"icons.json: entity.{platform}.{key} has no attribute {attribute}"
