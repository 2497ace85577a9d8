"""A real mosquitto, a real Prefect server and worker, and a bench with a simulated plate resort."""

from collections.abc import Iterator
import os
from pathlib import Path
import tempfile

import pytest
from tests.broker.bench import Bench
from tests.broker.brokers import running_mosquitto
from tests.broker.program import PYTHON
from tests.prefect.prefect_lab import POOL, PrefectLab

from lab2mqtt.hub.mosquitto import Mosquitto

# Prefect reads its settings when it is imported, and its threads know no others.
HOME = tempfile.TemporaryDirectory(prefix="lab2mqtt-prefect-", ignore_cleanup_errors=True)
PREFECT = PrefectLab(Path(HOME.name))
os.environ.update(PREFECT.environment)


@pytest.fixture(scope="session")
def broker() -> Iterator[Mosquitto]:
    """One broker for all tests."""
    with running_mosquitto() as found:
        yield found


@pytest.fixture(scope="session")
def shared_bench(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One bench for all tests."""
    made = Bench(broker, tmp_path_factory.mktemp("bench"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def bench(shared_bench: Bench) -> Bench:
    """The bench, with nothing stopped and nothing running."""
    return shared_bench.ready()


@pytest.fixture(scope="session")
def server() -> Iterator[PrefectLab]:
    """One Prefect server for all tests, which this process talks to as well."""
    try:
        PREFECT.start()
        yield PREFECT
    finally:
        PREFECT.stop()


@pytest.fixture(scope="session")
def shared_lab(server: PrefectLab, shared_bench: Bench) -> PrefectLab:
    """The server, with the plate resort's flows deployed and a worker that runs them."""
    shared_bench.ready()
    said = server.deploy(shared_bench, "plate-resort")
    assert said.code == 0, said.err
    server.worker.start()
    return server


@pytest.fixture(scope="session")
def quick_worker(shared_lab: PrefectLab) -> PrefectLab:
    """A worker that starts a run's process at once, as docs/prefect.md tells."""
    pool = shared_lab.ask("GET", f"/work_pools/{POOL}").json()
    pool["base_job_template"]["variables"]["properties"]["command"]["default"] = f"{PYTHON} -m prefect.engine"
    shared_lab.change_pool(base_job_template=pool["base_job_template"])
    return shared_lab


@pytest.fixture
def quick_lab(quick_worker: PrefectLab, bench: Bench) -> PrefectLab:
    """The same with that worker, and with the bench as it should be."""
    del bench
    return quick_worker


@pytest.fixture
def lab(shared_lab: PrefectLab, bench: Bench) -> PrefectLab:
    """The same, with the bench as it should be."""
    del bench
    return shared_lab
