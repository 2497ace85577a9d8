"""The manifest, and that the Python files keep to it."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath
import re
from urllib.parse import urlparse

from tests.unit.integration_files.integration import Integration, misfits
import voluptuous as vol

_PLATFORMS = (
    "ai_task air_quality alarm_control_panel assist_satellite binary_sensor button calendar camera climate"
    " conversation cover date datetime device_tracker event fan geo_location humidifier image"
    " image_processing lawn_mower light lock media_player notify number remote scene select sensor siren stt"
    " switch text time todo tts update vacuum valve wake_word water_heater weather"
)
# What every Home Assistant has loaded, or what is only a base to inherit from.
_BUILT_IN = (
    "alert automation default_config device_automation frontend group homeassistant input_boolean"
    " input_button input_datetime input_number input_select input_text media_source mjpeg onboarding"
    " panel_custom persistent_notification person script shopping_list stream sun system_health system_log"
    " timer webhook websocket_api zone"
)
PLATFORMS = frozenset(_PLATFORMS.split())
BUILT_IN = PLATFORMS | frozenset(_BUILT_IN.split())
# A module of such a name is a platform of that component.
WITH_PLATFORMS = PLATFORMS | {
    "diagnostics",
    "intent",
    "llm",
    "logbook",
    "recorder",
    "repairs",
    "system_health",
}
KNOWN_COMPONENTS = BUILT_IN | WITH_PLATFORMS | {"blueprint", "history", "http", "lovelace", "mqtt"}
VERSION = re.compile(r"\d+(\.\d+){1,3}((a|b|rc|\.dev|-(alpha|beta|rc)\.?)\d+)?")


def _https(value: object) -> object:
    parts = urlparse(str(value))
    if parts.scheme != "https" or not parts.netloc:
        raise vol.Invalid("is no https address")
    if parts.netloc == "www.home-assistant.io":
        raise vol.Invalid("is the documentation of Home Assistant's own integrations")
    return value


def _code_owner(value: object) -> object:
    if not re.fullmatch(r"@[\w-]+(/[\w-]+)?", str(value)):
        raise vol.Invalid("a code owner is a GitHub name behind an @")
    return value


def _version(value: object) -> object:
    if not VERSION.fullmatch(str(value)):
        raise vol.Invalid("is no version such as 1.2.3")
    return value


def _component(value: object) -> object:
    if value not in KNOWN_COMPONENTS:
        raise vol.Invalid("is no component that is known here")
    return value


def _topic(value: object) -> object:
    levels = str(value).split("/")
    if not levels[0] or levels[0] in {"+", "#"}:
        raise vol.Invalid("would make Home Assistant listen to what is not ours")
    if any(len(level) > 1 and re.search(r"[+#]", level) for level in levels) or "#" in levels[:-1]:
        raise vol.Invalid("is no topic filter")
    return value


SCHEMA = vol.Schema(
    {
        vol.Required("domain"): vol.Match(r"^[a-z0-9_]+$"),
        vol.Required("name"): vol.All(str, vol.Length(min=1)),
        vol.Optional("after_dependencies"): [_component],
        vol.Required("codeowners"): vol.All([_code_owner], vol.Length(min=1)),
        vol.Optional("config_flow"): bool,
        vol.Optional("dependencies"): [_component],
        vol.Required("documentation"): _https,
        vol.Required("integration_type"): vol.In(
            ["device", "entity", "hub", "hardware", "helper", "service"]
        ),
        vol.Required("iot_class"): vol.In(
            ["assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"]
        ),
        vol.Required("issue_tracker"): _https,
        vol.Optional("loggers"): [str],
        vol.Optional("mqtt"): [_topic],
        vol.Optional("quality_scale"): vol.In(["bronze", "silver", "gold", "platinum", "custom"]),
        # A user's Home Assistant installs nothing for us.
        vol.Optional("requirements"): [],
        vol.Optional("single_config_entry"): bool,
        vol.Required("version"): _version,
    }
)


def manifest_problems(integration: Integration) -> Iterator[str]:
    """Of manifest.json itself."""
    manifest = integration.manifest
    yield from misfits("manifest.json", SCHEMA, manifest)
    if manifest.get("domain") != integration.domain:
        yield f"manifest.json: the domain is {manifest.get('domain')}, and the folder {integration.domain}"
    ordered = sorted(manifest, key=lambda key: (key != "domain", key != "name", key))
    if list(manifest) != ordered:
        yield f"manifest.json: the order of the keys should be {', '.join(ordered)}"
    before, after = (set(manifest.get(key, [])) for key in ("dependencies", "after_dependencies"))
    for twice in sorted(before & after):
        yield f"manifest.json: {twice} is both in dependencies and in after_dependencies"
    if "mqtt" in manifest and "mqtt" not in before:
        yield "manifest.json: has topics of MQTT, and no mqtt in its dependencies"


def import_problems(integration: Integration) -> Iterator[str]:
    """Of imports of components that the manifest does not name."""
    manifest = integration.manifest
    allowed = BUILT_IN | {*manifest.get("dependencies", []), *manifest.get("after_dependencies", [])}
    for name, module in integration.modules.items():
        platform = PurePosixPath(name).parts[0]
        own = {platform} if platform in WITH_PLATFORMS else WITH_PLATFORMS & {*integration.modules}
        for component in sorted(set(_components_of(module)) - allowed - own - {integration.domain}):
            yield (
                f"{name}.py: imports the component {component},"
                " which is neither in dependencies nor in after_dependencies"
            )


def _components_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                yield from _components_of(other)
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            match name.split("."):
                case ["homeassistant", "components", component, *_]:
                    yield component
        yield from _components_of(node)


def set_up_problems(integration: Integration) -> Iterator[str]:
    """Of the set-up from the UI, and from YAML."""
    flow = integration.source("config_flow.py")
    if integration.manifest.get("config_flow") and not flow:
        yield "config_flow.py: there is none, and the manifest tells of one"
    if flow and not integration.manifest.get("config_flow"):
        yield "manifest.json: config_flow.py is there, and config_flow is not true"
    if "async_step_mqtt" in flow and "mqtt" not in integration.manifest:
        yield "manifest.json: config_flow.py waits for discovery by MQTT, and there are no topics"
    if flow and "mqtt" in integration.manifest and "async_step_mqtt" not in flow:
        yield "config_flow.py: the manifest has topics of MQTT, and there is no async_step_mqtt"
    if flow and "self.async_set_unique_id(" not in flow:
        yield "config_flow.py: sets no unique id"
    if not (integration.folder / "__init__.py").is_file():
        yield "__init__.py: there is none"
        return
    top = integration.modules["__init__"].body if "__init__" in integration.modules else []
    names = {node.name for node in top if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}
    assigned = {
        target.id
        for node in top
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    if names & {"async_setup", "setup"} and "CONFIG_SCHEMA" not in assigned:
        yield "__init__.py: has async_setup and no CONFIG_SCHEMA that says what YAML may hold"
