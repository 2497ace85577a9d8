"""What a bridge is measured against: aiomqtt as everybody writes it, with our socket options.

bare.py PORT echo              answers bare/+/command on bare/+/result, one after the other
bare.py PORT echo-tasks        the same, with a task for each command
bare.py PORT states N PERIOD FILE   N tasks that publish FILE's bytes every PERIOD seconds
bare.py PORT publish FILE      publishes FILE's messages once for each line on its standard input
bare.py PORT flood N           publishes N results, 64 at a time
"""

import asyncio
import json
from pathlib import Path
import socket
import sys
import time
from typing import Any

import aiomqtt

AT_ONCE = 64


def client(port: int) -> aiomqtt.Client:
    """A client whose socket neither waits for acknowledgements nor delays its own."""
    made = aiomqtt.Client("127.0.0.1", port, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])
    paho = made._client  # noqa: SLF001
    loop_read = paho.loop_read

    def quick(max_packets: int = 1) -> Any:  # noqa: ANN401
        code = loop_read(max_packets)
        if connection := paho.socket():
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return code

    paho.loop_read = quick
    return made


async def echo(mqtt: aiomqtt.Client, *, tasks: bool) -> None:
    """Answer each command with its own parameters."""

    async def answer(message: aiomqtt.Message) -> None:
        command = json.loads(message.payload)
        result = {
            "request_id": command["request_id"],
            "task": command["task"],
            "status": "success",
            "result": command["parameters"],
            "timestamp": int(time.time()),
        }
        device = message.topic.value.split("/")[1]
        await mqtt.publish(f"bare/{device}/result", json.dumps(result), qos=1)

    await mqtt.subscribe("bare/+/command", qos=1)
    await mqtt.publish("bare/status", "online", qos=1, retain=True)
    async with asyncio.TaskGroup() as group:
        async for message in mqtt.messages:
            if message.retain:  # amqtt sends what nobody here has subscribed to
                continue
            if tasks:
                group.create_task(answer(message))
            else:
                await answer(message)


async def states(mqtt: aiomqtt.Client, devices: int, period: float, payload: bytes) -> None:
    """Publish one state after the other for each device."""

    async def device(number: int) -> None:
        while True:
            await asyncio.sleep(period)
            await mqtt.publish(f"bare/noop-{number}/state", payload, qos=1, retain=True)

    await mqtt.publish("bare/status", "online", qos=1, retain=True)
    async with asyncio.TaskGroup() as group:
        for number in range(devices):
            group.create_task(device(number))


async def publish(mqtt: aiomqtt.Client, messages: list[tuple[str, str]]) -> None:
    """Publish retained messages one after the other, whenever told."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.buffer.readline()))
    await mqtt.publish("bare/status", "online", qos=1, retain=True)
    while await lines.get():
        for topic, payload in messages:
            await mqtt.publish(topic, payload, qos=1, retain=True)


async def flood(mqtt: aiomqtt.Client, count: int) -> None:
    """Publish results as fast as it goes."""
    window = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with window:
            await mqtt.publish("bare/noop-0/result", result(number), qos=1)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


def result(number: int) -> str:
    """A result of the usual size."""
    return json.dumps({"request_id": f"{number:032x}", "task": "apply", "status": "success", "result": None})


async def main(port: str, what: str, more: list[str], content: bytes) -> None:
    """Do what the command line says, with the content of the file that it names."""
    async with client(int(port)) as mqtt:
        match what:
            case "echo":
                await echo(mqtt, tasks=False)
            case "echo-tasks":
                await echo(mqtt, tasks=True)
            case "states":
                await states(mqtt, int(more[0]), float(more[1]), content)
            case "publish":
                await publish(mqtt, json.loads(content))
            case "flood":
                await flood(mqtt, int(more[0]))
                await asyncio.Event().wait()
            case _:
                sys.exit(__doc__)


if __name__ == "__main__":
    at, what_to_do, *words = sys.argv[1:]
    file = Path(words[-1]) if words else None
    asyncio.run(main(at, what_to_do, words, file.read_bytes() if file and file.is_file() else b""))
