"""Texts in Home Assistant's language, for items and events, which it shows as they are."""

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN


class Words:
    """The texts of ``exceptions`` and ``selector`` in the translations."""

    def __init__(self) -> None:
        """Know none; ``load`` does the rest."""
        self._texts: dict[str, str] = {}

    async def load(self, hass: HomeAssistant) -> None:
        """Read them."""
        for category in ("exceptions", "selector"):
            self._texts |= await async_get_translations(hass, hass.config.language, category, [DOMAIN])

    def sentence(self, key: str, **placeholders: str) -> str:
        """What an exception of this key would say."""
        return self._texts[f"component.{DOMAIN}.exceptions.{key}.message"].format(**placeholders)

    def error(self, error: HomeAssistantError) -> str:
        """What an exception says."""
        if error.translation_domain == DOMAIN and error.translation_key:
            return self.sentence(error.translation_key, **(error.translation_placeholders or {}))
        return str(error)

    def word(self, group: str, value: str) -> str:
        """One of a group of words, such as ``run_status``."""
        return self._texts[f"component.{DOMAIN}.selector.{group}.options.{value}"]


def local_time(at: float) -> str:
    """A moment as people read it; ``at`` in seconds since 1970."""
    return dt_util.as_local(dt_util.utc_from_timestamp(at)).strftime("%Y-%m-%d %H:%M:%S")
