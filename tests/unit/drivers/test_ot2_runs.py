"""Protocols, runs and commands of the client, against the simulated robot over loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.ot2_bench import VALUES, protocol
from tests.unit.ot2_joined import Joined, joined

from lab2mqtt.core.errors import Refused, Unreachable
from lab2mqtt.drivers.ot2.errors import CommandFailed, NotFound, RobotFault
from lab2mqtt.drivers.ot2.runs import StillRunning


@pytest.fixture
async def lab() -> AsyncIterator[Joined]:
    """A robot, and a client that was opened."""
    async with joined() as made:
        yield made


class TestProtocols:
    """Uploads and analyses."""

    async def test_upload_again(self, lab: Joined) -> None:
        """The same is the same, also while it is analysed."""
        files = {"cell.py": protocol().encode()}
        first, again = await lab.protocols.upload(files), await lab.protocols.upload(files)
        assert (first.new, again.new) == (True, False)
        assert first.protocol_id == again.protocol_id
        assert first.name == "cell.py"
        assert first.metadata["cell"] == "mix_color"
        assert len(await lab.protocols.all()) == 1

    async def test_mistake(self, lab: Joined) -> None:
        """Refused, with the robot's words."""
        with pytest.raises(Refused, match=r"does not take the protocol: .*invalid syntax"):
            await lab.protocols.upload({"a.py": b"def run(:"})

    async def test_values(self, lab: Joined) -> None:
        """An analysis for each set of values."""
        protocol_id = await lab.uploaded()
        found = await lab.protocols.checked(protocol_id, VALUES)
        assert len(found.commands) == 20
        assert found.engine
        for values, words in (
            ({"R": 200.0, "B": 101.0}, "301 µL"),
            ({"well": "Z9", "R": 20.0}, "Z9 does not"),
        ):
            with pytest.raises(Refused, match=words):
                await lab.protocols.checked(protocol_id, values)

    async def test_delete(self, lab: Joined) -> None:
        """Busy while a run uses it."""
        protocol_id = await lab.uploaded()
        await lab.runs.create(protocol_id)
        with pytest.raises(Refused, match="used by a run") as raised:
            await lab.protocols.delete(protocol_id)
        assert raised.value.error_code == "busy"


class TestRuns:
    """Runs from their making to their end."""

    async def test_followed(self, lab: Joined) -> None:
        """Each step is told; the last one is the end."""
        protocol_id = await lab.uploaded()
        run, plan = await lab.runs.create(protocol_id, VALUES)
        assert plan
        assert (run.status, run.active, run.ended) == ("idle", False, False)
        await lab.runs.act(run.run_id, "play")
        seen = [each async for each in lab.runs.follow(run.run_id, every=0.01)]
        state, step = seen[-1]
        assert state
        assert step
        assert (state.status, state.current) == ("succeeded", True)
        assert (step.index, step.total) == (19, len(plan.commands))
        assert step.command
        assert step.command["commandType"] == "dropTip"
        indices = [each.index for _, each in seen if each and each.index is not None]
        assert indices == sorted(indices)
        await lab.runs.release(run.run_id)
        await lab.runs.release(run.run_id)
        assert await lab.runs.current() is None

    async def test_a_hint_wakes(self, lab: Joined) -> None:
        """Without waiting for the next look."""
        run, _ = await lab.runs.create(await lab.uploaded("measure"), {"well": "B2"})
        changed = asyncio.Event()
        looks = lab.runs.follow(run.run_id, changed, every=60)
        first, _ = await anext(looks)
        assert first
        assert first.status == "idle"
        await lab.runs.act(run.run_id, "play")
        await lab.bench.reaches(run.run_id, "paused")
        asyncio.get_running_loop().call_soon(changed.set)
        async with asyncio.timeout(5):
            second, step = await anext(looks)
        assert second
        assert step
        assert second.status == "paused"
        assert step.command
        assert step.command["params"]["message"] == "in_place"

    async def test_refused_before_it_is_made(self, lab: Joined) -> None:
        """So there is no ghost."""
        protocol_id = await lab.uploaded()
        with pytest.raises(Refused, match=r"between 0\.0 and 300\.0"):
            await lab.runs.create(protocol_id, {"R": 301.0})
        assert (await lab.server.get("/runs")).body["links"] == {}

    async def test_survives_a_ghost(self, lab: Joined) -> None:
        """Of somebody else."""
        protocol_id = await lab.uploaded()
        asked = {"protocolId": protocol_id, "runTimeParameterValues": {"R": 301.0}}
        assert (await lab.bench.post("/runs", asked)).status == 500
        assert await lab.runs.current() is None
        run, _ = await lab.runs.create(protocol_id, VALUES)
        assert (await lab.runs.state(run.run_id)).current

    async def test_drives_out_a_ghost(self, lab: Joined) -> None:
        """And leaves a run alone that is none."""
        protocol_id = await lab.uploaded()
        assert await lab.runs.drive_out() is False
        await lab.bench.post("/runs", {"protocolId": protocol_id, "runTimeParameterValues": {"R": 301.0}})
        assert await lab.runs.drive_out() is True
        run, _ = await lab.runs.create(protocol_id, VALUES)
        assert await lab.runs.drive_out() is False
        assert (await lab.runs.state(run.run_id)).current

    async def test_robot_that_only_fails(self, lab: Joined) -> None:
        """Is told as it is."""
        lab.robot.fault("error_500", on=True, options={"path": "/runs"})
        with pytest.raises(RobotFault, match="injected"):
            await lab.runs.create()

    async def test_busy(self, lab: Joined) -> None:
        """Another run is under way."""
        run, _ = await lab.runs.create(await lab.uploaded("measure"))
        await lab.runs.act(run.run_id, "play")
        for asking in (lab.runs.create(), lab.runs.stateless("home", {}, 1), lab.runs.release(run.run_id)):
            with pytest.raises(Refused) as raised:
                await asking
            assert raised.value.error_code == "busy"
        current = await lab.runs.current()
        assert current
        assert current.active

    async def test_actions(self, lab: Joined) -> None:
        """Pause, go on, stop."""
        run, _ = await lab.runs.create(await lab.uploaded("mix_and_measure"), VALUES)
        with pytest.raises(RobotFault, match="RunActionNotAllowed"):
            await lab.runs.act(run.run_id, "pause")
        with pytest.raises(Refused, match="is not one of play, pause, stop"):
            await lab.runs.act(run.run_id, "dance")
        await lab.runs.act(run.run_id, "play")
        await lab.bench.reaches(run.run_id, "paused")
        await lab.runs.act(run.run_id, "stop")
        assert await lab.ended(run.run_id) == "stopped"

    async def test_failed(self, lab: Joined) -> None:
        """The innermost error says why."""
        run, _ = await lab.runs.create()
        asked = {"commandType": "loadPipette", "params": {"pipetteName": "p20_single_gen2", "mount": "left"}}
        await lab.bench.post(f"/runs/{run.run_id}/commands", asked | {"intent": "protocol"})
        await lab.runs.act(run.run_id, "play")
        assert await lab.ended(run.run_id) == "failed"
        problem = (await lab.runs.state(run.run_id)).problem
        assert problem
        assert str(problem) == (
            "Expected p20_single_gen2 on the left mount, found none. (FailedToLoadPipetteError 3010)"
        )

    async def test_rebooted(self, lab: Joined) -> None:
        """The run ends as failed, with the reason, after a time out of reach."""
        run, _ = await lab.runs.create(await lab.uploaded("measure"))
        await lab.server.mark("bridge-1", run.run_id)
        await lab.runs.act(run.run_id, "play")
        await lab.bench.reaches(run.run_id, "paused")
        seen = []
        async for state, _ in lab.runs.follow(run.run_id, every=0.01):
            seen.append(state.status if state else "out of reach")
            if len(seen) == 1:
                lab.robot.reboot()
        assert seen == ["paused", "out of reach", "failed"]
        end = await lab.runs.state(run.run_id)
        assert end.lost
        assert "restarted" in str(end.problem)
        assert await lab.server.owner() is None

    async def test_out_of_reach_for_long(self, lab: Joined) -> None:
        """Is told at last."""
        run, _ = await lab.runs.create()
        lab.robot.fault("off", on=True)
        with pytest.raises(Unreachable):
            async for _ in lab.runs.follow(run.run_id, every=0.01, patience=0.05):
                pass

    async def test_forgotten(self, lab: Joined) -> None:
        """The robot keeps 20."""
        run, _ = await lab.runs.create()
        await lab.runs.delete(run.run_id)
        with pytest.raises(NotFound):
            await lab.runs.state(run.run_id)


