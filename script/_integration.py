"""The tests of the integration for Home Assistant, in its oldest and its newest test kit, side by side.

Arguments go to pytest. Without any, the tests in both kits together must cover the integration, and its types
must be right in the newest. A kit that cannot be had is left out with the reason; with CI=true that fails.
"""

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import subprocess
import sys

from lab2mqtt.hub import environments
from lab2mqtt.hub.errors import HubError

TESTS = "tests/integration"
COVERED = 95  # percent of the lines
RESULTS = Path("test-results")
CHOSE_NONE = 5  # pytest's exit code


def main(chosen: list[str]) -> int:
    """Run all; gives the exit code."""
    kits, missing = _kits()
    failed = missing and bool(os.environ.get("CI"))
    RESULTS.mkdir(exist_ok=True)
    data = [RESULTS / f"coverage-{release.version}" for release, _ in kits]
    # They wait for their devices most of the time.
    with ThreadPoolExecutor(max(1, len(kits))) as both:
        running = [
            both.submit(_tested, release.version, venv, file, chosen)
            for (release, venv), file in zip(kits, data, strict=True)
        ]
    failed |= not all(each.result() for each in running)
    if chosen or not kits:
        return int(failed)
    # The last is the newest.
    python = str(kits[-1][1] / "bin" / "python")
    if missing:
        _say("Not every test kit is here, so how much they cover is not asked.")
    else:
        failed |= not _covered(python, data)
    _say("— its types")
    failed |= _run([python, "-m", "mypy", "--config-file", f"{TESTS}/mypy.ini"]) != 0
    return int(failed)


def _kits() -> tuple[list[tuple[environments.Release, Path]], bool]:
    """The kits that are here or can be had, and whether one cannot."""
    kits = []
    missing = False
    for release in (environments.OLDEST_KIT, environments.NEWEST_KIT):
        try:
            kits.append((release, environments.install(release.name, _say)))
        except HubError as error:
            missing = True
            _say(f"Skipped in Home Assistant {release.version}: {error}")
    return kits, missing


def _tested(version: str, venv: Path, data: Path, chosen: list[str]) -> bool:
    """Run the tests in one kit; each line of theirs begins with its version."""
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-c", f"{TESTS}/pytest.ini"]
    if not chosen:
        command += ["--cov", f"--cov-config={TESTS}/coverage.ini", "--cov-report="]
    surroundings = {**os.environ, "COVERAGE_FILE": str(data.absolute())}
    with subprocess.Popen(
        [*command, TESTS, *chosen],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=surroundings,
    ) as running:
        for line in running.stdout or ():
            _say(f"{version} {line.rstrip()}")
    return running.returncode == 0 or (running.returncode == CHOSE_NONE and bool(chosen))


def _covered(python: str, data: list[Path]) -> bool:
    _say("— what the tests in both cover")
    coverage = [python, "-m", "coverage"]
    told = [f"--rcfile={TESTS}/coverage.ini", f"--data-file={RESULTS / 'coverage'}"]
    files = [str(file) for file in data if file.exists()]
    return (
        _run([*coverage, "combine", *told, "--keep", *files]) == 0
        and _run([*coverage, "report", *told, f"--fail-under={COVERED}"]) == 0
    )


def _run(command: list[str]) -> int:
    return subprocess.run(command, check=False).returncode


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
