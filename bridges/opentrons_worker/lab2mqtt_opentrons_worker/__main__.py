"""``python -m lab2mqtt_opentrons_worker``: requests on stdin, answers on stdout, all else on stderr."""

import gc
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from typing import Any

from lab2mqtt_opentrons_worker import __version__
from lab2mqtt_opentrons_worker.child import Work
from lab2mqtt_opentrons_worker.requests import LINE_LIMIT
from lab2mqtt_opentrons_worker.server import ANSWER_LIMIT, JOBS_AT_ONCE, Server


def main() -> None:
    """Serve the parent process."""
    # The parent ends it, by closing the pipe or by a signal of its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)  # whatever prints, prints to stderr
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-opentrons-config-") as config:
        # Before the import: it makes folders there, and would read this computer's own calibration.
        os.environ["OT_API_CONFIG_DIR"] = config
        # A thread of numpy's is not copied by a fork.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        works, about = _package()
        gc.freeze()  # so that a look for garbage in a child does not copy all this memory
        Server(requests, answers, lambda: about | {"memory_mb": _memory()}, works).run()


def _package() -> tuple[dict[str, Work], dict[str, Any]]:
    about: dict[str, Any] = {
        "worker": __version__,
        "python": platform.python_version(),
        "limits": {"request": LINE_LIMIT, "answer": ANSWER_LIMIT, "jobs": JOBS_AT_ONCE},
    }
    started = time.monotonic()
    try:
        import opentrons  # noqa: PLC0415 - it may be missing or broken, and that is an answer
        from opentrons.protocols.api_support import definitions  # noqa: PLC0415

        from lab2mqtt_opentrons_worker.analysis import analyze  # noqa: PLC0415
        from lab2mqtt_opentrons_worker.simulation import simulate  # noqa: PLC0415
    except Exception as error:  # noqa: BLE001 - a package that does not fit this Python fails in any way
        problem = f"the Opentrons package cannot be imported: {type(error).__name__}: {error}"
        return {}, about | {"problem": problem}
    return {"analyze": analyze, "simulate": simulate}, about | {
        "opentrons": opentrons.__version__,
        "api_levels": [str(definitions.MIN_SUPPORTED_VERSION), str(definitions.MAX_SUPPORTED_VERSION)],
        "import_seconds": round(time.monotonic() - started, 2),
    }


def _memory() -> int:
    """The most that this process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 2**20)


main()
