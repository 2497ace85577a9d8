"""What a board says where its memory is short."""

from pathlib import Path

from tests.micropython.rig import Script

# Nothing of 300 bytes fits into this heap any more, but where the answers of reads are.
SHORT = """\
import asyncio
import gc
from labboard.remembered import Remembered
from labboard.say import Say

class Link:
    up = True
    async def publish(self, topic, payload, retain=False, qos=1):
        print(topic, len(payload))

remembered = Remembered()
for number in range(9):
    remembered.note(str(number), b"")
    (remembered.acts if number == 4 else remembered.reads)(str(number))
    remembered.answer(str(number), bytes(320))

say = Say("lab", "arm")
say.link = Link()
say.spare = remembered.forget_reads
say.retain("state", lambda: bytes(300))
say.changed("state")

async def main():
    hoard = []
    try:
        while True:
            hoard.append(bytearray(256))
    except MemoryError:
        for number in range(0, 80, 4):
            hoard[number] = None
    gc.collect()
    try:
        bytes(300)
        print("there is room")
    except MemoryError:
        pass
    task = asyncio.create_task(say.run())
    await asyncio.sleep_ms(1000)
    task.cancel()
    hoard = None
    print("known:", *(number for number in range(9) if remembered.find(str(number))))

asyncio.run(main())
"""


def test_the_answers_of_reads_make_room_for_the_state(micropython: Path, tmp_path: Path) -> None:
    """Of what was done the answer stays."""
    script = Script(micropython, tmp_path, SHORT, config={}, heap="256k")
    assert script.run().split("\n")[-3:] == ["lab/arm/state 300", "known: 4", ""]
