"""A robot for each test."""

from collections.abc import AsyncIterator

import pytest
from tests.unit.ot2_bench import Bench, bench


@pytest.fixture
async def robot() -> AsyncIterator[Bench]:
    """On, homed and ready."""
    async with bench() as made:
        yield made
