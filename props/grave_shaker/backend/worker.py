"""The grave shaker: shakes for a bounded time, and rests as long as it shook."""

import time

from lab2mqtt.props import (
    Annotated,
    BaseWorker,
    BinarySensor,
    Board,
    Fault,
    Range,
    Refused,
    Sensor,
    Unit,
    action,
)

NOT_ALLOWED = "not_allowed"
LATE = 2.0  # s that a shake may end after its time, by the board's word
STATES = {"booting": "offline"}  # board's words → ours


class Worker(BaseWorker):
    """Owns ``halloween/grave_shaker`` and the one board of it."""

    name = "Grave shaker"
    product = "Grave shaker"
    icon = "mdi:grave-stone"
    states = ("idle", "shaking", "resting", "stopped", "offline")
    entities = (
        BinarySensor("shaking", "Shaking", icon="mdi:vibrate"),
        Sensor("intensity", "Intensity", unit="%", icon="mdi:vibrate"),
        Sensor("shakes", "Shakes", icon="mdi:counter", state_class="total_increasing"),
        Sensor("rssi", "Wi-Fi signal", unit="dBm", device_class="signal_strength", category="diagnostic"),
    )

    async def start(self) -> None:
        """Hear the board."""
        await super().start()
        board_id = self.resolve_config_var("board", "esp32-grave-shaker-01")
        self.board = Board(self, board_id, self._changed)
        self.boards = (board_id,)
        self.longest = float(self.config.get("longest", 10))
        self.rest = float(self.config.get("rest", 1))
        self._state = ""
        self._told = self.board.values
        self._rests_until = 0.0  # monotonic
        self._changed()
        self.board.listen()

    @action(icon="mdi:vibrate")
    async def do_shake(
        self,
        seconds: Annotated[float, Range(0.5, 15), Unit("s")] = 3,
        intensity: Annotated[int, Range(1, 100), Unit("%")] = 60,
    ) -> dict[str, float]:
        """Shake; done when it stands again.

        Args:
            seconds: For how long.
            intensity: How hard.
        """
        self.board.check()
        if seconds > self.longest:
            raise Refused(f"{seconds:g} s is too long: at most {self.longest:g} s", NOT_ALLOWED)
        if self._is_shaking():
            raise Refused("shakes already", NOT_ALLOWED)
        if (wait := self._rests_until - time.monotonic()) > 0:
            raise Refused(f"rests for {wait:.1f} s more", NOT_ALLOWED)
        await self.board.ask(
            "shake", self._is_shaking, undo="stop_action", seconds=seconds, intensity=intensity
        )
        began = time.monotonic()
        try:
            if not await self.board.until(lambda: not self._is_shaking(), seconds + LATE):
                raise Fault(
                    f"{self.board.board_id} shakes for longer than {seconds + LATE:g} s: told to stop"
                )
        finally:
            self._rests_until = time.monotonic() + self.rest * (time.monotonic() - began)
            if self._is_shaking():  # it was cancelled, or goes on for too long
                self.board.tell("stop_action")
        if not self.board.online or self.board.state == "stopped":
            raise Fault(f"it ended early: {self.board.board_id} is {self.board.state or 'offline'}")
        return {"seconds": round(time.monotonic() - began, 1)}

    async def do_stop_action(self) -> None:
        """Stand still."""
        await self.board.stop(lambda: not self._is_shaking(), "stop_action")

    @action(icon="mdi:restore")
    async def do_reset(self) -> None:
        """Release the board's own emergency stop. Moves nothing."""
        await self.board.reset()

    async def on_emergency_stop(self) -> None:
        """Stop the board; it says so once it stands."""
        await self.board.stop(lambda: self.board.state == "stopped" and not self._is_shaking())

    def on_emergency_stop_released(self) -> None:
        """Let the board be told something again."""
        self.board.release()

    def _is_shaking(self) -> bool:
        return self.board.state == "shaking" or bool(self.board.values.get("shaking"))

    def _changed(self) -> None:
        """Show what the board said."""
        board = self.board
        if board.values is not self._told:
            self._told = board.values
            for key in ("shaking", "intensity", "shakes", "rssi"):
                if board.values.get(key) is not None:
                    self.telemetry(key, board.values[key])
        word = STATES.get(board.state, board.state) if board.online else "offline"
        if word and word != self._state:
            self._state = word
            self.publish_state(word, retain=True)
        self.problem("" if board.online else f"{board.board_id} is offline")
