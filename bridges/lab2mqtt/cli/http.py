"""Commands of the HTTP gateway: run one, make a token for it."""

import argparse
import logging
import sys

import yaml

from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.core.errors import LabError, Misconfigured
from lab2mqtt.gateway import settings
from lab2mqtt.gateway.rights import ALL
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal


def http(options: argparse.Namespace) -> int:
    """Run a gateway until it is told to end."""
    log_to_stderr(logging.DEBUG if options.debug else logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        gateway = settings.load(options.config)
        for warning in gateway.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        from lab2mqtt.gateway.server import Server  # noqa: PLC0415 - it needs more than a file's check

        run_until_signal(Server(options.config, gateway).run())
    except ModuleNotFoundError as error:
        return _wrong(_missing(error))
    except Misconfigured as error:
        return _wrong(error)
    return 0


def token(options: argparse.Namespace) -> int:
    """Make a token, and its line for the configuration."""
    try:
        from lab2mqtt.orchestration.bearer import hash_of, new_token  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        return _wrong(_missing(error))
    made = new_token()
    line = {options.name: {"sha256": hash_of(made), "devices": {ALL: "read"}}}
    print(f"The token of {options.name}. It is told once, and stands in no file of ours:", file=sys.stderr)
    print(made)
    print("Its lines for the gateway, under `tokens:`; then SIGHUP, or start it anew:", file=sys.stderr)
    print(yaml.safe_dump(line, sort_keys=False, allow_unicode=True), end="", file=sys.stderr)
    return 0


def _missing(error: ModuleNotFoundError) -> Misconfigured:
    return Misconfigured(
        f"the gateway needs {error.name}, which is not installed: pip install 'lab2mqtt[http]'"
    )


def _wrong(error: LabError) -> int:
    print(error, file=sys.stderr)
    return EXIT_USAGE
