"""What was sent and what was heard: the clients' side of the account."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
import json
import threading
import time
from typing import Any, NamedTuple
import uuid

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from lab2mqtt.hub.ports import LOOPBACK
from lab2mqtt.paho_loop import end_loop

LAB_STOP = "lab2mqtt/emergency_stop"
_CONNECT_AGAIN = 1  # s between two attempts
_HISTORY_WITHIN = 15.0  # s


class Heard(NamedTuple):
    """Something that a device said, and when we heard it by the machine's monotonic clock."""

    at: float
    body: dict[str, Any]


@dataclass
class Command:
    """One command of a client, and all that came of it.

    Attributes:
        goal: Where it is to move, in pulses, as no other command of the run; None where it moves nothing.
    """

    device: str
    payload: dict[str, Any]
    goal: int | None = None
    sent: list[float] = field(default_factory=list)
    answers: list[Heard] = field(default_factory=list)

    @property
    def request_id(self) -> str:
        """Its id."""
        request_id: str = self.payload["request_id"]
        return request_id

    @property
    def outcome(self) -> str:
        """The word for what became of it; empty while nobody said."""
        if not self.answers:
            return ""
        body = self.answers[0].body
        return str(body.get("error_code", body["status"]))


class Book:
    """Everything that was sent and heard in a run, on one connection that is made anew for ever."""

    def __init__(self, port: int, base: str) -> None:
        self.base = base
        self.commands: dict[str, Command] = {}
        self.events: list[tuple[str, Heard]] = []
        self.states: dict[str, Heard] = {}
        self.bridges: dict[str, dict[str, Any]] = {}
        self.unreadable: list[str] = []
        self.stops: dict[str, dict[str, Any]] = {}  # as the broker keeps them, by topic
        self.news = threading.Condition()
        self._answers: dict[str, dict[str, Any]] = {}  # of what is no command of the account
        self._stop_topics = (LAB_STOP, f"{base}/emergency_stop")
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"chaos-{uuid.uuid4().hex[:8]}")
        self._client.reconnect_delay_set(_CONNECT_AGAIN, _CONNECT_AGAIN)
        self._client.max_inflight_messages_set(1000)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect_async(LOOPBACK, port, keepalive=10)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        end_loop(self._client)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        kinds = ("result", "event", "state")
        topics = [f"{self.base}/+/{kind}" for kind in kinds] + [f"{self.base}/bridge/+/status"]
        client.subscribe([(topic, 1) for topic in (*topics, *self._stop_topics)])

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        del client, userdata
        with self.news:
            try:
                body = json.loads(message.payload) if message.payload else {}
                self._note(message.topic, Heard(time.monotonic(), body))
            except (ValueError, LookupError, TypeError) as error:
                self.unreadable.append(f"{message.topic} {message.payload[:200]!r}: {error!r}")
            self.news.notify_all()

    def _note(self, topic: str, heard: Heard) -> None:
        if topic in self._stop_topics:
            self.stops[topic] = heard.body
            return
        *_, device, kind = topic.split("/")
        match kind:
            case "status":
                self.bridges[device] = heard.body
            case "state":
                self.states[device] = heard
            case "event":
                self.events.append((device, heard))
            case "result":
                if command := self.commands.get(heard.body["request_id"]):
                    command.answers.append(heard)
                else:
                    self._answers[heard.body["request_id"]] = heard.body

    # Sending.

    def send(self, command: Command) -> None:
        """Send a command of the account, or send it again."""
        with self.news:
            self.commands[command.request_id] = command
            command.sent.append(time.monotonic())
            self.news.notify_all()
        self._client.publish(f"{self.base}/{command.device}/command", json.dumps(command.payload), 1)

    def publish_stop(self, topic: str, stop: dict[str, Any]) -> None:
        """Say a stop or a release."""
        self._client.publish(topic, json.dumps(stop), 1, retain=True)

    def send_aside(self, device: str, task: str, parameters: dict[str, Any], ttl: int = 5) -> str:
        """Send a command that is not counted; gives its id."""
        request_id = uuid.uuid4().hex
        payload = {
            "task": task,
            "parameters": parameters,
            "request_id": request_id,
            "expires_at": int(time.time()) + ttl,
        }
        self._client.publish(f"{self.base}/{device}/command", json.dumps(payload), 1)
        return request_id

    def call(self, device: str, task: str, parameters: dict[str, Any], within: float) -> dict[str, Any]:
        """Ask something that is not counted, with a new id every second, until it is answered by a success.

        Raises:
            AssertionError: It never was.
        """
        deadline = time.monotonic() + within
        told: dict[str, Any] = {}
        while time.monotonic() < deadline:
            request_id = self.send_aside(device, task, parameters)
            if self.wait(lambda request_id=request_id: request_id in self._answers, 1.0):  # type: ignore[misc]
                told = self._answers[request_id]
                if told["status"] == "success":
                    return told
        raise AssertionError(f"{device} did not do {task} within {within:g} s; it said {told}")

    def history(self, device: str) -> dict[str, dict[str, Any]]:
        """Everything that a device's ledger holds, by request id."""
        found: dict[str, dict[str, Any]] = {}
        more: dict[str, Any] = {}
        while True:
            told = self.call(device, "get_history", {"limit": 200, **more}, _HISTORY_WITHIN)["result"]
            found |= {one["request_id"]: one for one in told["commands"]}
            if not told["more"]:
                return found
            more = {"before": told["commands"][-1]["seq"]}

    # Waiting.

    def wait(self, test: Callable[[], bool], within: float) -> bool:
        """Wait until a test passes; it is made whenever something was sent or heard."""
        with self.news:
            return self.news.wait_for(test, within)

    def wait_for_sent(self, devices: Collection[str], within: float) -> bool:
        """Wait until the next command to one of some devices is sent."""

        def sent() -> int:
            return sum(len(one.sent) for one in self.commands.values() if one.device in devices)

        with self.news:
            before = sent()
            return self.news.wait_for(lambda: sent() > before, within)

    # Counting.

    def all(self) -> Iterator[Command]:
        """The commands that move, in the order in which they were first sent."""
        with self.news:
            commands = list(self.commands.values())
        return (one for one in commands if one.goal is not None)

    def outcomes(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(one.outcome for one in self.all())
