"""``MQTTDeviceServer``: the functions of a program as a device, over MQTT."""

import os
import signal
import threading

from lab2mqtt import wire
from lab2mqtt.orchestration.served import Served
from lab2mqtt.runtime.address import Broker
from lab2mqtt.runtime.systemd import say

LOOK_EVERY = 0.5  # s in which a signal is noticed while nothing else happens


class MQTTDeviceServer:
    """Every ``@mqtt_task`` of the program as one device.

    It takes commands on ``<topic_prefix>/<device_id>/command`` and answers on ``…/result``, as ever. It is a
    device of the lab as well, ``lab2mqtt/<device_id>/…``: announced to Home Assistant, with its ledger, its
    queue and the lab's emergency stop.

        server = MQTTDeviceServer("mqtt-broker.local", device_id="ot2-001")
        server.start()
    """

    def __init__(  # noqa: PLR0913 - the shape that scripts know, and two more
        self,
        broker_host: str,
        broker_port: int = 1883,
        device_id: str | None = None,
        username: str | None = None,
        password: str | None = None,
        use_tls: bool = False,  # noqa: FBT001, FBT002 - the shape that scripts know
        topic_prefix: str = "ot2",
        *,
        name: str = "",
        base: str = wire.DEFAULT_BASE,
    ) -> None:
        """Prepare; ``start`` serves.

        Args:
            broker_host: Where the broker is.
            broker_port: The broker's port.
            device_id: What it is called; the machine's name unless told. In the lab it is written in lower
                case, with ``-`` for what cannot stand there.
            username: Who we are to the broker.
            password: Of that user.
            use_tls: Whether the link is encrypted. The CA is the system's, or the file in ``$LAB2MQTT_CA``;
                ``$LAB2MQTT_CERT`` and ``$LAB2MQTT_KEY`` for a broker that wants a certificate of ours.
            topic_prefix: What stands before the device's older topics.
            name: What people call it.
            base: The lab's base topic.

        Raises:
            ValueError: A topic or an id that is none.
        """
        files = {f"{one}_file": os.environ.get(f"LAB2MQTT_{one.upper()}") for one in ("ca", "cert", "key")}
        broker = Broker(broker_host, broker_port, username, password, use_tls, **(files if use_tls else {}))
        self._served = Served(device_id, name=name, broker=broker, base=base, topic_prefix=topic_prefix)
        self._served.tells = True
        self._told_to_end = threading.Event()

    @property
    def device_id(self) -> str:
        """Its id in the lab."""
        return self._served.device_id

    def start(self) -> None:
        """Serve until ``stop``, SIGTERM or Ctrl-C. A broker that is away is tried again and again.

        Raises:
            Misconfigured: Another process serves this device: one robot, one process.
            ValueError: There is no task.
        """
        self._told_to_end.clear()
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, lambda *_: self._told_to_end.set()) if in_main else None
        try:
            self._served.start()
            while not self._told_to_end.wait(LOOK_EVERY) and self._served.running:
                pass
        except KeyboardInterrupt:
            pass
        finally:
            say("STOPPING=1")
            if in_main:
                signal.signal(signal.SIGTERM, before)
            self._served.stop()
        self._served.check()

    def stop(self) -> None:
        """End it, from any thread; ``start`` returns. Safe to repeat."""
        self._told_to_end.set()
        self._served.stop()
