"""The tests of the integration for Home Assistant, in its oldest and its newest test kit in turn.

Arguments go to pytest. Without any, the tests in both kits together must cover the integration, and its types
must be right in the newest. A kit that cannot be had is left out with the reason; with CI=true that fails.
"""

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
    data = []
    for release, venv in kits:
        _say(f"— in Home Assistant {release.version}")
        data.append(RESULTS / f"coverage-{release.version}")
        failed |= not _tested(venv, data[-1], chosen)
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


def _tested(venv: Path, data: Path, chosen: list[str]) -> bool:
    RESULTS.mkdir(exist_ok=True)
    command = [str(venv / "bin" / "python"), "-m", "pytest", "-c", f"{TESTS}/pytest.ini"]
    if not chosen:
        command += ["--cov", f"--cov-config={TESTS}/coverage.ini", "--cov-report="]
    code = _run([*command, TESTS, *chosen], {"COVERAGE_FILE": str(data.absolute())})
    return code == 0 or (code == CHOSE_NONE and bool(chosen))


def _covered(python: str, data: list[Path]) -> bool:
    _say("— what the tests in both cover")
    coverage = [python, "-m", "coverage"]
    told = [f"--rcfile={TESTS}/coverage.ini", f"--data-file={RESULTS / 'coverage'}"]
    files = [str(file) for file in data if file.exists()]
    return (
        _run([*coverage, "combine", *told, "--keep", *files]) == 0
        and _run([*coverage, "report", *told, f"--fail-under={COVERED}"]) == 0
    )


def _run(command: list[str], more: dict[str, str] | None = None) -> int:
    return subprocess.run(command, check=False, env={**os.environ, **(more or {})}).returncode


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
