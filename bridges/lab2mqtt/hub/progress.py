"""Programs that take a while, and telling so."""

from collections.abc import Callable, Mapping, Sequence
import subprocess
import sys
import tempfile
import time

from lab2mqtt.hub.errors import HubError

Say = Callable[[str], None]

INTERVAL = 10.0  # seconds between two lines where no progress bar can be shown


def run(command: Sequence[str], what: str, say: Say, environment: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    On a terminal its own progress bars show. Elsewhere its output is kept for the error, and a line tells
    every ten seconds that it still runs.

    Args:
        command: The program and its arguments.
        what: What it does, for the lines and the error: "installing Home Assistant 2026.11.0".
        say: Takes the lines.
        environment: All of its environment; else ours.

    Raises:
        HubError: It could not be started or failed; the text ends with the last of what it said.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        shown = None if sys.stderr.isatty() else output
        try:
            process = subprocess.Popen(  # noqa: S603, programs of ours, no user input
                command, stdin=subprocess.DEVNULL, stdout=shown, stderr=shown, env=environment
            )
        except OSError as error:
            raise HubError(f"{what}: {command[0]} does not start: {error}") from error
        with process:
            try:
                while True:
                    try:
                        process.wait(INTERVAL)
                        break
                    except subprocess.TimeoutExpired:
                        if shown:
                            say(f"  … {what}, {time.monotonic() - started:.0f} s")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()[-3000:]
            raise HubError(
                f"{what} failed with exit code {process.returncode}" + (f":\n{said}" if said else "")
            )


def answer(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What a quick program prints, or None if it fails or is not there."""
    try:
        done = subprocess.run(  # noqa: S603, programs of ours, no user input
            command, capture_output=True, text=True, check=False, timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
