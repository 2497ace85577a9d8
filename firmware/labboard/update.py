"""A new application over MQTT: pulled into the folder not in use, checked as a whole, started by a reset.

Nothing else is ever replaced: names in a manifest cannot leave that folder.
"""

import asyncio
import binascii
import gc
import hashlib
import json
import os

from labboard import whole_file
from labboard.part import Part
from labboard.tasks import Task
from micropython import const
import wire

_PIECE = const(1024)  # bytes
_WAIT = const(4)  # s for a piece
_TRIES = const(15)  # of a piece: a minute, in which a link comes back
_FILE_TRIES = const(3)
_MOST_FILES = const(32)
_LARGEST = const(262144)  # bytes of a file
_BLOCK = const(4096)  # bytes of flash that a file takes at least
_TIMEOUT = const(900)  # s
_FOLDER = const(0x4000)  # the type of a folder, as ilistdir tells it
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

_TEXT = {
    "type": "string",
    "maxLength": 64,
    "default": "",
    "description": "Which version; without it what is offered.",
}
_DOWNGRADE = {
    "type": "boolean",
    "default": False,
    "description": "Whether it may be older, or the same again.",
}


class Update(Part):
    """Offers of new applications, and their installation.

    Args:
        boots: Whose spare folder takes them.
        key: With which their manifests are signed; without it none is taken.
        topic: Before the topics of the update: ``lab2mqtt/pico-1/update``.
        publish: Coroutine function, called with topic and payload; raises OSError without a link.
        progress: Called with percent and message.
        stopped: Gives the emergency stop that is engaged, or None.
        restart: Called when a new application is there to be started; returns before the reset.
    """

    every = 10000
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
        self._offered = self._version or None
        self._wanted = None
        self._piece = None
        self._came = asyncio.Event()
        self.topics = (topic + "/manifest", topic + "/piece/#")
        self.tasks = (
            Task(
                "install_update",
                self._install,
                {"version": _TEXT, "downgrade": _DOWNGRADE},
                "set",
                _TIMEOUT,
                "Pull the application that is offered, check it, and restart with it.",
                '{"version"}; the restart follows.',
            ),
        )
        self.tasks[0].waits = False

    def read(self):
        """Which version runs, and which is offered."""
        return {
            "firmware": {"installed_version": self._version or None, "latest_version": self._offered or None}
        }

    def hear(self, topic, payload):
        """Take a message of one of the topics; give whether it was one."""
        if not topic.startswith(self._topic + "/"):
            return False
        kind = topic[len(self._topic) + 1 :]
        if kind == "manifest":
            self._hear_offer(payload)
        elif kind == self._wanted and self._piece is None:
            self._piece = bytes(payload)
            self._came.set()
        return True

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
        manifest = self._checked(version, downgrade)
        folder = self._boots.spare
        _empty(folder)
        _check_room(folder, manifest["files"])
        total = sum([file["size"] for file in manifest["files"]])
        done = 0
        for index, file in enumerate(manifest["files"]):
            path = folder + "/" + file["name"]
            for _ in range(_FILE_TRIES):
                await self._pull(index, file, path, manifest["version"], done, total)
                if _sha256(path) == file["sha256"]:
                    break
            else:
                raise OSError("%s came with other bytes than the manifest says" % file["name"])
            done += file["size"]
            gc.collect()
        # What was written first may have been damaged since.
        for file in manifest["files"]:
            if _sha256(folder + "/" + file["name"]) != file["sha256"]:
                raise OSError("the flash does not keep %s" % file["name"])
            await asyncio.sleep_ms(0)
        whole_file.write(folder + "/manifest.json", manifest)
        self._boots.switch()
        self._restart()
        return {"version": manifest["version"]}

    def _checked(self, version, downgrade):
        """The manifest that is offered.

        Raises:
            wire.WireError: It may not be installed.
        """
        if self._stopped():
            raise wire.WireError(wire.EMERGENCY_STOPPED, "an emergency stop is engaged; reset it first")
        if not self._key:
            raise _refusal("there is no update_key in secrets.json, so no update can be trusted")
        if self._offer is None:
            raise _refusal("no update for the node %s is offered" % (self._node or "of this board"))
        if version and version != self._offered:
            raise _refusal("version %s is offered, not %s" % (self._offered, version))
        manifest = json.loads(self._offer)
        fault = _fault(manifest)
        if fault:
            raise _refusal("the manifest is wrong: " + fault)
        if not _same(_signature(manifest, self._key), manifest.get("hmac")):
            raise _refusal("the manifest is not signed with this board's update_key")
        if not downgrade and _order(manifest["version"]) <= _order(self._version):
            raise _refusal(
                "%s is not newer than %s, which is installed; downgrade: true takes it all the same"
                % (manifest["version"], self._version)
            )
        return manifest

    async def _pull(self, index, file, path, version, done, total):
        """Pull one file, piece by piece."""
        at = path.rfind("/")
        _make_folder(path[:at])
        with open(path, "wb") as out:
            for offset in range(0, file["size"], _PIECE):
                length = min(_PIECE, file["size"] - offset)
                out.write(await self._ask(index, offset, length, version))
                percent = (done + offset + length) * 100 // max(total, 1)
                self._progress(percent, "%s: %d of %d bytes" % (file["name"], offset + length, file["size"]))

    async def _ask(self, index, offset, length, version):
        """Give one piece; a lost link may come back meanwhile.

        Raises:
            OSError: It did not come.
        """
        want = json.dumps({"file": index, "offset": offset, "length": length, "version": version}).encode()
        try:
            for _ in range(_TRIES):
                self._piece = None
                self._came.clear()
                self._wanted = "piece/%d/%d" % (index, offset)
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


