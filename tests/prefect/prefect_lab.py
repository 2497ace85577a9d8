"""A Prefect server and a worker as processes on loopback, beside a bench with a plate resort."""

from collections.abc import Mapping
import contextlib
from pathlib import Path
import signal
from typing import Any
from uuid import UUID, uuid4

import httpx
from tests.broker.bench import Bench
from tests.broker.observer import until
from tests.broker.program import Program, Said, run

from lab2mqtt.hub.ports import free_port

SERVER_WITHIN = 60.0  # s; it makes its database first
ANSWER_WITHIN = 20.0  # s
POOL = "plate-resort-pool"


class PrefectLab:
    """Server, worker and bench."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.environment = {
            "PREFECT_HOME": str(folder),
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "0.5",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
            "LAB2MQTT_REFUSED_FOR": "30",
        }
        start = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port), "--no-ui"]
        self.server = Program(start, folder / "server.log", "prefect", self.environment)
        self.worker = Program(
            ["worker", "start", "--pool", POOL], folder / "worker.log", "prefect", self.environment
        )
        self.http = httpx.Client(base_url=self.environment["PREFECT_API_URL"], timeout=10)

    def start(self) -> None:
        """Start the server."""
        self.server.start()
        until(self._is_up, "the Prefect server answers", within=SERVER_WITHIN, more=self.server.said)

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get("/health").status_code == httpx.codes.OK
        return False

    def stop(self) -> None:
        """End both."""
        for program in (self.worker, self.server):
            if program.pid:
                program.terminate(signal.SIGINT)
        self.http.close()

    def deploy(self, bench: Bench, *arguments: str) -> Said:
        """``lab2mqtt prefect deploy …``."""
        return self.run("prefect", "deploy", *arguments, "--config", str(bench.config))

    def run(self, *arguments: str) -> Said:
        """Run ``lab2mqtt`` with this Prefect."""
        return run(*arguments, within=60, environment=self.environment)

    def change_pool(self, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Change the pool."""
        self.ask("PATCH", f"/work_pools/{POOL}", fields)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Ask the Prefect API, with none of our code between; again while its database is busy."""

        def answered() -> httpx.Response | None:
            answer = self.http.request(method, path, json=body)
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        what = f"Prefect answers {method} {path}"
        answer: httpx.Response = until(answered, what, within=ANSWER_WITHIN, every=0.2)
        return answer.raise_for_status()

    def run_of(self, deployment: str, parameters: Mapping[str, Any] | None = None) -> UUID:
        """``prefect deployment run …``, as the API has it."""
        flow, _, name = deployment.partition("/")
        found = self.ask("GET", f"/deployments/name/{flow}/{name}").json()
        body = {
            "parameters": parameters or {},
            "state": {"type": "SCHEDULED"},
            "idempotency_key": uuid4().hex,  # one that was made is not made again
        }
        return UUID(self.ask("POST", f"/deployments/{found['id']}/create_flow_run", body).json()["id"])

    def state(self, flow_run: UUID) -> str:
        """The type of its state, as ``COMPLETED``."""
        told: str = self.ask("GET", f"/flow_runs/{flow_run}").json()["state_type"]
        return told

    def until_state(self, flow_run: UUID, *wanted: str, within: float = 30.0) -> str:
        """Wait for one of these states."""
        until(
            lambda: self.state(flow_run) in wanted,
            f"the run is {wanted}",
            within=within,
            every=0.1,
            more=lambda: f"{self.state(flow_run)}\n{self.log(flow_run)}\n{self.worker.said()}",
        )
        return self.state(flow_run)

    def set_state(self, flow_run: UUID, kind: str, name: str) -> None:
        """What the UI does: ``CANCELLING``, or ``AwaitingRetry``."""
        body = {"state": {"type": kind, "name": name}, "force": True}
        self.ask("POST", f"/flow_runs/{flow_run}/set_state", body)

    def retry(self, flow_run: UUID) -> None:
        """Have it run once more: the button Retry."""
        self.set_state(flow_run, "SCHEDULED", "AwaitingRetry")

    def cancel(self, flow_run: UUID) -> None:
        """The button Cancel."""
        self.set_state(flow_run, "CANCELLING", "Cancelling")

    def log(self, flow_run: UUID) -> str:
        """Its log lines, as the API has them."""
        body = {"logs": {"flow_run_id": {"any_": [str(flow_run)]}}, "limit": 200}
        return "\n".join(line["message"] for line in self.ask("POST", "/logs/filter", body).json())

    def artifacts(self, flow_run: UUID, kind: str) -> list[dict[str, Any]]:
        """Its artifacts of a type, oldest first."""
        body = {
            "flow_runs": {"id": {"any_": [str(flow_run)]}},
            "artifacts": {"type": {"any_": [kind]}},
            "sort": "UPDATED_DESC",
        }
        found: list[dict[str, Any]] = self.ask("POST", "/artifacts/filter", body).json()
        return sorted(found, key=lambda one: one["created"])

    def engine(self, flow_run: UUID, folder: Path, **more: str) -> Program:
        """The process that a worker starts for a run, without the worker."""
        environment = {**self.environment, "PREFECT__FLOW_RUN_ID": str(flow_run), **more}
        made = Program([], folder / f"{flow_run}.log", "prefect.engine", environment)
        made.start()
        return made
