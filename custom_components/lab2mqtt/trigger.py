"""The triggers of a lab: a task has finished or failed, a device is ready, the stop came or went."""

try:
    from .purpose_triggers import async_get_triggers
except ImportError:  # Home Assistant before 2025.12: the same in YAML, which its editor does not offer
    from .yaml_triggers import async_attach_trigger, async_validate_trigger_config

    __all__ = ["async_attach_trigger", "async_validate_trigger_config"]
else:
    __all__ = ["async_get_triggers"]
