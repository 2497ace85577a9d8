"""Plays protocols on one robot, one at a time.

A run outlives the task that began it: a stop leaves it paused, a bridge that is restarted finds it again. So
the deck keeps it reserved until its end was seen, see ``accounts``.
"""

import asyncio
from collections.abc import Mapping
import contextlib
import time
from typing import Any, Final

from lab2mqtt.core.errors import Cancelled, Ended, Fault, LabError, Refused, Unreachable
from lab2mqtt.core.run import Run
from lab2mqtt.drivers.ot2.accounts import Accounts
from lab2mqtt.drivers.ot2.answers import PAUSED, Analysis, RunState
from lab2mqtt.drivers.ot2.current import Current, Wanted
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.errors import RobotFault
from lab2mqtt.drivers.ot2.http import RobotServer
from lab2mqtt.drivers.ot2.protocols import Protocols, judged
from lab2mqtt.drivers.ot2.runs import Runs, maintained
from lab2mqtt.drivers.ot2.snapshot import Playing
from lab2mqtt.drivers.ot2.steps import Plan, read_steps
from lab2mqtt.drivers.ot2.watch import Watch
from lab2mqtt.drivers.ot2.words import Words

_LOOK: Final = 0.5  # s between two looks at a run of ours
_OBEY: Final = 0.1  # s between two looks at whether somebody wants it to pause
_LEAVE: Final = 1.5  # s until what the robot is told goes on in the background: the runtime waits 2
_DOOR: Final = "blocked-by-open-door"


