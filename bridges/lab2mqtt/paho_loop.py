"""The end of a paho-mqtt client's thread."""

import contextlib

from paho.mqtt.client import Client


def end_loop(client: Client) -> None:
    """Wait for the end of the thread that ``loop_start`` started, as ``loop_stop`` does.

    That thread takes itself out of the client when it ends. paho-mqtt 2.1 looks whether there is one, and
    then waits for it; in between it may have ended.
    """
    with contextlib.suppress(AttributeError):
        client.loop_stop()
