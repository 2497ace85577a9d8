"""Stands in for the Opentrons worker: the same lines on the pipe, and mischief by the name of the file."""

import json
import os
import signal
import sys
import time
from typing import Any


def say(message: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def analyze(told: dict[str, Any]) -> None:
    """Answer by the file's name."""
    request = told["id"]
    match next(iter(told["files"])):
        case "dies.py":
            sys.stderr.write("first words\nout of paint\n")
            sys.stderr.flush()
            os._exit(3)
        case "killed.py":
            os.kill(os.getpid(), signal.SIGKILL)
        case "garbage.py":
            sys.stdout.write("this is no JSON\n")
            sys.stdout.flush()
        case "hangs.py":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "loops.py":
            say({"id": request, "error": {"kind": "timeout", "text": "no end within 1 s"}})
        case "noisy.py":
            sys.stderr.write("x" * 200_000 + "\n" + "y\n" * 100_000)
            say(result(request))
        case "silent.py":
            pass
        case "where.py":
            text = os.environ["TMPDIR"]
            say({"id": request, "error": {"kind": "package", "text": text}})
        case _:
            say(result(request))


def result(request: int) -> dict[str, Any]:
    """An analysis with an error."""
    cause = {"errorType": "PythonException", "errorCode": "4000", "detail": "ValueError: no paint"}
    error = {"errorType": "ExceptionInProtocolError", "errorCode": "4000", "detail": "ValueError [line 1]"}
    analysis = {
        "result": "not-ok",
        "commands": [{"commandType": "home", "status": "succeeded"}],
        "errors": [error | {"wrappedErrors": [cause | {"wrappedErrors": []}]}],
    }
    return {"id": request, "result": {"analysis": analysis, "seconds": [8.0], "took": 0.1, "memory_mb": 99}}


def main() -> None:
    """Serve."""
    runs: dict[int, bool] = {}
    for line in sys.stdin:
        told = json.loads(line)
        request, do = told["id"], told["do"]
        home = {"id": "1", "commandType": "home"}
        if do == "hello":
            about = {"worker": "0", "python": "3", "opentrons": "9.0.0", "api_levels": ["2.0", "2.28"]}
            say({"id": request, "result": about | {"memory_mb": 1, "pid": os.getpid()}})
        elif do == "analyze":
            analyze(told)
        elif do == "simulate":
            say({"id": request, "progress": {"started": home | {"status": "running"}, "index": 0}})
            say({"id": request, "progress": {"ended": home | {"status": "succeeded"}, "index": 0}})
            say({"id": request, "progress": {"paused": "protocol", "message": "look"}})
            runs[request] = True
        elif told["of"] not in runs:
            say({"id": request, "error": {"kind": "not_running", "text": "it has ended"}})
        elif do == "pause":
            say({"id": request, "error": {"kind": "not_allowed", "text": "the run is paused"}})
        elif do == "resume":
            del runs[told["of"]]
            say({"id": told["of"], "progress": {"resumed": True}})
            say({"id": request, "result": {}})
            say({"id": told["of"], "result": {"status": "succeeded", "errors": [], "dropped": ["right"]}})
        else:
            del runs[told["of"]]
            say({"id": request, "result": {}})
            say({"id": told["of"], "result": {"status": "stopped", "errors": [], "dropped": []}})


if "--late" in sys.argv:
    time.sleep(1000)
main()
