"""What Assist answers: texts of the translations, in the language that is spoken."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .errors import CODES


async def say(hass: HomeAssistant, language: str, key: str, **said: str) -> str:
    """An answer. ``key`` is one of ``spoken`` in the translations, ``said`` fills it."""
    texts = await async_get_translations(hass, language, "selector", [DOMAIN])
    return texts[f"component.{DOMAIN}.selector.spoken.options.{key}"].format(**said)


async def say_error(hass: HomeAssistant, language: str, code: str, **said: str) -> str:
    """How a task has failed. ``said`` has ``device``, ``task`` and ``error``."""
    if code not in CODES:
        return said["error"]
    texts = await async_get_translations(hass, language, "exceptions", [DOMAIN])
    return texts[f"component.{DOMAIN}.exceptions.{code}.message"].format(**said)
