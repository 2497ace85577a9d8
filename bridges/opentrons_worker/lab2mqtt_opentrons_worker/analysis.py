"""Analysing a protocol, as the robot and the Opentrons App do it."""

import json
from typing import Any

import click
from opentrons.cli.analyze import analyze as command

from lab2mqtt_opentrons_worker.child import Failed, Link
from lab2mqtt_opentrons_worker.durations import estimate
from lab2mqtt_opentrons_worker.requests import Job


def analyze(job: Job, link: Link) -> dict[str, Any]:
    """Run the package's own ``analyze`` command on the files.

    Returns:
        ``analysis`` has the shape of the robot's (result, errors, commands, labware, pipettes, modules,
        runTimeParameters, metadata, robotType, …). ``seconds`` has one estimate per command.

    Raises:
        Failed: The files are no protocol, or the protocol ended Python.
    """
    output = link.folder / "analysis.json"
    arguments = [
        *(str(link.folder / name) for name in job.files),
        f"--json-output={output}",
        f"--rtp-values={json.dumps(dict(job.values))}",
        "--log-level=ERROR",
    ]
    try:
        command.main(arguments, prog_name="analyze", standalone_mode=False)
    except click.ClickException as error:
        raise Failed("invalid_files", error.format_message()) from error
    except SystemExit as end:  # how it always ends; but also how a protocol can end it
        if not output.exists() or not output.stat().st_size:
            raise Failed.by_exit(end.code) from end
    analysis = json.loads(output.read_bytes())
    return {"analysis": analysis, "seconds": estimate(analysis["commands"])}
