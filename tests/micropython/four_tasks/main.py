"""Four tasks of every kind, for tests of memory."""

import asyncio

from labboard import Board, Part, task

board = Board(kind="arm", name="Arm")


class Arm(Part):
    every = 100
    safe_after = 2
    safe_words = "the arm rests"
    entities = {"angle": {"platform": "sensor", "name": "Angle", "unit": "°", "precision": 1}}  # noqa: RUF012
    angle = 0.0

    def read(self):
        return {"angle": self.angle}


arm = board.add(Arm())


@task(
    parameters={"angle": {"type": "number", "minimum": 0, "maximum": 180, "unit": "°"}},
    effect="move",
    description="Turn it.",
)
def turn(angle):
    arm.angle = angle
    return {"angle": angle}


@task(parameters={"seconds": {"type": "number", "default": 5}}, effect="move", timeout=20)
async def sweep(seconds):
    for step in range(int(seconds * 10)):
        turn(arm.angle % 180 + 1)
        board.progress(step * 10 / seconds, "step %d" % step)
        await asyncio.sleep_ms(100)


@task(parameters={"size": {"type": "integer"}}, effect="read", description="Measure much.")
async def look(size):
    await asyncio.sleep_ms(1)
    return {"text": "x" * size}


@task(effect="set")
def rest():
    arm.angle = 0.0


board.run()
