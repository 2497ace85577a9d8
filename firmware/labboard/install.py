"""Installing an application: its manifest checked, its files pulled in pieces and checked as a whole.

Nothing but that folder is ever written: names in a manifest cannot leave it.
"""

import asyncio
import binascii
import gc
import hashlib
import json
import os

from micropython import const
import wire

from labboard import whole_file

_PIECE = const(1024)  # bytes
_FILE_TRIES = const(3)
_MOST_FILES = const(32)
_LARGEST = const(262144)  # bytes of a file
_BLOCK = const(4096)  # bytes of flash that a file takes at least
_FOLDER = const(0x4000)  # the type of a folder, as ilistdir tells it
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


def refusal(why):
    """The answer to an update that may not be installed."""
    return wire.WireError(wire.NOT_ALLOWED, why)


def _failure(why):
    return wire.WireError(wire.DEVICE_ERROR, why)


def checked(payload, key):
    """Read a manifest.

    Raises:
        wire.WireError: It is none, names what a board does not take, or is not signed with the key.
    """
    manifest = json.loads(payload)
    fault = _fault(manifest)
    if fault:
        raise refusal("the manifest is wrong: " + fault)
    if not _same(_signature(manifest, key), manifest.get("hmac")):
        raise refusal("the manifest is not signed with this board's update_key")
    return manifest


def is_newer(one, other):
    """Whether a version is newer than another; ``0.10`` is newer than ``0.9.1``."""
    return _order(one) > _order(other)


async def pull(manifest, folder, ask, progress):
    """Fill a folder with an application; its manifest comes last, and makes it one.

    Args:
        manifest: What ``checked`` gave.
        folder: The one that is not in use.
        ask: Coroutine function, called with version, index, offset and length; gives the bytes.
        progress: Called with percent and message.

    Raises:
        OSError: A file did not come.
        wire.WireError: It came with other bytes than the manifest says; or there is no room.
    """
    files = manifest["files"]
    _empty(folder)
    _check_room(folder, files)
    total = sum([file["size"] for file in files]) or 1
    done = 0
    for index, file in enumerate(files):
        path = folder + "/" + file["name"]
        _make_folder(path[: path.rfind("/")])
        for _ in range(_FILE_TRIES):
            with open(path, "wb") as out:
                for offset in range(0, file["size"], _PIECE):
                    length = min(_PIECE, file["size"] - offset)
                    out.write(await ask(manifest["version"], index, offset, length))
                    progress((done + offset + length) * 100 // total, file["name"])
            if sha256(path) == file["sha256"]:
                break
        else:
            raise _failure("%s came with other bytes than its manifest says" % file["name"])
        done += file["size"]
        gc.collect()
    for file in files:  # what was written first may have been damaged since
        if sha256(folder + "/" + file["name"]) != file["sha256"]:
            raise _failure("the flash does not keep %s" % file["name"])
        await asyncio.sleep_ms(0)
    whole_file.write(folder + "/manifest.json", manifest)


def sha256(path):
    """The SHA-256 of a file, as hexadecimal digits."""
    hashed = hashlib.sha256()
    block = bytearray(_PIECE)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(block)
            if not count:
                return _hex(hashed)
            hashed.update(memoryview(block)[:count])


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
        size, digest = file.get("size"), file.get("sha256")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
            return name + " has no size, or one that a board does not take"
        if not isinstance(digest, str) or len(digest) != 64:
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
    return all(level and all(letter in _LETTERS for letter in level) for level in levels)


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


def _check_room(folder, files):
    _make_folder(folder)
    room = os.statvfs(folder)
    free = room[0] * room[3]
    need = (sum([file["size"] // _BLOCK + 1 for file in files]) + 2) * _BLOCK
    if need > free:
        raise _failure("%d bytes are free, and the update needs %d" % (free, need))


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
