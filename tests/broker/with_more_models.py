"""``python -m tests.broker.with_more_models …``: ``lab2mqtt`` that knows the models of the tests, too."""

from pathlib import Path
import sys

from lab2mqtt import cli, devices

if __name__ == "__main__":
    devices.__path__.append(str(Path(__file__).with_name("more_models")))
    sys.exit(cli.main())
