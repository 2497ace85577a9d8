"""A device server over HTTP as somebody else wrote it: the standard library, and nothing of lab2mqtt.

``python http_device.py PORT [TOKEN]``; it ends with its input. It prints ``{"up": 1}`` and ``{"did": task}``.
"""

import http.server
import inspect
import json
import sys
import threading
import time

_PRINTING = threading.Lock()


def tell(**what):
    """Print one line."""
    with _PRINTING:
        print(json.dumps(what), flush=True)


def mix_colors(r: int, g: int, b: int, well: str) -> str:
    """Mix."""
    return f"Mixed RGB({r},{g},{b}) in {well}"


def wait(seconds: float = 0.1) -> str:
    """Take a while."""
    time.sleep(seconds)
    return f"waited {seconds} s"


def jam() -> None:
    """Fail."""
    raise ValueError("the horn is loose")


TASKS = {function.__name__: function for function in (mix_colors, wait, jam)}


def described(function):
    """How ``GET /tasks`` tells of a task."""
    parameters = {}
    for one in inspect.signature(function).parameters.values():
        has_default = one.default is not one.empty
        parameters[one.name] = {
            "type": str(one.annotation),
            "default": one.default if has_default else None,
            "required": not has_default,
        }
    return {
        "name": function.__name__,
        "doc": function.__doc__,
        "parameters": parameters,
        "is_async": False,
    }


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """What there is."""
        if self.refused():
            return
        if self.path == "/":
            told = {"message": "OT-2 Device Server", "available_tasks": list(TASKS), "docs": "/docs"}
            self.answer(200, told)
        elif self.path == "/tasks":
            self.answer(200, {name: described(function) for name, function in TASKS.items()})
        else:
            self.answer(404, {"detail": "Not Found"})

    def do_POST(self):
        """Do a task."""
        said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.refused():
            return
        name = self.path.rpartition("/execute/")[2]
        if name not in TASKS:
            self.answer(404, {"detail": f"Task '{name}' not found"})
            return
        parameters = json.loads(said or b"{}")
        try:
            inspect.signature(TASKS[name]).bind(**parameters)
        except TypeError as error:
            self.answer(400, {"detail": f"Invalid parameters: {error}"})
            return
        tell(did=name)
        try:
            result = TASKS[name](**parameters)
        except Exception as error:
            self.answer(500, {"detail": f"Task execution failed: {error}"})
            return
        told = {"task_name": name, "parameters": parameters, "result": result, "status": "success"}
        self.answer(200, told)

    def refused(self):
        """Whether the token is wrong; says so then."""
        if not self.server.token or self.headers.get("Authorization") == f"Bearer {self.server.token}":
            return False
        self.answer(401, {"detail": "Invalid token"})
        return True

    def answer(self, status, told):
        """Send JSON."""
        said = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Takes many callers at once."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Who has gone away is told nothing."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main(port, token=""):
    """Serve until the input ends."""
    server = Server(("127.0.0.1", int(port)), Handler)
    server.token = token
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell(up=1)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
