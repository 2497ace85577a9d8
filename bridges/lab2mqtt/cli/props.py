"""Run the worker host."""

import argparse
import logging
import os
import sys

from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.cli.props_health import healthy
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.props.host import Host
from lab2mqtt.props.settings import settings_of
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal

SWITCH_EVERY = 0.0002  # s; a worker that counts and never waits holds the interpreter for this long at a time


def props(options: argparse.Namespace) -> int:
    """Run the workers of all props until told to end."""
    try:
        settings = settings_of(options, os.environ)
        if options.healthy:
            return healthy(settings)
        log_to_stderr(logging.DEBUG if settings.debug else logging.INFO)
        sys.setswitchinterval(SWITCH_EVERY)
        run_until_signal(Host(settings).run())
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return 0
