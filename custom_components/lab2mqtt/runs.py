"""What is done in a lab, as a list that survives restarts: runs of scripts and automations, and tasks."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
import json
import time
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from . import wire
from .const import DOMAIN
from .device import Device, Stop
from .errors import InvalidCall
from .kept import forget, store
from .run import FAILED, INTERRUPTED, RUNNING, SCRIPT, STOPPED, SUCCEEDED, TASK, WAITING, Run
from .run_keeper import Keeper
from .words import local_time

if TYPE_CHECKING:
    from .lab import Lab

type RunListener = Callable[[str, Run], None]

MAX_ENDED: Final = 200  # runs that are over and still known
MAX_RESULTS: Final = 100  # of a run; then the oldest goes
MAX_RESULT: Final = 2048  # characters as JSON
_SHOWN_ENDED = 20
_SAVE_SOON = 1.0  # s; a step is not worth more


class Runs:
    """The runs of one lab."""

    def __init__(self, lab: "Lab") -> None:
        """Prepare; ``load`` does the rest."""
        self._lab = lab
        self._store = store(lab.hass, lab.entry.entry_id, "runs")
        self._runs: list[Run] = []  # those that wait, in the order in which they will run
        self._keepers: dict[str, Keeper] = {}
        self._stopped: set[str] = set()  # runs during which a stop came
        self._failure: dict[str, str] = {}  # what failed last, by run
        self._listeners: list[RunListener] = []
        self._untold: list[tuple[str, Run]] = []
        self._remove: list[CALLBACK_TYPE] = []

    async def load(self) -> None:
        """Read what was there when Home Assistant, or this entry, ended: what ran then was interrupted."""
        stored = await self._store.async_load() or {"runs": []}
        self._runs = [Run(**each) for each in stored["runs"]]
        for run in self._runs:
            if run.status == RUNNING:
                self._finish(run, INTERRUPTED, self._lab.words.sentence("run_was_interrupted"))
            elif run.status == INTERRUPTED and run.is_open:
                self._warn(run)
        self._remove = [self._lab.on_stop(self._stop), self._lab.on_event(self._event)]

    async def close(self) -> None:
        """Keep all of it; what runs will have been interrupted."""
        for remove in self._remove:
            remove()
        for keeper in self._keepers.values():
            keeper.close()
        self._keepers.clear()
        await self._store.async_save(self._stored())

    # Who asks.

    @callback
    def on_event(self, listener: RunListener) -> CALLBACK_TYPE:
        """Tell each start and end of a run; also what nobody has heard yet. Returns what ends that."""
        self._listeners.append(listener)
        untold, self._untold = self._untold, []
        for event_type, run in untold:
            listener(event_type, run)

        def remove() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return remove

    def find(self, run_id: str) -> Run:
        """The run of an id.

        Raises:
            InvalidCall: There is none.
        """
        for run in self._runs:
            if run.run_id == run_id:
                return run
        raise InvalidCall("unknown_run", run=run_id)

    def listed(self) -> list[Run]:
        """All: what runs, what waits in its order, what is to be looked at, what is over; newest first."""
        running = [run for run in self._runs if run.status == RUNNING]
        over = [run for run in self._runs if run.is_over]
        over.sort(key=lambda run: (not run.is_open, -(run.ended or 0)))
        return [*reversed(running), *self.waiting(), *over]

    def shown(self) -> list[dict[str, Any]]:
        """Those that are not over, and the last that are; of their results, how many."""
        listed = self.listed()
        ended = [run for run in listed if run.is_over][:_SHOWN_ENDED]
        return [
            run.shown() | {"results": len(run.results)}
            for run in [*(run for run in listed if not run.is_over), *ended]
        ]

    def waiting(self) -> list[Run]:
        """What waits in the queue, in its order."""
        return [run for run in self._runs if run.status == WAITING]

    def holder(self, device: Device, context: Context) -> str | None:
        """Under which reservation a context uses a device: that of the run which it began."""
        for keeper in self._keepers.values():
            run = keeper.run
            if run.status == RUNNING and keeper.acts_in(context) and device.device_id in run.devices:
                keeper.live()
                return run.holder
        return None

    def was_stopped(self, context: Context) -> bool:
        """Whether a stop came during the run that a context began, be it released by now or not."""
        return any(
            keeper.run.run_id in self._stopped and keeper.acts_in(context)
            for keeper in self._keepers.values()
        )

    # What becomes of them.

    async def begin(
        self,
        title: str,
        devices: list[Device],
        seconds: float,
        context: Context,
        by: str,
        entity_id: str | None,
    ) -> Run:
        """Begin the run of a script, with its devices reserved: all of them, or it does not begin.

        Raises:
            TaskError: A device is refused, or cannot be asked.
        """
        run = Run(title, SCRIPT, by, RUNNING, entity_id=entity_id, seconds=seconds)
        run.holder = f"{title} ({run.run_id[:4]})"
        run.devices = sorted(device.device_id for device in devices)
        keeper = Keeper(self._lab, run, context)
        await keeper.take()
        run.began = time.time()
        self._runs.append(run)
        self._keepers[run.run_id] = keeper
        keeper.start(lambda text: self._lost(run, text), lambda text: self._over(run, text))
        await self._begun(run)
        return run

    @callback
    def note(
        self, run: Run, step: str | None = None, percent: float | None = None, result: object = None
    ) -> None:
        """Write down how far a run is, and what came out.

        Raises:
            InvalidCall: It is over, or the result is too long.
        """
        if run.status != RUNNING:
            raise self._over_already(run)
        if result is not None:
            length = len(json.dumps(result, default=str))
            if length > MAX_RESULT:
                raise InvalidCall("result_too_long", length=str(length), longest=str(MAX_RESULT))
            run.results = [*run.results, result][-MAX_RESULTS:]
        run.step = run.step if step is None else step
        run.percent = run.percent if percent is None else percent
        if keeper := self._keepers.get(run.run_id):
            keeper.live()
        self._changed()

    async def end(self, run: Run, error: str = "") -> None:
        """End a run; an error tells that it failed. Its devices are free then.

        Raises:
            InvalidCall: It had ended with something else.
        """
        keeper = self._keepers.pop(run.run_id, None)
        if keeper:
            keeper.close()
        was_over = run.status != RUNNING
        if not was_over:
            self._finish(run, self._how(run, error), error)
            await self._store.async_save(self._stored())
        if keeper:
            await keeper.release()
        if was_over and not error:
            raise self._over_already(run)

    @callback
    def add(self, run: Run) -> None:
        """Let a task wait."""
        self._runs.append(run)
        self._changed()

    async def start(self, run: Run) -> None:
        """A task of the queue begins."""
        run.status, run.began = RUNNING, time.time()
        await self._begun(run)

    async def done(self, run: Run, status: str, error: str = "") -> None:
        """A task of the queue has ended."""
        self._finish(run, status, error)
        await self._store.async_save(self._stored())

    @callback
    def tick(self, run: Run) -> None:
        """A person has looked at it, or wants it no more.

        Raises:
            InvalidCall: It runs.
        """
        self._refuse_running(run)
        if run.status == WAITING:
            run.status, run.ended, run.error = STOPPED, time.time(), self._lab.words.sentence("run_taken_out")
        run.seen = True
        ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(run))
        self._changed()

    @callback
    def wait_again(self, run: Run) -> None:
        """Let a task that is over wait once more, at the end of the queue.

        Raises:
            InvalidCall: It is the run of a script.
        """
        if run.kind != TASK:
            raise InvalidCall("run_cannot_wait", title=run.title)
        if run.is_over:
            ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(run))
            self._runs.remove(run)
            # A new one: who heard of the old by its id is not to be told something else by it.
            self._runs.append(Run(run.title, TASK, run.begun_by, devices=run.devices, command=run.command))
            self._changed()

    @callback
    def delete(self, run: Run) -> None:
        """Forget it.

        Raises:
            InvalidCall: It runs.
        """
        self._refuse_running(run)
        ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(run))
        self._runs.remove(run)
        self._changed()

    @callback
    def move(self, run: Run, behind: Run | None) -> None:
        """Put what waits behind another one that waits, or first.

        Raises:
            InvalidCall: It does not wait.
        """
        if run.status != WAITING:
            raise InvalidCall("run_does_not_wait", title=run.title)
        self._runs.remove(run)
        place = self._runs.index(behind) + 1 if behind and behind.status == WAITING else 0
        self._runs.insert(place, run)
        self._changed()

    @callback
    def changed(self) -> None:
        """Something of a run was changed by others; keep it, and show it."""
        self._changed()

    def _finish(self, run: Run, status: str, error: str) -> None:
        run.status, run.error, run.ended = status, error, time.time()
        self._stopped.discard(run.run_id)
        self._failure.pop(run.run_id, None)
        if status == SUCCEEDED:
            run.percent = None
        if status == INTERRUPTED:
            self._warn(run)
        over = sorted((each for each in self._runs if each.is_over), key=lambda each: each.ended or 0)
        for each in over[:-MAX_ENDED]:
            ir.async_delete_issue(self._lab.hass, DOMAIN, _issue_id(each))
            self._runs.remove(each)
        self._tell(f"run_{status}", run)
        self._changed()

    def _how(self, run: Run, error: str) -> str:
        if not error:
            return SUCCEEDED
        return STOPPED if run.run_id in self._stopped else FAILED

    @callback
    def _lost(self, run: Run, text: str) -> None:
        """A device is not its own any more; who acts in it is refused by those that it still has."""
        if run.status == RUNNING:
            self._finish(run, self._how(run, text), text)

    @callback
    def _over(self, run: Run, text: str) -> None:
        """Its script is over, or nothing was heard for too long."""
        if failure := self._failure.get(run.run_id):
            text = self._lab.words.sentence("run_after", text=text, failure=failure)
        self._lost(run, text)
        if keeper := self._keepers.pop(run.run_id, None):
            keeper.close()
            self._lab.entry.async_create_task(self._lab.hass, keeper.release())

    @callback
    def _stop(self, stop: Stop | None, _: Stop | None) -> None:
        if stop:
            self._stopped |= {run.run_id for run in self._runs if run.status == RUNNING}

    @callback
    def _event(self, device: Device, message: dict[str, Any]) -> None:
        for run in self._runs:
            if run.status != RUNNING or device.device_id not in run.devices:
                continue
            if message["event_type"] == "emergency_stopped":
                self._stopped.add(run.run_id)
            # Others are refused all the time, as they are to be.
            elif message["event_type"] == "task_failed" and message.get("error_code") != wire.RESERVED:
                self._failure[run.run_id] = f"{device.name}: {message.get('task')}: {message.get('error')}"

    def _over_already(self, run: Run) -> InvalidCall:
        status = self._lab.words.word("run_status", run.status)
        return InvalidCall("run_is_over", title=run.title, status=status, error=run.error or "-")

    def _refuse_running(self, run: Run) -> None:
        if run.status == RUNNING:
            raise InvalidCall("run_is_running", title=run.title)

    def _warn(self, run: Run) -> None:
        ir.async_create_issue(
            self._lab.hass,
            DOMAIN,
            _issue_id(run),
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key="run_interrupted",
            translation_placeholders={
                "title": run.title,
                "lab": self._lab.title,
                "began": local_time(run.began or 0),
                "step": run.step or "-",
            },
        )

    def _tell(self, event_type: str, run: Run) -> None:
        if not self._listeners:
            self._untold = [*self._untold, (event_type, run)][-MAX_RESULTS:]
        for listener in list(self._listeners):
            listener(event_type, run)

    async def _begun(self, run: Run) -> None:
        """Keep it before anything is done in it, so that it cannot be forgotten."""
        if self._lab.stop:
            self._stopped.add(run.run_id)
        self._tell("run_started", run)
        self._lab.changed()
        await self._store.async_save(self._stored())

    def _changed(self) -> None:
        self._lab.changed()
        self._store.async_delay_save(self._stored, _SAVE_SOON)

    def _stored(self) -> dict[str, Any]:
        return {"runs": [asdict(run) for run in self._runs]}


async def forget_runs(hass: HomeAssistant, entry_id: str) -> None:
    """Leave nothing of an entry that is removed."""
    await forget(
        hass, entry_id, "runs", lambda kept: [_issue_id(Run(**each)) for each in kept.get("runs", ())]
    )


def _issue_id(run: Run) -> str:
    return f"run_interrupted_{run.run_id}"