def _refusal(why):
    return wire.WireError(wire.NOT_ALLOWED, why)


def _fault(manifest):
    """What is wrong with a manifest, or nothing."""
    files = manifest.get("files")
    if not isinstance(files, list) or not 0 < len(files) <= _MOST_FILES:
        return "files is not a list of 1 to %d" % _MOST_FILES
    names = []
    for file in files:
        name = file.get("name") if isinstance(file, dict) else None
        if not _is_name(name) or name in names:
            return "a file has no name, or one that stands twice, or one that a board does not take"
        size, sha256 = file.get("size"), file.get("sha256")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
            return name + " has no size, or one that a board does not take"
        if not isinstance(sha256, str) or len(sha256) != 64:
            return name + " has no SHA-256"
        names.append(name)
    if "app.mpy" not in names and "app.py" not in names:
        return "there is no app.mpy"
    return ""


def _is_name(name):
    """Whether a file may be called so: at most one folder deep, and nowhere else."""
    if not isinstance(name, str) or len(name) > 64:
        return False
    stem, dot, ending = name.rpartition(".")
    levels = stem.split("/")
    if not dot or ending not in ("mpy", "py") or len(levels) > 2:
        return False
    return all([level and all([letter in _LETTERS for letter in level]) for level in levels])


def _signature(manifest, key):
    """HMAC-SHA-256 over node, version and files of a manifest, as hexadecimal digits."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in key]))
    inner.update(("lab2mqtt application\n%s\n%s" % (manifest["node"], manifest["version"])).encode())
    for file in manifest["files"]:
        inner.update(("\n%s %d %s" % (file["name"], file["size"], file["sha256"])).encode())
    outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in key]))
    outer.update(inner.digest())
    return _hex(outer)


def _same(one, other):
    """Compare in a time that tells nothing of where they differ."""
    if not isinstance(other, str) or len(one) != len(other):
        return False
    differs = 0
    for mine, theirs in zip(one, other):
        differs |= ord(mine) ^ ord(theirs)
    return not differs


def _hex(hashed):
    return binascii.hexlify(hashed.digest()).decode()


def _order(version):
    """A version as numbers that can be compared: ``0.10.1`` is [0, 10, 1]."""
    numbers = []
    for word in version.split("."):
        digits = ""
        for letter in word:
            if not "0" <= letter <= "9":
                break
            digits += letter
        numbers.append(int(digits or "0"))
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _sha256(path):
    hashed = hashlib.sha256()
    block = bytearray(_PIECE)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(block)
            if not count:
                return _hex(hashed)
            hashed.update(memoryview(block)[:count])


def _check_room(folder, files):
    _make_folder(folder)
    room = os.statvfs(folder)
    free = room[0] * room[3]
    need = sum([file["size"] // _BLOCK + 1 for file in files]) * _BLOCK + 2 * _BLOCK
    if need > free:
        raise OSError("%d bytes are free, and the update needs %d" % (free, need))


def _empty(folder):
    """Remove what a folder holds, its manifest first: without it nobody takes it for an application."""
    try:
        os.remove(folder + "/manifest.json")
    except OSError:
        pass
    try:
        inside = list(os.ilistdir(folder))
    except OSError:
        return
    for entry in inside:
        path = folder + "/" + entry[0]
        if entry[1] == _FOLDER:
            _empty(path)
            os.rmdir(path)
        else:
            os.remove(path)


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:  # it is there, or the file in it will say why not
        pass
