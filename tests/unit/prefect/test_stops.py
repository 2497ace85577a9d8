"""Emergency stops that Prefect was asked for, with odd words on either side."""

import asyncio
from typing import Any

from prefect.client.schemas.objects import FlowRun
import pytest

from lab2mqtt.prefect.stops import Stops


class _OddDevice:
    """Answers a stop as no bridge of ours does."""

    def __init__(self, answer: object) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer = answer

    def __getitem__(self, device_id: str) -> "_OddDevice":
        return self

    async def call(self, task: str, parameters: dict[str, Any]) -> object:
        assert task == "emergency_stop"
        self.asked.append(parameters)
        return self._answer


class _Prefect:
    """Takes what it is told."""

    def __init__(self, runs: list[FlowRun]) -> None:
        self._runs = runs

    async def read_flow_runs(self, **_: object) -> list[FlowRun]:
        return self._runs

    async def set_flow_run_state(self, *_: object, **__: object) -> None:
        pass

    async def create_artifact(self, _: object) -> None:
        pass


@pytest.mark.parametrize("answer", [None, "stopped", [], {}, {"confirmed": "no"}])
def test_an_odd_answer_ends_nothing_and_is_no_confirmation(answer: object) -> None:
    """The next stop must find it listening, and this one is not said again."""
    said: list[str] = []
    run = FlowRun.model_validate({"flow_id": "00000000-0000-0000-0000-000000000000", "name": "odd"})
    run.parameters = {"reason": 7 * ["x" * 100]}
    device, stops = _OddDevice(answer), Stops("fn", said.append)
    for _ in range(2):
        asyncio.run(stops._look(device, _Prefect([run])))  # type: ignore[arg-type]
    [parameters] = device.asked
    assert len(parameters["reason"]) <= 255
    assert said == ["odd: stopped, NOT confirmed"]
