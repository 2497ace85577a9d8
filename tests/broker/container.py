"""What Dockerfile and compose files say, carried out without Docker: same lines, environment and user."""

import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Any, Self

import yaml

from lab2mqtt.hub import child

ROOT = Path(__file__).parents[2]
# script/container sets it: a program that was installed as the Dockerfile says.
PROGRAMS = Path(os.environ.get("CONTAINER_PROGRAMS") or Path(sys.executable).parent)
NOBODY = "54321"  # a user without a name, a home or a right


class _Loader(yaml.SafeLoader):
    """Reads what compose adds to YAML."""


_Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


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
    """A service as its container runs it: without our environment, and as a user without a name.

    Args:
        folder: Where what would be mounted lies; ``lab`` in it is the folder of the configurations.
        port: The broker's.
        password: The file of the secret.
        props: The folder of the props.
        service: Which one.
    """

    def __init__(
        self, folder: Path, port: int, password: Path, props: Path, service: str = "worker_host"
    ) -> None:
        self._places = {"/state": str(folder / "state"), "/props": str(props), "/lab": str(folder / "lab")}
        self.log = folder / f"{service}.log"
        (folder / "state").mkdir(exist_ok=True)
        self._service: dict[str, Any] = compose()["services"][service]
        told = {**image_environment(), **self._service.get("environment", {})}
        told = {name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in told.items()}
        assert told["MQTT_HOST"] == "broker"
        assert told.get("MQTT_PORT", "1883") == "1883"
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
        of_service = self._service.get("command")
        if name == "HEALTHCHECK" and "healthcheck" in self._service:
            of_service = self._service["healthcheck"]["test"][1:]
        words = [self._here(word) for word in of_service or command(name)]
        words[0] = str(PROGRAMS / words[0])
        can = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
        if subprocess.run([*can, "true"], check=False, capture_output=True).returncode == 0:
            return [*can, *words]
        return words

    def start(self) -> None:
        """Run CMD."""
        self._process = child.start(self._command("CMD"), self.log, self._environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Stop it as Docker does; gives the exit code."""
        assert self._process
        return child.stop(self._process, patience=10)

    def health(self) -> int:
        """Run HEALTHCHECK; gives the exit code."""
        return subprocess.run(
            self._command("HEALTHCHECK"), env=self._environment, check=False, capture_output=True, timeout=20
        ).returncode


def build_context(folder: Path) -> None:
    """Copy what ``docker build`` is given of ours: what .dockerignore lets through."""
    for name in (line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)


def build(folder: Path) -> None:
    """Carry out the first stage of the Dockerfile, with the paths of the image in a folder."""
    context = folder / "context"
    context.mkdir()
    build_context(context)
    arguments: dict[str, str] = {}
    for word, rest in instructions():
        if word == "FROM" and arguments:
            return  # the second stage only copies what this one has made
        match word:
            case "ARG":
                name, _, value = rest.partition("=")
                arguments[name] = value.strip('"')
            case "COPY":
                *sources, target = rest.split()
                _copy(
                    [context / source for source in sources],
                    Path(f"{folder}{target}"),
                    is_folder=target[-1] == "/",
                )
            case "RUN":
                line = re.sub(r"(?<![^\s\"])/(?:opt|source)", rf"{folder}\g<0>", rest)
                print(line, flush=True)  # noqa: T201 - for who runs script/container
                subprocess.run(["sh", "-euc", line], env={**os.environ, **arguments}, check=True)  # noqa: S607


def _copy(sources: list[Path], target: Path, *, is_folder: bool) -> None:
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.mkdir(parents=True, exist_ok=True)
            assert is_folder
            shutil.copy(source, target)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
