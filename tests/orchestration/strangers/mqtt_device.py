"""A device server over MQTT as somebody else wrote it: paho-mqtt 1 or 2, and nothing of lab2mqtt.

``python mqtt_device.py PORT PREFIX DEVICE``; it ends with its input, and then says that it is offline.
It prints ``{"up": n}`` for its n-th connection and ``{"command": …}`` for each command that comes.
"""

from concurrent.futures import ThreadPoolExecutor
import contextlib
import json
import sys
import threading
import time

import paho.mqtt.client as mqtt

_PRINTING = threading.Lock()


def tell(**what):
    """Print one line."""
    with _PRINTING:
        print(json.dumps(what), flush=True)


def mix_colors(r, g, b, well):
    """Mix."""
    return f"Mixed RGB({r},{g},{b}) in {well}"


def echo(**given):
    """Give back what was given."""
    return given


def wait(seconds):
    """Take a while."""
    time.sleep(seconds)
    return f"waited {seconds} s"


def jam():
    """Fail."""
    raise ValueError("the horn is loose")


TASKS = {function.__name__: function for function in (mix_colors, echo, wait, jam)}


class DeviceServer:
    """The device."""

    def __init__(self, host, port, device_id, prefix="ot2"):
        """Connect, and take commands."""
        self.device_id = device_id
        self.base = f"{prefix}/{device_id}"
        self.connections = 0
        self.threads = ThreadPoolExecutor(64)
        if hasattr(mqtt, "CallbackAPIVersion"):
            self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"device-{device_id}")
        else:
            self.client = mqtt.Client(client_id=f"device-{device_id}")
        self.client.reconnect_delay_set(1, 1)
        self.client.will_set(f"{self.base}/status", self.status("offline"), qos=1, retain=True)
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = self.on_message
        self.client.connect(host, port, 20)
        self.client.loop_start()

    def status(self, word):
        """The message that says it."""
        data = {"tasks": list(TASKS)} if word == "online" else {}
        told = {"device_id": self.device_id, "status": word, "timestamp": time.time(), "data": data}
        return json.dumps(told)

    def on_connect(self, client, *_):
        """Take commands, after each connection."""
        client.subscribe(f"{self.base}/command", 1)

    def on_subscribe(self, client, *_):
        """From now on no command is missed."""
        client.publish(f"{self.base}/status", self.status("online"), qos=1, retain=True)
        self.connections += 1
        tell(up=self.connections)

    def on_message(self, _client, _userdata, message):
        """Take a command."""
        command = json.loads(message.payload)
        tell(command=command, qos=message.qos)
        self.threads.submit(self.execute, command)

    def execute(self, command):
        """Do it, and answer."""
        told = {"request_id": command["request_id"], "task": command["task"]}
        try:
            if command["task"] not in TASKS:
                raise ValueError(f"Unknown task: {command['task']}")
            told.update(status="success", result=TASKS[command["task"]](**command["parameters"]))
        except Exception as error:
            told.update(status="error", error=str(error))
        told["timestamp"] = time.time()
        self.client.publish(f"{self.base}/result", json.dumps(told), qos=1)

    def stop(self):
        """Say goodbye."""
        self.client.publish(
            f"{self.base}/status", self.status("offline"), qos=1, retain=True
        ).wait_for_publish()
        self.client.disconnect()
        with contextlib.suppress(
            AttributeError
        ):  # its thread may end between paho's look for it and its waiting
            self.client.loop_stop()


def main(port, prefix, device_id):
    """Serve until the input ends."""
    server = DeviceServer("127.0.0.1", int(port), device_id, prefix)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
