"""A process that writes into a ledger, for tests that kill it or take its disk away.

For each path on its standard input it forks a child that writes there as fast as it can, and tells on its
standard output what stands in the file. The fork saves most of the time that a start of Python takes.
"""

import asyncio
import os
from pathlib import Path
import resource
import sys

from tests.unit.runtime.ledgers import NOW, happen, settle, take, well, write

from lab2mqtt.runtime import ledger as ledger_module
from lab2mqtt.runtime.ledger import Ledger
from lab2mqtt.runtime.ledger_file import Found

AT_ONCE = 8  # commands under way


def tell(*words: object) -> None:
    """Say a line at once: what is in a buffer dies with the process."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def tell_found(found: Found) -> None:
    """Say which commands a start answers."""
    for _, result in found.to_say:
        tell("said", result["request_id"], result["status"])


async def write_until_killed(file: Path) -> None:
    """Take and settle commands, some without an end."""
    ledger = Ledger(file, clock=lambda: NOW)
    ledger.on_open = tell_found
    await ledger.open()

    async def some(which: int) -> None:
        for number in range(10_000):
            request_id = f"{os.getpid()}-{which}-{number}"
            known, problem = await write(ledger, take(request_id), sync=number % 10 == 0)
            tell("taken" if not known and not problem else "wrong", request_id, problem)
            if number % 7:
                _, problem = await write(ledger, settle(request_id), needed=True)
                tell("settled" if not problem else "wrong", request_id, problem)

    await asyncio.gather(*(some(which) for which in range(AT_ONCE)))


async def write_on_a_small_disk(file: Path) -> None:
    """Write until nothing more fits, and go on when there is room."""
    ledger_module.AGAIN = 0.05
    ledger = Ledger(file, clock=lambda: NOW)
    await ledger.open()
    await write(ledger, take("before"))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, most))
    number, problem = 0, ""
    while not problem:
        number += 1
        _, problem = await write(ledger, happen(number, size=1000), needed=True)
    tell("problem", problem)
    tell("refused", (await write(ledger, take("during")))[1])
    await write(ledger, settle("before"), needed=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await well(ledger)
    tell("well", number, (await write(ledger, take("after")))[1])
    await ledger.close()


def main() -> None:
    """Do as the standard input says, one line after another."""
    for line in sys.stdin:
        what, path = line.split()
        child = os.fork()
        if child == 0:
            work = write_until_killed if what == "killed" else write_on_a_small_disk
            asyncio.run(work(Path(path)))
            os._exit(0)
        tell("pid", child)
        tell("over", os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
