"""The cards: their files are served, and dashboards load them.

They are loaded as a resource of the dashboards, because a dashboard waits for those; what is only added
to the page races with it and loses now and then: "Custom element doesn't exist".
"""

from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from homeassistant.components.http import HomeAssistantView, StaticPathConfig
from homeassistant.components.lovelace.const import LOVELACE_DATA
from homeassistant.components.lovelace.resources import ResourceStorageCollection
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_integration
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

CARDS = Path(__file__).parent / "cards"
SERVED = f"/{DOMAIN}_static"
MODULE = f"{DOMAIN}.js"
UNVERSIONED = f"{SERVED}/{MODULE}"
_ISSUE = "cards_not_loaded"
_ADDRESS: HassKey[str] = HassKey(f"{DOMAIN}_cards")


async def async_register_cards(hass: HomeAssistant) -> None:
    """Serve the cards and let dashboards load them; calling it again changes nothing.

    Where resources are kept in YAML, which is not ours to write, a repair tells the line that is missing.
    """
    if _ADDRESS not in hass.data:
        integration = await async_get_integration(hass, DOMAIN)
        # With a digest: who follows the repository has other files under the same version.
        digest = await hass.async_add_executor_job(_digest)
        versioned = f"{SERVED}/{integration.version}-{digest}"
        hass.data[_ADDRESS] = f"{versioned}/{MODULE}"
        await hass.http.async_register_static_paths(
            [StaticPathConfig(versioned, str(CARDS), cache_headers=True)]
        )
        hass.http.register_view(Unversioned(hass.data[_ADDRESS]))
    if LOVELACE_DATA not in hass.data:
        return
    address = hass.data[_ADDRESS]
    resources = hass.data[LOVELACE_DATA].resources
    await resources.async_get_info()  # loads what is stored; nobody may have asked for it yet
    ours = [item for item in resources.async_items() if item["url"].startswith(f"{SERVED}/")]
    if not isinstance(resources, ResourceStorageCollection):
        _tell(hass, missing=not ours)
        return
    if not ours:
        await resources.async_create_item({"res_type": "module", "url": address})
        return
    for twice in ours[1:]:
        await resources.async_delete_item(twice["id"])
    if ours[0]["url"] != address:
        await resources.async_update_item(ours[0]["id"], {"url": address})


async def async_unregister_cards(hass: HomeAssistant) -> None:
    """Leave nothing behind in the dashboards' resources, once the last lab is removed."""
    ir.async_delete_issue(hass, DOMAIN, _ISSUE)
    if LOVELACE_DATA not in hass.data:
        return
    resources = hass.data[LOVELACE_DATA].resources
    await resources.async_get_info()
    if isinstance(resources, ResourceStorageCollection):
        for item in list(resources.async_items()):
            if item["url"].startswith(f"{SERVED}/"):
                await resources.async_delete_item(item["id"])


class Unversioned(HomeAssistantView):
    """Leads to the cards of this version: the line of who keeps resources in YAML stays as it is."""

    url = UNVERSIONED
    name = f"{DOMAIN}:cards"
    requires_auth = False

    def __init__(self, address: str) -> None:
        """Take where to lead."""
        self._address = address

    async def get(self, _: web.Request) -> web.Response:
        """Say so; that is asked again each time."""
        return web.Response(status=HTTPStatus.FOUND, headers={"Location": self._address})


def _tell(hass: HomeAssistant, *, missing: bool) -> None:
    if not missing:
        ir.async_delete_issue(hass, DOMAIN, _ISSUE)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _ISSUE,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_ISSUE,
        translation_placeholders={"url": UNVERSIONED},
    )


def _digest() -> str:
    files = sha256()
    for file in sorted(CARDS.glob("*.js")):
        files.update(file.name.encode() + b"\0" + file.read_bytes())
    return files.hexdigest()[:8]
