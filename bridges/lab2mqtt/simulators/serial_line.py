"""A servo on a pseudo-terminal, in real time: what stands at the other end of a USB adapter.

The terminal has a stable path, a symbolic link, with a control socket beside it, see ``control``. Besides
faults and hands this one takes ``{"write": [address, size, value]}``: past the bus, to bring about a state.
"""

from collections.abc import Callable
import contextlib
import heapq
import os
from pathlib import Path
import select
import socket
import termios
import time
import tty
from typing import Any, Final

from lab2mqtt.simulators.bus import answer
from lab2mqtt.simulators.control import Controls, Fault, listening
from lab2mqtt.simulators.journal import journal
from lab2mqtt.simulators.protocol2 import Parser
from lab2mqtt.simulators.servo import Servo

FAULTS: Final = {
    "silent": Fault("answers nothing"),
    "garbled": Fault("corrupts its answers; `every`: each how-manieth (1)", {"every": int}),
    "slow": Fault("answers late; `seconds`: how much (0.1)", {"seconds": float}),
    "unplugged": Fault("the adapter is pulled; the servo keeps its supply"),
    "unpowered": Fault("the servo has no supply; what it held in RAM is lost"),
    "stalled": Fault("something holds the shaft: the current rises, then the servo protects itself"),
    "overheated": Fault("the winding is above its limit: the servo protects itself"),
    "alert": Fault("the supply sags: a hardware error without a shutdown"),
}
HANDS: Final = {"turn": "somebody turns it by so many degrees, which works with the torque off only: turn=90"}

_BITS = 10  # per byte on the line: start, eight, stop
_RETURN_DELAY_UNIT = 2e-6  # s
_BROKEN_OFF = 0.1  # s without a byte, after which half a packet is forgotten
_PARENT_EVERY = 1.0  # s between two looks at whether the parent lives
_CHUNK = 4096


