"""A board's link over TLS, and its clock, which has to be right before."""

from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
import shutil
import ssl
import struct
import time

import pytest
from tests.broker.certificates import Authority
from tests.broker.guarded_lab import Guarded
from tests.broker.observer import Observer
from tests.micropython.rig import Script
from tests.micropython.transport_rig import COMMAND, LinkBoard, time_server

from lab2mqtt.hub import mosquitto
from lab2mqtt.hub.errors import HubError
from lab2mqtt.hub.ports import LOOPBACK, free_port

MakeSecure = Callable[..., LinkBoard]
NTP_1970 = 2_208_988_800  # s from 1900 to 1970
ASK = """\
import asyncio
from labboard import ntp
async def ask():
    for _ in range({count}):
        try:
            print("told", await ntp.ask("127.0.0.1", {port}))
        except OSError as error:
            print("failed", error)
asyncio.run(ask())
"""


class Secure:
    """A mosquitto with TLS alone, whose certificate can be changed."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.folder = folder
        for name in ("ours", "theirs"):
            (folder / name).mkdir()
        self.ours, self.theirs = Authority(folder / "ours"), Authority(folder / "theirs")
        self.port = free_port()
        settings = f"""\
listener {self.port} {LOOPBACK}
certfile {folder}/broker.crt
keyfile {folder}/broker.key
allow_anonymous true
"""
        self.broker = Guarded(program, port=self.port, settings=settings)

    def present(self, authority: Authority, *names: str, expired: bool = False) -> None:
        """Take another certificate, and start again."""
        signed = authority.sign("broker", *names, expired=expired)
        for file in signed:
            shutil.copy(file, self.folder / f"broker{file.suffix}")
        self.broker.stop()
        self.broker.start()

    def observer(self) -> Observer:
        """Somebody who trusts our authority."""
        return Observer(self.port, "x/#", tls=self.ours.context())


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    """The broker; the embedded one knows no TLS."""
    try:
        program = mosquitto.find_or_unpack(print)
    except HubError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
        raise AssertionError from error
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Secure(program, folder)
    try:
        yield made
    finally:
        made.broker.__exit__(None, None, None)


@pytest.fixture(params=["64", "32"])
def make_secure(
    request: pytest.FixtureRequest, micropython: Path, tmp_path: Path, secure: Secure
) -> Iterator[MakeSecure]:
    """Boards that trust our authority; on both interpreters, whose TLS differs."""
    interpreter = micropython if request.param == "64" else request.getfixturevalue("micropython32")
    with contextlib.ExitStack() as stack:

        def make(**world: object) -> LinkBoard:
            folder = tmp_path / "board"
            folder.mkdir()
            broker = {"host": LOOPBACK, "port": secure.port, "tls": True, "ca": "/ca.der"}
            board = LinkBoard(interpreter, folder, 0, broker=broker)
            pem = secure.ours.certificate.read_text()
            board.file("/ca.der").write_bytes(ssl.PEM_cert_to_DER_cert(pem))
            board.world.say(**world)
            return stack.enter_context(board)

        yield make


def test_only_our_broker_is_trusted(secure: Secure, make_secure: MakeSecure) -> None:
    """Not one of another authority, not one of another name; and it is tried for ever."""
    secure.present(secure.ours, f"IP:{LOOPBACK}", f"DNS:{LOOPBACK}")
    board = make_secure()
    board.wait("said")
    with secure.observer() as seen:
        seen.publish(COMMAND, ["publish", "x/answer", 20_000, 0, 1])
        assert len(seen.wait("x/answer").payload) == 20_000
    secure.present(secure.theirs, f"IP:{LOOPBACK}", f"DNS:{LOOPBACK}")
    board.until_said("mqtt: ")
    board.until_said("cert")
    secure.present(secure.ours, "DNS:another.lab")
    board.until_said("name" if "name" in board.said().lower() else "mqtt:")
    assert len(board.told("up")) == 1
    secure.present(secure.ours, f"IP:{LOOPBACK}", f"DNS:{LOOPBACK}")
    board.wait("said", count=2, within=25)


def test_the_clock_comes_before_tls(secure: Secure, make_secure: MakeSecure) -> None:
    """A certificate is valid from a day to a day; who knows no day must not trust it."""
    secure.present(secure.ours, f"IP:{LOOPBACK}", f"DNS:{LOOPBACK}")
    board = make_secure(ntp=False)
    board.until_said("no time server")
    assert not board.told("up")
    board.world.say(ntp=True)
    board.wait("said", within=15)


def test_a_time_server_is_asked_by_sntp(micropython: Path, tmp_path: Path) -> None:
    """Its transmit time, since 2036 with a counter that began again; not of one that does not know it."""
    now = int(time.time())

    def answer(seconds: int, *, stratum: int = 2, leap: int = 0, size: int = 48) -> bytes:
        head = struct.pack("!BB38xI4x", leap << 6 | 0x1C, stratum, (seconds + NTP_1970) & 0xFFFFFFFF)
        return head[:size]

    late = 2_085_978_496 + 1000  # 1000 s after the counter began again
    answers = (
        answer(now),
        answer(late),
        answer(now, stratum=0),
        answer(now, leap=3),
        answer(now, size=40),
    )
    with time_server(*answers) as port:
        main = ASK.format(port=port, count=len(answers) + 1)
        said = Script(micropython, tmp_path, main, config={}).run(within=10)
    bad = "failed no time in the answer"
    assert said.splitlines() == [f"told {now}", f"told {late}", bad, bad, bad, "failed no answer"]


def test_a_clock_that_is_not_set_says_nothing(micropython: Path, tmp_path: Path) -> None:
    """None, until a time server has answered; then whole seconds."""
    main = """\
import asyncio, json
from labboard import clock
async def keep():
    keeper = asyncio.create_task(clock.keep("pool.ntp.org"))
    await asyncio.sleep_ms(50)
    print(json.dumps(clock.now()))
    keeper.cancel()
asyncio.run(keep())
"""
    told = []
    for ntp in (False, True):
        folder = tmp_path / str(ntp)
        folder.mkdir()
        board = Script(micropython, folder, main, config={})
        board.world.say(ntp=ntp)
        told.append(json.loads(board.run().splitlines()[-1]))
    assert told[0] is None
    assert isinstance(told[1], int)
    assert abs(told[1] - time.time()) < 5
