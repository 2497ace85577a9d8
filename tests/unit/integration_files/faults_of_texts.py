"""Faults of texts, and of what asks for them."""

from tests.unit.integration_files.fault import EVERYWHERE, fault

DE = "translations/de.json"
PRESSED = '"Presses it."'

FAULTS = [
    # One text.
    fault("html", EVERYWHERE, PRESSED, '"Presses <b>it</b>."', "strings.json: has HTML in it"),
    fault("blanks", EVERYWHERE, PRESSED, '"Presses it. "', "has blanks at an end"),
    fault("empty", EVERYWHERE, PRESSED, '""', "is empty, or has blanks"),
    fault("reference", EVERYWHERE, PRESSED, '"[%key:common::a%]"', "points to another text"),
    fault("address", EVERYWHERE, PRESSED, '"See https://example.org."', "has an address in it"),
    fault(
        "quoted_placeholder", EVERYWHERE, "Add {base}?", "Add '{base}'?", "has a placeholder in single quotes"
    ),
    fault(
        "no_placeholder", EVERYWHERE, PRESSED, '"Presses {it}."', "has a placeholder, and nothing fills it in"
    ),
    fault("bad_placeholder", EVERYWHERE, "Add {base}?", "Add {the base}?", "{the base}, which is no name"),
    fault("open_bracket", EVERYWHERE, "Add {base}?", "Add {base?", "has brackets that do not match"),
    fault("number", EVERYWHERE, PRESSED, "1", "is no text"),
    # The shape.
    fault(
        "section",
        EVERYWHERE,
        '"options": {\n    "step"',
        '"choices": {\n    "step"',
        "extra keys not allowed @ data['choices']",
    ),
    fault("key", EVERYWHERE, '"not_ready"', '"not__ready"', "'not__ready' is no key of a text"),
    fault("key_case", EVERYWHERE, '"not_ready"', '"notReady"', "'notReady' is no key of a text"),
    fault(
        "no_name",
        EVERYWHERE,
        '"name": "Press it",',
        "",
        "required key not provided @ data['services']['press_it']['name']",
    ),
    fault(
        "no_message",
        EVERYWHERE,
        '"message": "MQTT is not ready."',
        '"text": "MQTT"',
        "['exceptions']['not_ready']",
    ),
    fault("issue_title", EVERYWHERE, ', "title": "{name} is gone"', "", "an issue has a title, and either"),
    fault(
        "issue_both",
        EVERYWHERE,
        '}}}, "title": "Stuck"',
        '}}}, "description": "A", "title": "Stuck"',
        "an issue has a title, and either",
    ),
    fault(
        "data_untold",
        EVERYWHERE,
        '"data": {"all": "All"}',
        '"data": {"all": "All", "some": "Some"}',
        "some of the step init is not in data_description",
    ),
    fault("data_told", EVERYWHERE, '"data": {"all": "All"}, ', "", "all of the step init is not in data"),
    fault(
        "state_placeholder", EVERYWHERE, '"Softly"', '"{how}"', "has a placeholder, and nothing fills it in"
    ),
    # Languages.
    fault(
        "not_strings", "strings.json", PRESSED, '"Presses it now."', "en.json: is not equal to strings.json"
    ),
    fault(
        "lacks",
        DE,
        '"nobody": "Nobody is there."',
        '"somebody": "Nobody is there."',
        "de.json: lacks config.abort.nobody",
        "de.json: has config.abort.somebody",
    ),
    fault(
        "placeholders",
        DE,
        "Add {base}?",
        "Add {bass}?",
        "config.step.confirm.description has the placeholders bass, and in strings.json base",
    ),
    fault(
        "placeholder_lost",
        DE,
        "{name} is gone. Switch",
        "It is gone. Switch",
        "has the placeholders (none), and in strings.json name",
    ),
    fault("shape", DE, PRESSED, '"<a>"', "de.json: has HTML in it"),
    fault("one_language", DE, "", None, "there is no second language"),
    # Errors and repairs that the Python files have.
    fault(
        "exception",
        "__init__.py",
        '"not_ready"',
        '"not_there"',
        "lacks exceptions.not_there, which __init__.py:26 asks for",
        "nothing uses exceptions.not_ready",
    ),
    fault(
        "own_exception",
        "errors.py",
        '"no_such"',
        '"none_such"',
        "lacks exceptions.none_such, which errors.py:",
        "nothing uses exceptions.no_such",
    ),
    fault(
        "pattern",
        "errors.py",
        'f"wrong_{how}"',
        'f"right_{how}"',
        "lacks exceptions.right_.+, which errors.py:",
        "nothing uses exceptions.wrong_cold",
        "nothing uses exceptions.wrong_warm",
    ),
    fault(
        "not_filled_in",
        EVERYWHERE,
        "MQTT is not ready.",
        "{broker} is not ready.",
        "exceptions.not_ready has the placeholder broker, which __init__.py:26 does not fill in",
    ),
    fault(
        "not_filled_in_by_own",
        EVERYWHERE,
        "{device} did not answer",
        "{device} did not answer {who}",
        "exceptions.no_answer has the placeholder who, which errors.py:",
    ),
    fault(
        "not_shown",
        EVERYWHERE,
        "There is no {device}; {near} is meant?",
        "There is no {device}.",
        "exceptions.no_such lacks the placeholder near, which errors.py:",
    ),
    fault(
        "issue",
        "__init__.py",
        '_GONE = "gone"',
        '_GONE = "away"',
        "lacks issues.away, which __init__.py:",
        "nothing uses issues.gone",
    ),
    fault(
        "issue_placeholder",
        "__init__.py",
        '{"name": "a"}',
        '{"whose": "a"}',
        "issues.gone has the placeholder name, which",
        "issues.gone lacks the placeholder whose, which",
    ),
    fault(
        "issue_constant",
        "errors.py",
        'CONF_NAME = "name"',
        'CONF_NAME = "title"',
        "issues.stuck has the placeholder name",
        "issues.stuck lacks the placeholder title",
    ),
    fault(
        "fixable",
        "__init__.py",
        "is_fixable=True",
        "is_fixable=False",
        "issues.stuck needs a description, as __init__.py:",
    ),
    fault(
        "not_fixable",
        "__init__.py",
        "is_fixable=False",
        "is_fixable=True",
        "issues.gone needs a fix_flow, as __init__.py:",
    ),
    fault(
        "exception_unused",
        EVERYWHERE,
        '"not_ready": {',
        '"not_rd": {"message": "A"}, "not_ready": {',
        "nothing uses exceptions.not_rd",
    ),
    fault(
        "issue_unused",
        EVERYWHERE,
        '"issues": {',
        '"issues": {"dull": {"title": "A", "description": "A"},',
        "nothing uses issues.dull",
    ),
    # Entities, devices, system health.
    fault(
        "entity",
        "button.py",
        '"press"\n    _attr_entity',
        '"pull"\n    _attr_entity',
        "lacks entity.button.pull, which button.py:",
    ),
    fault(
        "entity_unused",
        EVERYWHERE,
        '"press": {"name"',
        '"pull": {"name": "Pull"}, "press": {"name"',
        "nothing uses entity.button.pull",
    ),
    fault(
        "platform",
        EVERYWHERE,
        '"entity": {',
        '"entity": {"light": {"press": {"name": "Press"}},',
        "has texts of entity.light, and there is no light.py",
    ),
    fault(
        "description",
        "button.py",
        "PARALLEL",
        'A = ButtonEntityDescription(key="a", translation_key="pull")\nPARALLEL',
        "lacks entity.button.pull, which button.py:3",
    ),
    fault(
        "device",
        "button.py",
        'translation_key="sample"',
        'translation_key="simple"',
        "lacks device.simple, which button.py:",
        "nothing uses device.sample",
    ),
    fault(
        "health_untold",
        "system_health.py",
        '"devices": 1',
        '"devices": 1, "bridges": 2',
        "lacks system_health.info.bridges, which",
    ),
    fault("health_unused", "system_health.py", '"devices": 1', "", "nothing uses system_health.info.devices"),
    fault("health_nowhere", "system_health.py", "", None, "has texts of system_health, and there is no"),
    # Flows.
    fault(
        "error",
        "config_flow.py",
        '"bad_base"',
        '"wrong_base"',
        "lacks error.wrong_base, which config_flow.py",
        "nothing uses error.bad_base",
    ),
    fault(
        "errors",
        "config_flow.py",
        'step_id="init"',
        'step_id="init", errors={"all": "none"}',
        "lacks error.none, which config_flow.py",
    ),
    fault(
        "abort",
        "config_flow.py",
        '"nobody"',
        '"no_one"',
        "lacks abort.no_one, which config_flow.py",
        "nothing uses abort.nobody",
    ),
    fault(
        "abort_by_home_assistant",
        EVERYWHERE,
        '"already_in_progress": "It is being set up.",',
        "",
        "lacks abort.already_in_progress",
    ),
    fault(
        "step",
        "config_flow.py",
        'step_id="init"',
        'step_id="options"',
        "lacks step.options, which config_flow.py",
    ),
    fault(
        "no_step", "config_flow.py", "async_step_init", "async_step_start", "config_flow.py has no step init"
    ),
    fault(
        "step_placeholder",
        "config_flow.py",
        '{"base": "a"}',
        '{"bass": "a"}',
        "step.confirm has the placeholder base, which no flow",
    ),
    fault(
        "no_step_placeholder",
        "config_flow.py",
        ', description_placeholders={"base": "a"}',
        "",
        "step.confirm has the placeholder base, which no flow",
    ),
]
