"""A user's program as it is: run by itself, by uvicorn, by gunicorn, and by FastAPI's own test client."""

from pathlib import Path
import subprocess
import time

from tests.broker.program import PYTHON, Program
from tests.orchestration.http_program import MODULE, HttpProgram

from lab2mqtt.hub.ports import free_port, listens
from lab2mqtt.orchestration import OrchestratorClient

WORKER = ("-k", "uvicorn.workers.UvicornWorker", "--no-control-socket")
WITHIN = 30.0  # s
ROOT = Path(__file__).parents[2]

# As ../shared/seeds/ot2-orchestration.txt prints them, but for the lines that import.
DEVICE = """\
from lab2mqtt.orchestration import DeviceServer, task

@task
def mix_colors(r: int, g: int, b: int, well: str) -> str:
    # Your OT-2 code here
    return f"Mixed RGB({r},{g},{b}) in {well}"

server = DeviceServer()
server.run()  # Starts on http://localhost:8000
"""
ORCHESTRATOR = """\
from lab2mqtt.orchestration import OrchestratorClient

with OrchestratorClient("http://ot2-device:8000") as client:
    result = client.execute_task("mix_colors", r=255, g=128, b=64, well="A1")
    print(result)
"""
# What stands in for the lab's name server, and for a port that nobody else has.
NETWORK = """\
import socket

def elsewhere(address):
    host, port, *more = address
    return ("127.0.0.1" if host == "ot2-device" else host, {port} if port == 8000 else port, *more)

bind, look_up = socket.socket.bind, socket.getaddrinfo
socket.socket.bind = lambda self, address: bind(self, elsewhere(address) if len(address) > 1 else address)
socket.getaddrinfo = lambda host, port, *more, **named: look_up(*elsewhere((host, port)), *more, **named)
"""
LAZY = """\
import warnings
warnings.simplefilter("ignore")  # httpx in place of httpx2

from fastapi.testclient import TestClient
from tests.orchestration.http_functions import server

client = TestClient(server.get_app())
print(client.get("/").json()["message"])
print(client.post("/execute/dose", json={"volume": 1}).json()["result"])
with client:
    print(client.post("/execute/dose", json={"volume": 1}).json()["result"])
"""


def test_the_quick_start_works_as_printed(tmp_path: Path) -> None:
    """Two programs, two machines' worth of names, no line more."""
    port = free_port()
    (tmp_path / "sitecustomize.py").write_text(NETWORK.replace("{port}", str(port)))
    (tmp_path / "device.py").write_text(DEVICE)
    (tmp_path / "orchestrator.py").write_text(ORCHESTRATOR)
    environment = {"PYTHONPATH": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    device = Program([], tmp_path / "device.log", "device", environment)
    orchestrator = Program([], tmp_path / "orchestrator.log", "orchestrator", environment)
    device.start()
    try:
        device.until_said("its tasks at /docs", WITHIN)
        orchestrator.start()
        assert orchestrator.wait(WITHIN) == 0, orchestrator.said()
    finally:
        device.terminate()
    assert orchestrator.said() == "Mixed RGB(255,128,64) in A1\n"


def test_gunicorn_with_one_worker_serves(tmp_path: Path) -> None:
    """As before."""
    arguments = ("-w", "1", "-b", "127.0.0.1:{port}", *WORKER, f"{MODULE}:server")
    with HttpProgram(tmp_path, *arguments, module="gunicorn") as served:
        with OrchestratorClient(served.url) as client:
            assert client("mix_colors", r=1, g=2, b=3, well="A1") == "Mixed RGB(1,2,3) in A1"
        ended = served.program.terminate()
    assert ended.code == 0, served.program.said()


def test_gunicorn_with_more_workers_is_refused(tmp_path: Path) -> None:
    """All of it ends, and its log tells why."""
    arguments = ("-w", "4", "-b", "127.0.0.1:{port}", *WORKER, f"{MODULE}:server")
    served = HttpProgram(tmp_path, *arguments, module="gunicorn")
    served.program.start()
    assert served.program.wait(WITHIN) != 0
    assert f"another process serves {served.device_id} on this machine: one robot, one process" in (
        served.program.said()
    )
    assert "gunicorn: -w 1" in served.program.said()
    assert not listens(served.port)


def test_uvicorn_serves_the_app(tmp_path: Path) -> None:
    """By its name in the program."""
    arguments = ("--port", "{port}", f"{MODULE}:server.app")
    with (
        HttpProgram(tmp_path, *arguments, module="uvicorn") as served,
        OrchestratorClient(served.url) as client,
    ):
        assert client.health_check()
        assert client("echo", a=1) == {"a": 1}


def test_without_a_lifespan_it_starts_at_the_first_call(tmp_path: Path) -> None:
    """As FastAPI's test client does it; with one it is the same device still."""
    began = time.monotonic()
    done = subprocess.run(
        [PYTHON, "-c", LAZY],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env={"DEVICE": "lazy", "XDG_STATE_HOME": str(tmp_path)},
        cwd=ROOT,
        check=False,
    )
    assert done.stdout.splitlines() == ["Mixer", "number 1 from A", "number 2 from A"], done.stderr
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < WITHIN
