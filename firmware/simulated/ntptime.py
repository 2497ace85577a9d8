"""In place of the board's ntptime: the PC's clock is right, unless the world has no time server."""

from errno import ETIMEDOUT

import world


def simulated():
    """As if a time server was asked.

    Raises:
        OSError: The world has none.
    """
    if not world.get("ntp", True):
        raise OSError(ETIMEDOUT, "the simulated network has no time server")
