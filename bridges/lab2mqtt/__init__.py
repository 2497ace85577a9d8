"""Lab instruments, boards and props as one system in Home Assistant, over MQTT."""

__version__ = "0.1.0"
