"""``MQTTOrchestratorClient``: the tasks of one device over MQTT, without ``async``."""

from collections.abc import Mapping
import contextlib
import logging
import math
import threading
import time
from types import TracebackType
from typing import Any, Self
import uuid

from lab2mqtt import wire
from lab2mqtt.adopt import old_words
from lab2mqtt.core.seconds import check_timeout
from lab2mqtt.orchestration.mqtt_link import Address, Link
from lab2mqtt.orchestration.task_failed import TaskFailed

_LOGGER = logging.getLogger(__name__)

EXPIRES_IN = 120.0  # s at most, so that clocks that differ by three minutes still agree
LINK_WITHIN = 5.0  # s that a call waits for a link that is being made anew
STATUS_WITHIN = 1.0  # s for a retained status to come
ASK_AGAIN = 1.0  # s until an answer is asked for again; then ever more rarely
ASK_SELDOM = 16.0  # s
ASK_BOARD = 5.0  # s


class _Call:
    """One call that waits."""

    def __init__(self, payload: str) -> None:
        self.payload = payload
        self.over = threading.Event()
        self.result: dict[str, Any] = {}
        self.error: Exception | None = None

    def fail(self, error: Exception) -> None:
        self.error = error
        self.over.set()


class MQTTOrchestratorClient:
    """One device, of this protocol or of the older dialect. Calls may come from several threads at once.

    with MQTTOrchestratorClient("broker.local", "ot2", topic_prefix="lab2mqtt") as ot2:
        ot2.execute_task("mix_color", R=100, Y=50, B=80, well="A1", timeout=300)
    """

    def __init__(
        self,
        broker_host: str,
        device_id: str,
        broker_port: int = 1883,
        username: str | None = None,
        password: str | None = None,
        use_tls: bool = False,  # noqa: FBT001, FBT002 - the shape that scripts know
        topic_prefix: str = "ot2",
        timeout: float = 30.0,
    ) -> None:
        """Prepare; ``connect``, or entering the context, connects.

        Args:
            broker_host: Where the broker is.
            device_id: Which device.
            broker_port: The broker's port.
            username: Who we are to the broker.
            password: Of that user.
            use_tls: Whether the link is encrypted. The CA is the system's, or the file in ``$LAB2MQTT_CA``.
            topic_prefix: What stands before the device's topics: ``lab2mqtt`` for what a bridge runs or
                adopted, ``ot2`` for a device of the older dialect itself.
            timeout: Seconds that an answer is waited for.
        """
        self.device_id = device_id
        self.timeout = timeout
        self._command, self._result, self._status = (
            wire.device_topic(topic_prefix, device_id, kind) for kind in ("command", "result", "status")
        )
        address = Address(broker_host, broker_port, username, password, use_tls)
        self._link = Link(address, [self._result, self._status], self._heard, self._again)
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._tasks: list[str] = []
        self._said: dict[str, Any] = {}
        self._heard_status = threading.Event()

    def connect(self) -> None:
        """Connect; from then on a lost link is made anew by itself. Safe to repeat.

        Raises:
            ConnectionError: The broker cannot be reached, or does not take us.
        """
        if not self._link.is_open:
            self._link.open()

    def disconnect(self) -> None:
        """Disconnect; who still waits for an answer is told. Safe to repeat."""
        self._link.close()
        with self._lock:
            calls = list(self._calls.values())
        for call in calls:
            call.fail(ConnectionError("disconnected while the answer was waited for"))

    def execute_task(
        self,
        task_name: str,
        /,
        parameters: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - whatever the task returns
        """Let the device do a task, and wait for its result.

        Args:
            task_name: Which.
            parameters: By name.
            timeout: Seconds that the answer is waited for; by default the client's.
            **kwargs: More parameters.

        Returns:
            The task's result.

        Raises:
            RuntimeError: It was refused or failed; the text is the device's.
            TimeoutError: No answer came. Whether it was done is not known.
            ConnectionError: There is no link to the broker, so nothing was sent.
            TypeError: A parameter was given twice, or is none that JSON can hold.
            ValueError: The timeout is no number of seconds.
        """
        if twice := sorted(set(parameters or ()) & set(kwargs)):
            raise TypeError(f"{twice[0]} was given twice, in the parameters and as a keyword")
        patience = check_timeout(self.timeout if timeout is None else timeout)
        deadline = time.monotonic() + patience
        self._link.wait_up(min(patience, LINK_WITHIN))
        request_id = uuid.uuid4().hex
        message = self._message(request_id, task_name, {**(parameters or {}), **kwargs}, patience)
        try:
            call = _Call(wire.encode(message))
        except wire.WireError as error:
            raise TypeError(f"{task_name} cannot be asked for this: {error.message}") from None
        with self._lock:
            self._calls[request_id] = call
        try:
            _LOGGER.debug("%s: %s asked for %s", request_id, self.device_id, task_name)
            self._link.publish(self._command, call.payload)
            self._wait(call, deadline)
        finally:
            with self._lock:
                del self._calls[request_id]
        if call.error:
            raise call.error
        if not call.over.is_set():
            raise TimeoutError(
                f"{self.device_id} did not answer {task_name} within {patience:g} s{self._absence()}; "
                "whether it was done is not known"
            )
        if call.result["status"] == "error":
            raise TaskFailed(call.result["error"], call.result["error_code"])
        return call.result.get("result")

    def get_available_tasks(self) -> list[str]:
        """The names of the device's tasks: as its status tells, else as it answers ``get_device_status``.

        Raises:
            RuntimeError: It does not tell.
            TimeoutError: No answer came.
            ConnectionError: There is no link to the broker.
        """
        self._heard_status.wait(STATUS_WITHIN)
        if not self._tasks:
            told = self.execute_task("get_device_status")
            tasks = told.get("tasks_available") if isinstance(told, Mapping) else None
            self._tasks = list(old_words.names(tasks))
        return list(self._tasks)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def _wait(self, call: _Call, deadline: float) -> None:
        """Wait for the answer. One that was lost is asked for again: who remembers does nothing twice."""
        began, pause = time.monotonic(), ASK_AGAIN
        while not call.over.wait(max(0.0, min(pause, deadline - time.monotonic()))):
            now = time.monotonic()
            if now >= deadline:
                return
            pause = min(2 * pause, ASK_SELDOM)
            # A board knows its last commands, but not for long.
            if isinstance(self._said.get("bridge"), str) or (self._remembers and now < began + ASK_BOARD):
                with contextlib.suppress(ConnectionError):  # a new link asks by itself
                    self._link.publish(self._command, call.payload)

    @property
    def _remembers(self) -> bool:
        """Whether it knows a command that comes again; a device of the older dialect says no ``bridge``."""
        return "bridge" in self._said

    def _message(
        self, request_id: str, task: str, parameters: Mapping[str, Any], patience: float
    ) -> dict[str, object]:
        now = time.time()
        message = old_words.command(request_id, task, parameters, int(now))
        # What nobody waits for any more is not begun.
        expires_at = math.ceil(now + min(patience, EXPIRES_IN))
        return {**message, "expires_at": expires_at} if self._remembers else message

    def _absence(self) -> str:
        if not self._heard_status.is_set():
            return f", and nobody ever said anything on {self._status}: is it called so?"
        return ", and says that it is offline" if self._said.get("status") == wire.OFFLINE else ""

    # In the link's thread

    def _heard(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001
        if topic == self._status:
            self._hear_status(payload)
        elif not retained:
            self._hear_result(payload)

    def _hear_status(self, payload: bytes) -> None:
        try:
            self._said = wire.read_status(payload)
        except wire.WireError:
            return
        data = self._said.get("data")
        if tasks := old_words.names(data.get("tasks") if isinstance(data, Mapping) else None):
            self._tasks = list(tasks)
        self._heard_status.set()

    def _hear_result(self, payload: bytes) -> None:
        try:
            result = wire.read_result(payload)
        except wire.WireError as error:
            if call := self._calls.get(old_words.answered(payload)):
                text = f"the answer cannot be read ({error.message}); whether it was done is not known"
                call.fail(TaskFailed(text, wire.DEVICE_ERROR))
            return
        if call := self._calls.get(result["request_id"]):
            call.result = result
            call.over.set()

    def _again(self) -> None:
        """A new link: what was answered meanwhile is lost, and a device that remembers says it again."""
        if self._remembers:
            with self._lock:
                waiting = [call.payload for call in self._calls.values() if not call.over.is_set()]
            for payload in waiting:
                self._link.publish(self._command, payload)
