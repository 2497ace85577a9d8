"""Environments with a Home Assistant in them, each on the Python that it asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import time

from lab2mqtt.hub import cache, debian
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.progress import Say, answer, run
from lab2mqtt.hub.requirements import requirements
from lab2mqtt.hub.uv import environment, uv

RECIPE = "1"  # what is in an environment: one made by another recipe is made anew


@dataclass(frozen=True)
class Release:
    """A Home Assistant that lab2mqtt supports, and what it takes to install it."""

    version: str
    python_from: tuple[int, int, int]
    megabytes: int  # on disk, with byte code and without the Python
    seconds: int  # on two cores, beside what the downloads take
    # Whether it depends on packages that exist as source only: ciso8601, lru-dict, and those of STAND_INS.
    compiles: bool = False

    @property
    def python(self) -> str:
        """The Python series: "3.14"."""
        return "{}.{}".format(*self.python_from)

    @property
    def asks_for(self) -> str:
        """The Python versions that do, as uv reads them."""
        major, minor, patch = self.python_from
        return f">={major}.{minor}.{patch},<{major}.{minor + 1}"


NEWEST = Release("2026.11.0", (3, 14, 2), megabytes=1000, seconds=15)
OLDEST = Release("2025.4.4", (3, 13, 0), megabytes=740, seconds=20, compiles=True)
RELEASES = {release.version: release for release in (NEWEST, OLDEST)}

# Two requirements exist as source only and would ask for a C++ compiler. They clean up speech, which nobody
# speaks to this hub; but the voice assistant that Home Assistant always loads imports them, and without them
# it complains to the user. So modules that can be imported, and no more, stand in for them.
STAND_INS = {
    "pymicro-vad": ("pymicro_vad", "class MicroVad: pass\n"),
    "pyspeex-noise": ("pyspeex_noise", "class AudioProcessor: pass\n"),
}


def best_hub(say: Say) -> Release | None:
    """The newest release whose Python can be had here, else the oldest, else none; tells which, and why."""
    for release in (NEWEST, OLDEST):
        try:
            if not is_installed(release):
                _check_compiler(release)
                _python(release, say)
        except HubError as error:
            say(f"No Home Assistant {release.version}: {error}")
        else:
            say(f"The hub is Home Assistant {release.version} on Python {release.python}.")
            return release
    return None


def location(release: Release) -> Path:
    """The folder of the environment, whether or not it is installed."""
    return cache.folder() / "home-assistant" / release.version


def is_installed(release: Release) -> bool:
    """Whether the environment is there, whole, and its Python still exists."""
    venv = location(release)
    try:
        return _marker(venv).read_text() == RECIPE and os.access(venv / "bin" / "python", os.X_OK)
    except OSError:
        return False


def install(version: str, say: Say) -> Path:
    """Install a release, unless that is done, and give its environment.

    Args:
        version: A key of ``RELEASES``.
        say: Takes lines on the way.

    Raises:
        NotAvailable: There is no Python, no uv or no compiler for it.
        HubError: A download or a build failed.
    """
    release = RELEASES[version]
    venv = location(release)
    with cache.lock(venv, say):
        if is_installed(release):
            return venv
        _check_compiler(release)
        python = _python(release, say)
        say(
            f"Installing Home Assistant {version} into {venv}: {release.megabytes} MB, "
            f"about {release.seconds} s plus the downloads …"
        )
        started = time.monotonic()
        shutil.rmtree(venv, ignore_errors=True)
        _fill(venv, release, python, say)
        # Last, so that whatever was interrupted before is done again.
        _marker(venv).write_text(RECIPE)
        say(f"Installed Home Assistant {version} in {time.monotonic() - started:.0f} s.")
    return venv


def core(venv: Path) -> Path:
    """The package ``homeassistant`` in an environment."""
    return next(venv.glob("lib/python3*/site-packages/homeassistant"))


def _marker(venv: Path) -> Path:
    return venv / "lab2mqtt-recipe"


def _fill(venv: Path, release: Release, python: Path, say: Say) -> None:
    what = f"installing Home Assistant {release.version}"
    surroundings = environment()
    pinned = f"homeassistant=={release.version}"
    pip = [*uv(), "pip", "install", "--python", str(venv / "bin" / "python")]
    run([*uv(), "venv", "--no-project", "--python", str(python), str(venv)], what, say, surroundings)
    # Alone first: its files tell what else it wants.
    run([*pip, "--no-deps", pinned], what, say, surroundings)
    wanted = venv / "requirements.txt"
    stand_ins = {} if release.compiles else STAND_INS
    wanted.write_text(
        "".join(f"{line}\n" for line in requirements(core(venv)) if line.split("==")[0] not in stand_ins)
    )
    # Without its constraints the resolver goes back through years of versions, and picks ones too new for it.
    pip += ["--compile-bytecode", "--constraints", str(core(venv) / "package_constraints.txt")]
    run([*pip, pinned, "--requirements", str(wanted)], what, say, surroundings)
    for module, text in stand_ins.values():
        (core(venv).parent / f"{module}.py").write_text(text)


def _check_compiler(release: Release) -> None:
    if release.compiles and not (shutil.which("c++") or shutil.which("g++")):
        raise NotAvailable(
            "it has dependencies that are built from source, and there is no C++ compiler here; "
            "on Debian: apt-get install g++"
        )


def _python(release: Release, say: Say) -> Path:
    """A Python for the release: found, else unpacked from Debian, else downloaded by uv."""
    for candidate in _found(release):
        if _fits(candidate, release):
            return candidate
    reasons = [f"no Python {release.asks_for} here"]
    name = f"python{release.python}"
    if name in debian.PROGRAMS:
        try:
            return debian.program(name, say)
        except HubError as error:
            reasons.append(str(error))
    say(f"Downloading Python {release.python} with uv …")
    try:
        run([*uv(), "python", "install", release.asks_for], "uv python install", say, environment())
    except HubError as error:
        # Of the chain of causes that uv prints, the last says it: no such host, no such version, …
        reasons.append(f"uv cannot download one ({str(error).splitlines()[-1].removeprefix('  cause: ')})")
    else:
        for candidate in _found(release):
            if _fits(candidate, release):
                return candidate
    raise NotAvailable("; ".join(reasons))


def _found(release: Release) -> Iterator[Path]:
    """Pythons that may fit: of uv and on PATH, of pyenv, unpacked before."""
    only_here = {**environment(), "UV_PYTHON_DOWNLOADS": "never"}
    if path := answer([*uv(), "python", "find", "--system", "--no-project", release.asks_for], only_here):
        yield Path(path)
    # Those that pyenv's shims do not lead to at the moment.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{release.python}*/bin/python{release.python}"), reverse=True)
    name = f"python{release.python}"
    if name in debian.PROGRAMS and (unpacked := debian.found(name)):
        yield unpacked


def _fits(python: Path, release: Release) -> bool:
    """Whether it runs and is new enough. Its minor version is known from where it was found."""
    version = answer([str(python), "-c", "import sys; print(*sys.version_info[:3])"])
    return version is not None and tuple(map(int, version.split())) >= release.python_from
