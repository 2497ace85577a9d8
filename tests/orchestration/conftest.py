"""A real mosquitto, and programs of users as processes of their own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.broker.brokers import running_mosquitto

from lab2mqtt.hub.mosquitto import Mosquitto


@pytest.fixture(scope="module")
def broker() -> Iterator[Mosquitto]:
    """One broker for the tests of a module: what it keeps, such as a stop, is no other's."""
    with running_mosquitto() as found:
        yield found


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    """Threads for what takes its time."""
    with ThreadPoolExecutor(64) as threads:
        yield threads
