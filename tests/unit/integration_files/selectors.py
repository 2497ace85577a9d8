"""What a field may be picked with: the selectors of Home Assistant 2025.4, and those that came later."""

from collections.abc import Iterator
from typing import Any

from tests.unit.integration_files.texts import placeholders

# By name, the options of each in 2025.4, the oldest that we support. None: any.
OLDEST: dict[str, frozenset[str] | None] = {
    name: frozenset(options.split())
    for name, options in {
        "action": "",
        "addon": "name slug",
        "area": "device entity multiple",
        "assist_pipeline": "",
        "attribute": "entity_id hide_attributes",
        "boolean": "",
        "color_rgb": "",
        "color_temp": "max max_mireds min min_mireds unit",
        "condition": "",
        "config_entry": "integration",
        "constant": "label translation_key value",
        "conversation_agent": "language",
        "country": "countries no_sort",
        "date": "",
        "datetime": "",
        "device": "entity filter integration manufacturer model model_id multiple",
        "duration": "allow_negative enable_day enable_millisecond",
        "entity": "device_class domain exclude_entities filter include_entities integration multiple"
        " supported_features",
        "file": "accept",
        "floor": "device entity multiple",
        "icon": "placeholder",
        "label": "multiple",
        "language": "languages native_name no_sort",
        "location": "icon radius",
        "media": "",
        "number": "max min mode step unit_of_measurement",
        "object": "",
        "select": "custom_value mode multiple options sort translation_key",
        "state": "entity_id",
        "target": "device entity",
        "template": "",
        "text": "autocomplete multiline multiple prefix suffix type",
        "theme": "include_default",
        "time": "",
        "trigger": "",
    }.items()
}
# In 2026.11, for triggers and conditions, which 2025.4 does not read.
_LATER = (
    "app automation_behavior choose device_class numeric_threshold serial_port state_class statistic"
    " unit_of_measurement"
)
NEWEST: dict[str, frozenset[str] | None] = dict.fromkeys([*OLDEST, *_LATER.split()])


def selector_problems(
    where: str, selector: object, known: dict[str, frozenset[str] | None], texts: dict[str, Any]
) -> Iterator[str]:
    """Of one selector.

    Args:
        where: Names it, in what is told.
        selector: As the YAML has it.
        known: ``OLDEST`` or ``NEWEST``.
        texts: The section "selector" of the translations.
    """
    if not isinstance(selector, dict) or len(selector) != 1:
        yield f"{where}: a selector is one name with its options"
        return
    [(name, options)] = selector.items()
    options = options or {}
    if name not in known:
        yield f"{where}: no selector {name} is known to the oldest Home Assistant that reads this"
        return
    allowed = known[name]
    for option in sorted(set(options) - allowed) if allowed is not None else ():
        yield f"{where}: the selector {name} has no option {option} in the oldest Home Assistant"
    if name == "number" and options.get("mode", "slider") == "slider" and not {"min", "max"} <= set(options):
        yield f"{where}: a number has min and max, or the mode box"
    if name == "select":
        yield from _select_problems(where, options, texts)


def _select_problems(where: str, options: dict[str, Any], texts: dict[str, Any]) -> Iterator[str]:
    choices = options.get("options", [])
    key = options.get("translation_key")
    if key is None:
        if any(isinstance(choice, str) for choice in choices):
            yield f"{where}: the options of a select need a translation_key"
        return
    names = {choice["value"] if isinstance(choice, dict) else choice for choice in choices}
    told = texts.get(key, {}).get("options", {})
    for name in sorted(names):
        if name not in told:
            yield f"{where}: the translations have no selector.{key}.options.{name}"
        elif placeholders(told[name]):
            yield f"{where}: selector.{key}.options.{name} has a placeholder, and nothing fills it in"
