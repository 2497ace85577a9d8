"""Both brokers, and benches on them. Everything is a process of its own, so that it can be killed."""

from collections.abc import Callable, Iterator
import contextlib
from pathlib import Path

import pytest
from tests.broker.bench import Bench
from tests.broker.brokers import Amqtt, Broker, running_mosquitto
from tests.broker.wet_bench import WetBench


@pytest.fixture(scope="session", params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Each broker in turn, shared by all tests. Whoever ends it need not start it again, see ``bench``."""
    found: Broker
    if request.param == "amqtt":
        found = Amqtt(tmp_path_factory.mktemp("amqtt"))
        found.start()
        yield found
        found.stop()
        return
    with running_mosquitto() as found:
        yield found


@pytest.fixture(scope="module")
def shared_bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bench of a module's tests on one broker."""
    made = Bench(broker, tmp_path_factory.mktemp("bench"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """A bench whose servo is ready, nothing stopped, nothing running; a test may kill any part of it."""
    return shared_bench.ready()


@pytest.fixture
def another_bench(broker: Broker, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """More benches on the same broker, one for each call; their bridges are not started."""
    with contextlib.ExitStack() as stack:

        def make() -> Bench:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            made = Bench(broker, folder)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture(scope="module")
def shared_wet_bench(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WetBench]:
    """The wet bench of a module's tests on one broker."""
    with WetBench(broker, tmp_path_factory.mktemp("wet")) as made:
        yield made


@pytest.fixture
def wet(shared_wet_bench: WetBench) -> WetBench:
    """A wet bench whose robot is ready, with nothing used."""
    return shared_wet_bench.ready()
