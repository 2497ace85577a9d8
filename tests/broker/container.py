"""What Dockerfile and compose files say, carried out without Docker: same lines, environment and user."""

from collections.abc import Iterator
import contextlib
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any

import yaml

from lab2mqtt.hub import child

ROOT = Path(__file__).parents[2]
# script/container sets it: a program that was installed as the Dockerfile says.
PROGRAMS = Path(os.environ.get("CONTAINER_PROGRAMS") or Path(sys.executable).parent)
NOBODY = "54321"  # a user without a name, a home or a right
START_WITHIN = 10.0  # s


class _Loader(yaml.SafeLoader):
    """Reads what compose adds to YAML."""


_LOADER_TAGS = {"!override": "tag:yaml.org,2002:seq"}
for _tag, _known in _LOADER_TAGS.items():
    _Loader.add_constructor(_tag, lambda loader, node: loader.construct_sequence(node, deep=True))


def compose(file: str = "compose.yaml") -> dict[str, Any]:
    """A compose file, read."""
    read: dict[str, Any] = yaml.load((ROOT / file).read_text(), _Loader)  # noqa: S506 - a safe one
    return read


def instructions() -> list[tuple[str, str]]:
    """The lines of the Dockerfile, each with its first word apart."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


def command(name: str = "CMD") -> list[str]:
    """What CMD or HEALTHCHECK runs."""
    found = [rest for word, rest in instructions() if word == name]
    read: list[str] = json.loads(found[-1][found[-1].index("[") :])
    return read


def image_environment() -> dict[str, str]:
    """ENV of the image."""
    told = " ".join(rest for word, rest in instructions() if word == "ENV")
    return dict(word.split("=", 1) for word in told.split())


class Container:
    """The worker host as its container runs it: nothing of our environment, no name, nothing to write but /state.

    Args:
        folder: Where what would be mounted lies.
        port: The broker's.
        password: The file of the secret.
        props: The folder of the props.
    """

    def __init__(self, folder: Path, port: int, password: Path, props: Path) -> None:
        self._places = {"/state": str(folder / "state"), "/props": str(props)}
        self.log = folder / "worker_host.log"
        (folder / "state").mkdir(exist_ok=True)
        told = {**image_environment(), **compose()["services"]["worker_host"]["environment"]}
        told = {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in told.items()}
        assert (told["MQTT_HOST"], told["MQTT_PORT"]) == ("broker", "1883")
        told |= {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(port), "MQTT_WORKER_PW_FILE": str(password)}
        told["PATH"] = f"{PROGRAMS}:{os.defpath}"
        self._environment = {name: self._here(value) for name, value in told.items()}
        self._process: child.Child | None = None

    def _here(self, word: str) -> str:
        """A path of the container, on this machine."""
        for there, here in self._places.items():
            if word == there or word.startswith(f"{there}/"):
                return here + word.removeprefix(there)
        return word

    def _command(self, name: str) -> list[str]:
        words = [self._here(word) for word in command(name)]
        words[0] = str(PROGRAMS / words[0])
        can = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
        if subprocess.run([*can, "true"], check=False, capture_output=True).returncode == 0:
            return [*can, *words]
        return words

    def start(self) -> None:
        """Run CMD."""
        self._process = child.start(self._command("CMD"), self.log, self._environment)

    def stop(self) -> int:
        """Stop it as Docker does; gives the exit code."""
        assert self._process
        return child.stop(self._process, patience=10)

    def health(self) -> int:
        """Run HEALTHCHECK; gives the exit code."""
        return subprocess.run(
            self._command("HEALTHCHECK"), env=self._environment, check=False, capture_output=True, timeout=20
        ).returncode


@contextlib.contextmanager
def build_context() -> Iterator[Path]:
    """A folder with what ``docker build`` is given of ours: what .dockerignore lets through."""
    let = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    with tempfile.TemporaryDirectory() as made:
        for name in let:
            source, target = ROOT / name, Path(made, name)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        yield Path(made)
