"""Commands to the devices of one base, and what they say: for benches of several kinds."""

from collections.abc import Callable
from typing import Any
import uuid

from tests.broker.observer import Heard, Observer

WITHIN = 15.0  # s


class Caller:
    """Who commands the devices of a base.

    Attributes:
        name: The base.
        seen: Who hears everything.
    """

    name: str
    seen: Observer

    def topic(self, device: str, kind: str) -> str:
        """A topic of a device, as ours."""
        return f"{self.name}/{device}/{kind}"

    def last(self, device: str, kind: str) -> Any:  # noqa: ANN401 - JSON
        """The last word on a topic of a device."""
        return self.seen.last(self.topic(device, kind))

    def until(self, device: str, kind: str, test: Callable[[Any], bool], since: int = 0) -> Heard:
        """Wait until a device says something of a kind."""
        return self.seen.wait(
            self.topic(device, kind), lambda told: told and test(told), within=WITHIN, since=since
        )

    def until_ready(self, device: str, since: int = 0) -> dict[str, Any]:
        """Wait until a device can be reached and is ready; gives its description."""
        self.until(device, "status", lambda told: told["status"] == "online", since)
        self.until(device, "state", lambda told: told["readiness"] == "ready", since)
        found: dict[str, Any] = self.last(device, "description")
        return found

    def send(self, device: str, task: str, /, parameters: Any = None, **more: Any) -> str:  # noqa: ANN401
        """Send a command; gives its id."""
        request_id: str = more.setdefault("request_id", uuid.uuid4().hex)
        command = {"task": task, "parameters": parameters or {}, **more}
        self.seen.publish(self.topic(device, "command"), command)
        return request_id

    def result(self, device: str, request_id: str, since: int = 0) -> dict[str, Any]:
        """The result of a command."""
        heard = self.until(device, "result", lambda told: told["request_id"] == request_id, since)
        found: dict[str, Any] = heard.json
        return found

    def call(self, device: str, task: str, /, parameters: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Send a command and wait for its result."""
        return self.result(device, self.send(device, task, parameters, **more))
