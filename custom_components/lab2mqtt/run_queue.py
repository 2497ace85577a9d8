"""The run queue: tasks that persons have put in a row, done one after the other while it is switched on."""

import json
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError

from . import wire
from .command_line import parse
from .errors import InvalidCall, TaskError
from .run import FAILED, RUNNING, STOPPED, SUCCEEDED, TASK, WAITING, Run
from .runs import MAX_RESULT

if TYPE_CHECKING:
    from .lab import Lab

QUEUE: Final = "run queue"  # who issues what nobody else does
REASONS: Final = ("started", "done", "failed", "stopped", "turned_off", "turned_on")


class Queue:
    """Of one lab. It is off after every start; nothing is done twice by itself.

    Attributes:
        on: Whether it goes on to the next task.
        reason: Why it is on or off: one of ``REASONS``.
        error: What went wrong, where something did.
    """

    def __init__(self, lab: "Lab") -> None:
        """Prepare; nothing is done."""
        self._lab = lab
        self.on = False
        self.reason = "started"
        self.error = ""
        self._works = False
        self._issued_by = QUEUE
        self._closed = False

    def close(self) -> None:
        """Do nothing more; what a device does now it does to its end."""
        self._closed = True
        self.on = False

    @callback
    def add(self, text: str, by: str) -> None:
        """Let a task wait.

        Raises:
            InvalidCall: The words cannot be understood, or mean what the device does not have.
        """
        self._lab.runs.add(self._read(text, by))

    @callback
    def change(self, run: Run, text: str) -> None:
        """Let other words wait in its place.

        Raises:
            InvalidCall: It does not wait, or the words cannot be understood.
        """
        if run.status != WAITING:
            raise InvalidCall("run_does_not_wait", title=run.title)
        read = self._read(text, run.begun_by)
        run.title, run.devices, run.command = read.title, read.devices, read.command
        self._lab.runs.changed()

    @callback
    def start(self, issued_by: str) -> None:
        """Do what waits, in its order, until nothing does or something goes wrong.

        Raises:
            InvalidCall: Nothing waits, or the lab is stopped.
        """
        if self._lab.stop:
            raise InvalidCall("queue_stopped", lab=self._lab.title)
        if not self._works and not self._lab.runs.waiting():
            raise InvalidCall("queue_empty")
        self._issued_by = issued_by
        self._turn("turned_on", on=True)
        if not self._works:
            self._works = True
            self._lab.entry.async_create_background_task(self._lab.hass, self._work(), "lab2mqtt run queue")

    @callback
    def stop(self) -> None:
        """Begin nothing more; what runs goes on."""
        if self.on:
            self._turn("turned_off", on=False)

    def _read(self, text: str, by: str) -> Run:
        device, task, parameters = parse(self._lab.devices.values(), text)
        command = {"device": device.device_id, "task": task, "parameters": parameters}
        return Run(text, TASK, by, devices=[device.device_id], command=command)

    async def _work(self) -> None:
        try:
            while self.on and (waiting := self._lab.runs.waiting()):
                if self._lab.stop:
                    self._turn("stopped", on=False)
                    return
                run = waiting[0]
                status, error = await self._do(run)
                if self._closed:
                    return
                await self._lab.runs.done(run, status, error)
                if status != SUCCEEDED:
                    self._turn(status, f"{run.title}: {error}", on=False)
            if self.on:
                self._turn("done", on=False)
        finally:
            self._works = False

    async def _do(self, run: Run) -> tuple[str, str]:
        """Do one; gives its status and error."""
        lab, words = self._lab, self._lab.words
        await lab.runs.start(run)
        task = run.command["task"]
        device = lab.devices.get(run.command["device"])
        if device is None:
            return FAILED, words.sentence("run_device_gone", device=run.command["device"])
        if busy := device.state.get("task"):
            return FAILED, words.sentence("run_device_busy", device=device.name, task=str(busy))
        own = self._issued_by if device.reserved_by == self._issued_by else None
        try:
            answer = await lab.calls.run(
                device,
                task,
                run.command["parameters"],
                issued_by=self._issued_by,
                reservation=own,
                on_progress=lambda progress: self._progress(run, progress),
            )
        except TaskError as error:
            return STOPPED if error.code == wire.EMERGENCY_STOPPED else FAILED, words.error(error)
        except HomeAssistantError as error:
            return FAILED, words.error(error)
        if answer.result is not None and len(json.dumps(answer.result)) <= MAX_RESULT:
            run.results = [answer.result]
        return SUCCEEDED, ""

    @callback
    def _progress(self, run: Run, progress: dict[str, Any]) -> None:
        if run.status == RUNNING and not self._closed:
            run.percent = progress.get("percent", run.percent)
            run.step = progress.get("message") or run.step
            self._lab.runs.changed()

    def _turn(self, reason: str, error: str = "", *, on: bool) -> None:
        self.on, self.reason, self.error = on, reason, error
        self._lab.changed()
