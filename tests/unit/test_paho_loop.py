"""The end of a paho client's thread, in the moment in which that ends by itself."""

import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
import pytest

from lab2mqtt.paho_loop import end_loop


class Ending(Client):
    """A client whose thread is gone when it is looked for the third time: to be waited for."""

    def __init__(self) -> None:
        self._looks = iter((threading.Thread(), threading.Thread(), None))
        super().__init__(CallbackAPIVersion.VERSION2)

    @property
    def _thread(self) -> threading.Thread | None:
        return next(self._looks)

    @_thread.setter
    def _thread(self, thread: threading.Thread | None) -> None:
        """Nobody starts one here."""


def test_a_thread_that_ends_meanwhile_is_no_error() -> None:
    """Although paho itself stumbles over it."""
    with pytest.raises(AttributeError, match="join"):
        Ending().loop_stop()
    end_loop(Ending())
