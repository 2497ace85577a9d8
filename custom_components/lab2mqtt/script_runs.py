"""Whether a sequence of actions is still under way: a script's, an automation's, or whoever's."""

from collections.abc import Iterable, Mapping

from homeassistant.core import HomeAssistant
from homeassistant.helpers.script import DATA_SCRIPTS, ScriptData


def is_under_way(hass: HomeAssistant, context_id: str) -> bool:
    """Whether any sequence acts in a context.

    The states of scripts and automations only count their runs, so those of the modes ``parallel`` and
    ``queued`` could not be told apart. A script that an automation calls acts in the automation's context:
    both count.
    """
    known: Mapping[int, ScriptData] | Iterable[ScriptData] = hass.data.get(DATA_SCRIPTS, ())
    # A list before 2026.
    scripts = known.values() if isinstance(known, Mapping) else known
    return any(
        run._context is not None and run._context.id == context_id  # noqa: SLF001 - there is no other way
        for script in scripts
        for run in script["instance"]._runs  # noqa: SLF001
    )
