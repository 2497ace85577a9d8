"""Offers of a new application over MQTT; ``install`` has all that only an installation needs."""

import asyncio
import json

from micropython import const
import wire

from labboard.part import Part
from labboard.tasks import Task

_WAIT = const(4)  # s for a piece
_TRIES = const(15)  # of a piece: a minute, in which a link comes back
_TIMEOUT = const(900)  # s


class Update(Part):
    """What is installed and what is offered.

    Args:
        boots: Which application runs, and where another one goes.
        key: With which manifests are signed; a board without one has no updates.
        topic: Before the topics of the update: ``lab2mqtt/pico-1/update``.
        publish: Coroutine function, called with topic and payload; raises OSError without a link.
        progress: Called with percent and message.
        stopped: Gives the emergency stop that is engaged, or None.
        restart: Called when a new application is there to be started; returns before the reset.

    Attributes:
        topics: What to listen to.
    """

    entities = {
        "firmware": {
            "platform": "update",
            "name": "Firmware",
            "device_class": "firmware",
            "category": "diagnostic",
        },
        "install_update": {
            "platform": "button",
            "name": "Install update",
            "device_class": "update",
            "category": "config",
            "task": "install_update",
        },
    }

    def __init__(self, boots, key, topic, publish, progress, stopped, restart):
        self._boots = boots
        self._key = key.encode()
        self._topic = topic
        self._publish = publish
        self._progress = progress
        self._stopped = stopped
        self._restart = restart
        self._node, self._version = boots.application()
        self._offer = None  # the manifest as it came: as objects it takes four times the room
        self._offered = self._version
        self._wanted = None
        self._piece = None
        self._came = asyncio.Event()
        self.topics = (topic + "/manifest", topic + "/piece/#")
        task = Task(
            "install_update",
            self._install,
            {
                "version": {"type": "string", "maxLength": 64, "default": ""},
                "downgrade": {
                    "type": "boolean",
                    "default": False,
                    "description": "Whether it may be older, or the same again.",
                },
            },
            "set",
            _TIMEOUT,
            "Pull the application that is offered, check it, and restart with it.",
        )
        task.waits = False
        self.tasks = (task,)

    def read(self):
        """Which version runs, and which is offered."""
        return {
            "firmware": {"installed_version": self._version or None, "latest_version": self._offered or None}
        }

    def hear(self, topic, payload):
        """Take a message of one of the topics."""
        kind = topic[len(self._topic) + 1 :]
        if kind == "manifest":
            self._hear_offer(payload)
        elif kind == self._wanted and self._piece is None:
            self._piece = bytes(payload)
            self._came.set()

    def _hear_offer(self, payload):
        self._offer, self._offered = None, self._version
        if not payload:
            return
        try:
            told = json.loads(payload)
            if told["node"] == self._node and isinstance(told["version"], str):
                self._offer, self._offered = bytes(payload), told["version"][:64]
        except (ValueError, KeyError, TypeError):
            pass

    async def _install(self, version="", downgrade=False):
        """Pull, check and start what is offered.

        Raises:
            wire.WireError: It may not be installed, or is broken.
            OSError: It did not come.
        """
        if self._stopped():
            raise wire.WireError(wire.EMERGENCY_STOPPED, "an emergency stop is engaged; reset it first")
        from labboard import install

        if self._offer is None:
            raise install.refusal("no update is offered for the node %r" % self._node)
        if version and version != self._offered:
            raise install.refusal("version %s is offered, not %s" % (self._offered, version))
        manifest = install.checked(self._offer, self._key)
        if not downgrade and not install.is_newer(manifest["version"], self._version):
            raise install.refusal(
                "%s is not newer than %s, which is installed; downgrade: true takes it all the same"
                % (manifest["version"], self._version)
            )
        await install.pull(manifest, self._boots.spare, self._ask, self._progress)
        self._boots.switch()
        self._restart()
        return {"version": manifest["version"]}

    async def _ask(self, version, index, offset, length):
        """Give one piece; a lost link may come back meanwhile.

        Raises:
            OSError: It did not come.
        """
        want = json.dumps({"file": index, "offset": offset, "length": length, "version": version}).encode()
        self._wanted = "piece/%d/%d" % (index, offset)
        try:
            for _ in range(_TRIES):
                self._piece = None
                self._came.clear()
                try:
                    await self._publish(self._topic + "/want", want)
                except OSError:  # no link: wait for it
                    pass
                try:
                    await asyncio.wait_for(self._came.wait(), _WAIT)
                except asyncio.TimeoutError:
                    continue
                if len(self._piece) == length:
                    return self._piece
        finally:
            self._wanted = None
        raise OSError("nobody sent byte %d of file %d in time" % (offset, index))
