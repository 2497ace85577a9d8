"""Waiting for what an entity shows."""

from homeassistant.core import HomeAssistant
from tests.integration.waiting import until

_WITHIN = 10.0  # s


async def shows(
    hass: HomeAssistant, entity_id: str, state: str, within: float = _WITHIN, **attributes: object
) -> None:
    """Wait until an entity shows a state, and these attributes with it; None also where there is none."""

    def test() -> bool:
        found = hass.states.get(entity_id)
        return (
            found is not None
            and found.state == state
            and {key: found.attributes.get(key) for key in attributes} == attributes
        )

    told = f" with {attributes}" if attributes else ""
    await until(hass, test, f"{entity_id} shows {state}{told}", within, lambda: hass.states.get(entity_id))
