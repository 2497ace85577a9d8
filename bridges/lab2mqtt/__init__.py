"""Lab instruments, boards and props as one system in Home Assistant, over MQTT."""

import logging

__version__ = "0.1.0"

# Who uses the package chooses where its log goes; without a choice it goes nowhere.
logging.getLogger(__name__).addHandler(logging.NullHandler())
