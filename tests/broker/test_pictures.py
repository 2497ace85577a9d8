"""Pictures and parts of a device on a broker: kept for whoever comes later, cleared with their entities."""

from collections.abc import Iterator
import json
from pathlib import Path

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import Observer, retained, until
from tests.broker.program import Program, run
from tests.unit.kitchen_sink import KitchenSinkDriver, KitchenSinkSettings

PICTURE = "lab2mqtt/sink/picture/picture"
STATE = "lab2mqtt/sink/state"
PART = "homeassistant/device/lab2mqtt_sink/dishwasher/config"
FILTERS = ("lab2mqtt/sink/#", "homeassistant/#")


@pytest.fixture
def seen(broker: Broker) -> Iterator[Observer]:
    """An observer that is there before the sink, and leaves nothing behind."""
    with Observer(broker.port, "lab2mqtt/#", "homeassistant/#") as observer:
        yield observer
        for topic in retained(broker.port, "lab2mqtt/#", "homeassistant/#"):
            observer.publish(topic, "", retain=True)
        observer.barrier()


def sink(broker: Broker, folder: Path, *without: str) -> Program:
    """A bridge of a kitchen sink, which remembers in the folder what it announced."""
    program = Program(
        [str(broker.port), str(folder / "kept"), *without], folder / "sink.log", "tests.hub.sink"
    )
    program.start()
    return program


def test_a_picture_is_kept_by_the_broker_until_its_entity_is_gone(
    broker: Broker, seen: Observer, tmp_path: Path
) -> None:
    """As bytes, and before the state that tells when it was taken."""
    driver = KitchenSinkDriver(KitchenSinkSettings())
    assert driver.picture
    taken_at = round(driver.picture.taken_at, 3)
    program = sink(broker, tmp_path)
    try:
        state = seen.wait(STATE, lambda now: now["picture"] == taken_at, within=10)
        (picture,) = seen.heard(PICTURE)
        assert (picture.payload, picture.qos) == (driver.picture.content, 1)
        assert seen.place(picture) < seen.place(state)
        until(lambda: PART in retained(broker.port, *FILTERS), "the part is announced", every=0.2)
        assert retained(broker.port, *FILTERS)[PICTURE] == driver.picture.content
    finally:
        program.terminate()

    since = seen.mark()
    program = sink(broker, tmp_path, "picture", "washing_temperature", "dry")
    try:
        seen.wait(STATE, lambda now: now and now["readiness"] == "ready", since=since, within=10)
        until(lambda: PICTURE not in retained(broker.port, *FILTERS), "it is cleared", every=0.2)
        assert "picture" not in json.loads(retained(broker.port, *FILTERS)[STATE])
    finally:
        program.terminate()


def test_a_device_that_is_forgotten_leaves_nothing(broker: Broker, seen: Observer, tmp_path: Path) -> None:
    """No picture, and no announcement of a part."""
    program = sink(broker, tmp_path)
    try:
        seen.wait(STATE, lambda now: now["readiness"] == "ready", within=10)
        until(lambda: PART in retained(broker.port, *FILTERS), "the part is announced", every=0.2)
    finally:
        program.terminate()
    said = run("forget", "sink", "--broker", f"mqtt://127.0.0.1:{broker.port}")
    assert said.code == 0, said.err
    assert retained(broker.port, *FILTERS) == {}
