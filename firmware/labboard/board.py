"""A board: its parts and tasks, wired to everything that makes it a device of the lab."""

import asyncio
import sys
from time import ticks_diff, ticks_ms

from labboard import boots, clock, description, guard, settings, tasks
from labboard.answers import Answers
from labboard.commands import Commands
from labboard.execution import Execution
from labboard.guard import Guard
from labboard.health import KEYS, Health
from labboard.holds import Holds
from labboard.pins import Pins
from labboard.remembered import Remembered
from labboard.say import Say
from labboard.state import State
from labboard.stop import Stop, told
import wire

_STATE = (
    "readiness readiness_reasons connected emergency_stop stop_confirmed task reserved_by reserved_until "
    "reservation_reason maintenance maintenance_by updated_at"
).split() + list(KEYS)
_FLUSH = 1000  # ms for a last answer before a reset


class Board:
    """One board.

    Args:
        kind: What it is, one word for programs: ``lab_sensor``.
        name: For people, where the configuration names none.
        model: Of the hardware.
        manufacturer: Of the hardware.
        node: Which of the firmware's nodes.
        version: Of the application.

    Attributes:
        settings: Those of the node.
        pins: The pins that the configuration allows.
        link: The connection to the broker; None before ``run``.
        faults: Name → text of what makes the board unfit.
        on_up: Functions, plain or coroutine, that are called on each new link.

    Raises:
        labboard.settings.WrongSettings: The configuration cannot be used.
    """

    def __init__(self, kind="board", name="", model="", manufacturer="", node="", version=""):
        told = self._config = settings.read()
        self.device_id = told["device_id"]
        self.settings = told["settings"]
        self.pins = Pins(told["pins"], told["chip"])
        self.parts = []
        self.tasks = {}
        self.faults = {}
        self.on_up = []
        self.link = self._network = None
        self._heard = []  # (topic without #, handler)
        self._subscriptions = []
        this = boots.current
        if this:
            built = this.application()
            node, version = node or built[0], version or built[1]
        self._about = {
            "device_id": self.device_id,
            "name": told["name"] or name or self.device_id,
            "kind": kind,
            "manufacturer": manufacturer,
            "model": (model or sys.platform) + (" (simulated)" if told["simulated"] else ""),
            "sw_version": version,
            "area": told["area"],
            "node": node,
            "simulated": True if told["simulated"] else None,
        }
        say = self._say = Say(told["base"], self.device_id)
        self._stop_topics = [wire.emergency_stop_topic(told["base"])]
        if told["stop_topic"] not in self._stop_topics:
            self._stop_topics.append(told["stop_topic"])
        remembered = Remembered()
        self._answers = Answers(say, remembered)
        self.health = Health(this.last_crash if this else "")
        self._state = State(say, self.parts, self._reasons, self._more)
        self._stop = Stop(
            self._stop_topics, self._stop_parts, self._end_all, self._answers, say, self._state.changed
        )
        self._holds = Holds(self._answers.event, self._state.changed)
        self._commands = Commands(
            self.tasks,
            self._stop,
            self._holds,
            remembered,
            self._answers,
            self.health,
            self._state,
            self._clear,
        )
        self._execution = self._commands.execution = Execution(
            self._commands.check, self._answers, self._state, self._stop_parts
        )
        say.retain("description", self._pieces, True)
        say.retain("status", self._status)
        say.retain("state", self._state.payload)
        self.add_task(
            tasks.Task(
                "get_device_status",
                lambda: self.health.status(self.device_id, list(self.tasks)),
                effect="read",
                description="How the board is.",
                returns='{"device_id", "free_memory", "platform", "tasks_available", "uptime_ms"}',
            )
        )

    # What a node's main.py makes it of

    def add(self, part):
        """Add a part; gives it.

        Raises:
            ValueError: A key or a task of it is there already.
        """
        key = getattr(part, "key", "") or type(part).__name__.lower()
        count = 1
        while key in [each.key for each in self.parts]:
            count += 1
            key = "%s_%d" % (key.rstrip("0123456789_"), count)
        for entity in part.entities:
            if entity in _STATE or any(entity in each.entities for each in self.parts):
                raise ValueError("two entities are called " + entity)
        part.key = key
        part.lock = asyncio.Lock()
        for task in part.tasks:
            self.add_task(task)
            task.part = part
        self.parts.append(part)
        guard.safe(part)
        return part

    def add_task(self, task):
        """Add a task; gives it.

        Raises:
            ValueError: There is one of that name.
        """
        if task.name in self.tasks or task.name in Commands.house():
            raise ValueError("two tasks are called " + task.name)
        self.tasks[task.name] = task
        return task

    def task(
        self, name=None, parameters=None, effect="set", timeout=10, description="", returns="", required=None
    ):
        """Make a function a task of this board, as ``labboard.task``."""
        return tasks.declare(
            tasks.TASKS, name, parameters, effect, timeout, description, returns, required
        )

    def listen(self, topic, handler):
        """Call a function with topic and payload of what comes on a topic; ``#`` may stand at its end."""
        self._subscriptions.append(topic)
        self._heard.append((topic.rstrip("#"), handler))

    def topic(self, kind):
        """The device's topic of a kind."""
        return self._say.topic(kind)

    # What tasks and parts call while it runs

    def progress(self, percent=None, message=None):
        """Tell how far the task is that calls this: 0 to 100, or words, or both."""
        job = self._execution.job_of(asyncio.current_task())
        if job and job.task.effect != "read":
            self._answers.progress(job.command, percent, message)

    def event(self, event_type, **data):
        """Tell that something happened."""
        self._answers.event(event_type, **data)

    def changed(self):
        """Say the state soon: something has changed that no reading tells."""
        self._state.changed()

    def may_move(self):
        """Why nothing may move by itself now; "" where it may."""
        link = self.link
        if not link or not link.up:
            return "no link to the broker, by which it could be stopped"
        silence = ticks_diff(ticks_ms(), link.heard)
        if link.safe_after is not None and silence > link.safe_after * 1000:
            return "nothing is heard from the broker, by which it could be stopped"
        return self._commands.why_not()

    def say(self, kind, message, qos=1):
        """Publish a message on the device's topic of a kind."""
        self._say.put(kind, message, qos)

    def restart(self, why):
        """Start anew, once the last answers are out; all parts are made safe before."""
        if why not in self.faults:
            print("restart:", why)
            self.faults[why] = "about to restart: " + why
            self._execution.close(self.faults[why])
            asyncio.create_task(self._restart())

    # How it runs

    def run(self):
        """Run for ever. Whatever ends it, the parts are safe after."""
        try:
            asyncio.run(self._run())
        finally:
            for part in self.parts:
                guard.safe(part)

    async def _run(self):
        config = self._config
        for task in tasks.TASKS.values():
            self.add_task(task)
        self._add_update()
        if any(task.effect == "move" for task in self.tasks.values()):
            self._state.longest = 10_000
        self._state.begin()
        link = self._link()
        ticks = (self.health.tick, self._execution.tick, self._stop.tick, self._holds.tick)
        watch = Guard(
            self.parts, ticks, self._execution, config["reset_without_link"], self.restart, config["watchdog"]
        )
        if boots.current:
            asyncio.create_task(boots.current.prove(lambda: link.up, config["good_after"]))
        await _all(
            watch.run(link),
            self._execution.run(),
            self._state.run(),
            self._say.run(),
            clock.keep(config["ntp_host"]),
            link.run(),
        )

    def _link(self):
        config = self._config
        if config["transport"] == "own":
            from labboard.mqtt import Link
        else:
            from labboard.link_mqtt_as import Link
        from labboard.wifi import WiFi

        self._network = WiFi(config)
        self._command_topic = self.topic("command")
        will = (self.topic("status"), self._status(wire.OFFLINE))
        topics = self._stop_topics + [self._command_topic] + self._subscriptions
        link = Link(config, self.device_id, will, topics, self._hear, self._up, self._network)
        times = [part.safe_after for part in self.parts if part.safe_after is not None]
        link.safe_after = min(times) if times else None
        link.needed = len(self._stop_topics)
        self.link = self._say.link = link
        return link

    def _add_update(self):
        this = boots.current
        if this is None:
            return
        from labboard.update import Update

        def publish(topic, payload):
            return self.link.publish(topic, payload)

        update = Update(
            this,
            self._config["update_key"],
            self.topic("update"),
            publish,
            self.progress,
            lambda: self._stop.engaged,
            lambda: self.restart("a new application"),
        )
        self.add(update)
        for topic in update.topics:
            self.listen(topic, update.hear)

    def _hear(self, topic, payload, retained):
        try:
            if topic in self._stop_topics:
                self._stop.hear(topic, payload, retained)
            elif topic == self._command_topic:
                self._commands.receive(payload, retained)
            else:
                for begin, handler in self._heard:
                    if topic.startswith(begin):
                        handler(topic, payload)
                        break
        except MemoryError:
            self.health.malformed += 1

    async def _up(self):
        self._say.all_changed()
        self._stop.link_up()
        for call in self.on_up:
            called = call()
            if hasattr(called, "send"):
                await called

    def _pieces(self):
        return description.pieces(self._about, self.parts, self.tasks)

    def _status(self, word=wire.ONLINE):
        names = list(self.tasks) + Commands.house()
        return wire.encode(wire.status(self.device_id, word, clock.now(), None, names)).encode()

    def _more(self):
        stop = self._stop
        told = {"emergency_stop": stop.engaged is not None, "stop_confirmed": stop.confirmed}
        self._holds.state(told)
        self.health.state(told, self.link, self._network, self._say.dropped)
        return told

    def _reasons(self):
        found = {}
        stop = self._stop
        if stop.engaged:
            found["emergency_stopped"] = [told(stop.engaged)]
        faults = [text for text in (stop.problem, self._holds.problem) if text] + list(self.faults.values())
        if faults:
            found["fault"] = faults
        self._holds.reasons(found)
        return found

    def _stop_parts(self):
        return guard.stop(self.parts)

    def _end_all(self, code, text):
        self._execution.end_all(code, text)

    def _clear(self):
        self._say.publish(self._command_topic, b"", True)

    async def _restart(self):
        import machine

        for part in self.parts:
            guard.safe(part)
        await asyncio.sleep_ms(_FLUSH)
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