class TestCommands:
    """Commands by themselves."""

    async def test_done(self, lab: Joined) -> None:
        """Its result."""
        run, _ = await lab.runs.create()
        asked = {"pipetteName": "p300_single_gen2", "mount": "right", "pipetteId": "p"}
        assert await lab.runs.command(run.run_id, "loadPipette", asked, 5) == {"pipetteId": "p"}

    async def test_failed(self, lab: Joined) -> None:
        """201, and an error all the same."""
        run_id = await lab.bench.equipped()
        await lab.runs.command(
            run_id, "pickUpTip", {"pipetteId": "pipette", "labwareId": "tips", "wellName": "B1"}, 5
        )
        vial = {"pipetteId": "pipette", "labwareId": "vials", "wellName": "B1"}
        with pytest.raises(CommandFailed, match="only 300") as raised:
            await lab.runs.command(run_id, "aspirate", {**vial, "volume": 301, "flowRate": 90}, 5)
        assert raised.value.info["available_volume"] == 300
        assert (raised.value.status, raised.value.name) == (201, "InvalidAspirateVolumeError")

    async def test_not_taken(self, lab: Joined) -> None:
        """422."""
        run, _ = await lab.runs.create()
        with pytest.raises(RobotFault, match="does not match any of the expected") as raised:
            await lab.runs.command(run.run_id, "makeCoffee", {}, 5)
        assert raised.value.status == 422

    async def test_never(self, lab: Joined) -> None:
        """A queued command on an idle run does not keep us."""
        run, _ = await lab.runs.create()
        with pytest.raises(StillRunning, match=r"home is not done after 0\.05 s"):
            await lab.runs.command(run.run_id, "home", {}, 0.05, intent="protocol")

    async def test_longer_than_one_question(self, lab: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is looked at until it is done."""
        monkeypatch.setattr("lab2mqtt.drivers.ot2.runs._SLICE", 0.01)
        run, _ = await lab.runs.create()
        assert await lab.runs.command(run.run_id, "waitForDuration", {"seconds": 40}, 5) == {}

    async def test_stateless(self, lab: Joined) -> None:
        """Modules, lights, home."""
        (module,) = await lab.server.modules()
        asked = {"moduleId": module["id"], "celsius": 40}
        told = await lab.runs.stateless("temperatureModule/setTargetTemperature", asked, 5)
        assert told == {"targetTemperature": 40}
        lab.robot.fault("module_unplugged", on=True)
        with pytest.raises(CommandFailed, match="ModuleNotAttachedError 3015"):
            await lab.runs.stateless("temperatureModule/deactivate", {"moduleId": module["id"]}, 5)
