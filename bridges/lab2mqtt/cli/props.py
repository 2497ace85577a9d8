"""Run the worker host."""

import argparse
import contextlib
import logging
import os
import resource
import sys

from lab2mqtt.cli import EXIT_USAGE
from lab2mqtt.cli.health import healthy
from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.props.host import Host
from lab2mqtt.props.settings import settings_of
from lab2mqtt.runtime.old_devices import as_id
from lab2mqtt.runtime.processes import log_to_stderr, run_until_signal

SWITCH_EVERY = 0.0002  # s; a worker that counts and never waits holds the interpreter for this long at a time
FILES = 8192


def props(options: argparse.Namespace) -> int:
    """Run the workers of all props until told to end."""
    try:
        settings = settings_of(options, os.environ)
        if options.healthy:
            return healthy(settings.broker, settings.base, as_id(settings.client_id))
        log_to_stderr(logging.DEBUG if settings.debug else logging.INFO)
        sys.setswitchinterval(SWITCH_EVERY)
        _allow_files()
        run_until_signal(Host(settings).run())
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return 0


def _allow_files() -> None:
    """Allow more open files: most systems give a program 1024, and every worker takes three."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # as it is, then
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
