"""A board: its parts and tasks, wired to everything that makes it a device of the lab."""

import asyncio
import gc
from time import ticks_diff, ticks_ms

from micropython import const
import wire

from labboard import boots, clock, guard, tasks
from labboard.borrowed import borrow
from labboard.commands import Commands
from labboard.stop import told

_FLUSH = const(1000)  # ms for a last answer before a reset
_GARBAGE = const(8192)  # bytes between two collections


class Board:
    """One board.

    What it consists of (``answers``, ``commands``, ``config``, …) is set by ``wiring``, and nobody else's.

    Args:
        kind: What it is, one word for programs: ``lab_sensor``.
        name: For people, where the configuration names none.
        model: Of the hardware.
        manufacturer: Of the hardware.
        node: Which of the firmware's nodes.
        version: Of the application.

    Attributes:
        device_id: Its id.
        settings: Those of the node.
        pins: The pins that the configuration allows; until it runs.
        parts: What is wired to it.
        tasks: Name → task, but for those of the house.
        link: The connection to the broker; from when it runs.
        faults: Name → text of what makes the board unfit.
        on_up: Functions, plain or coroutine, that are called on each new link.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
    """

    _wires = "wiring"  # the module that puts it together

    def __init__(self, kind="board", name="", model="", manufacturer="", node="", version=""):
        self.parts = []
        self.tasks = {}
        self.faults = {}
        self.on_up = []
        self.link = None
        self.listeners = []  # (topic, handler)
        self._wiring = borrow(self._wires)
        self._wiring.make(self, kind, name, model, manufacturer, node, version)

    # What a node's main.py makes it of

    def add(self, part):
        """Add a part; gives it.

        Raises:
            ValueError: A key or a task of it is there already.
        """
        self._wiring.add(self, part)
        return part

    def add_task(self, task):
        """Add a task; gives it.

        Raises:
            ValueError: There is one of that name.
        """
        self._wiring.add_task(self, task)
        return task

    def task(self, *args, **named):
        """Make a function a task of this board, as ``labboard.task``."""
        return tasks.task(*args, **named)

    def listen(self, topic, handler):
        """Call a function with topic and payload of what comes on a topic; ``#`` may stand at its end."""
        self.listeners.append((topic, handler))

    def topic(self, kind):
        """The device's topic of a kind."""
        return self.speaker.topic(kind)

    # What tasks and parts call while it runs

    def progress(self, percent=None, message=None):
        """Tell how far the task is that calls this: 0 to 100, or words, or both."""
        job = self.execution.job_of(asyncio.current_task())
        if job and job.task.effect != "read":
            self.answers.progress(job.command, percent, message)

    def event(self, event_type, **data):
        """Tell that something happened."""
        self.answers.event(event_type, **data)

    def changed(self):
        """Say the state soon: something has changed that no reading tells."""
        self.state.changed()

    def may_move(self):
        """Why nothing may move by itself now; "" where it may."""
        link = self.link
        if not link or not link.up:
            return "no link to the broker, by which it could be stopped"
        silence = ticks_diff(ticks_ms(), link.heard)
        if link.safe_after is not None and silence > link.safe_after * 1000:
            return "nothing is heard from the broker, by which it could be stopped"
        return self.commands.why_not()

    def say(self, kind, message, qos=1):
        """Publish a message on the device's topic of a kind."""
        self.speaker.put(kind, message, qos)

    def restart(self, why):
        """Start anew, once the last answers are out; all parts are made safe before."""
        if "restart" not in self.faults:
            print("restart:", why)
            why = self.faults["restart"] = "about to restart: " + why
            self.execution.close(why)
            asyncio.create_task(self._restart())

    def run(self):
        """Run for ever. Whatever ends it, the parts are safe after."""
        try:
            asyncio.run(self._run())
        finally:
            self._make_safe()

    # What its own parts call

    def hear(self, topic, payload, retained):
        """Take a message."""
        try:
            if topic in self.stop.topics:
                self.stop.hear(topic, payload, retained)
            elif topic == self.command_topic:
                if self.speaker.is_full and b"emergency_stop" not in payload:
                    self.health.malformed += 1  # not looked at: whoever misses an answer may send it again
                else:
                    self.commands.receive(payload, retained)
            else:
                for known, handler in self.listeners:
                    if topic == known or (known.endswith("#") and topic.startswith(known[:-1])):
                        handler(topic, payload)
                        break
        except MemoryError:
            gc.collect()
            self.health.malformed += 1
            if topic in self.stop.topics and payload is not None:
                self.stop.hear(topic, None, retained)

    async def link_up(self):
        """Say everything on a new link."""
        self.speaker.all_changed()
        self.stop.link_up()
        for call in self.on_up:
            called = call()
            if hasattr(called, "send"):
                await called

    def pieces(self):
        """The description, in pieces."""
        return borrow("description").pieces(self.about, self.parts, self.tasks)

    def status(self, word=wire.ONLINE):
        """The status, as it goes out."""
        names = list(self.tasks) + list(Commands.house())
        return wire.encode(wire.status(self.device_id, word, clock.now(), None, names)).encode()

    def hear_status(self, _, payload):
        """Somebody, such as the late will of our last link, says that we are offline: say that we are not."""
        if self.link.up and b'"online"' not in payload:
            self.speaker.changed("status")

    def more(self):
        """What belongs to the state beside readings and readiness."""
        stop = self.stop
        found = {"emergency_stop": stop.engaged is not None, "stop_confirmed": stop.confirmed}
        self.holds.state(found)
        self.health.state(found, self.link, self.network, self.speaker.dropped)
        return found

    def reasons(self):
        """What stands in the way, by the word of the readiness."""
        found = {}
        stop = self.stop
        if stop.engaged:
            found["emergency_stopped"] = [told(stop.engaged)]
        faults = [text for text in (stop.problem, self.holds.problem) if text]
        for name, text in self.faults.items():
            if name == "restart":  # as it should be
                found["starting"] = [text]
            else:
                faults.append(text)
        if faults:
            found["fault"] = faults
        self.holds.reasons(found)
        return found

    def stop_parts(self):
        """Let all that moves stand; gives what was in the way, or ""."""
        return guard.stop(self.parts)

    def end_all(self, code, text):
        """End what runs and waits."""
        self.execution.end_all(code, text)

    def get_device_status(self):
        """What the task of that name gives."""
        return self.health.status(self.device_id, list(self.tasks))

    def publish(self, topic, payload):
        """Publish now, to be awaited; raises OSError without a link."""
        return self.link.publish(topic, payload)

    def stop_engaged(self):
        """The emergency stop that is engaged, or None."""
        return self.stop.engaged

    def restart_updated(self):
        """Start anew with another application."""
        self.restart("a new application")

    def clear_command(self):
        """Clear what is retained on the command topic."""
        self.speaker.publish(self.command_topic, b"", True)

    async def _run(self):
        watch = self._wiring.finish(self)
        self._wiring = self.pins = None
        gc.threshold(_GARBAGE)
        if boots.current:
            asyncio.create_task(boots.current.prove(lambda: self.link.up, self.config["good_after"]))
        await _all(
            watch,
            self.execution.run(),
            self.state.run(),
            self.speaker.run(),
            clock.keep(self.config["ntp_host"]),
            self.link.run(),
        )

    def _make_safe(self):
        for part in self.parts:
            guard.safe(part)

    async def _restart(self):
        import machine

        self._make_safe()
        await asyncio.sleep_ms(_FLUSH)
        self._make_safe()
        if boots.current:
            boots.current.forgive()
        machine.reset()


async def _all(*works):
    """Run coroutines that never end; where one does, the board must not go on without it."""
    failed = []
    over = asyncio.Event()

    async def run(work):
        try:
            await work
            failed.append(RuntimeError("a part of the firmware ended"))
        except Exception as error:
            failed.append(error)
        over.set()

    for work in works:
        asyncio.create_task(run(work))
    await over.wait()
    raise failed[0]
