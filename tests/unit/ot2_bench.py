"""A simulated OT-2 in this process, four hundred times as fast, and raw questions to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
import json
from typing import Any, NamedTuple

import aiohttp

from lab2mqtt.simulators.ot2.clock import Clock
from lab2mqtt.simulators.ot2.robot import Robot
from lab2mqtt.simulators.ot2.server import Server

SPEED = 400.0
WITHIN = 5.0  # s


def protocol(cell: str = "mix_color", note: str = "") -> str:
    """A protocol of the colour cell; another note makes another protocol."""
    volumes = "\n".join(
        f'    parameters.add_float(variable_name="{name}", display_name="{name} volume", default='
        f"{100.0 if name == 'R' else 0.0}, minimum=0.0, maximum=300.0)"
        for name in "RYB"
    )
    return f"""
metadata = {{"apiLevel": "2.16", "protocolName": "colours {note}", "cell": "{cell}"}}

def add_parameters(parameters):
{volumes}
    parameters.add_str(variable_name="well", display_name="Well", default="A1")

def run(protocol):
    raise NotImplementedError
"""


VALUES = {"R": 100.0, "Y": 50.0, "B": 80.0, "well": "B2"}


class Told(NamedTuple):
    """An answer as it came."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What newer routes wrap."""
        return self.body["data"]

    @property
    def error(self) -> str:
        """The id of the error."""
        return str(self.body["errors"][0]["id"])


class Bench:
    """A robot, its server, and questions that no client of ours asks."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server, self.robot, self._session = server, server.robot, session

    @property
    def truth(self) -> dict[str, Any]:
        """What is so."""
        return self.robot.truth.told()

    def moved(self, *what: str) -> list[dict[str, Any]]:
        """The journal, or some of it."""
        return [each for each in self.robot.truth.journal if not what or each["what"] in what]

    async def ask(
        self, method: str, path: str, body: object = None, version: str | None = "*", **query: str
    ) -> Told:
        """Ask with a body as it is."""
        headers = {"Opentrons-Version": version} if version else {}
        async with self._session.request(
            method, self.server.url + path, json=body, params=query, headers=headers
        ) as answer:
            content = await answer.read()
            told = json.loads(content) if answer.content_type == "application/json" else content
            return Told(answer.status, told, dict(answer.headers))

    async def get(self, path: str, **query: str) -> Told:
        """``GET``."""
        return await self.ask("GET", path, **query)

    async def post(self, path: str, data: object = None, **query: str) -> Told:
        """``POST`` of ``{"data": …}``."""
        return await self.ask("POST", path, {"data": data}, **query)

    async def upload(self, text: str, name: str = "cell.py", **more: str) -> Told:
        """Upload a protocol."""
        form = aiohttp.FormData()
        form.add_field("files", text.encode(), filename=name)
        for field, value in more.items():
            form.add_field(field, value)
        async with self._session.post(
            self.server.url + "/protocols", data=form, headers={"Opentrons-Version": "*"}
        ) as answer:
            return Told(answer.status, await answer.json(), dict(answer.headers))

    async def analysed(self, text: str) -> str:
        """Upload a protocol and wait for its analysis; gives the protocol's id."""
        protocol_id = str((await self.upload(text)).data["id"])
        kept = self.robot.protocols.get(protocol_id)
        await until(lambda: bool(kept.analyses[-1].done))
        return protocol_id

    async def run(self, cell: str | None = None, values: dict[str, object] | None = None) -> str:
        """Make a run, of a protocol of the cell or for commands; gives its id."""
        asked: dict[str, object] = {}
        if cell:
            protocol_id = await self.analysed(protocol(cell))
            asked = {"protocolId": protocol_id, "runTimeParameterValues": values or VALUES}
        made = await self.post("/runs", asked)
        assert made.status == 201, made
        return str(made.data["id"])

    async def act(self, run_id: str, action: str) -> Told:
        """Play, pause, stop."""
        return await self.post(f"/runs/{run_id}/actions", {"actionType": action})

    async def status(self, run_id: str) -> str:
        """How a run stands."""
        return str((await self.get(f"/runs/{run_id}")).data["status"])

    async def reaches(self, run_id: str, *statuses: str) -> str:
        """Wait for a run."""
        run = self.robot.runs.get(run_id)
        await until(lambda: run.status in statuses)
        return run.status

    async def command(self, run_id: str, kind: str, intent: str = "setup", /, **params: object) -> Told:
        """Do a command and wait for it, for no longer than two seconds."""
        asked = {"commandType": kind, "params": params, "intent": intent}
        return await self.post(f"/runs/{run_id}/commands", asked, waitUntilComplete="true", timeout="2000")

    async def equipped(self) -> str:
        """A run for commands, with the deck of the cell and its pipette, homed; gives its id."""
        run_id = await self.run()
        deck = (
            ("plate", "1", "opentrons", "corning_96_wellplate_360ul_flat", 2),
            ("vials", "3", "custom_beta", "ac_6_tuberack_15000ul", 1),
            ("tips", "9", "opentrons", "opentrons_96_tiprack_300ul", 1),
            ("sensor", "10", "custom_beta", "ac_color_sensor_charging_port", 1),
        )
        for labware, slot, namespace, name, version in deck:
            loaded = await self.command(
                run_id, "loadLabware", labwareId=labware, location={"slotName": slot}, namespace=namespace,
                loadName=name, version=version,
            )  # fmt: skip
            assert loaded.data["status"] == "succeeded", loaded
        await self.command(
            run_id, "loadPipette", pipetteName="p300_single_gen2", mount="right", pipetteId="pipette"
        )
        await self.command(run_id, "home")
        return run_id


async def until(true: Callable[[], bool], within: float = WITHIN) -> None:
    """Wait for something that no event tells."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.003)


@contextlib.asynccontextmanager
async def bench(speed: float = SPEED, hints: str | None = None, **options: Any) -> AsyncIterator[Bench]:  # noqa: ANN401 - of Robot
    """A robot for one test."""
    robot = Robot(Clock(speed), **options)
    async with Server(robot, hints=hints) as server, aiohttp.ClientSession() as session:
        yield Bench(server, session)
