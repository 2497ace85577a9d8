"""The example props: each by its worker's file, over played boards, as fast as these can."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
from typing import Any

import pytest
from tests.unit.props.played_props import (
    NewCoffin,
    OldCoffin,
    PlayedBoard,
    PlayedFogger,
    PlayedShaker,
    PlayedTies,
    begin,
    end,
)
from tests.unit.props.recorded_ties import Asked

from lab2mqtt.core.errors import Fault, LabError, Refused, Unreachable

Begin = Callable[..., Awaitable[Any]]


@pytest.fixture
async def ties() -> PlayedTies:
    """Ties within the test's loop."""
    return PlayedTies()


@pytest.fixture
async def run(ties: PlayedTies) -> AsyncIterator[Begin]:
    """Start workers, and end them with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(prop: str, **config: object) -> Any:  # noqa: ANN401
            worker = await begin(prop, ties, **config)
            stack.push_async_callback(end, worker)
            return worker

        yield start


async def there(ties: PlayedTies, board: PlayedBoard, state: str) -> None:
    """Let a board come, and wait for what its worker makes of it."""
    board.come()
    await ties.until(lambda: ties.states[-1] == state)


class TestExampleProp:
    """The file of the original's documentation."""

    async def test_it_does_as_documented(self, ties: PlayedTies, run: Begin) -> None:
        """Ticks, availability and the answer to a ping, on the topics of the document."""
        worker = await run("example_prop", tick_interval=0)
        await ties.until(lambda: ("halloween/example_prop/telemetry/tick", "1") in ties.published)
        assert ("halloween/example_prop/status/availability", "online") in ties.published
        await worker.do_ping("hello")
        assert ties.published[-1] == ("halloween/example_prop/telemetry/pong", "hello")

    async def test_its_configuration_is_read(self, run: Begin) -> None:
        """The ``config.json`` beside it."""
        assert (await run("example_prop")).config["tick_interval"] == 3


