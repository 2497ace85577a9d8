"""Our blueprints, as somebody makes scripts and automations of them in a Home Assistant of the test kit."""

import asyncio
from pathlib import Path
import shutil
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "blueprints"


async def show_to(hass: HomeAssistant, folder: Path) -> None:
    """Put our blueprints where Home Assistant looks for them: into a configuration folder of its own."""
    await asyncio.to_thread(shutil.copytree, FOLDER, folder / "blueprints")
    hass.config.config_dir = str(folder)


async def make_script(hass: HomeAssistant, blueprint: str, **inputs: Any) -> str:  # noqa: ANN401
    """Make a script of a blueprint, called like it; gives its entity id."""
    (entity_id,) = await make_scripts(hass, blueprint, {blueprint: inputs})
    return entity_id


async def make_scripts(hass: HomeAssistant, blueprint: str, scripts: dict[str, dict[str, Any]]) -> list[str]:
    """Make several scripts of one blueprint, each with inputs of its own; gives their entity ids."""
    path = f"lab2mqtt/{blueprint}.yaml"
    told = {
        name: {"alias": name, "use_blueprint": {"path": path, "input": inputs}}
        for name, inputs in scripts.items()
    }
    assert await async_setup_component(hass, "script", {"script": told})
    await hass.async_block_till_done()
    for name in scripts:
        made = hass.states.get(f"script.{name}")
        assert made
        assert made.state == "off", made
    return [f"script.{name}" for name in scripts]


async def make_automation(hass: HomeAssistant, blueprint: str, **inputs: Any) -> str:  # noqa: ANN401
    """Make an automation of a blueprint; gives its entity id."""
    used = {
        "id": blueprint,
        "alias": blueprint,
        "use_blueprint": {"path": f"lab2mqtt/{blueprint}.yaml", "input": inputs},
    }
    assert await async_setup_component(hass, "automation", {"automation": used})
    await hass.async_block_till_done()
    entity_id = f"automation.{blueprint}"
    made = hass.states.get(entity_id)
    assert made
    assert made.state == "on", made
    return entity_id


async def run_script(hass: HomeAssistant, blueprint: str, context: Context | None = None) -> dict[str, Any]:
    """Run a script to its end; gives what it answers."""
    answer = await hass.services.async_call(
        "script", blueprint, {}, blocking=True, return_response=True, context=context
    )
    assert isinstance(answer, dict)
    return answer


async def act(hass: HomeAssistant, action: str, context: Context | None = None, /, **data: Any) -> Any:  # noqa: ANN401
    """Call an action of ours; gives its answer."""
    return await hass.services.async_call(
        "lab2mqtt", action, data, blocking=True, return_response=True, context=context
    )


async def last_run(hass: HomeAssistant) -> dict[str, Any]:
    """The run that began last."""
    runs = (await act(hass, "get_runs"))["runs"]
    found: dict[str, Any] = max(runs, key=lambda run: run["began"])
    return found
