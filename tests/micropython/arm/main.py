"""A node for tests: an arm that notes in the journal whatever it does, and tasks of every kind."""

import asyncio
import time

from labboard import Board, Part, micropython_task, task
from labboard.tasks import Task
import world

board = Board(kind="arm", name="Arm", model="Test arm")
ANGLE = {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"}


class Arm(Part):
    every = 100
    safe_after = 2
    safe_words = "the arm rests"

    def __init__(self):
        self.angle = 0.0
        self.entities = {
            "angle": {"platform": "sensor", "name": "Angle", "unit": "°", "precision": 1},
        }
        self.tasks = (
            Task("turn", self.turn, {"angle": ANGLE}, effect="move", description="Turn it."),
            Task(
                "sweep", self.sweep, {"seconds": {"type": "number", "default": 5}}, effect="move", timeout=20
            ),
            Task("hang", self.hang, {"seconds": {"type": "number"}}, effect="move", timeout=20),
        )

    def read(self):
        if world.get("arm_gone"):
            raise OSError("the arm does not answer")
        return {"angle": float("nan") if world.get("arm_dizzy") else self.angle}

    def safe(self):
        world.note("safe")

    def stop(self):
        world.note("stop")
        if world.get("arm_stuck"):
            raise OSError("the arm does not stop")

    def turn(self, angle):
        self.angle = angle
        world.note("arm", angle=angle)
        return {"angle": angle}

    async def sweep(self, seconds):
        for step in range(int(seconds * 10)):
            self.turn(self.angle % 180 + 1)
            board.progress(step * 10 / seconds, "step %d" % step)
            await asyncio.sleep_ms(100)
        return {"angle": self.angle}

    async def hang(self, seconds):
        for _ in range(int(seconds * 10)):
            try:
                await asyncio.sleep_ms(100)
            except asyncio.CancelledError:
                world.note("deaf")


board.add(Arm())


@task(effect="read", parameters={"size": {"type": "integer", "minimum": 0}}, timeout=2)
async def look(size):
    return {"text": "x" * size}


@task(effect="read")
async def stare():
    await asyncio.sleep(1)


@task(effect="read")
def odd():
    return {
        "nan": float("nan"),
        "bytes": b"\x01\xff",
        "set": {1},
        "tuple": (1, 2),
        3: "three",
        "text": 'a"\\é',
    }


@task(
    "choose",
    {
        "well": {"type": "string", "enum": ["A1", "B2"]},
        "note": {"type": "string", "maxLength": 3, "default": ""},
    },
)
async def choose(well, note):
    return {"well": well, "note": note}


@task(parameters={"how": {"type": "string"}})
async def fail(how):
    if how == "device":
        raise OSError("nothing answers on I2C")
    if how == "bug":
        raise KeyError(how)
    return {"bad": object()}


@task(parameters={"seconds": {"type": "number"}})
def block(seconds):
    time.sleep(seconds)


@micropython_task()
def anything(**given):
    return given


board.run()