class TestCoffinJumper:
    """The coffin jumper, with both firmwares."""

    async def test_offline_is_a_problem_and_refuses_all_that_moves(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """A board that was never heard is offline; a stop that cannot be seen to is no success."""
        coffin = await run("coffin_jumper")
        assert ties.states[-1] == "offline"
        assert ties.problems[-1] == "esp32-coffin-jumper-01 is offline"
        for action in (
            coffin.do_trigger,
            coffin.do_arm,
            coffin.do_block,
            coffin.do_reset,
            coffin.do_pause_music,
        ):
            with pytest.raises(Unreachable, match="offline"):
                await action()

    async def test_it_is_back_and_gone_again(self, ties: PlayedTies, run: Begin) -> None:
        """The problem goes with it."""
        await run("coffin_jumper")
        board = NewCoffin(ties)
        await there(ties, board, "armed")
        assert ties.problems[-1] == ""
        board.go()
        await ties.until(lambda: ties.states[-1] == "offline")
        assert "offline" in ties.problems[-1]
        await there(ties, board, "armed")

    @pytest.mark.parametrize("firmware", [OldCoffin, NewCoffin])
    async def test_a_trigger_succeeds_once_the_board_has_begun(
        self, firmware: type[PlayedBoard], ties: PlayedTies, run: Begin
    ) -> None:
        """And is refused while that lasts."""
        coffin = await run("coffin_jumper")
        await there(ties, firmware(ties), "armed")
        await coffin.do_trigger()
        assert ties.states[-1] == "action"
        assert ties.actions == ["trigger"]
        with pytest.raises(Refused, match="in action already"):
            await coffin.do_trigger()

    async def test_telemetry_becomes_values(self, ties: PlayedTies, run: Begin) -> None:
        """In our words and types; the volume is what the board tells."""
        coffin = await run("coffin_jumper")
        board = NewCoffin(ties)
        board.values |= {"pir": 1, "vol": 20, "triggers": 3, "solenoid_power": 0, "fw": "2", "blocked": False}
        await there(ties, board, "armed")
        await coffin.do_set_volume(7)
        assert ties.values == {"motion": True, "volume": 7, "triggers": 3, "solenoid": False, "rssi": -60}
        assert ties.sent == [(board.board_id, "set_volume", {"volume": 7})]

    async def test_refused_in_the_boards_own_words(self, ties: PlayedTies, run: Begin) -> None:
        """What only the board knows."""
        coffin = await run("coffin_jumper")
        board = NewCoffin(ties)
        await there(ties, board, "armed")
        board.state = "resting its solenoid"  # nothing of this was said
        with pytest.raises(Refused, match="not armed: it is resting its solenoid") as caught:
            await coffin.do_trigger()
        assert caught.value.error_code == "not_allowed"

    async def test_the_originals_lockout_is_known_by_the_clock(self, ties: PlayedTies, run: Begin) -> None:
        """It says ``armed`` meanwhile."""
        coffin = await run("coffin_jumper", lockout=0.3)
        board = OldCoffin(ties)
        await there(ties, board, "armed")
        await coffin.do_trigger()
        await coffin.do_stop_action()
        await ties.until(lambda: ties.states[-1] == "lockout")
        with pytest.raises(Refused, match=r"locked out .* for 0\.\d s more"):
            await coffin.do_trigger()
        await ties.until(lambda: ties.states[-1] == "armed")
        assert ties.states[-3:] == ["action", "lockout", "armed"]

    async def test_our_lockout_is_the_boards(self, ties: PlayedTies, run: Begin) -> None:
        """It ends when the board says so, whatever the clock."""
        coffin = await run("coffin_jumper")
        board = NewCoffin(ties)
        await there(ties, board, "armed")
        await coffin.do_trigger()
        await coffin.do_stop_action()
        with pytest.raises(Refused, match=r"locked out .* for [67]\.\d s more"):
            await coffin.do_trigger()
        board.become("armed")
        await ties.until(lambda: ties.states[-1] == "armed")
        await coffin.do_trigger()

    async def test_a_silent_refusal_is_taken_back(self, ties: PlayedTies, run: Begin) -> None:
        """So that it does not jump after the answer was that it did not."""
        coffin = await run("coffin_jumper")
        board = OldCoffin(ties)
        board.locked = True
        await there(ties, board, "armed")
        began = ties.loop.time()
        with pytest.raises(Fault, match="did not begin with trigger within 2 s"):
            await coffin.do_trigger()
        assert 1.9 < ties.loop.time() - began < 2.5
        assert ties.actions == ["trigger", "stop_action"]

    async def test_blocked(self, ties: PlayedTies, run: Begin) -> None:
        """Until it is unblocked."""
        coffin = await run("coffin_jumper")
        await there(ties, OldCoffin(ties), "armed")
        await coffin.do_block()
        with pytest.raises(Refused, match="unblock"):
            await coffin.do_trigger()
        assert ties.states[-1] == "blocked"
        await coffin.do_unblock()
        await coffin.do_trigger()

    async def test_a_solenoid_that_stays_on_is_told_to_stop_until_it_is_off(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """Again and again, and said once."""
        await run("coffin_jumper", max_on=0.1)
        board = OldCoffin(ties)
        await there(ties, board, "armed")
        board.tell(solenoid_power=True)
        await ties.until(lambda: ties.actions == ["stop_action"])
        await ties.until(lambda: "solenoid is on for more than 0.1 s" in ties.problems[-1])
        await ties.until(lambda: ties.actions == ["stop_action"] * 2)
        assert [key for key, _ in ties.messages] == ["error"]
        board.tell(solenoid_power=False)
        await ties.until(lambda: ties.problems[-1] == "")

    async def test_a_solenoid_within_its_bound_is_left_alone(self, ties: PlayedTies, run: Begin) -> None:
        """The watch ends with it."""
        coffin = await run("coffin_jumper", max_on=0.2)
        board = NewCoffin(ties)
        await there(ties, board, "armed")
        await coffin.do_trigger()
        board.become("action", solenoid_power=False)
        watch = next(task for task in coffin._tasks if "watch" in repr(task))
        await watch
        assert ties.actions == ["trigger"]

    async def test_an_unknown_word_is_an_error(self, ties: PlayedTies, run: Begin) -> None:
        """The original has ``IO Error``."""
        await run("coffin_jumper")
        board = OldCoffin(ties)
        board.state = "IO Error"
        await there(ties, board, "error")
        assert "'IO Error'" in ties.problems[-1]

    async def test_telemetry_that_is_none_is_a_warning(self, ties: PlayedTies, run: Begin) -> None:
        """And no end of the worker."""
        await run("coffin_jumper")
        ties.say("esp32-coffin-jumper-01/telemetry", "[1]")
        await ties.until(lambda: ties.messages)
        assert ties.messages[0][0] == "warn"

    async def test_our_firmware_confirms_a_stop(self, ties: PlayedTies, run: Begin) -> None:
        """No block is needed, and none to be taken back."""
        coffin = await run("coffin_jumper")
        await there(ties, NewCoffin(ties), "armed")
        await coffin.do_trigger()
        ties.stopped = "by the test"
        await coffin.on_emergency_stop()
        assert ties.states[-1] == "stopped"
        assert "block" not in ties.actions
        with pytest.raises(Refused, match="stopped") as caught:
            await coffin.do_trigger()
        assert caught.value.error_code == "emergency_stopped"
        ties.stopped = ""
        coffin.on_emergency_stop_released()
        await ties.until(lambda: ties.states[-1] == "armed")

    async def test_the_original_is_blocked_by_a_stop_and_unblocked_after(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """Motion would trigger it otherwise."""
        coffin = await run("coffin_jumper")
        await there(ties, OldCoffin(ties), "armed")
        ties.stopped = "by the test"
        await coffin.on_emergency_stop()
        assert ties.states[-1] == "blocked"
        ties.stopped = ""
        coffin.on_emergency_stop_released()
        await ties.until(lambda: ties.states[-1] == "armed")
        assert "trigger" not in ties.actions

    async def test_a_stop_that_is_released_at_once_leaves_no_block(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """Before the board could be known for the original."""
        coffin = await run("coffin_jumper")
        board = OldCoffin(ties)
        await there(ties, board, "armed")
        await coffin.on_emergency_stop()  # no longer engaged
        assert ties.actions == ["emergency_stop", "stop_action"]

    async def test_a_block_that_somebody_wanted_outlives_a_stop(self, ties: PlayedTies, run: Begin) -> None:
        """The release takes back only what the stop did."""
        coffin = await run("coffin_jumper")
        await there(ties, OldCoffin(ties), "armed")
        await coffin.do_block()
        ties.stopped = "by the test"
        await coffin.on_emergency_stop()
        ties.stopped = ""
        coffin.on_emergency_stop_released()
        assert "unblock" not in ties.actions

    async def test_a_stop_that_nobody_confirms_is_none(self, ties: PlayedTies, run: Begin) -> None:
        """It raises within about a second."""
        coffin = await run("coffin_jumper")
        board = OldCoffin(ties)
        await there(ties, board, "armed")
        board.silent = True
        ties.stopped = "by the test"
        began = ties.loop.time()
        with pytest.raises(Fault, match="did not confirm"):
            await coffin.on_emergency_stop()
        assert ties.loop.time() - began < 1.3
        assert ties.actions == ["emergency_stop", "stop_action", "block"]

    async def test_offline_it_cannot_confirm_and_is_stopped_when_it_comes(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """The original does not hear of the lab's stop by itself."""
        coffin = await run("coffin_jumper")
        board = OldCoffin(ties)
        ties.stopped = "by the test"
        with pytest.raises(Unreachable, match="cannot confirm"):
            await coffin.on_emergency_stop()
        ties.sent.clear()
        await there(ties, board, "blocked")
        assert ties.actions[:2] == ["emergency_stop", "stop_action"]

    async def test_a_release_that_a_board_missed_is_made_up_for(self, ties: PlayedTies, run: Begin) -> None:
        """Its own latch would hold for ever."""
        coffin = await run("coffin_jumper")
        board = NewCoffin(ties)
        board.state = "stopped"
        coffin.on_emergency_stop_released()
        await there(ties, board, "armed")
        assert ties.actions == ["reset_emergency_stop"]

    async def test_a_stop_of_the_boards_own_is_released_by_reset(self, ties: PlayedTies, run: Begin) -> None:
        """Somebody stopped the board, and not the prop."""
        coffin = await run("coffin_jumper")
        board = NewCoffin(ties)
        board.state = "stopped"
        await there(ties, board, "stopped")
        with pytest.raises(Refused, match="`reset`"):
            await coffin.do_trigger()
        await coffin.do_reset()
        await coffin.do_trigger()

    async def test_a_stop_works_past_a_loop_that_hangs(self, ties: PlayedTies, run: Begin) -> None:
        """The host runs it in a loop of another thread."""
        coffin = await run("coffin_jumper")
        await there(ties, NewCoffin(ties), "armed")
        stop = asyncio.to_thread(asyncio.run, coffin.on_emergency_stop())
        await stop
        assert ties.states[-1] == "stopped"


class TestFogger:
    """The fogger."""

    async def test_warm_fog_rest_ready(self, ties: PlayedTies, run: Begin) -> None:
        """As it goes in an evening."""
        fogger = await run("fogger", rest=0.2)
        await there(ties, PlayedFogger(ties), "off")
        with pytest.raises(Refused, match="`warm_up` first"):
            await fogger.do_fog(1.0)
        await fogger.do_warm_up()
        await ties.until(lambda: ties.states[-1] == "ready")
        told = await fogger.do_fog(0.5)
        assert 0.3 <= told["seconds"] <= 0.9
        await ties.until(lambda: ties.states[-1] == "ready")
        assert ties.states[-3:] == ["fogging", "resting", "ready"]

    async def test_duty_refuses_with_the_seconds_to_wait(self, ties: PlayedTies, run: Begin) -> None:
        """And what never fits at all."""
        fogger = await run("fogger", rest=0, duty=1, window=60)
        await there(ties, PlayedFogger(ties), "off")
        await fogger.do_warm_up()
        await fogger.do_fog(0.6)
        with pytest.raises(
            Refused, match=r"0\.6 s of fog again in (59|60)\.\d s: at most 1 s of fog in 60 s"
        ):
            await fogger.do_fog(0.6)
        with pytest.raises(Refused, match="too much"):
            await fogger.do_fog(2.0)
        assert ties.actions.count("fog") == 1

    async def test_fog_that_somebody_else_made_counts(self, ties: PlayedTies, run: Begin) -> None:
        """The board's word counts, not the command."""
        fogger = await run("fogger", rest=0, duty=0.7, window=60)
        board = PlayedFogger(ties)
        await there(ties, board, "off")
        await fogger.do_warm_up()
        board.do("fog", {"seconds": 0.4})
        await ties.until(lambda: "fogging" in ties.states)
        await ties.until(lambda: ties.states[-1] == "resting")
        with pytest.raises(Refused, match="again in"):
            await fogger.do_fog(0.5)

    async def test_not_warm_in_time_is_a_problem_and_the_heater_goes_off(
        self, ties: PlayedTies, run: Begin
    ) -> None:
        """A thermostat that came loose."""
        fogger = await run("fogger", warm_up_time_out=0.1)
        board = PlayedFogger(ties)
        board.warms = False
        await there(ties, board, "off")
        await fogger.do_warm_up()
        await ties.until(lambda: ties.states[-1] == "warming")
        await ties.until(lambda: ties.states[-1] == "off")
        assert "not warm after 0.1 s" in ties.problems[-1]
        assert ties.actions == ["heat_on", "heat_off"]

    async def test_the_heater_is_not_left_on(self, ties: PlayedTies, run: Begin) -> None:
        """Longer than configured."""
        fogger = await run("fogger", keep_warm=0.1)
        await there(ties, PlayedFogger(ties), "off")
        await fogger.do_warm_up()
        await ties.until(lambda: ties.actions == ["heat_on", "heat_off"])
        await ties.until(lambda: ties.states[-1] == "off")

    async def test_a_cancelled_fog_ends(self, ties: PlayedTies, run: Begin) -> None:
        """The heater goes off too."""
        fogger = await run("fogger")
        await there(ties, PlayedFogger(ties), "off")
        await fogger.do_warm_up()
        fogging = asyncio.create_task(fogger.do_fog(10.0))
        await ties.until(lambda: ties.states[-1] == "fogging")
        fogging.cancel()
        await asyncio.gather(fogging, return_exceptions=True)
        await ties.until(lambda: ties.states[-1] == "off")

    async def test_a_stop_ends_the_fog_and_nothing_heats_after_it(self, ties: PlayedTies, run: Begin) -> None:
        """The release alone warms nothing."""
        fogger = await run("fogger")
        await there(ties, PlayedFogger(ties), "off")
        await fogger.do_warm_up()
        fogging = asyncio.create_task(fogger.do_fog(10.0))
        await ties.until(lambda: ties.states[-1] == "fogging")
        ties.stopped = "by the test"
        await fogger.on_emergency_stop()
        with pytest.raises(Fault, match="ended early"):
            await fogging
        ties.stopped = ""
        ties.sent.clear()
        fogger.on_emergency_stop_released()
        await ties.until(lambda: ties.states[-1] == "off")
        assert ties.actions == ["reset_emergency_stop"]

    async def test_off(self, ties: PlayedTies, run: Begin) -> None:
        """Confirmed by the board."""
        fogger = await run("fogger")
        await there(ties, PlayedFogger(ties), "off")
        await fogger.do_warm_up()
        await fogger.do_off()
        assert ties.states[-1] == "off"


class TestGraveShaker:
    """The grave shaker."""

    async def test_it_shakes_for_its_time_and_rests(self, ties: PlayedTies, run: Begin) -> None:
        """As long as it shook."""
        shaker = await run("grave_shaker")
        await there(ties, PlayedShaker(ties), "idle")
        await shaker.do_shake(0.5, 80)
        assert ties.sent == [("esp32-grave-shaker-01", "shake", {"seconds": 0.5, "intensity": 80})]
        assert ties.states[-2:] == ["shaking", "resting"]
        with pytest.raises(Refused, match=r"rests for 0\.\d s more"):
            await shaker.do_shake(0.5, 80)

    async def test_too_long(self, ties: PlayedTies, run: Begin) -> None:
        """For the configuration, if not for the board."""
        shaker = await run("grave_shaker", longest=2)
        await there(ties, PlayedShaker(ties), "idle")
        with pytest.raises(Refused, match="at most 2 s"):
            await shaker.do_shake(3.0)

    async def test_a_stop(self, ties: PlayedTies, run: Begin) -> None:
        """Confirmed by the board; the shaking that ran failed."""
        shaker = await run("grave_shaker")
        await there(ties, PlayedShaker(ties), "idle")
        shaking = asyncio.create_task(shaker.do_shake(5.0))
        await ties.until(lambda: ties.states[-1] == "shaking")
        ties.stopped = "by the test"
        await shaker.on_emergency_stop()
        with pytest.raises(Fault, match="ended early"):
            await shaking
        assert ties.states[-1] == "stopped"


SWIFT = {
    "lockout": 0.4,
    "arm": [{"prop": "coffin_jumper", "action": "arm"}, {"prop": "fogger", "action": "warm_up"}],
    "follow": [
        {"prop": "fogger", "action": "fog", "parameters": {"seconds": 1}, "after": 0.05},
        {"prop": "grave_shaker", "action": "shake", "after": 0.15},
    ],
}


class TestHaunt:
    """The coordinator."""

    async def test_it_arms_and_fires_the_others(self, ties: PlayedTies, run: Begin) -> None:
        """In their order, with their delays; then the lockout."""
        haunt = await run("haunt", **SWIFT)
        with pytest.raises(Refused, match="disarmed"):
            await haunt.do_fire()
        await haunt.do_arm()
        assert ties.states[-1] == "armed"
        assert await haunt.do_fire() == {"fires": 1}
        assert ties.words == [
            "coffin_jumper arm",
            "fogger warm_up",
            "coffin_jumper trigger",
            "fogger fog",
            "grave_shaker shake",
        ]
        first, *_, last = ties.asked[2:]
        assert 0.1 < last.at - first.at < 0.4
        with pytest.raises(Refused, match="locked out"):
            await haunt.do_fire()
        await ties.until(lambda: ties.states[-1] == "armed")
        assert ties.states[-3:] == ["firing", "lockout", "armed"]

    async def test_the_others_follow_the_coffin(self, ties: PlayedTies, run: Begin) -> None:
        """When armed, and once within the lockout."""
        haunt = await run("haunt", **SWIFT)
        ties.say("coffin_jumper/state", "action")  # disarmed: nothing
        ties.say("coffin_jumper/state", "armed")
        await haunt.do_arm()
        ties.asked.clear()
        for word in ("action", "lockout", "armed", "action"):  # the second within the lockout
            ties.say("coffin_jumper/state", word)
        await ties.until(lambda: ties.states[-1] == "lockout")
        assert ties.words == ["fogger fog", "grave_shaker shake"]

    async def test_who_did_not_answer_is_told(self, ties: PlayedTies, run: Begin) -> None:
        """The others do their part."""

        async def answer(asked: Asked) -> object:
            if asked.target == "fogger":
                raise Unreachable("esp32-fogger-01 is offline")
            return None

        haunt = await run("haunt", **SWIFT)
        await haunt.do_arm()
        ties.answer = answer
        with pytest.raises(Fault, match="fogger fog: esp32-fogger-01 is offline"):
            await haunt.do_fire()
        assert ties.values["silent"] == "fogger fog"
        assert ties.words[-1] == "grave_shaker shake"

    async def test_armed_only_when_all_are(self, ties: PlayedTies, run: Begin) -> None:
        """Else all are disarmed again."""

        async def answer(asked: Asked) -> object:
            if asked.action == "warm_up":
                raise LabError("no")
            return None

        ties.answer = answer
        haunt = await run("haunt", **SWIFT)
        with pytest.raises(Fault, match="not armed: fogger warm_up: no"):
            await haunt.do_arm()
        assert ties.states[-1] == "disarmed"
        assert ties.words[-3:] == ["coffin_jumper block", "fogger off", "grave_shaker stop_action"]

    async def test_a_stop_in_the_middle_ends_it_for_good(self, ties: PlayedTies, run: Begin) -> None:
        """Nothing follows after the release."""
        haunt = await run("haunt", **SWIFT)
        await haunt.do_arm()
        firing = asyncio.create_task(haunt.do_fire())
        await ties.until(lambda: "fogger fog" in ties.words)
        ties.stopped = "by the test"
        haunt.on_emergency_stop()
        with pytest.raises(Fault, match="grave_shaker shake: ended before"):
            await firing
        assert ties.states[-1] == "stopped"
        assert ties.sent == [
            ("coffin_jumper", "block", {}),
            ("fogger", "off", {}),
            ("grave_shaker", "stop_action", {}),
        ]
        with pytest.raises(Refused, match="stopped"):
            await haunt.do_arm()
        ties.stopped = ""
        haunt.on_emergency_stop_released()
        assert ties.states[-1] == "disarmed"
        ties.say("coffin_jumper/state", "action")
        with pytest.raises(Refused, match="disarmed"):
            await haunt.do_fire()
        assert "grave_shaker shake" not in ties.words

    async def test_a_stop_of_what_is_not_armed_blocks_nobody(self, ties: PlayedTies, run: Begin) -> None:
        """The others stop by themselves."""
        haunt = await run("haunt", **SWIFT)
        haunt.on_emergency_stop()
        assert ties.sent == []

    async def test_disarm_ends_what_runs(self, ties: PlayedTies, run: Begin) -> None:
        """What waits for its time does not come."""
        haunt = await run("haunt", **SWIFT)
        await haunt.do_arm()
        firing = asyncio.create_task(haunt.do_fire())
        await ties.until(lambda: "fogger fog" in ties.words)
        await haunt.do_disarm()
        with pytest.raises(Fault, match="ended before"):
            await firing
        assert ties.states[-1] == "disarmed"

    async def test_a_cue_without_a_prop_is_refused_at_the_start(self, run: Begin) -> None:
        """And not when everybody waits for the fire."""
        with pytest.raises(ValueError, match="is no cue"):
            await run("haunt", arm=[{"action": "arm"}])