class Player:
    """Plays on one robot.

    Attributes:
        accounts: What became of its runs.
    """

    def __init__(
        self, server: RobotServer, watch: Watch, deck: Deck, owner: str, put_back: str = "resume_run"
    ) -> None:
        """Prepare; nothing is asked.

        Args:
            server: The robot.
            watch: What is seen of it.
            deck: What stands on it.
            owner: With what the robot is marked as ours.
            put_back: The task that puts the sensor back.
        """
        self._put_back = put_back
        self._server, self._watch, self._deck, self._owner = server, watch, deck, owner
        self._protocols, self._runs = Protocols(server), Runs(server)
        self._telling = asyncio.Lock()
        self.accounts = Accounts(self._runs, deck)

    # What it shows.

    @property
    def playing(self) -> Playing | None:
        """The run that the robot holds, whoever made it; None where there is none or it has ended."""
        ours = self.accounts.current or self.accounts.left
        state = (ours and ours.state) or self.accounts.unfollowed or self._seen_run
        if state is None or not (state.active or ours):
            return None
        if ours and ours.run_id == state.run_id:
            return ours.shown
        step = self._watch.seen.step
        words = Words(()).of(step.command) if step and step.command else None
        return Playing(state.run_id, state.status, self.accounts.is_ours(state), command=words)

    @property
    def left(self) -> str:
        """What has to become of a run that was left paused, in words; empty where there is none."""
        if self.accounts.left is None:
            return ""
        if self._deck.sensor_at_risk:
            return f"the sensor hangs on the pipette: {self._put_back} puts it back; stop would throw it away"
        return "a run is paused: resume_run goes on with it, stop ends it (homes, and drops the tip)"

    @property
    def followed(self) -> bool:
        """Whether the reserved run is accounted for: a task follows it, or it was left and is known."""
        return self.accounts.current is not None or self.accounts.left is not None

    @property
    def occupied(self) -> str:
        """Who else plays on the robot, in words; empty where nobody does."""
        if maintenance := self._watch.seen.maintenance:
            return maintained(maintenance)
        state = self._seen_run
        if state and state.active and not self.accounts.is_ours(state):
            return f"run {state.run_id} is {state.status}; it was started elsewhere, as by the Opentrons App"
        return ""

    @property
    def waits_for_door(self) -> str:
        """Whether the robot plays nothing before its door is closed, in words."""
        door = self._watch.seen.door
        waits = door and door.open and door.required
        return "the door is open, and the robot runs nothing before it is closed" if waits else ""

    @property
    def _seen_run(self) -> RunState | None:
        """The run that was seen last, unless its end is known by now."""
        state = self._watch.seen.run
        return None if state and self.accounts.last and state.run_id == self.accounts.last.run_id else state

    # What it does.

    async def play(self, wanted: Wanted, run: Run) -> dict[str, object]:
        """Check everything, then play a protocol to its end, or to the pause that is its aim.

        Args:
            wanted: What to play.
            run: The task.

        Returns:
            ``status`` (``succeeded``, or the word of the pause), ``run``, ``commands``, ``elapsed`` in s,
            ``experiment_id``, ``session_id``.

        Raises:
            Refused: Something is wrong, in words; nothing has moved.
            Fault: The run failed.
        """
        await self._watch.look()
        self.check_free()
        if self.waits_for_door:
            raise Refused(self.waits_for_door, "not_allowed")
        run.progress(message="the robot analyses the protocol")
        if wanted.protocol_id:
            protocol_id = wanted.protocol_id
            analysis = await self._protocols.checked(protocol_id, wanted.values)
        else:
            protocol_id, analysis = await self.analyse(wanted.files, wanted.values)
        plan = Plan(read_steps(analysis.commands), wanted.experiment)
        reported = self._reported(analysis)
        await asyncio.to_thread(self._deck.check, plan, reported)
        ids = {"experiment_id": wanted.experiment, "session_id": wanted.session}
        state, _ = await self._runs.create(protocol_id, wanted.values, analysis)
        now = Current(
            state.run_id,
            wanted.task,
            analysis.commands,
            wanted.pauses,
            {**wanted.values, **{name: told for name, told in ids.items() if told}},
        )
        now.state = state
        self.accounts.follow(now)
        try:
            await self._reserve(plan, now.run_id, reported)
            await self._server.mark(self._owner, now.run_id)
            run.check()  # what came meanwhile must not be followed by the motion
            await self._begin(now)
            return await self._follow(now, run)
        except asyncio.CancelledError:
            await self._leave(now, run)
            raise
        finally:
            self.accounts.let_go()

    async def resume(self, run: Run, word: str = "") -> dict[str, object]:
        """Go on with the run that was left paused, to its end.

        Args:
            run: The task.
            word: For a run that went well; ``succeeded`` by default.

        Raises:
            Refused: No run of ours is paused.
            Fault: It failed.
        """
        now = self.accounts.left
        if now is None:
            raise Refused("no run of ours is paused", "not_allowed")
        self.accounts.follow(now)
        now.pauses, now.held = "", False
        try:
            run.check()
            await self._begin(now)
            result = await self._follow(now, run)
        except asyncio.CancelledError:
            await self._leave(now, run)
            raise
        finally:
            self.accounts.let_go()
        return result | ({"status": word} if word else {})

    async def end(self, *, throw_away: bool) -> dict[str, object]:
        """End the run: the robot homes, and drops into the trash what it believes to be on the pipette.

        Args:
            throw_away: Also where that is the sensor.

        Raises:
            Refused: There is no run of ours, or the sensor would be thrown away.
        """
        state = await self._runs.current()
        if state is None or not state.active:
            raise Refused("no run is under way", "not_allowed")
        if not self.accounts.is_ours(state):
            raise Refused(self.occupied or f"run {state.run_id} is not ours", "busy")
        await self.accounts.look_back(state.run_id)
        if self._deck.sensor_at_risk and not throw_away:
            raise Refused(
                f"the robot would throw the sensor into the trash: {self._put_back} puts it back first;"
                " with throw_away it is done all the same",
                "not_allowed",
            )
        await self._runs.act(state.run_id, "stop")
        async for seen, _ in self._runs.follow(state.run_id, every=_LOOK):
            if seen and seen.ended:
                await self.accounts.settle(seen, self.accounts.left.task if self.accounts.left else None)
        return {"status": "stopped", "run": state.run_id}

    async def pause_now(self) -> None:
        """Hold whatever the robot plays, whoever began it; for the emergency stop. Moves nothing.

        Raises:
            LabError: It does not pause.
        """
        if ours := self.accounts.current or self.accounts.left:
            await self._runs.hold(ours.run_id)
        elif (state := await self._runs.current()) and state.active:
            await self._runs.hold(state.run_id)

    async def analyse(self, files: Mapping[str, bytes], values: Mapping[str, object]) -> tuple[str, Analysis]:
        """Upload a protocol, and have it analysed with these values; gives its id too.

        Raises:
            Refused: The robot does not take it, or finds something wrong.
        """
        uploaded = await self._protocols.upload(files, values)
        if uploaded.new:  # its first analysis is with these values
            found = await self._protocols.analysis(uploaded.protocol_id, uploaded.analysis_id)
            return uploaded.protocol_id, judged(found)
        return uploaded.protocol_id, await self._protocols.checked(uploaded.protocol_id, values)

    def check_free(self) -> None:
        """See that nothing is under way.

        Raises:
            Refused: Something is.
        """
        if self.occupied:
            raise Refused(self.occupied, "busy")
        if self.left:
            raise Refused(self.left, "not_allowed")
        if self._deck.reserved and self.accounts.current is None:
            raise Refused(f"run {self._deck.reserved.run} is not over yet", "busy")

    # A run of ours.

    async def _reserve(self, plan: Plan, run_id: str, reported: Reported) -> None:
        try:
            await asyncio.to_thread(self._deck.reserve, plan, run_id, reported)
        except LabError:
            with contextlib.suppress(LabError):
                await self._runs.release(run_id)
            raise

    async def _begin(self, now: Current) -> None:
        """Let the robot play; where it may have heard that and did not answer, hold it again."""
        try:
            await self._runs.act(now.run_id, "play")
        except Unreachable:
            self.accounts.bring_to_rest(now.run_id, ending=False)
            raise

    async def _follow(self, now: Current, run: Run) -> dict[str, object]:
        """Follow a run until it has ended, or holds as it should."""
        obeying = asyncio.create_task(self._obey(now, run))
        try:
            async for state, where in self._runs.follow(now.run_id, every=_LOOK):
                if state is None or where is None:
                    run.progress(message="the robot does not answer; whether the run goes on is not known")
                    continue
                now.state, now.where = state, where
                await self.accounts.advance(now)
                if state.ended:
                    break
                run.progress(now.percent, now.words)
                if state.status in PAUSED and now.waits and now.pauses:
                    self.accounts.left = now
                    return self._result(now, now.pauses)
                if state.status in PAUSED:
                    await self._hold_too(now, run)
        finally:
            obeying.cancel()
        assert now.state  # noqa: S101 - the last that was seen
        outcome = await self.accounts.settle(now.state, now.task)
        if outcome.status != "succeeded":
            raise Fault(f"the run {outcome.status}: {outcome.error or 'it was ended at the robot'}")
        return self._result(now, "succeeded")

    async def _hold_too(self, now: Current, run: Run) -> None:
        """Let the task hold where the run does so by itself: at the door, or at a pause of the protocol."""
        async with self._telling:
            if run.paused or now.held:  # as it was told to, or it is about to be told to go on
                return
            with contextlib.suppress(LabError):  # what was seen may be older than the word to go on
                now.state = await self._runs.state(now.run_id)
            if now.state and now.state.status in PAUSED and not run.paused:
                now.held = True
                run.hold(
                    "the door is open: close it, then resume"
                    if now.state.status == _DOOR
                    else now.command or "paused at the robot"
                )

    async def _obey(self, now: Current, run: Run) -> None:
        """Pause and go on as the task is told to."""
        while True:
            await asyncio.sleep(_OBEY)
            async with self._telling:
                if run.paused is not now.held:
                    await self._tell(now, run, hold=run.paused)

    async def _tell(self, now: Current, run: Run, *, hold: bool) -> None:
        try:
            if hold:
                await self._runs.hold(now.run_id)
            else:
                await self._runs.act(now.run_id, "play")
            now.held = hold
        except LabError as error:
            if isinstance(error, RobotFault) and not hold:  # it does not go on, as with an open door
                run.hold(error.detail)
            else:
                run.progress(message=str(error))

    async def _leave(self, now: Current, run: Run) -> None:
        """The task ends before the run: end that too where somebody cancelled it, else hold it as it is."""
        ending = False
        try:
            run.check()
        except Cancelled as why:
            ending = why.error_code == Cancelled.error_code  # a bridge that goes does not end the run
        except Ended:
            pass
        await asyncio.wait([self.accounts.bring_to_rest(now.run_id, ending=ending)], timeout=_LEAVE)

    def _result(self, now: Current, status: str) -> dict[str, object]:
        elapsed = round(time.monotonic() - now.began, 1)
        more = {"run": now.run_id, "commands": now.index, "elapsed": elapsed}
        return {"status": status, **now.told, **more}

    def _reported(self, analysis: Analysis) -> Reported:
        """What the robot tells of itself, and what the protocol wants."""
        seen = self._watch.seen
        return Reported(
            {each["mount"]: _pipette(each) for each in seen.instruments or () if each.get("mount")},
            [module.model for module in seen.modules],
            {
                str(each["location"]["slotName"]): str(each["loadName"])
                for each in analysis.labware
                if isinstance(each.get("location"), Mapping) and "slotName" in each["location"]
            },
            {str(each["mount"]): str(each["pipetteName"]) for each in analysis.pipettes},
        )


def _pipette(told: Mapping[str, Any]) -> Pipette:
    data = told.get("data") or {}
    return Pipette(str(told.get("instrumentName")), data.get("min_volume"), data.get("max_volume"))
