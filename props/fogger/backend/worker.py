"""The fogger: warms up, fogs for a bounded time and share of it, rests, and is never left on."""

import asyncio
import time

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
    Unit,
    action,
)

from .duty import Duty

NOT_ALLOWED = "not_allowed"
SHORTEST = 0.5  # s of fog
REMIND = 300.0  # s; the board's heater goes off after 20 min without a command
LATE = 2.0  # s that a fog may end after its time, by the board's word


class Worker(BaseWorker):
    """Owns ``halloween/fogger`` and the one board of it."""

    name = "Fogger"
    product = "Fog machine"
    icon = "mdi:weather-fog"
    states = ("off", "warming", "ready", "fogging", "resting", "stopped", "offline")
    entities = (
        BinarySensor("heater", "Heater", icon="mdi:radiator"),
        BinarySensor("warm", "Warm", icon="mdi:thermometer-check"),
        BinarySensor("fog", "Fog", icon="mdi:weather-fog"),
        Number(
            "fog_for",
            "Fog for",
            task="fog",
            parameter="seconds",
            step=0.5,
            mode="box",
            icon="mdi:weather-fog",
        ),
        Sensor("duty_left", "Fog left", unit="s", icon="mdi:timer-sand", precision=1),
        Sensor("rssi", "Wi-Fi signal", unit="dBm", device_class="signal_strength", category="diagnostic"),
    )

    async def start(self) -> None:
        """Hear the board."""
        await super().start()
        board_id = self.resolve_config_var("board", "esp32-fogger-01")
        self.board = Board(self, board_id, self._changed)
        self.boards = (board_id,)
        limit = {
            "warm_up_time_out": 300,
            "keep_warm": 600,
            "rest": 3,
            "duty": 20,
            "window": 120,
            **self.config,
        }
        self.warm_up_time_out, self.keep_warm = float(limit["warm_up_time_out"]), float(limit["keep_warm"])
        self.duty = Duty(float(limit["duty"]), float(limit["window"]), float(limit["rest"]))
        self._state = ""
        self._told = self.board.values
        self._trouble = ""
        self._warm_until: float | None = None  # monotonic; None: the heater is to be off
        self._keep_warm()  # a heater that is on already, as after a restart of the host
        self._heats_since = 0.0
        self._changed()
        self.board.listen()
        self.spawn(self._watch())

    @action(icon="mdi:radiator")
    async def do_warm_up(self) -> None:
        """Switch the heater on; it is warm some minutes later, and off after a while without use."""
        self._keep_warm()
        self._trouble = ""
        await self.board.ask("heat_on", self._heats, undo="heat_off")

    async def do_fog(self, seconds: Annotated[float, Range(SHORTEST, 10), Unit("s")]) -> dict[str, float]:
        """Fog; done when the fog has ended.

        Args:
            seconds: For how long.
        """
        self.board.check()
        if self._state == "fogging":
            raise Refused("fogs already", NOT_ALLOWED)
        if self._state not in ("ready", "resting"):
            raise Refused(
                f"not warm, but {self._state}: `warm_up` first, and wait until it is ready", NOT_ALLOWED
            )
        if seconds > self.duty.most:
            raise Refused(f"{seconds:g} s of fog is too much: {self.duty}", NOT_ALLOWED)
        if (wait := self.duty.wait(time.monotonic(), seconds)) > 0:
            raise Refused(f"{seconds:g} s of fog again in {wait:.1f} s: {self.duty}", NOT_ALLOWED)
        began = time.monotonic()
        try:
            await self.board.ask("fog", self._is_fogging, undo="stop_action", seconds=seconds)
            self._keep_warm()
            if not await self.board.until(lambda: not self._is_fogging(), seconds + LATE):
                raise Fault(f"{self.board.board_id} fogs for longer than {seconds + LATE:g} s: told to stop")
        finally:
            if self._is_fogging():  # it was cancelled, or goes on for too long; the heater goes off too
                self.board.tell("stop_action")
        if not self.board.online or self.board.state == "stopped":
            raise Fault(f"the fog ended early: {self.board.board_id} is {self.board.state or 'offline'}")
        return {"seconds": round(time.monotonic() - began, 1)}

    @action(icon="mdi:power")
    async def do_off(self) -> None:
        """Switch heater and fog off."""
        self._warm_until = None
        await self.board.stop(lambda: not self._heats() and not self._is_fogging(), "stop_action")

    @action(icon="mdi:restore")
    async def do_reset(self) -> None:
        """Release the board's own emergency stop. Moves and heats nothing."""
        await self.board.reset()

    async def on_emergency_stop(self) -> None:
        """Stop the board; it says so once nothing fogs or heats."""
        self._warm_until = None
        await self.board.stop(
            lambda: self.board.state == "stopped" and not self._is_fogging() and not self._heats()
        )

    def on_emergency_stop_released(self) -> None:
        """Let the board be told something again; it stays cold."""
        self.board.release()

    def _heats(self) -> bool:
        return bool(self.board.values.get("heater"))

    def _is_fogging(self) -> bool:
        return self.board.state == "fogging" or bool(self.board.values.get("fog"))

    def _keep_warm(self) -> None:
        self._warm_until = time.monotonic() + self.keep_warm

    def _changed(self) -> None:
        """Follow the board."""
        now, board = time.monotonic(), self.board
        self.duty.note(now, fogs=self._is_fogging())
        if self._told is not board.values:
            self._told = board.values
            for key in ("heater", "warm", "fog", "rssi"):
                if board.values.get(key) is not None:
                    self.telemetry(key, board.values[key])
            self.telemetry("duty_left", round(max(0.0, self.duty.left(now)), 1))
        word = self._word()
        if word == "warming" and self._state != "warming":
            self._heats_since = now
        if word != self._state:
            self._state = word
            self.publish_state(word, retain=True)
        self.problem(self._trouble if board.online else f"{board.board_id} is offline")

    def _word(self) -> str:
        board = self.board
        if not board.online:
            return "offline"
        if board.state == "stopped":
            return "stopped"
        if self._is_fogging():
            return "fogging"
        if not self._heats():
            return "off"
        if not board.values.get("warm"):
            return "warming"
        return "resting" if self.duty.wait(time.monotonic(), SHORTEST) > 0 else "ready"

    async def _watch(self) -> None:
        """Each second: let the heater be on no longer than wanted, and not in vain."""
        reminded = time.monotonic()
        while True:
            await asyncio.sleep(1)
            self._changed()
            now = time.monotonic()
            if self.stopped or not self._heats():
                continue
            in_vain = self._state == "warming" and now - self._heats_since > self.warm_up_time_out
            if in_vain and not self._trouble:
                self._trouble = f"not warm after {self.warm_up_time_out:g} s; see heater and thermostat"
                self.status("error", self._trouble)
            if in_vain or self._warm_until is None or now > self._warm_until:
                self._warm_until = None
                self.board.tell("heat_off")
            elif now - reminded > REMIND:
                reminded = now
                self.board.tell("heat_on")