class SerialLine:
    """Serves one servo until told to stop."""

    def __init__(
        self, servo: Servo, link: Path, baudrate: int = 57600, journal_file: Path | None = None
    ) -> None:
        """Prepare; nothing is opened before ``run``.

        Args:
            servo: What answers.
            link: Where the terminal appears.
            baudrate: What the servo is set to; at any other speed it hears noise.
            journal_file: Where its motions are noted, see ``journal``; None notes nothing.
        """
        self.faults: dict[str, dict[str, float]] = {}
        self.packets = 0
        self._servo = servo
        self._link = link
        self._baudrate = baudrate
        self._parser = Parser()
        self._answers: list[tuple[float, int, bytes]] = []
        self._answered = 0
        self._now = time.monotonic()
        if journal_file:
            servo.journal = journal(journal_file, self._now)
        self._heard_at = self._now
        self._torque_off_at: float | None = None
        self._pty: tuple[int, int] | None = None
        self._talks: dict[socket.socket, bytes] = {}
        self._controls = Controls(FAULTS, HANDS, self._obey)
        self._wake, self._waker = socket.socketpair()

    def stop(self) -> None:
        """End ``run``; may be called from a signal handler or another thread."""
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def run(self, ready: Callable[[], None] = lambda: None, parent: int | None = None) -> None:
        """Serve until stopped.

        Args:
            ready: Called once the terminal is there.
            parent: A process id; end when it is no longer the parent.
        """
        with contextlib.ExitStack() as stack:
            for end in (self._wake, self._waker):
                stack.enter_context(end)
            if self._link.exists() and not self._link.is_symlink():
                raise FileExistsError(f"{self._link} is there and no link")
            control = stack.enter_context(listening(self._link))
            stack.callback(self._close)
            if "unplugged" not in self.faults:
                self._plug_in()
            ready()
            while parent is None or os.getppid() == parent:
                if self._wake in self._wait(control, None if parent is None else _PARENT_EVERY):
                    return

    def fault(self, name: str, *, on: bool, **options: float) -> None:
        """Switch a fault.

        Args:
            name: One of ``FAULTS``.
            on: Whether it is there from now on.
            options: What the fault takes, as ``FAULTS`` says.
        """
        if name not in FAULTS:
            raise ValueError(f"fault {name!r} is not one of {', '.join(FAULTS)}")
        options = {key: float(value) for key, value in options.items()}
        self._advance()
        if on:
            self.faults[name] = options
        else:
            self.faults.pop(name, None)
        match name:
            case "stalled":
                self._servo.stalled = on
            case "overheated":
                self._servo.overheated = on
            case "alert":
                self._servo.undervolted = on
            case "unpowered":
                self._servo.power(on=not on)
            case "unplugged" if on:
                self._unplug()
            case "unplugged" if self._pty is None:
                self._plug_in()

    def truth(self) -> dict[str, Any]:
        """What the servo does, whatever it tells over its line. Angles in degrees."""
        self._advance()
        servo = self._servo
        servo.read(0, 1)  # measures
        return {
            "model": servo.model.name,
            "position": servo.degrees,
            "velocity": servo.shaft.velocity * 360 / 4096,
            "goal": servo.goal * 360 / 4096,
            "torque": servo.torque,
            "torque_off_at": self._torque_off_at,
            "moving": servo.shaft.velocity != 0.0,
            "hardware_error": servo.get("hardware_error_status"),
            "bus_watchdog": servo.get("bus_watchdog"),
            "profile_velocity": servo.get("profile_velocity"),
            "profile_acceleration": servo.get("profile_acceleration"),
            "goal_pwm": servo.get("goal_pwm"),
            "led": bool(servo.get("led")),
            "operating_mode": servo.get("operating_mode"),
            "drive_mode": servo.get("drive_mode"),
            "temperature": servo.get("present_temperature"),
            "faults": sorted(self.faults),
            "packets": self.packets,
        }

    # The loop.

    def _wait(self, control: socket.socket, at_most: float | None) -> list[Any]:
        waiting: list[Any] = [self._wake, control, *self._talks]
        if self._pty:
            waiting.append(self._pty[0])
        if self._answers:
            due = max(0.0, self._answers[0][0] - time.monotonic())
            at_most = due if at_most is None else min(at_most, due)
        ready, _, _ = select.select(waiting, [], [], at_most)
        for source in ready:
            if source is control:
                talk, _ = control.accept()
                talk.setblocking(False)  # noqa: FBT003 - its only parameter
                self._talks[talk] = b""
            elif source in self._talks:
                self._converse(source)
            elif self._pty and source == self._pty[0]:
                self._hear()
        self._send_due()
        return ready

    def _advance(self) -> None:
        now = time.monotonic()
        had_torque = self._servo.torque
        self._servo.advance(now - self._now)
        self._now = now
        self._note_torque(had_torque=had_torque)

    def _note_torque(self, *, had_torque: bool) -> None:
        if had_torque and not self._servo.torque:
            self._torque_off_at = time.monotonic()

    def _hear(self) -> None:
        master, slave = self._pty or (-1, -1)
        try:
            data = os.read(master, _CHUNK)
        except BlockingIOError:
            return
        self._advance()
        if self._now - self._heard_at > _BROKEN_OFF:
            self._parser.reset()
        self._heard_at = self._now
        speed = getattr(termios, f"B{self._baudrate}")
        if termios.tcgetattr(slave)[5] != speed or not self._servo.powered:
            return
        for packet in self._parser.feed(data):
            self.packets += 1
            had_torque = self._servo.torque
            reply = answer(self._servo, packet)
            self._note_torque(had_torque=had_torque)
            if reply is not None and "silent" not in self.faults:
                self._answer(len(data), reply)

    def _answer(self, asked: int, reply: bytes) -> None:
        """Answer after as long as question and answer take on a real line."""
        delay = self._servo.get("return_delay_time") * _RETURN_DELAY_UNIT
        delay += (asked + len(reply)) * _BITS / self._baudrate
        if "slow" in self.faults:
            delay += self.faults["slow"].get("seconds", 0.1)
        self._answered += 1
        if "garbled" in self.faults and self._answered % int(self.faults["garbled"].get("every", 1)) == 0:
            at = 4 + self._answered % (len(reply) - 4)  # behind the header, or it would only be lost
            reply = reply[:at] + bytes([reply[at] ^ 0x5A]) + reply[at + 1 :]
        heapq.heappush(self._answers, (self._now + delay, self._answered, reply))

    def _send_due(self) -> None:
        while self._answers and self._answers[0][0] <= time.monotonic():
            _, _, reply = heapq.heappop(self._answers)
            if self._pty:
                with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a real line
                    os.write(self._pty[0], reply)

    # The terminal.

    def _plug_in(self) -> None:
        master, slave = os.openpty()
        # The slave stays open here: without any, the master reports a hang-up all the time.
        self._pty = master, slave
        tty.setraw(slave)
        os.set_blocking(master, False)
        beside = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(os.ttyname(slave))
        beside.replace(self._link)

    def _unplug(self) -> None:
        if self._pty is None:
            return
        terminal = os.ttyname(self._pty[1])
        if self._link.is_symlink() and str(self._link.readlink()) == terminal:
            self._link.unlink()
        for end in self._pty:
            os.close(end)
        self._pty = None
        self._answers.clear()
        self._parser.reset()

    # The control socket.

    def _close(self) -> None:
        self._unplug()
        for talk in self._talks:
            talk.close()

    def _converse(self, talk: socket.socket) -> None:
        try:
            data = talk.recv(_CHUNK)
        except OSError:
            data = b""
        self._talks[talk] += data
        line, complete, _ = self._talks[talk].partition(b"\n")
        if complete:
            with contextlib.suppress(OSError):
                talk.sendall(self._controls.answer(line))
        if complete or not data:
            del self._talks[talk]
            talk.close()

    def _obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "fault" in asked:
            name, on = asked.pop("fault"), asked.pop("on", True)
            self.fault(name, on=on, **asked)
        if "turn" in asked:
            self._advance()
            if not self._servo.torque:
                self._servo.shaft.position += float(asked["turn"]) * 4096 / 360
        if "write" in asked:
            address, size, value = asked["write"]
            refused = self._servo.write(address, int(value).to_bytes(size, "little", signed=value < 0))
            if refused:
                raise ValueError(refused.name)
        return self.truth()
