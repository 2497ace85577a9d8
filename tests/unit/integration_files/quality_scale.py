"""The Integration Quality Scale: every rule is told about, and what is done can be seen in the files."""

from collections.abc import Iterator
import re

from tests.unit.integration_files.integration import Integration
from tests.unit.integration_files.manifest import PLATFORMS

RULES = {
    "bronze": (
        "action-setup appropriate-polling brands common-modules config-flow config-flow-test-coverage"
        " dependency-transparency docs-actions docs-conditions docs-high-level-description"
        " docs-installation-instructions docs-removal-instructions docs-triggers entity-event-setup"
        " entity-unique-id has-entity-name runtime-data test-before-configure test-before-setup"
        " unique-config-entry"
    ),
    "silver": (
        "action-exceptions config-entry-unloading docs-configuration-parameters docs-installation-parameters"
        " entity-unavailable integration-owner log-when-unavailable parallel-updates reauthentication-flow"
        " test-coverage"
    ),
    "gold": (
        "devices diagnostics discovery discovery-update-info docs-data-update docs-examples"
        " docs-known-limitations docs-supported-devices docs-supported-functions docs-troubleshooting"
        " docs-use-cases dynamic-devices entity-category entity-device-class entity-disabled-by-default"
        " entity-translations exception-translations icon-translations reconfiguration-flow repair-issues"
        " stale-devices"
    ),
    "platinum": "async-dependency inject-websession strict-typing",
}
# What done means in the files: which of them, and what one finds in it.
SEEN = {
    "action-setup": ("__init__.py", r"async def async_setup\("),
    "config-entry-unloading": ("__init__.py", r"async def async_unload_entry\("),
    "config-flow": ("config_flow.py", r"async def async_step_user\("),
    "diagnostics": ("diagnostics.py", r"async def async_get_(config_entry|device)_diagnostics\("),
    "discovery": ("config_flow.py", r"async def async_step_mqtt\("),
    "docs-actions": ("services.yaml", r"\S"),
    "docs-conditions": ("conditions.yaml", r"\S"),
    "docs-triggers": ("triggers.yaml", r"\S"),
    "entity-translations": ("strings.json", r'"entity"'),
    "exception-translations": ("strings.json", r'"exceptions"'),
    "has-entity-name": ("*.py", r"_attr_has_entity_name = True"),
    "icon-translations": ("icons.json", r'"entity"'),
    "entity-unique-id": ("*.py", r"_attr_unique_id = "),
    "entity-category": ("*.py", r"EntityCategory\."),
    "entity-disabled-by-default": ("*.py", r"entity_registry_enabled_default\s*[=:]"),
    "devices": ("*.py", r"DeviceInfo\("),
    "brands": ("brand/icon.png", ""),
    "reauthentication-flow": ("config_flow.py", r"async def async_step_reauth\("),
    "reconfiguration-flow": ("config_flow.py", r"async def async_step_reconfigure\("),
    "repair-issues": ("*.py", r"async_create_issue\("),
    "runtime-data": ("__init__.py", r"\.runtime_data\b"),
    "stale-devices": ("__init__.py", r"async def async_remove_config_entry_device\("),
    "test-before-setup": ("__init__.py", r"raise ConfigEntry(NotReady|AuthFailed|Error)\("),
    "unique-config-entry": ("config_flow.py", r"_abort_if_unique_id_configured\("),
}
# What a heading of docs/home-assistant.md says, where the rule is done.
HEADINGS = {
    "docs-actions": "action",
    "docs-conditions": "condition",
    "docs-configuration-parameters": "option",
    "docs-data-update": "update",
    "docs-examples": "example",
    "docs-installation-instructions": "install",
    "docs-installation-parameters": "set.?up|add",
    "docs-known-limitations": "limit",
    "docs-removal-instructions": "remov",
    "docs-supported-devices": "devices",
    "docs-supported-functions": "entities",
    "docs-triggers": "trigger",
    "docs-troubleshooting": "troubleshooting",
    "docs-use-cases": "use",
}


def quality_scale_problems(integration: Integration) -> Iterator[str]:
    """Of quality_scale.yaml."""
    whole = integration.quality_scale
    rules = whole.get("rules")
    if set(whole) != {"rules"} or not isinstance(rules, dict):
        yield "quality_scale.yaml: has rules, and nothing else"
        return
    known = [rule for tier in RULES.values() for rule in tier.split()]
    for rule in known:
        if rule not in rules:
            yield f"quality_scale.yaml: lacks the rule {rule}"
    for rule, told in rules.items():
        if rule not in known:
            yield f"quality_scale.yaml: there is no rule {rule}"
            continue
        status, comment = (told, "") if isinstance(told, str) else (None, "")
        if isinstance(told, dict) and set(told) <= {"status", "comment"}:
            status, comment = told.get("status"), str(told.get("comment") or "")
        if status not in {"done", "exempt"}:
            yield f"quality_scale.yaml: {rule} is neither done nor exempt"
        elif status == "exempt" and not comment.strip():
            yield f"quality_scale.yaml: {rule} is exempt without a comment that says why"
        else:
            yield from _seen_problems(integration, rule, done=status == "done")
            if status == "done" and rule in HEADINGS and not _told_in_docs(integration, HEADINGS[rule]):
                yield f"docs/home-assistant.md: {rule} is done, and no heading tells of it ({HEADINGS[rule]})"


def _seen_problems(integration: Integration, rule: str, *, done: bool) -> Iterator[str]:
    if rule in SEEN:
        pattern, text = SEEN[rule]
        found = any(
            not text or re.search(text, file.read_text(encoding="utf-8"))
            for file in integration.folder.glob(pattern)
        )
        if done and not found:
            yield f"quality_scale.yaml: {rule} is done, and {pattern} has no {text}"
        if not done and found:
            yield f"quality_scale.yaml: {rule} is exempt, and {pattern} has {text}"
    if rule == "parallel-updates" and done:
        for platform in sorted(PLATFORMS & set(integration.modules)):
            if not re.search(r"^PARALLEL_UPDATES\b", integration.source(f"{platform}.py"), re.MULTILINE):
                yield f"quality_scale.yaml: {rule} is done, and {platform}.py has no PARALLEL_UPDATES"


def _told_in_docs(integration: Integration, word: str) -> bool:
    docs = integration.source("../../docs/home-assistant.md")
    return bool(re.search(rf"^#+ .*({word})", docs, re.MULTILINE | re.IGNORECASE))
