"""The files of a small integration in which nothing is wrong."""

MANIFEST = """{
  "domain": "sample",
  "name": "Sample",
  "after_dependencies": ["lovelace"],
  "codeowners": ["@somebody"],
  "config_flow": true,
  "dependencies": ["http", "mqtt"],
  "documentation": "https://github.com/somebody/sample",
  "integration_type": "hub",
  "iot_class": "local_push",
  "issue_tracker": "https://github.com/somebody/sample/issues",
  "mqtt": ["sample/bridge/+/status"],
  "quality_scale": "platinum",
  "requirements": [],
  "version": "1.2.3"
}
"""
TEXTS = """{
  "title": "Sample",
  "config": {
    "abort": {
      "already_configured": "It is set up already.",
      "already_in_progress": "It is being set up.",
      "nobody": "Nobody is there."
    },
    "error": {"bad_base": "This is no base topic."},
    "flow_title": "{name}",
    "step": {
      "confirm": {"description": "Add {base}?", "title": "Found"},
      "reconfigure": {
        "data": {"base": "Base topic"}, "data_description": {"base": "As in the bridges."}, "title": "Change"
      },
      "user": {
        "data": {"base": "Base topic"}, "data_description": {"base": "As in the bridges."}, "title": "Add"
      }
    }
  },
  "options": {
    "step": {"init": {"data": {"all": "All"}, "data_description": {"all": "Or some."}, "title": "Options"}}
  },
  "conditions": {
    "is_pressed": {"description": "Whether it was.", "name": "Pressed"}
  },
  "device": {"sample": {"name": "Sample {number}"}},
  "entity": {
    "button": {
      "drag": {"name": "Drag"},
      "push": {"name": "Push"},
      "press": {"name": "Press", "state_attributes": {"how": {"name": "How", "state": {"soft": "Softly"}}}}
    }
  },
  "exceptions": {
    "no_answer": {"message": "{device} did not answer."},
    "no_such": {"message": "There is no {device}; {near} is meant?"},
    "not_ready": {"message": "MQTT is not ready."},
    "wrong_cold": {"message": "It is too cold."},
    "wrong_warm": {"message": "It is too warm."}
  },
  "issues": {
    "faint": {"description": "A", "title": "A"},
    "faulty": {"description": "B", "title": "B"},
    "gone": {"description": "{name} is gone. Switch it on.", "title": "{name} is gone"},
    "stuck": {
      "fix_flow": {
        "abort": {"loose": "It is loose."},
        "step": {"confirm": {"description": "Press {name}.", "title": "Stuck"}}
      },
      "title": "Stuck"
    }
  },
  "selector": {
    "spoken": {"options": {"hello": "Hello {name}."}}, "how": {"options": {"hard": "Hard", "soft": "Soft"}}},
  "services": {
    "press_it": {
      "description": "Presses it.",
      "fields": {
        "how": {"description": "How hard.", "name": "How"},
        "seconds": {"description": "How long.", "name": "Seconds"}
      },
      "name": "Press it",
      "sections": {"more": {"name": "More"}}
    }
  },
  "system_health": {"info": {"devices": "Devices"}},
  "triggers": {
    "pressed": {
      "description": "When it is pressed.",
      "fields": {"how": {"description": "How hard.", "name": "How"}},
      "name": "Pressed"
    }
  }
}
"""
ICONS = """{
  "conditions": {"is_pressed": {"condition": "mdi:flask"}},
  "entity": {"button": {"press": {"default": "mdi:gesture-tap", "state": {"on": "mdi:flask"}}}},
  "services": {"press_it": {"sections": {"more": "mdi:dots-horizontal"}, "service": "mdi:gesture-tap"}},
  "triggers": {"pressed": {"trigger": "mdi:gesture-tap"}}
}
"""
SERVICES = """press_it:
  fields:
    how:
      required: true
      selector:
        select:
          options: [hard, soft]
          translation_key: how
    more:
      collapsed: true
      fields:
        seconds:
          selector:
            number:
              min: 0
              max: 10
"""
TRIGGERS = """.common: &common
  required: true
  default: any
pressed:
  target:
    entity:
      domain: button
  fields:
    how:
      <<: *common
      selector:
        automation_behavior:
          mode: trigger
"""
INIT = '''"""A sample."""

from typing import TYPE_CHECKING

from homeassistant.components import mqtt
from homeassistant.components.http import StaticPathConfig

if TYPE_CHECKING:
    from homeassistant.components.recorder import Recorder

type SampleConfigEntry = ConfigEntry[Sample]
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
_GONE = "gone"


@dataclass
class Wrong:
    who: str
    key: str


def tell(hass, wrong: Wrong):
    told = {"who": wrong.who}
    ir.async_create_issue(
        hass, DOMAIN, "c", is_fixable=bool(told), translation_key=wrong.key, translation_placeholders=told
    )


def wrong(one):
    key = "faint" if one else "faulty"
    return Wrong("a", key)


def _first[T](found: list[T]) -> T:
    return found[0]


async def async_setup(hass, config):
    hass.services.async_register(DOMAIN, "press_it", _press)


async def async_setup_entry(hass, entry):
    if not await mqtt.async_wait_for_mqtt_client(hass):
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="not_ready")
    entry.runtime_data = Sample()
    ir.async_create_issue(
        hass, DOMAIN, "a", is_fixable=False, translation_key=_GONE, translation_placeholders={"name": "a"}
    )
    ir.async_create_issue(
        hass, DOMAIN, "b", is_fixable=True, translation_key="stuck", translation_placeholders={CONF_NAME: "b"}
    )


async def async_unload_entry(hass, entry): ...


async def async_remove_config_entry_device(hass, entry, device): ...
'''
ERRORS = '''"""Errors."""

CONF_NAME = "name"


class Refused(ServiceValidationError):
    def __init__(self, key: str, **placeholders: str) -> None:
        super().__init__(
            translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
        )


class Failed(HomeAssistantError):
    def __init__(self, code: str, device: str) -> None:
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=code,
            translation_placeholders={"device": device, "task": "any"},
        )


def say(texts: dict[str, str], key: str, **said: str) -> str:
    return texts[f"component.{DOMAIN}.selector.spoken.options.{key}"].format(**said)


HELLO = say({}, "hello", name="A")


def refuse(name: str, how: str) -> None:
    if how:
        raise Refused(f"wrong_{how}")
    raise Failed("no_answer", name) from Refused("no_such", device=name, near="none")
'''
BUTTON = '''"""A button."""

PARALLEL_UPDATES = 0


class Shown(Entity):
    def __init__(self, lab, key):
        self._attr_translation_key = key


class Drag(Shown, ButtonEntity):
    pass


class Push(Shown):
    def __init__(self, lab):
        super().__init__(lab, "push")


DRAGS = [Drag(None, "drag")]


class Press(ButtonEntity):
    _attr_has_entity_name = True
    _attr_translation_key = "press"
    _attr_entity_category = EntityCategory.CONFIG
    _attr_entity_registry_enabled_default = False

    def __init__(self):
        self._attr_unique_id = "press"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, "1")}, translation_key="sample", translation_placeholders={"number": "1"}
        )
'''
FLOW = '''"""Set-up."""


class Flow(ConfigFlow, domain=DOMAIN):
    async def async_step_user(self, user_input=None):
        errors = {}
        if user_input is not None:
            await self.async_set_unique_id(user_input["base"])
            self._abort_if_unique_id_configured()
            errors["base"] = "bad_base"
        return self.async_show_form(step_id="user", errors=errors)

    async def async_step_mqtt(self, discovery_info):
        if not discovery_info.payload:
            return self.async_abort(reason="nobody")
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input=None):
        return self.async_show_form(step_id="confirm", description_placeholders={"base": "a"})

    async def async_step_reconfigure(self, user_input=None):
        return self.async_show_form(step_id="reconfigure")


class Options(OptionsFlow):
    async def async_step_init(self, user_input=None):
        return self.async_show_form(step_id="init")
'''
REPAIRS = '''"""Repairs."""


class Loosen(RepairsFlow):
    async def async_step_init(self, user_input=None):
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input=None):
        if user_input is not None:
            return self.async_abort(reason="loose")
        return self.async_show_form(step_id="confirm", description_placeholders=self._told)
'''
BLUEPRINT = """blueprint:
  name: Press it
  description: Presses it when somebody comes.
  domain: automation
  source_url: https://github.com/somebody/sample/blob/main/blueprints/automation/sample/press.yaml
  homeassistant:
    min_version: "2025.4.0"
  input:
    who:
      name: Who
      selector:
        entity:
    more:
      name: More
      collapsed: true
      input:
        seconds:
          name: How long
          default: 3
          selector:
            number: {min: 0, max: 10}
triggers:
  - trigger: state
    entity_id: !input who
actions:
  - delay: !input seconds
"""
DOCS = """# Home Assistant

## Use cases
## Supported devices
## Installation, set-up and removal
## Options
## Entities, and when they are updated
## Actions
## Triggers and conditions
## Examples
## Known limitations
## Troubleshooting
"""
WIRE = b'"""The protocol."""\n'
