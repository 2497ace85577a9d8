"""Environments with a Home Assistant in them, each on the Python that it asks for.

Those of the hub run it; those of a test kit hold the tests of our integration, which run inside of it.
"""

from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import time

from lab2mqtt.hub import cache
from lab2mqtt.hub.errors import HubError, NotAvailable
from lab2mqtt.hub.progress import Say, run
from lab2mqtt.hub.pythons import Wanted, python
from lab2mqtt.hub.requirements import requirements
from lab2mqtt.hub.uv import environment, uv

RECIPE = "1"  # what is in an environment: one made by another recipe is made anew
KIT = "pytest-homeassistant-custom-component"
KIT_TOOLS = ("mypy==2.4.1",)  # as in the lint group of pyproject.toml


@dataclass(frozen=True)
class Release:
    """A Home Assistant that lab2mqtt supports, and what it takes to install it.

    The tests of an integration want a release of the kit that was made for theirs of Home Assistant: ``kit``.
    """

    version: str
    python_from: tuple[int, int, int]
    megabytes: int  # on disk, with byte code and without the Python
    seconds: int  # on two cores, beside what the downloads take
    # Whether it depends on packages that exist as source only: ciso8601, lru-dict, and those of STAND_INS.
    compiles: bool = False
    kit: str = ""

    @property
    def name(self) -> str:
        """What it is called where it is to be installed: "2026.11.0", "test-kit/2026.10.4"."""
        return f"test-kit/{self.version}" if self.kit else self.version

    @property
    def packages(self) -> tuple[str, ...]:
        """What it is made of, each pinned."""
        kit = (f"{KIT}=={self.kit}", *KIT_TOOLS) if self.kit else ()
        return (f"homeassistant=={self.version}", *kit)

    @property
    def recipe(self) -> str:
        """What an environment of it tells that was made as it is made today."""
        return " ".join([RECIPE, *self.packages[1:]])

    @property
    def python(self) -> str:
        """The Python series: "3.14"."""
        return "{}.{}".format(*self.python_from)

    @property
    def wanted(self) -> Wanted:
        """The Pythons that do."""
        return Wanted((self.python,), self.python_from)


NEWEST = Release("2026.11.0", (3, 14, 2), megabytes=1000, seconds=15)
OLDEST = Release("2025.4.4", (3, 13, 0), megabytes=740, seconds=20, compiles=True)
# There is none for the newest release yet.
NEWEST_KIT = Release("2026.10.4", (3, 14, 2), megabytes=1070, seconds=15, kit="0.13.375")
OLDEST_KIT = Release("2025.4.4", (3, 13, 0), megabytes=830, seconds=30, compiles=True, kit="0.13.236")
RELEASES = {release.name: release for release in (NEWEST, OLDEST, NEWEST_KIT, OLDEST_KIT)}

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
                python(release.wanted, say)
        except HubError as error:
            say(f"No Home Assistant {release.version}: {error}")
        else:
            say(f"The hub is Home Assistant {release.version} on Python {release.python}.")
            return release
    return None


def location(release: Release) -> Path:
    """The folder of the environment, whether or not it is installed."""
    return cache.folder() / ("test-kit" if release.kit else "home-assistant") / release.version


def is_installed(release: Release) -> bool:
    """Whether the environment is there, whole, and its Python still exists."""
    venv = location(release)
    try:
        return _marker(venv).read_text() == release.recipe and os.access(venv / "bin" / "python", os.X_OK)
    except OSError:
        return False


def install(name: str, say: Say) -> Path:
    """Install a release, unless that is done, and give its environment.

    Args:
        name: A key of ``RELEASES``.
        say: Takes lines on the way.

    Raises:
        NotAvailable: There is no Python, no uv or no compiler for it.
        HubError: A download or a build failed.
    """
    release = RELEASES[name]
    venv = location(release)
    with cache.lock(venv, say):
        if is_installed(release):
            return venv
        _check_compiler(release)
        found = python(release.wanted, say)
        what = _words(release)
        say(
            f"Installing {what} into {venv}: {release.megabytes} MB, "
            f"about {release.seconds} s plus the downloads …"
        )
        started = time.monotonic()
        shutil.rmtree(venv, ignore_errors=True)
        _fill(venv, release, found, say)
        # Last, so that whatever was interrupted before is done again.
        _marker(venv).write_text(release.recipe)
        say(f"Installed {what} in {time.monotonic() - started:.0f} s.")
    return venv


def core(venv: Path) -> Path:
    """The package ``homeassistant`` in an environment."""
    return next(venv.glob("lib/python3*/site-packages/homeassistant"))


def _words(release: Release) -> str:
    return f"{'the test kit of ' if release.kit else ''}Home Assistant {release.version}"


def _marker(venv: Path) -> Path:
    return venv / "lab2mqtt-recipe"


def _fill(venv: Path, release: Release, found: Path, say: Say) -> None:
    what = f"installing {_words(release)}"
    surroundings = environment()
    pip = [*uv(), "pip", "install", "--python", str(venv / "bin" / "python")]
    run([*uv(), "venv", "--no-project", "--python", str(found), str(venv)], what, say, surroundings)
    # Alone first: its files tell what else it wants.
    run([*pip, "--no-deps", release.packages[0]], what, say, surroundings)
    wanted = venv / "requirements.txt"
    stand_ins = {} if release.compiles else STAND_INS
    wanted.write_text(
        "".join(f"{line}\n" for line in requirements(core(venv)) if line.split("==")[0] not in stand_ins)
    )
    # Without its constraints the resolver goes back through years of versions, and picks ones too new for it.
    pip += ["--compile-bytecode", "--constraints", str(core(venv) / "package_constraints.txt")]
    run([*pip, *release.packages, "--requirements", str(wanted)], what, say, surroundings)
    for module, text in stand_ins.values():
        (core(venv).parent / f"{module}.py").write_text(text)


def _check_compiler(release: Release) -> None:
    if release.compiles and not (shutil.which("c++") or shutil.which("g++")):
        raise NotAvailable(
            "it has dependencies that are built from source, and there is no C++ compiler here; "
            "on Debian: apt-get install g++"
        )
