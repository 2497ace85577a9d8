"""How a command can fail, in the words of the device and of Home Assistant."""

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from . import wire
from .const import DOMAIN

NO_ANSWER = "no_answer"  # nothing was heard of it in time: nobody knows whether it was done
NO_LINK = "no_link"  # Home Assistant has no link to the broker: nothing was sent
CODES = (*wire.ERROR_CODES, NO_ANSWER, NO_LINK)


class TaskError(HomeAssistantError):
    """A command was refused, or its task failed.

    Attributes:
        code: One of ``CODES``.
        text: What was wrong, in the words of the device.
        request_id: Of the command; empty where none was sent.
    """

    def __init__(self, code: str, device: str, task: str, text: str, request_id: str = "") -> None:
        """Make one.

        Args:
            code: One of ``CODES``.
            device: The device's name, for people.
            task: Which task.
            text: What was wrong.
            request_id: Of the command.
        """
        super().__init__(
            translation_domain=DOMAIN,
            translation_key=code,
            translation_placeholders={"device": device, "task": task, "error": text},
        )
        self.code, self.text, self.request_id = code, text, request_id


class InvalidCall(ServiceValidationError):
    """An action was called with something that is not there; the key tells what."""

    def __init__(self, key: str, **placeholders: str) -> None:
        """Make one, translated by ``key``."""
        super().__init__(
            translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
        )
