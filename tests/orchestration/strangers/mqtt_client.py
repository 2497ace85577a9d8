"""An orchestrator over MQTT as somebody else wrote it: paho-mqtt 1 or 2, and nothing of lab2mqtt.

``python mqtt_client.py PORT PREFIX DEVICE``. It takes one JSON object a line, each in a thread of its own:

    {"call": {"task": "mix_colors", "parameters": {"r": 1}, "timeout": 10, "request_id": "mine"}}
    {"say": "any payload", "retain": false}     on the command topic

and prints what it hears: ``{"up": n}`` for the n-th connection, ``{"status": …, "retained": …}``,
``{"result": …, "retained": …}``, and for each call ``{"answer": …}`` or ``{"timeout": request_id}``.
"""

from concurrent.futures import ThreadPoolExecutor
import contextlib
import json
import queue
import sys
import threading
import time
import uuid

import paho.mqtt.client as mqtt

_PRINTING = threading.Lock()


def tell(**what):
    """Print one line."""
    with _PRINTING:
        print(json.dumps(what), flush=True)


class OrchestratorClient:
    """One device."""

    def __init__(self, host, port, device_id, prefix="ot2"):
        """Connect, and listen."""
        self.base = f"{prefix}/{device_id}"
        self.waiting = {}
        self.connections = 0
        name = f"orchestrator-{uuid.uuid4().hex[:8]}"
        if hasattr(mqtt, "CallbackAPIVersion"):
            self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        else:
            self.client = mqtt.Client(client_id=name)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = self.on_message
        self.client.connect(host, port, 20)
        self.client.loop_start()

    def on_connect(self, client, *_):
        """Listen, after each connection."""
        client.subscribe([(f"{self.base}/result", 1), (f"{self.base}/status", 1)])

    def on_subscribe(self, *_):
        """From now on nothing is missed."""
        self.connections += 1
        tell(up=self.connections)

    def on_message(self, _client, _userdata, message):
        """Take a result or a status."""
        base, kind = message.topic.rsplit("/", 1)
        if base != self.base:
            return  # amqtt now and then says what nobody has asked for
        payload = json.loads(message.payload)
        if kind == "result" and payload["request_id"] in self.waiting:
            self.waiting[payload["request_id"]].put(payload)
        tell(**{kind: payload}, retained=bool(message.retain), qos=message.qos)

    def execute_task(self, task, parameters=None, timeout=30.0, request_id=None):
        """Give the answer's message."""
        request_id = request_id or str(uuid.uuid4())
        self.waiting[request_id] = answers = queue.Queue()
        command = {
            "request_id": request_id,
            "task": task,
            "parameters": parameters or {},
            "timestamp": time.time(),
        }
        self.client.publish(f"{self.base}/command", json.dumps(command), qos=1)
        try:
            tell(answer=answers.get(timeout=timeout))
        except queue.Empty:
            tell(timeout=request_id)


def main(port, prefix, device_id):
    """Do what the lines say until there are no more."""
    orchestrator = OrchestratorClient("127.0.0.1", int(port), device_id, prefix)
    with ThreadPoolExecutor(64) as threads:
        for line in sys.stdin:
            asked = json.loads(line)
            if "call" in asked:
                threads.submit(orchestrator.execute_task, **asked["call"])
            else:
                orchestrator.client.publish(
                    f"{orchestrator.base}/command", asked["say"], qos=1, retain=asked.get("retain", False)
                )
    orchestrator.client.disconnect()
    with contextlib.suppress(AttributeError):  # its thread may end while paho looks for it
        orchestrator.client.loop_stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
