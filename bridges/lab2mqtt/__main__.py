"""``python -m lab2mqtt``."""

import sys

from lab2mqtt.cli import main

sys.exit(main())
