"""Faults of the files themselves, the manifest, the Python files and the repository around them."""

from tests.unit.integration_files.fault import fault
from tests.unit.integration_files.made import png

INIT, MANIFEST, RULES = "__init__.py", "manifest.json", "quality_scale.yaml"
PRESS = "/blueprints/automation/sample/press.yaml"
AFTER = '"after_dependencies": ["lovelace"]'

FAULTS = [
    # What cannot be read is told alone.
    fault("json", "icons.json", "", "{", "icons.json: Expecting"),
    fault("key_twice_in_json", MANIFEST, '"name"', '"domain": "a", "name"', "the key domain stands twice"),
    fault("list", "icons.json", "", "[]", "icons.json: is no mapping"),
    fault("yaml", "services.yaml", "", "press_it: [", "services.yaml: while parsing"),
    fault("key_twice_in_yaml", RULES, "  brands: ", "  brands: a\n  brands: ", "the key brands stands twice"),
    fault("python", "errors.py", "Failed(HomeAssistantError)", "Failed(", "errors.py: "),
    fault(
        "no_manifest", MANIFEST, "", None, "manifest.json: there is none", "a repository has one integration"
    ),
    fault("no_strings", "strings.json", "", None, "strings.json: there is none"),
    fault("no_icons", "icons.json", "", None, "icons.json: there is none"),
    # The manifest.
    fault(
        "order",
        MANIFEST,
        '"name": "Sample",\n  ' + AFTER,
        AFTER + ',\n  "name": "Sample"',
        "the order of the keys",
    ),
    fault(
        "no_version",
        MANIFEST,
        ',\n  "version": "1.2.3"',
        "",
        "required key not provided @ data['version']",
        "the version is not 1.2.3",
    ),
    fault("version", MANIFEST, "1.2.3", "one", "is no version such as 1.2.3", "the version is not 1.2.3"),
    fault("other_version", MANIFEST, "1.2.3", "1.2.4", "the version is not 1.2.3, as of the bridges"),
    fault(
        "domain",
        MANIFEST,
        '"domain": "sample"',
        '"domain": "other"',
        "the domain is other, and the folder sample",
    ),
    fault("iot_class", MANIFEST, "local_push", "local_pull", "@ data['iot_class']"),
    fault(
        "no_iot_class",
        MANIFEST,
        '\n  "iot_class": "local_push",',
        "",
        "required key not provided @ data['iot_class']",
    ),
    fault("integration_type", MANIFEST, '"hub"', '"lab"', "@ data['integration_type']"),
    fault(
        "unknown_key",
        MANIFEST,
        '"requirements"',
        '"renovations": [], "requirements"',
        "extra keys not allowed",
    ),
    fault(
        "documentation",
        MANIFEST,
        '"https://github.com/somebody/sample"',
        '"http://example.org"',
        "is no https address",
    ),
    fault(
        "core_documentation",
        MANIFEST,
        '"https://github.com/somebody/sample"',
        '"https://www.home-assistant.io/a"',
        "Home Assistant's own",
    ),
    fault(
        "issue_tracker",
        MANIFEST,
        "https://github.com/somebody/sample/issues",
        "issues",
        "is no https address",
    ),
    fault("code_owner", MANIFEST, "@somebody", "somebody", "a GitHub name behind an @"),
    fault("no_code_owner", MANIFEST, '"@somebody"', "", "@ data['codeowners']"),
    fault("quality_scale", MANIFEST, '"platinum"', '"wood"', "@ data['quality_scale']"),
    fault(
        "requirement",
        MANIFEST,
        '"requirements": []',
        '"requirements": ["paho-mqtt==2.1.0"]',
        "@ data['requirements']",
    ),
    fault("dependency", MANIFEST, '"lovelace"', '"lovelaces"', "is no component that is known here"),
    fault(
        "dependency_twice",
        MANIFEST,
        '"lovelace"',
        '"http", "lovelace"',
        "http is both in dependencies and in",
    ),
    fault("wide_topic", MANIFEST, "sample/bridge/+/status", "#", "listen to what is not ours"),
    fault("topic", MANIFEST, "sample/bridge/+/status", "sample/#/status", "is no topic filter"),
    fault(
        "no_mqtt",
        MANIFEST,
        '"http", "mqtt"',
        '"http"',
        "no mqtt in its dependencies",
        "__init__.py: imports the component mqtt",
    ),
    # The Python files.
    fault(
        "import_from",
        "button.py",
        "PARALLEL",
        "from homeassistant.components import history\nPARALLEL",
        "button.py: imports the component history",
    ),
    fault(
        "import",
        "button.py",
        "PARALLEL",
        "import homeassistant.components.history.const\nPARALLEL",
        "button.py: imports the component history",
    ),
    fault(
        "import_of_platform",
        "button.py",
        "PARALLEL",
        "from homeassistant.components.diagnostics import a\nPARALLEL",
        "button.py: imports the component diagnostics",
    ),
    fault(
        "import_for_types",
        INIT,
        "if TYPE_CHECKING:",
        "if ANYTHING:",
        "__init__.py: imports the component recorder",
    ),
    fault("no_flow", MANIFEST, '"config_flow": true', '"config_flow": false', "config_flow is not true"),
    fault("unique_id", "config_flow.py", "self.async_set_unique_id", "self.set_id", "sets no unique id"),
    fault("no_topics", MANIFEST, '\n  "mqtt": ["sample/bridge/+/status"],', "", "and there are no topics"),
    fault(
        "no_mqtt_step",
        "config_flow.py",
        "async_step_mqtt",
        "async_step_other",
        "there is no async_step_mqtt",
        "discovery is done, and",
    ),
    fault("config_schema", INIT, "CONFIG_SCHEMA = ", "SCHEMA = ", "has async_setup and no CONFIG_SCHEMA"),
    # The quality scale.
    fault("rule_missing", RULES, "  brands: done\n", "", "lacks the rule brands"),
    fault(
        "rule_unknown", RULES, "  brands: done\n", "  brands: done\n  bands: done\n", "there is no rule bands"
    ),
    fault("rule_todo", RULES, "brands: done", "brands: todo", "brands is neither done nor exempt"),
    fault(
        "rule_exempt",
        RULES,
        "stale-devices: done",
        "stale-devices: exempt",
        "stale-devices is exempt without a comment",
    ),
    fault(
        "rule_exempt_empty",
        RULES,
        "There are no credentials.",
        "''",
        "reauthentication-flow is exempt without",
    ),
    fault(
        "rule_more",
        RULES,
        "comment: ",
        "why: a, comment: ",
        "reauthentication-flow is neither done nor exempt",
    ),
    fault("rule_not_seen", "diagnostics.py", "", "", "diagnostics is done, and diagnostics.py has no"),
    fault(
        "rule_seen",
        RULES,
        "repair-issues: done",
        "repair-issues: {status: exempt, comment: Nothing.}",
        "repair-issues is exempt, and",
    ),
    fault("parallel_updates", "button.py", "PARALLEL_UPDATES = 0", "", "button.py has no PARALLEL_UPDATES"),
    fault(
        "docs",
        "/docs/home-assistant.md",
        "## Options\n",
        "",
        "docs-configuration-parameters is done, and no heading",
    ),
    fault("rules", RULES, "rules:", "ruled:", "has rules, and nothing else"),
    # The repository.
    fault(
        "hacs_key", "/hacs.json", '"render_readme"', '"render_read_me"', "hacs.json: extra keys not allowed"
    ),
    fault("hacs_version", "/hacs.json", "2025.4.0", "2025.4", "is no version such as 2025.4.0"),
    fault("hacs_name", "/hacs.json", '"name": "Sample", ', "", "required key not provided @ data['name']"),
    fault("hacs_zip", "/hacs.json", '"render_readme"', '"zip_release"', "zip_release needs a filename"),
    fault("no_hacs", "/hacs.json", "", None, "hacs.json: "),
    fault("readme", "/README.md", "", "Read me.", "README.md: there is none, or"),
    fault("license", "/LICENSE", "", None, "LICENSE: there is none, or"),
    fault(
        "second_manifest",
        "/bridges/app/manifest.json",
        "",
        "{}",
        "bridges/app/manifest.json: only the integration",
    ),
    fault(
        "second_integration",
        "/custom_components/other/manifest.json",
        "",
        "{}",
        "and not other, sample",
        "brand/icon.png: there is none",
    ),
    fault(
        "icon_size",
        "brand/icon.png",
        "",
        png(512, 512),
        "brand/icon.png: is 512 by 512, and both should be 256",
    ),
    fault(
        "icon_oblong", "brand/dark_icon@2x.png", "", png(512, 500), "is 512 by 500, and both should be 512"
    ),
    fault("icon_kind", "brand/icon@2x.png", "", "JFIF", "brand/icon@2x.png: is no PNG"),
    fault("icon_broken", "brand/icon@2x.png", "", png(512, 512)[:60], "brand/icon@2x.png: is no PNG"),
    fault("no_icon", "brand/icon.png", "", None, "brand/icon.png: there is none", "brands is done, and"),
    fault(
        "logo_size", "brand/logo.png", "", png(400, 100), "the shorter side is 100, and should be 128 to 256"
    ),
    fault("image_name", "brand/lettering.png", "", png(256, 256), "no image of this name"),
    fault("wire", "wire.py", "protocol.", "protocol", "wire.py: is not that of the bridges"),
    # Blueprints.
    fault("blueprint_yaml", PRESS, "", "blueprint: [", "press.yaml: while parsing"),
    fault("no_blueprint", PRESS, "", "- a", "press.yaml: is no blueprint"),
    fault("no_source", PRESS, "source_url", "author", "required key not provided @ data['source_url']"),
    fault("source", PRESS, "sample/press.yaml", "sample/pull.yaml", "source_url leads to another file"),
    fault(
        "blueprint_domain",
        PRESS,
        "domain: automation",
        "domain: script",
        "is of script, and in the folder automation",
    ),
    fault("min_version", PRESS, '"2025.4.0"', '"2025.4"', "is no version such as 2025.4.0"),
    fault(
        "input_undefined",
        PRESS,
        "!input seconds",
        "!input minutes",
        "uses !input minutes, and has no such",
        "nothing uses the input seconds",
    ),
    fault("input_unused", PRESS, "!input seconds", "3", "nothing uses the input seconds"),
    fault(
        "input_twice",
        PRESS,
        "        seconds:",
        "        who: {name: A, selector: {text: }}\n        seconds:",
        "has the input who twice",
    ),
    fault("input_visible", PRESS, "          default: 3", "          visible: false", "press.yaml: "),
    fault(
        "later_selector",
        PRESS,
        "        entity:",
        "        statistic:",
        "no selector statistic is known to the oldest",
    ),
]
