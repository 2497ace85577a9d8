"""The main.py of a board that has nothing but its link. It prints a line of JSON for whatever happens.

What comes on its command topic is an order: ``publish`` (topic, size, retain, qos), ``pieces`` (topic,
count), ``status``, ``after`` (ms, order), ``fail`` (the next ``on_up``); anything else is only told.
"""
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, D103, FBT003, PLW0603, PTH123, RUF006, T201 - MicroPython

import asyncio
import json
import time

from labboard import clock
from labboard.wifi import WiFi

with open("/link.json") as file:
    told = json.load(file)
if told["link"] == "own":
    from labboard.mqtt import Link
else:
    from labboard.link_mqtt_as import Link
settings = told["settings"]
name = settings["device_id"]
fail = False


def say(event, **values):
    values["event"] = event
    values["at"] = time.time()
    print(json.dumps(values))


def on_message(topic, payload, retained):
    say("message", topic=topic, size=len(payload), begins=str(payload[:80], "utf-8"), retained=retained)
    if topic.endswith("command") and payload[:1] == b"[" and not retained:
        asyncio.create_task(order(*json.loads(payload)))


async def order(what, *words):
    global fail
    try:
        if what == "publish":
            topic, size, retain, qos = words
            await link.publish(topic, b"x" * size, bool(retain), qos)
        elif what == "pieces":
            topic, count = words
            await link.publish_pieces(topic, lambda: (b"%07d\n" % number for number in range(count)), True)
        elif what == "after":
            await asyncio.sleep_ms(words[0])
            await order(*words[1])
            return
        elif what == "status":
            say(
                "status",
                up=link.up,
                silent=time.ticks_diff(time.ticks_ms(), link.heard),
                reconnects=link.reconnects,
                oversized=link.oversized,
                refused=link.refused,
                why=link.why,
                rssi=network.rssi(),
                now=clock.now(),
            )
        elif what == "fail":
            fail = True
        say("done", what=what)
    except OSError as error:
        say("failed", what=what, why=str(error))


async def on_up():
    global fail
    say("up")
    if fail:
        fail = False
        raise ValueError("as ordered")
    await link.publish("x/" + name + "/status", b"online", True)
    say("said")


network = WiFi(settings)
link = Link(
    settings,
    name,
    ("x/" + name + "/status", b"offline"),
    told["topics"],
    on_message,
    on_up,
    network,
    told["max_packet"],
)
link.safe_after = told["safe_after"]

asyncio.run(link.run())
