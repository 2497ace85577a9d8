"""Uploads and their analyses by the built-in engine."""

import aiohttp
import pytest
from tests.unit.ot2_bench import VALUES, Bench, protocol, until


class TestProtocols:
    """Uploads and analyses."""

    async def test_the_same_again(self, robot: Bench) -> None:
        """Is the same, and not analysed again; with other values it is."""
        first = await robot.upload(protocol())
        assert first.status == 201
        assert (await robot.upload(protocol())).error == "LastAnalysisPending"
        kept = robot.robot.protocols.get(first.data["id"])
        await until(lambda: bool(kept.analyses[-1].done))
        again = await robot.upload(protocol())
        assert (again.status, again.data["id"]) == (200, first.data["id"])
        assert len(again.data["analysisSummaries"]) == 1
        other = await robot.upload(protocol(), runTimeParameterValues='{"R": 5.0}')
        assert [each["status"] for each in other.data["analysisSummaries"]] == ["completed", "pending"]

    @pytest.mark.parametrize(
        ("text", "name", "error", "words"),
        [
            ("def run(:", "a.py", "ProtocolFilesInvalid", "invalid syntax"),
            ("{}", "a.txt", "ProtocolFilesInvalid", "No valid protocol"),
            ("def run(p): pass", "a.py", "ProtocolFilesInvalid", "apiLevel"),
            ("metadata = {'apiLevel': '2.16'}", "a.py", "ProtocolFilesInvalid", "`run`"),
            (
                "requirements = {'robotType': 'Flex', 'apiLevel': '2.16'}\ndef run(p): pass",
                "a.py",
                "ProtocolRobotTypeMismatch",
                "Flex",
            ),
        ],
    )
    async def test_invalid(self, robot: Bench, text: str, name: str, error: str, words: str) -> None:
        """422, with words."""
        told = await robot.upload(text, name)
        assert (told.status, told.error) == (422, error)
        assert words in told.body["errors"][0]["detail"]

    async def test_analyses(self, robot: Bench) -> None:
        """Each with its values; the same values are not analysed again."""
        protocol_id = await robot.analysed(protocol())
        path, kept = f"/protocols/{protocol_id}/analyses", robot.robot.protocols.get(protocol_id)
        told = await robot.post(path, {"runTimeParameterValues": VALUES})
        assert told.status == 201
        await until(lambda: bool(kept.analyses[-1].done))
        assert (await robot.post(path, {"runTimeParameterValues": VALUES})).status == 200
        done = (await robot.get(f"{path}/{told.data[-1]['id']}")).data
        assert (done["status"], done["result"], done["errors"]) == ("completed", "ok", [])
        assert {each["variableName"]: each["value"] for each in done["runTimeParameters"]} == VALUES
        assert done["commands"][0]["commandType"] == "home"
        assert "not the real" in done["engine"]

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"R": 200.0, "Y": 101.0}, "301"),
            ({"well": "Z9", "R": 20.0}, "Z9 does not exist"),
            ({"R": -1.0}, "between 0.0 and 300.0 inclusive"),
            ({"G": 1.0}, "G is not defined"),
            ({"well": 5}, "must be of type"),
        ],
    )
    async def test_refused_by_the_analysis(self, robot: Bench, values: dict[str, object], words: str) -> None:
        """``not-ok``, with words."""
        protocol_id = await robot.analysed(protocol())
        kept = robot.robot.protocols.get(protocol_id)
        await robot.post(f"/protocols/{protocol_id}/analyses", {"runTimeParameterValues": values})
        await until(lambda: bool(kept.analyses[-1].done))
        done = kept.analyses[-1].done
        assert done
        assert done.result == "not-ok"
        assert words in done.errors[0]["detail"]

    async def test_not_of_the_cell(self, robot: Bench) -> None:
        """The built-in engine says what it cannot."""
        text = "metadata = {'apiLevel': '2.16'}\ndef run(p): pass"
        kept = robot.robot.protocols.get(await robot.analysed(text))
        done = kept.analyses[-1].done
        assert done
        assert "plays no other" in done.errors[0]["detail"]

    async def test_delete(self, robot: Bench) -> None:
        """Not while a run uses it."""
        protocol_id = await robot.analysed(protocol())
        await robot.post("/runs", {"protocolId": protocol_id})
        assert (await robot.ask("DELETE", f"/protocols/{protocol_id}")).error == "ProtocolUsedByRun"
        links = (await robot.get(f"/protocols/{protocol_id}")).body["links"]
        assert len(links["referencingRuns"]) == 1
        assert (await robot.ask("DELETE", "/protocols/none")).error == "ProtocolNotFound"

    async def test_data_file(self, robot: Bench) -> None:
        """Kept, the same again once."""
        for status in (201, 200):
            form = aiohttp.FormData()
            form.add_field("file", b"a,b\n1,2\n", filename="wells.csv")
            async with (
                aiohttp.ClientSession(headers={"Opentrons-Version": "*"}) as session,
                session.post(f"{robot.server.url}/dataFiles", data=form) as answer,
            ):
                assert answer.status == status
        assert len((await robot.get("/dataFiles")).data) == 1
