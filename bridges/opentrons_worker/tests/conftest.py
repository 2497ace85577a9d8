"""One worker with the real package for all tests, in the environment that lab2mqtt installs for it."""

from collections.abc import AsyncIterator, Callable
import os
from pathlib import Path
import sys

import pytest
import pytest_asyncio

from lab2mqtt.hub import opentrons_package
from lab2mqtt.simulators.opentrons_process import OpentronsProcess

EXAMPLES = Path(__file__).parents[3] / "examples" / "ot2"
LABWARE = {path.name: path.read_text() for path in EXAMPLES.glob("*.json")}

# What needs no opentrons is tested in our own environment.
sys.path.insert(0, str(opentrons_package.sources()))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def worker() -> AsyncIterator[OpentronsProcess]:
    """The worker, with its package imported."""
    if not opentrons_package.is_installed():
        if os.environ.get("CI"):
            pytest.fail("the Opentrons package is not installed")
        pytest.skip("the Opentrons package is not installed")
    start = opentrons_package.start()
    process = OpentronsProcess(start.command, start.environment)
    yield process
    await process.close()


@pytest.fixture
def example() -> Callable[[str], dict[str, str]]:
    """The files of an example by its name: the protocol and the labware of the cell."""
    return lambda name: {f"{name}.py": (EXAMPLES / f"{name}.py").read_text(), **LABWARE}
