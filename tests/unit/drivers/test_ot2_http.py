"""The client of the robot server, against the simulated one over loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.ot2_bench import bench, until
from tests.unit.ot2_joined import Joined, joined

from lab2mqtt.core.errors import Fault, Garbled, LabError, Misconfigured, Refused, Unreachable
from lab2mqtt.drivers.ot2.errors import (
    NotFound,
    Off,
    RobotFault,
    Silent,
    StartFailed,
    Starting,
    error_for,
)
from lab2mqtt.drivers.ot2.http import Owner, RobotServer
from lab2mqtt.hub.ports import free_port

ROBOTS = (
    b"HTTP/1.1 200 OK\r\nOpentrons-Version: 4\r\nOpentrons-Min-Version: 2\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture
async def lab() -> AsyncIterator[Joined]:
    """A robot, and a client that was opened."""
    async with joined() as made:
        yield made


class TestOpen:
    """Which robot, which version, and whether it is there at all."""

    async def test_health(self, lab: Joined) -> None:
        """Identity, and the version agreed on."""
        health = lab.server.health
        assert health
        assert (health.serial, health.software, health.api_level) == ("SIM-OT2-1", "8.1.0", (2, 20))
        assert "not the real opentrons engine" in (health.simulator or "")
        assert lab.server.version == 4

    async def test_off(self) -> None:
        """Nobody listens."""
        server = RobotServer("127.0.0.1", free_port())
        with pytest.raises(Off, match="it is off, restarting or somewhere else"):
            await server.open()
        with pytest.raises(Unreachable, match="is not connected"):
            await server.lights()

    @pytest.mark.parametrize(
        ("phase", "error", "words"),
        [
            ("database", Starting, "the robot is starting: its database"),
            ("hardware", Starting, "the robot is starting: its motor controller"),
            ("failed", StartFailed, "switch it off and on: Error connecting to motor controller"),
        ],
    )
    async def test_starting(self, lab: Joined, phase: str, error: type[LabError], words: str) -> None:
        """Told in words; a start that failed is no start."""
        lab.robot.fault("booting", on=True, options={"phase": phase})
        with pytest.raises(error, match=words):
            await lab.server.open()
        assert issubclass(error, Unreachable) == (error is Starting)

    async def test_silent(self) -> None:
        """Takes questions and answers none."""
        async with bench() as robot:
            robot.robot.fault("slow", on=True, options={"seconds": 5})
            with pytest.raises(Silent, match=r"did not answer GET /health within 0\.1 s"):
                await RobotServer("127.0.0.1", robot.server.port, patience=0.1).open()

    async def test_another_robot(self) -> None:
        """The serial number tells."""
        async with joined("SIM-OT2-1"):
            pass
        with pytest.raises(Misconfigured, match="is the robot SIM-OT2-1, not OT2-7"):
            async with joined("OT2-7"):
                pass

    @pytest.mark.parametrize(
        ("versions", "words"), [((1, 1), "its software is too old"), ((5, 7), "this bridge speaks 2 to 4")]
    )
    async def test_versions_apart(self, versions: tuple[int, int], words: str) -> None:
        """Nothing in common."""
        async with bench() as robot:
            robot.robot.http_api = versions
            with pytest.raises(Fault, match=words):
                await RobotServer("127.0.0.1", robot.server.port).open()

    async def test_newer_robot(self) -> None:
        """We keep to what we know."""
        async with bench() as robot:
            robot.robot.http_api = (3, 9)
            async with RobotServer("127.0.0.1", robot.server.port) as server:
                assert server.version == 4

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Garbled),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nnginx", Starting),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", Garbled),
            (b"", Silent),
            (ROBOTS + b"Content-Length: 9\r\n\r\n{'a': 'b'", Garbled),
            (ROBOTS + b"Content-Length: 2\r\n\r\n{}", Garbled),
        ],
    )
    async def test_no_robot_server(self, answer: bytes, error: type[LabError]) -> None:
        """Something else listens there."""

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(talk, "127.0.0.1", 0) as other:
            with pytest.raises(error):
                await RobotServer("127.0.0.1", other.sockets[0].getsockname()[1]).open()


class TestErrors:
    """Statuses and bodies."""

    @pytest.mark.parametrize(
        ("status", "body", "error", "words"),
        [
            (500, {"message": "camera", "errorCode": "4000"}, RobotFault, r"ask: camera \(4000\)"),
            (500, "Internal Server Error", RobotFault, "Internal Server Error"),
            (503, "", Starting, "answered 503"),
            (418, "teapot", Garbled, "teapot"),
            (404, {"errors": [{"id": "RunNotFound", "detail": "gone"}]}, NotFound, r"gone \(RunNotFound\)"),
            (409, {"errors": [{"id": "RunAlreadyActive", "detail": "no"}]}, Refused, "ask: no"),
            (422, {"errors": [{"id": "ProtocolFilesInvalid", "detail": "l. 3"}]}, Refused, "l. 3"),
            (400, {"errors": []}, Garbled, "errors"),
            (503, {"errors": [{"id": "DatabaseFailedToInitialize", "detail": "disk"}]}, StartFailed, "disk"),
        ],
    )
    def test_each(self, status: int, body: object, error: type[LabError], words: str) -> None:
        """Its kind, and its words."""
        with pytest.raises(error, match=words):
            raise error_for("ask", status, body)

    async def test_injected(self, lab: Joined) -> None:
        """Of a robot that has a fault."""
        lab.robot.fault("error_500", on=True)
        with pytest.raises(RobotFault, match="injected") as raised:
            await lab.server.modules()
        assert (raised.value.status, raised.value.name, raised.value.code) == (500, "UnexpectedError", "4000")


class TestBody:
    """Simple questions."""

    async def test_each(self, lab: Joined) -> None:
        """Ask and tell."""
        server = lab.server
        assert await server.lights() is False
        await server.set_lights(on=True)
        assert await server.lights() is True
        await server.identify(3)
        lab.robot.fault("door_open", on=True)
        assert await server.door() == (True, False)
        assert [each["mount"] for each in await server.instruments()] == ["right"]
        assert [each["moduleModel"] for each in await server.modules()] == ["temperatureModuleV2"]
        assert (await server.calibration())["deckCalibration"]["status"] == "IDENTITY"
        assert (await server.picture()).startswith(b"\xff\xd8")
        await server.set_setting("disableHomeOnBoot", on=True)
        assert (await server.settings())["disableHomeOnBoot"] is True
        await server.home()
        await server.home("right")
        assert "home" in await server.log()
        await server.disengage("x", "y")
        assert set((await server.engaged()).values()) == {False}

    async def test_no_camera(self, lab: Joined) -> None:
        """A fault, with its words."""
        lab.robot.fault("no_camera", on=True)
        with pytest.raises(RobotFault, match="not found"):
            await lab.server.picture()

    async def test_owner(self, lab: Joined) -> None:
        """A mark that is gone after a restart."""
        assert await lab.server.owner() is None
        await lab.server.mark("bridge-1", "run-1")
        assert await lab.server.owner() == Owner("bridge-1", "run-1")
        await lab.server.unmark()
        await lab.server.unmark()
        assert await lab.server.owner() is None


async def test_idle_connections_are_not_used_again(lab: Joined) -> None:
    """A robot that was switched off and on in between is reached by the next question."""
    await lab.server.lights()
    lab.robot.reboot()
    await until(lambda: lab.robot.phase == "ready")
    await lab.server.set_lights(on=True)
    assert lab.bench.truth["lights"] is True


def test_ipv6_address() -> None:
    """Is written in brackets."""
    assert RobotServer("::1").address == "[::1]:31950"
