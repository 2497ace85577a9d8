"""The coffin jumper: its lid jumps when somebody comes near, then it rests. The board moves; this watches it.

Works with our firmware (../firmware) and with the original, which has no lockout state, says nothing when it
refuses, and knows no emergency stop.
"""

import asyncio

from lab2mqtt.props import (
    Annotated,
    BaseWorker,
    BinarySensor,
    Board,
    Fault,
    Number,
    Range,
    Refused,
    Sensor,
    action,
)

from .lockout import ACTIVE, Lockout
from .solenoid import SolenoidWatch

NOT_ALLOWED = "not_allowed"
TELEMETRY_WITHIN = 6.0  # s; the original tells its values every 5 s
LATCHED_WITHIN = 0.4  # s in which our firmware is `stopped`; after that it must be the original
BLOCKED_WITHIN = 0.6  # s for the original
STATES = {"idle": "armed", "playing": "action", "booting": "lockout"}  # board's words → ours


class Worker(BaseWorker):
    """Owns ``halloween/coffin_jumper`` and the one board of it."""

    name = "Coffin jumper"
    product = "Coffin jumper"
    icon = "mdi:coffin"
    states = ("armed", "action", "lockout", "blocked", "stopped", "offline", "error")
    entities = (
        BinarySensor("motion", "Motion", device_class="motion"),
        Sensor("triggers", "Triggers", icon="mdi:counter", state_class="total_increasing"),
        Number("volume", "Volume", task="set_volume", parameter="volume", icon="mdi:volume-high"),
        BinarySensor("solenoid", "Solenoid", icon="mdi:magnet-on"),
        Sensor("rssi", "Wi-Fi signal", unit="dBm", device_class="signal_strength", category="diagnostic"),
    )

    async def start(self) -> None:
        """Hear the board."""
        await super().start()
        board_id = self.resolve_config_var("board", "esp32-coffin-jumper-01")
        self.board = board = Board(self, board_id, self._changed)
        self.boards = (board_id,)
        self._lockout = Lockout(float(self.config.get("lockout", 7)))
        self._state = ""
        self._was = ""  # the board's state before
        self._told = board.values
        max_on = float(self.config.get("max_on", 3))
        self._solenoid = SolenoidWatch(max_on, lambda: board.tell("stop_action"), self._report)
        self._blocked_by_stop = False
        self._changed()
        board.listen()

    @action(icon="mdi:flash")
    async def do_trigger(self) -> None:
        """Let the lid jump; done once it has begun."""
        self._refuse_unless_armed()
        before = self.board.values.get("triggers")

        def begun() -> bool:
            count = self.board.values.get("triggers")
            return self.board.state == "action" or (
                before is not None and count is not None and count > before
            )

        try:
            await self.board.ask("trigger", begun, undo="stop_action")
        except Fault:
            self._refuse_unless_armed()  # where it was silent, what is known says more
            raise

    @action(icon="mdi:cancel")
    async def do_block(self) -> None:
        """Let nothing trigger it until it is unblocked; ends what runs."""
        self._blocked_by_stop = False  # so that no release of a stop takes it back
        await self.board.stop(lambda: self.board.state in ("blocked", "stopped"), "block")

    @action(icon="mdi:check-circle-outline")
    async def do_unblock(self) -> None:
        """Let it be triggered again."""
        await self.board.ask("unblock", lambda: self.board.state != "blocked")

    @action(icon="mdi:shield-check")
    async def do_arm(self) -> None:
        """Make it ready to jump."""
        await self.board.ask("arm", lambda: self.board.state not in ("blocked", "booting", ""))

    async def do_stop_action(self) -> None:
        """End the jump and its sound."""
        await self.board.stop(lambda: self.board.state not in ACTIVE, "stop_action")

    @action(icon="mdi:restore")
    async def do_reset(self) -> None:
        """Clear the count, the block, and the board's own emergency stop. Moves nothing."""
        await self.board.reset()
        board = self.board
        await board.ask(
            "reset",
            lambda: not board.values.get("triggers") and board.state != "blocked",
            within=TELEMETRY_WITHIN,
        )

    async def do_set_volume(self, volume: Annotated[int, Range(0, 30)]) -> None:
        """Set how loud it is.

        Args:
            volume: 0 is silent, 30 the loudest.
        """
        board = self.board
        await board.ask(
            "set_volume", lambda: board.values.get("vol") == volume, within=TELEMETRY_WITHIN, volume=volume
        )

    @action(icon="mdi:music")
    async def do_play_music(
        self, track: Annotated[int, Range(1, 255)] = 1, volume: Annotated[int, Range(0, 30)] = 20
    ) -> None:
        """Play a track, without a jump.

        Args:
            track: Number of the file on the player's card.
            volume: 0 is silent, 30 the loudest.
        """
        self.board.check()
        self.board.tell("play_music", volume=volume, track=track)

    @action(icon="mdi:pause")
    async def do_pause_music(self) -> None:
        """Hold the music where it is."""
        await self.board.stop(lambda: True, "pause_music")

    @action(icon="mdi:play-pause")
    def do_resume_music(self) -> None:
        """Go on with the music."""
        self.board.check()
        self.board.tell("resume_music")

    @action(icon="mdi:music-off")
    async def do_stop_music(self) -> None:
        """End the music."""
        await self.board.stop(lambda: True, "stop_music")

    async def on_emergency_stop(self) -> None:
        """Stop the board, and see that motion triggers nothing."""
        try:
            await self.board.stop(self._stands, within=LATCHED_WITHIN)
        except Fault:
            if not self.stopped:
                return  # released meanwhile
            # The original firmware has no stop; what keeps it from jumping is a block.
            self._blocked_by_stop = self._blocked_by_stop or self.board.state != "blocked"
            self.board.tell("block")
            if not await self.board.until(self._stands, BLOCKED_WITHIN):
                raise Fault(f"{self.board.board_id} did not confirm that it stands within 1 s") from None

    def on_emergency_stop_released(self) -> None:
        """Let the board be as before; a block that somebody wanted stays."""
        self.board.release()
        if self._blocked_by_stop:
            self._blocked_by_stop = False
            self.board.tell("unblock")

    def _stands(self) -> bool:
        return self.board.state in ("stopped", "blocked") and not self.board.values.get("solenoid_power")

    def _refuse_unless_armed(self) -> None:
        self.board.check()
        if self._state == "blocked":
            raise Refused("blocked; `unblock` it first", NOT_ALLOWED)
        if self.board.state == "booting":
            raise Refused("booting; wait until its motion sensor is warm", NOT_ALLOWED)
        if self._state == "lockout":
            raise Refused(
                f"locked out after its last action, for {self._lockout.left:.1f} s more", NOT_ALLOWED
            )
        if self.board.state == "action":
            raise Refused("in action already", NOT_ALLOWED)

    def _changed(self) -> None:
        """Show what the board said."""
        board = self.board
        if board.state != self._was:
            self._follow(board.state)
        if board.values is not self._told:
            self._told = board.values
            self._tell()
        word = STATES.get(board.state, board.state) if board.online else "offline"
        if word == "armed" and self._lockout.left:
            word = "lockout"
        trouble = self._solenoid.trouble if board.online else f"{board.board_id} is offline"
        if word and word not in self.states:
            word, trouble = "error", f"{board.board_id} says {board.state!r}"
        if word and word != self._state:
            self._state = word
            self.publish_state(word, retain=True)
        self.problem(trouble)

    def _follow(self, state: str) -> None:
        self._lockout.follow(self._was, state)
        if self._was in ACTIVE:
            self._solenoid.off()  # the original may tell of it 5 s later
            self.spawn(self._end_lockout())
        self._was = state

    async def _end_lockout(self) -> None:
        await asyncio.sleep(self._lockout.left)
        self._changed()

    def _tell(self) -> None:
        told = self.board.values
        for key, theirs in (("triggers", "triggers"), ("volume", "vol"), ("rssi", "rssi")):
            if told.get(theirs) is not None:
                self.telemetry(key, told[theirs])
        for key, theirs in (("motion", "pir"), ("solenoid", "solenoid_power")):
            if told.get(theirs) is not None:
                self.telemetry(key, bool(told[theirs]))
        if not told.get("solenoid_power"):
            self._solenoid.off()
        elif since := self._solenoid.on():
            self.spawn(self._solenoid.watch(since))

    def _report(self, trouble: str) -> None:
        self.status("error", f"{trouble}: told {self.board.board_id} to stop")
        self._changed()
