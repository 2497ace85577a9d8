"""The embedded broker: amqtt, for the demo and tests. On loopback only; it is no broker for a lab.

It speaks MQTT 3.1.1, and expires no keep-alive: the will of a client that hangs is never sent
(docs/performance.md).
"""

import asyncio
import logging

from lab2mqtt.core.errors import Misconfigured

_LOGGER = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


async def serve(port: int) -> None:
    """Run a broker until cancelled.

    Raises:
        Misconfigured: amqtt is not installed, or the port is taken.
    """
    try:
        # Here, because it takes a quarter of a second that a bridge need not pay.
        from amqtt.errors import BrokerError  # noqa: PLC0415

        from lab2mqtt.runtime.amqtt_broker import Broker  # noqa: PLC0415
    except ImportError as error:
        raise Misconfigured("the embedded broker is not installed: pip install 'lab2mqtt[broker]'") from error
    logging.getLogger("amqtt").setLevel(logging.ERROR)  # it tells every connection
    logging.getLogger("transitions").setLevel(logging.ERROR)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    try:
        await broker.start()
    except (BrokerError, OSError) as error:
        raise Misconfigured(f"no broker at {LOOPBACK}:{port}: {error.__cause__ or error}") from error
    _LOGGER.info("Broker at mqtt://%s:%d", LOOPBACK, port)
    try:
        await asyncio.Event().wait()
    finally:
        await broker.shutdown()
