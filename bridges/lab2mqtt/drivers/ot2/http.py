"""A client of the robot server of an Opentrons OT-2: every status, body and silence of it understood.

Nothing runs on the robot; this speaks its own HTTP API, port 31950. Protocols are in ``protocols``, runs
and commands in ``runs``.
"""

import asyncio
from collections.abc import Mapping
import json
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp

from lab2mqtt.core.errors import Fault, Garbled, Misconfigured, Unreachable
from lab2mqtt.drivers.ot2.answers import Health, field
from lab2mqtt.drivers.ot2.errors import NotFound, Off, Silent, error_for

PORT: Final = 31950
OLDEST: Final = 2  # of the HTTP API, which we speak
NEWEST: Final = 4

_ERRORS = 400  # HTTP statuses from here on
_CONNECT = 4.0  # s
_MOTION = 60.0  # s; homing from anywhere takes less
_PICTURE = 20.0  # s
# The robot closes a connection that was idle for 5 s; no command must be sent into one that it just closed.
_KEEP = 3.0
_AT_ONCE = 6  # connections
_LONG = 2**18  # bytes; an analysis may have megabytes
_OWNER = "lab2mqtt"  # the key of our mark among the clients' data


class Answer(NamedTuple):
    """An answer that is no error.

    Attributes:
        body: JSON, or the bytes of anything else.
    """

    status: int
    body: Any

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What the newer routes wrap."""
        return field(self.body, "data", object)


class Owner(NamedTuple):
    """Who says that a run is theirs; a mark that the robot keeps until it is restarted."""

    name: str
    run_id: str | None


class RobotServer:
    """One robot server. Coroutines of one event loop; safe to use from several tasks of it.

    Attributes:
        health: As it was when opened.
        version: Of the HTTP API that is spoken with it.
        marked: The mark that was left, as long as it was not taken away; the robot loses it at a restart.
    """

    def __init__(
        self, host: str, port: int = PORT, serial: str | None = None, patience: float = 10.0
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            host: Name or address.
            port: 31950 on a real one.
            serial: The serial number that it must have; None takes any robot.
            patience: s for an answer, where nothing moves.
        """
        self.health: Health | None = None
        self.version: int | None = None
        self.marked: Owner | None = None
        self._host, self._port, self._serial, self._patience = host, port, serial, patience
        self._session: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """Where it is."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def at(self, host: str, port: int = PORT) -> None:
        """It is somewhere else by now; for the next ``open``."""
        self._host, self._port = host, port

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def open(self) -> Health:
        """Connect, agree on a version, and look whether it is the right robot. Moves nothing.

        Raises:
            Off: Nobody listens there.
            Starting: It has power and is not ready.
            Misconfigured: It is another robot.
            Fault: It did not start properly, or speaks only versions that we do not.
        """
        await self.close()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE, keepalive_timeout=_KEEP), trust_env=False
        )
        try:
            self.version = None
            health = await self.ask_health()
        except BaseException:
            await self.close()
            raise
        self.health = health
        return health

    async def close(self) -> None:
        """Let go. Safe to repeat."""
        session, self._session = self._session, None
        if session:
            await session.close()

    # Questions.

    async def ask_health(self) -> Health:
        """Which robot it is, now.

        Raises:
            Misconfigured: Another one than it has to be.
        """
        health = Health.read(field({"health": (await self.get("/health")).body}, "health", dict))
        self._identify(health)
        return health

    async def get(self, path: str, **query: str | int) -> Answer:
        """``GET``."""
        return await self.ask("GET", path, query=query)

    async def post(
        self,
        path: str,
        data: object = None,
        within: float | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """``POST`` of ``{"data": …}``."""
        return await self.ask("POST", path, {"data": data}, query, within)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        within: float | None = None,
        form: aiohttp.FormData | None = None,
    ) -> Answer:
        """Ask, and understand the answer.

        Args:
            method: Of HTTP.
            path: From the root.
            body: As JSON, whole.
            query: Behind the ``?``.
            within: s for all of it.
            form: Instead of a body.

        Raises:
            Off: Nobody listens.
            Silent: No answer in time. Whether something moved is not known.
            Starting: Not ready yet.
            Refused: The user's file is wrong, or the robot is busy.
            RobotFault: Anything else that it says is wrong.
            Garbled: What it says makes no sense.
        """
        if self._session is None:
            raise Unreachable(f"the robot at {self.address} is not connected")
        what, within = f"{method} {path}", within or self._patience
        try:
            async with self._session.request(
                method,
                f"http://{self.address}{path}",
                json=body if form is None else None,
                data=form,
                params=query,
                headers={"Opentrons-Version": str(self.version or "*")},
                timeout=aiohttp.ClientTimeout(total=within, sock_connect=min(_CONNECT, within)),
                allow_redirects=False,
            ) as answer:
                self._agree(answer)
                content = await _content(answer, what)
                status = answer.status
        except aiohttp.ConnectionTimeoutError as error:
            raise Off(f"no robot answers at {self.address}: it is off, or somewhere else") from error
        except TimeoutError as error:
            raise Silent(f"the robot at {self.address} did not answer {what} within {within:g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise Off(
                f"no robot listens at {self.address}: it is off, restarting or somewhere else"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Silent(f"the robot at {self.address} hung up during {what}") from error
        if status >= _ERRORS:
            raise error_for(what, status, content)
        return Answer(status, content)

    # The robot's body.

    async def home(self, mount: str | None = None) -> None:
        """Home everything, or one pipette. The robot takes this even during a run: look first.

        Args:
            mount: ``left`` or ``right``; None homes all.
        """
        target = {"target": "robot"} if mount is None else {"target": "pipette", "mount": mount}
        await self.ask("POST", "/robot/home", target, within=_MOTION)

    async def identify(self, seconds: int = 5) -> None:
        """Blink. Returns at once."""
        await self.ask("POST", "/identify", query={"seconds": seconds})

    async def lights(self) -> bool:
        """Whether the rails are lit."""
        return bool(field((await self.get("/robot/lights")).body, "on", bool))

    async def set_lights(self, *, on: bool) -> None:
        """Light the rails, or not."""
        await self.ask("POST", "/robot/lights", {"on": on})

    async def door(self) -> tuple[bool, bool]:
        """Whether the door is open, and whether runs wait for it."""
        told = (await self.get("/robot/door/status")).data
        return field(told, "status", str) == "open", bool(told.get("doorRequiredClosedForProtocol"))

    async def instruments(self) -> list[dict[str, Any]]:
        """The pipettes, each with ``mount``, ``instrumentName`` and ``data``."""
        return _list(await self.get("/instruments"))

    async def modules(self) -> list[dict[str, Any]]:
        """The modules, each with ``id``, ``serialNumber``, ``moduleModel``, ``moduleType`` and ``data``."""
        return _list(await self.get("/modules"))

    async def engaged(self) -> dict[str, bool]:
        """Which motors hold, by axis."""
        told = (await self.get("/motors/engaged")).body
        return {axis: bool(field(state, "enabled", bool)) for axis, state in told.items()}

    async def disengage(self, *axes: str) -> None:
        """Let motors go; the position is lost."""
        await self.ask("POST", "/motors/disengage", {"axes": list(axes)})

    async def picture(self) -> bytes:
        """Take a picture of the deck, a JPEG.

        Raises:
            RobotFault: There is no camera.
        """
        content = (await self.ask("POST", "/camera/picture", within=_PICTURE)).body
        if not isinstance(content, bytes) or not content.startswith(b"\xff\xd8"):
            raise Garbled("the robot's picture is no JPEG")
        return content

    async def calibration(self) -> dict[str, Any]:
        """Status of the deck's calibration, and of the instruments'."""
        return dict(field({"body": (await self.get("/calibration/status")).body}, "body", dict))

    # The server.

    async def settings(self) -> dict[str, bool]:
        """Advanced settings; ``disableHomeOnBoot`` is off by default: it moves at its start."""
        told = field((await self.get("/settings")).body, "settings", list)
        return {field(each, "id", str): bool(each.get("value")) for each in told}

    async def set_setting(self, name: str, *, on: bool) -> None:
        """Change one."""
        await self.ask("POST", "/settings", {"id": name, "value": on})

    async def log(self, name: str = "api.log", records: int = 100) -> str:
        """The end of a log, as text."""
        content = (await self.get(f"/logs/{name}", format="text", records=records)).body
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)

    # Whose it is.

    async def owner(self) -> Owner | None:
        """Who marked the robot; None where nobody did since its start."""
        try:
            told = (await self.get(f"/clientData/{_OWNER}")).data
        except NotFound:
            return None
        return Owner(field(told, "owner", str), told.get("run"))

    async def mark(self, name: str, run_id: str | None = None) -> None:
        """Leave a mark: this run is ours. It is gone after a restart, which tells of one."""
        await self.ask("PUT", f"/clientData/{_OWNER}", {"data": {"owner": name, "run": run_id}})
        self.marked = Owner(name, run_id)

    async def unmark(self) -> None:
        """Take the mark away."""
        self.marked = None
        try:
            await self.ask("DELETE", f"/clientData/{_OWNER}")
        except NotFound:
            return

    # Parts.

    def _identify(self, health: Health) -> None:
        if not health.model.startswith("OT-2"):
            raise Misconfigured(f"at {self.address} is a robot of model {health.model!r}, not an OT-2")
        if self._serial and health.serial != self._serial:
            there = f"the robot {health.serial}" if health.serial else "a robot that tells no serial number"
            raise Misconfigured(f"serial: at {self.address} is {there}, not {self._serial}")

    def _agree(self, answer: aiohttp.ClientResponse) -> None:
        """Agree on a version with the first answer; after that it stays."""
        if self.version is not None:
            return
        try:
            newest = int(answer.headers["Opentrons-Version"])
            oldest = int(answer.headers["Opentrons-Min-Version"])
        except (KeyError, ValueError):
            if answer.status >= _ERRORS:  # a proxy, or an error that says more than we could
                return
            raise Garbled(f"what answers at {self.address} is no robot server: it tells no version") from None
        if newest < OLDEST or oldest > NEWEST:
            old = "its software is too old" if newest < OLDEST else f"this bridge speaks {OLDEST} to {NEWEST}"
            raise Fault(f"the robot speaks versions {oldest} to {newest} of its HTTP API: {old}")
        self.version = min(newest, NEWEST)


async def _content(answer: aiohttp.ClientResponse, what: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    content = await answer.read()
    bad = answer.status >= _ERRORS
    if answer.content_type != "application/json":
        return content.decode("utf-8", "replace") if bad else content
    try:
        return await asyncio.to_thread(json.loads, content) if len(content) > _LONG else json.loads(content)
    except ValueError as error:
        if bad:
            return content.decode("utf-8", "replace")
        raise Garbled(f"the answer to {what} is no JSON") from error


def _list(answer: Answer) -> list[dict[str, Any]]:
    return list(field(answer.body, "data", list))
