"""The plate resort's driver on the real SDK and a simulated servo, in real time."""

import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

import lab2mqtt
from lab2mqtt.core.errors import (
    Cancelled,
    EmergencyStopped,
    Fault,
    Misconfigured,
    Refused,
    TimedOut,
    Unreachable,
)
from lab2mqtt.core.parameters import parameters_of
from lab2mqtt.drivers.plate_resort import PlateResort, PlateResortSettings
from lab2mqtt.drivers.servo_axis import MovementTimedOut
from lab2mqtt.simulators.plate_resort import control

MODELS = ("XL430-W250", "XM430-W350", "XC330-T288")
FAST = 200  # profile velocity, 275 °/s: a turn takes little more than a second

# The fixtures' classes live in conftest.py, which is no module to import from.
Fixture = Any


def still(bench: Fixture, seconds: float = 0.3) -> bool:
    """Whether the shaft stays where it is."""
    before = bench.truth()["position"]
    time.sleep(seconds)
    return abs(float(bench.truth()["position"] - before)) < 0.1


class TestOpening:
    """Connecting changes nothing in the world."""

    @pytest.mark.parametrize("model", MODELS)
    def test_reads_what_is_there(self, resort: Fixture, bench: Fixture, model: str) -> None:
        """Model, firmware and measurements in their own units."""
        plates = resort("--model", model, "--position", "109")
        now = plates.read()
        assert now.connected
        assert now.position == pytest.approx(109, abs=0.05)
        assert now.active_hotel == "B"
        assert (now.moving, now.torque, now.target) == (False, False, None)
        assert now.temperature == 29
        assert now.voltage == pytest.approx(11.9, abs=0.2)
        assert (now.current is None) == (model == "XL430-W250")
        assert (now.load is None) == (model != "XL430-W250")
        assert now.hardware_error == now.warnings == ()
        status = plates.status()
        assert status["model"] == model
        assert status["firmware"] in (46, 47, 52)
        truth = bench.truth()
        assert not truth["torque"]
        assert truth["profile_velocity"] == 0

    def test_never_opened(self) -> None:
        """Not a wrong value, an error."""
        plates = PlateResort(PlateResortSettings(device="/dev/does-not-exist"))
        with pytest.raises(Unreachable):
            plates.read()
        with pytest.raises(Unreachable):
            plates.open()
        with pytest.raises(Unreachable):
            plates.emergency_stop()
        plates.close()

    def test_tells_of_a_servo_that_moves(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """As another program left it; that one is not ours to stop."""
        plates = resort(default_speed=10)
        plates.close()
        control(bench.link, write=[112, 4, 20])
        control(bench.link, write=[64, 1, 1])
        control(bench.link, write=[116, 4, 4000])
        plates.open()
        now = plates.read()
        assert now.moving
        assert now.active_hotel is None
        assert now.target == pytest.approx(351.6, abs=0.1)
        plates.go_home(task)

    def test_stops_what_a_killed_bridge_left_running(self, resort: Fixture, bench: Fixture) -> None:
        """Reading feeds the bus watchdog, so nobody else would stop it."""
        plates = resort()
        plates.close()
        control(bench.link, write=[112, 4, 20])
        control(bench.link, write=[64, 1, 1])
        control(bench.link, write=[98, 1, 127])
        control(bench.link, write=[116, 4, 4000])
        plates.open()
        assert not plates.read().moving
        assert still(bench)
        truth = bench.truth()
        assert truth["torque"]
        assert truth["bus_watchdog"] == 0

    def test_connect_elsewhere_and_disconnect(self, resort: Fixture, bench: Fixture) -> None:
        """Parameters default to the configuration; after disconnect nothing is wrong, and nothing known."""
        plates = resort(exit="release")
        assert plates.connect()["model"] == "XC330-T288"
        with pytest.raises(Unreachable, match="servo 7"):
            plates.connect(motor_id=7)
        plates.open()  # as the runtime does; it goes where it was
        assert plates.read().connected
        assert plates.connect(str(bench.link), 57600, 1)["motor_id"] == 1
        assert plates.disconnect() == {"status": "disconnected", "torque": "release"}
        now = plates.read()
        assert (now.connected, now.position) == (False, None)
        assert plates.health()["temperature"] is None
        plates.connect()
        assert plates.read().connected

    @pytest.mark.parametrize(("leave", "torque"), [("hold", True), ("release", False)])
    def test_leaves_the_torque_as_configured(
        self, resort: Fixture, bench: Fixture, task: Fixture, leave: str, *, torque: bool
    ) -> None:
        """Plates may hang on it."""
        plates = resort(exit=leave)
        plates.go_home(task)
        plates.close()
        assert bench.truth()["torque"] is torque


class TestMoves:
    """Arrival is measured."""

    @pytest.mark.parametrize("model", MODELS)
    def test_activates_a_hotel(self, resort: Fixture, bench: Fixture, task: Fixture, model: str) -> None:
        """The answer says where it really stands."""
        plates = resort("--model", model, default_speed=FAST)
        told = plates.activate_hotel("B", task)
        assert told["result"] == "reached"
        assert told["hotel"] == "B"
        assert (told["angle_deg"], told["target_deg"]) == (pytest.approx(109, abs=0.5), 109)
        assert bench.truth()["position"] == pytest.approx(109, abs=0.5)
        assert task.percents == sorted(task.percents)
        assert task.percents[-1] > 50
        now = plates.read()
        assert now.active_hotel == "B"
        assert now.target == pytest.approx(109, abs=0.05)
        assert bench.truth()["bus_watchdog"] == 0
        again = plates.activate_hotel("B", task)
        assert again["seconds"] < 0.5

    def test_home_and_angle(self, resort: Fixture, task: Fixture) -> None:
        """Everywhere on the turn, the seam included."""
        plates = resort("--position", "20", default_speed=320)
        assert abs(plates.go_home(task)["error_deg"]) <= 0.5
        assert abs(plates.move_to_angle(359.95, task)["error_deg"]) <= 0.5
        assert abs(plates.move_to_angle(360, task)["error_deg"]) <= 0.5
        assert plates.get_position()["active_hotel"] is None

    @pytest.mark.parametrize("angle", [float("nan"), float("inf"), -1, 360.1, 1e9])
    def test_impossible_angles(self, resort: Fixture, bench: Fixture, task: Fixture, angle: float) -> None:
        """Refused before a byte is sent."""
        plates = resort()
        packets = bench.truth()["packets"]
        with pytest.raises(Refused):
            plates.move_to_angle(angle, task)
        with pytest.raises(Refused, match="'Z' is not one of A, B, C, D"):
            plates.activate_hotel("Z", task)
        assert bench.truth()["packets"] == packets

    def test_backwards_and_far_offset(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Angles below 0 and above 360, which the servo refuses and the original waited for."""
        plates = resort(default_speed=FAST, rotation_direction=-1, offset_angle=100)
        assert plates.get_hotels()["hotel_angles"] == {"A": 100, "B": 10, "C": 280, "D": 190}
        plates.activate_hotel("C", task)
        assert bench.truth()["position"] == pytest.approx(280, abs=0.5)

    def test_speed_and_profile_are_applied(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Also after a power cut, which clears them without a word."""
        plates = resort(default_speed=FAST, profile_acceleration=50, goal_torque=600, torque_limit=500)
        plates.move_to_angle(5, task)
        bench.fault("unpowered")
        bench.fault("unpowered", on=False)
        assert bench.truth()["profile_velocity"] == 0
        plates.move_to_angle(10, task)
        truth = bench.truth()
        assert (truth["profile_velocity"], truth["profile_acceleration"]) == (FAST, 50)
        assert truth["goal_pwm"] == 500
        assert plates.set_speed(30) == {"speed": 30, "degrees_per_second": 41.2}
        plates.move_to_angle(12, task)
        assert bench.truth()["profile_velocity"] == 30

    @pytest.mark.parametrize("speed", [0, -5, 321])
    def test_impossible_speeds(self, resort: Fixture, speed: int) -> None:
        """0 is unlimited to the servo, and each model has its limit."""
        plates = resort()
        with pytest.raises(Refused, match="speed"):
            plates.set_speed(speed)
        assert plates.read().speed == 50

    def test_torque_comes_on_where_it_stands(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """An old goal, turns made by hand, a mode and a drive mode of somebody else: no jump."""
        plates = resort("--position", "100", default_speed=10)
        control(bench.link, write=[10, 1, 12])
        control(bench.link, write=[11, 1, 4])
        control(bench.link, write=[116, 4, 3000])
        control(bench.link, turn=-460)
        assert plates.read().position == pytest.approx(0, abs=0.1)
        control(bench.link, turn=720)
        plates.move_to_angle(2, task)
        truth = bench.truth()
        assert (truth["operating_mode"], truth["drive_mode"]) == (3, 0)
        assert truth["position"] == pytest.approx(2, abs=0.5)

    def test_does_not_jump_after_a_stop(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """The goal of the stopped move is still in the servo."""
        plates = resort(default_speed=20)
        plates.move_to_angle(3, task)
        plates.emergency_stop()
        control(bench.link, write=[116, 4, 3000])
        control(bench.link, turn=-2)
        plates.move_to_angle(1.5, task)
        assert max(bench.truth()["position"], 0) < 5

    def test_cancel_holds(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """At rest where it was, with torque."""
        plates = resort()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        task.cancel()
        with pytest.raises(Cancelled):
            move.wait()
        assert still(bench)
        truth = bench.truth()
        assert truth["torque"]
        assert 0 < truth["position"] < 200
        assert truth["goal"] == pytest.approx(truth["position"], abs=1)
        assert truth["bus_watchdog"] == 0

    def test_task_timeout_holds(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Nothing starts when the time is over already."""
        plates = resort()
        task.end = TimedOut("20 s have passed")
        packets = bench.truth()["packets"]
        with pytest.raises(TimedOut):
            plates.go_home(task)
        assert bench.truth()["packets"] == packets

    def test_movement_timeout(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Says how far it came, and holds there."""
        plates = resort(default_speed=5, movement_timeout=1)
        with pytest.raises(MovementTimedOut, match=r"not there after 1 s: \d\.\d°, .* short of 109°") as info:
            plates.activate_hotel("B", task)
        assert info.value.error_code == "timeout"
        assert still(bench)

    def test_pause(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """Holds as long as it takes, longer than the watchdog and the stall time; then goes on."""
        plates = resort(default_speed=80, movement_timeout=3)
        move = call(plates.activate_hotel, "C", task)
        bench.until("moving", value=True)
        time.sleep(0.3)
        task.paused = True
        time.sleep(0.5)
        assert still(bench, 1.5)
        assert bench.truth()["torque"]
        task.paused = False
        assert move.wait()["hotel"] == "C"

    def test_readings_beside_a_move(self, resort: Fixture, task: Fixture, call: Fixture) -> None:
        """From another thread, each whole."""
        plates = resort()
        move = call(plates.activate_hotel, "B", task)
        seen = []
        while move.result is None and move.error is None:
            seen.append(plates.read())
        move.wait()
        assert any(now.moving and now.active_hotel is None for now in seen)
        assert all(now.temperature == 29 for now in seen)
        assert seen[-1].position == pytest.approx(109, abs=0.6)


class TestStops:
    """What ends a move that nobody wants."""

    @pytest.mark.parametrize("model", MODELS)
    def test_emergency_stop(
        self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture, model: str
    ) -> None:
        """Torque off within 100 ms of the call, while the move polls and a reader reads."""
        plates = resort("--model", model)
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        reading = call(lambda: [plates.read() for _ in range(20)])
        asked = time.monotonic()
        told = plates.emergency_stop()
        assert told["torque"] is False
        assert bench.truth()["torque_off_at"] - asked < 0.1
        with pytest.raises(EmergencyStopped):
            move.wait()
        reading.wait()
        plates.emergency_stop()
        assert not bench.truth()["torque"]
        assert still(bench)
        assert plates.activate_hotel("A", type(task)())["hotel"] == "A"

    def test_a_stop_is_never_undone_by_a_move_under_way(
        self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture
    ) -> None:
        """Whenever it comes while a move prepares, the torque stays off."""
        plates = resort()
        for wait in range(12):
            move = call(plates.activate_hotel, "B", type(task)())
            time.sleep(wait * 0.008)
            plates.emergency_stop()
            try:
                move.wait()
            except EmergencyStopped:
                assert not bench.truth()["torque"]
            else:
                pytest.fail("the move was not stopped")
            assert not bench.truth()["torque"]

    def test_stop_with_alert(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """A pending hardware error does not stand in the way, and it stays readable."""
        plates = resort()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        bench.fault("alert")
        plates.emergency_stop()
        assert not bench.truth()["torque"]
        with pytest.raises(EmergencyStopped):
            move.wait()
        now = plates.read()
        assert now.hardware_error == ("input voltage",)
        assert "hardware error: input voltage" in now.warnings
        assert now.position is not None

    def test_stop_on_a_bad_line(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Tried again, with the port opened anew; when nothing helps it says so."""
        plates = resort()
        plates.go_home(task)
        bench.fault("garbled", every=3)
        assert plates.emergency_stop()["torque"] is False
        bench.fault("garbled", on=False)
        plates.go_home(task)
        bench.fault("silent")
        with pytest.raises(Unreachable, match="torque off is not confirmed"):
            plates.emergency_stop()
        bench.fault("silent", on=False)
        assert not bench.truth()["torque"]  # it heard it nevertheless

    def test_stop_after_the_adapter_came_back(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Before anybody has opened the port again, and after a disconnect."""
        plates = resort()
        plates.go_home(task)
        bench.fault("unplugged")
        with pytest.raises(Unreachable):
            plates.emergency_stop()
        bench.fault("unplugged", on=False)
        assert bench.truth()["torque"]
        assert plates.emergency_stop()["torque"] is False
        plates.connect()
        plates.go_home(task)
        plates.disconnect()
        assert bench.truth()["torque"]
        plates.emergency_stop()
        assert not bench.truth()["torque"]
        assert not plates.read().connected

    def test_a_killed_bridge_leaves_nothing_running(self, bench: Fixture) -> None:
        """A kill -9 in the middle of a move: still within 0.5 s, and the next bridge can move it."""
        bench.start()
        mover = (
            "import sys, time\n"
            "from lab2mqtt.drivers.plate_resort import PlateResort, PlateResortSettings\n"
            "class Task:\n"
            "    paused = False\n"
            "    def check(self): pass\n"
            "    def progress(self, percent=None, message=''): pass\n"
            "    def sleep(self, seconds): time.sleep(seconds)\n"
            "plates = PlateResort(PlateResortSettings(device=sys.argv[1]))\n"
            "plates.open()\n"
            "plates.activate_hotel('D', Task())\n"
        )
        environment = os.environ | {"PYTHONPATH": str(Path(lab2mqtt.__file__).parents[1])}
        bridge = subprocess.Popen([sys.executable, "-c", mover, str(bench.link)], env=environment)
        bench.until("moving", value=True)
        time.sleep(0.3)
        bridge.send_signal(signal.SIGKILL)
        bridge.wait()
        killed = time.monotonic()
        bench.until("moving", value=False, within=0.5)
        assert time.monotonic() - killed < 0.5
        assert still(bench)
        assert bench.truth()["position"] < 200
        plates = PlateResort(PlateResortSettings(device=str(bench.link), default_speed=FAST))
        plates.open()
        assert still(bench)
        plates.close()

    def test_moves_after_the_watchdog_tripped(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """Which had taken the profile away and refuses goals."""
        plates = resort(default_speed=FAST)
        plates.go_home(task)
        control(bench.link, write=[98, 1, 1])
        bench.until("bus_watchdog", 255)
        assert plates.activate_hotel("A", task)["hotel"] == "A"
        assert bench.truth()["profile_velocity"] == FAST


class TestFaults:
    """The servo or its line in trouble."""

    def test_a_bridge_that_slept(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """Its servo has stopped by itself, and the task does not go on as if nothing were."""
        plates = resort()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        control(bench.link, write=[98, 1, 1])  # trips between two looks
        with pytest.raises(Fault, match=r"heard nothing for 0.28 s and stopped: \d+\.\d°, .* short of 289°"):
            move.wait()
        assert bench.truth()["bus_watchdog"] == 0
        assert still(bench)

    def test_stalled(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """Where it stands, and how far that is from the goal; the strain is taken off."""
        plates = resort(current_limit=400)
        move = call(plates.activate_hotel, "B", task)
        bench.until("moving", value=True)
        time.sleep(0.4)
        bench.fault("stalled")
        time.sleep(0.6)
        assert any("mA is above 400 mA" in warning for warning in plates.read().warnings)
        with pytest.raises(Fault, match=r"stalled at \d+\.\d°, \d+\.\d° short of 109°"):
            move.wait()
        truth = bench.truth()
        assert truth["torque"]
        assert truth["goal"] == pytest.approx(truth["position"], abs=0.2)
        bench.fault("stalled", on=False)
        plates.set_speed(FAST)
        assert plates.activate_hotel("B", type(task)())["hotel"] == "B"

    @pytest.mark.parametrize("model", MODELS)
    def test_overheated(
        self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture, model: str
    ) -> None:
        """Named, readable, and cleared by nothing but a reboot."""
        plates = resort("--model", model)
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        bench.fault("overheated")
        with pytest.raises(Fault, match=r"hardware error: overheating; torque off, it stands at"):
            move.wait()
        now = plates.read()
        assert now.hardware_error == ("overheating",)
        assert any("°C is above 70 °C" in warning for warning in now.warnings)
        with pytest.raises(Fault, match="overheating; only a reboot clears it"):
            plates.activate_hotel("A", type(task)())
        with pytest.raises(Fault, match="still there after the reboot: overheating"):
            plates.reboot()
        bench.fault("overheated", on=False)
        told = plates.reboot()
        assert told["torque"] is False
        assert plates.read().hardware_error == ()
        plates.move_to_angle(plates.read().position, type(task)())

    def test_power_cut_in_a_move(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """Short: found with its torque off. Long: unreachable."""
        plates = resort()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        bench.fault("unpowered")
        bench.fault("unpowered", on=False)
        with pytest.raises(Fault, match="the torque went off"):
            move.wait()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        bench.fault("unpowered")
        with pytest.raises(Unreachable):
            move.wait()

    @pytest.mark.parametrize("fault", ["silent", "unplugged"])
    def test_line_lost_in_a_move(
        self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture, fault: str
    ) -> None:
        """The move fails; the servo stops by itself where its line is cut."""
        plates = resort()
        move = call(plates.activate_hotel, "D", task)
        bench.until("moving", value=True)
        time.sleep(0.2)
        bench.fault(fault)
        with pytest.raises(Unreachable):
            move.wait()
        if fault == "unplugged":
            bench.until("moving", value=False, within=0.5)
        bench.fault(fault, on=False)
        plates.open()
        assert plates.read().connected

    def test_a_garbled_packet_does_not_fail_a_move(
        self, resort: Fixture, bench: Fixture, task: Fixture
    ) -> None:
        """One broken answer in seven is asked again."""
        plates = resort(default_speed=FAST)
        bench.fault("garbled", every=7)
        assert plates.activate_hotel("B", task)["hotel"] == "B"

    def test_alert_refuses_moves(self, resort: Fixture, bench: Fixture, task: Fixture) -> None:
        """A pending error is for a person to see to."""
        plates = resort()
        bench.fault("alert")
        bench.until("hardware_error", 1)
        with pytest.raises(Fault, match="hardware error: input voltage"):
            plates.go_home(task)
        now = plates.health()
        assert now["hardware_error"] == ["input voltage"]
        assert any("V is below 10 V" in warning for warning in now["warnings"])
        assert not bench.truth()["torque"]

    def test_identify(self, resort: Fixture, bench: Fixture, task: Fixture, call: Fixture) -> None:
        """The light goes on, and is off when it ends."""
        plates = resort()
        blinking = call(plates.identify, task)
        bench.until("led", value=True)
        task.cancel()
        with pytest.raises(Cancelled):
            blinking.wait()
        assert not bench.truth()["led"]


class TestSettings:
    """Configurations, old ones included."""

    def test_old_numbers_are_told_about_and_harm_nothing(
        self, resort: Fixture, bench: Fixture, task: Fixture
    ) -> None:
        """1023 and 2000 were meant for other registers, which refused them."""
        plates = resort(goal_torque=1023, torque_limit=2000, default_speed=400)
        assert plates.read().warnings == (
            "setting goal_torque 1023 is more than the servo's 885 and has no effect",
            "setting torque_limit 2000 is more than the servo's 885 and has no effect",
            "speed 400 is above the servo's velocity limit: moves go at 320",
        )
        plates.move_to_angle(5, task)
        truth = bench.truth()
        assert (truth["goal_pwm"], truth["profile_velocity"]) == (885, 320)

    @pytest.mark.parametrize(
        "settings",
        [{"hotels": ()}, {"hotels": ("A", "B", "A")}, {"voltage_min": 14.0, "voltage_max": 10.0}],
    )
    def test_contradictions(self, settings: dict[str, Any]) -> None:
        """What no single key shows."""
        with pytest.raises(Misconfigured):
            PlateResortSettings(**settings)

    def test_every_key_has_a_schema_and_words(self) -> None:
        """The hints are read once, by the runtime."""
        keys = {parameter.name: parameter for parameter in parameters_of(PlateResortSettings)}
        assert {"goal_torque", "torque_limit", "exit", "profile_acceleration"} <= keys.keys()
        assert all(parameter.description for parameter in keys.values())
        assert not any(parameter.required for parameter in keys.values())

    def test_every_task_has_a_schema(self) -> None:
        """Hotels and rooms come from the settings."""
        settings = PlateResortSettings(hotels=("X", "Y"), rooms_per_hotel=3)
        tasks = (
            "connect disconnect status health activate_hotel go_home move_to_angle set_speed emergency_stop "
            "get_hotels get_position reboot identify place_plate remove_plate find_plate activate_plate"
        )
        for task in tasks.split():
            for parameter in parameters_of(getattr(PlateResort, task), settings):
                assert parameter.description, (task, parameter.name)
        (hotel,) = parameters_of(PlateResort.activate_hotel, settings)
        assert hotel.choices == ("X", "Y")
        room = parameters_of(PlateResort.place_plate, settings)[1]
        assert (room.minimum, room.maximum) == (1, 3)


class TestPlates:
    """Which plate stands where."""

    def test_activates_the_hotel_of_a_plate(self, resort: Fixture, task: Fixture, tmp_path: Path) -> None:
        """By the plate's name, also after a restart."""
        state = tmp_path / "inventory.json"
        plates = resort(default_speed=FAST, state=state)
        assert plates.place_plate("B", 20, "P7") == {"plate": "P7", "hotel": "B", "room": 20}
        assert plates.read().plates == 1
        told = plates.activate_plate("P7", task)
        assert (told["hotel"], told["room"], told["plate"]) == ("B", 20, "P7")
        other = PlateResort(plates.settings, state)
        assert other.find_plate("P7") == {"plate": "P7", "hotel": "B", "room": 20}
        assert other.get_hotels()["plates"] == {"A": {}, "B": {"20": "P7"}, "C": {}, "D": {}}

    def test_rooms(self) -> None:
        """Only those that there are."""
        plates = PlateResort(PlateResortSettings())
        with pytest.raises(Refused, match="room 21 is not in 1 to 20"):
            plates.place_plate("A", 21, "P")
        with pytest.raises(Refused, match="'Z' is not one of"):
            plates.place_plate("Z", 1, "P")
        with pytest.raises(Refused, match="blank"):
            plates.place_plate("A", 1, "  ")
        plates.place_plate("A", 1, "P")
        with pytest.raises(Refused, match="occupied by 'P'"):
            plates.place_plate("A", 1, "Q")

    def test_remove(self) -> None:
        """By name, or by room; not by half a room."""
        plates = PlateResort(PlateResortSettings())
        plates.place_plate("A", 1, "P")
        plates.place_plate("A", 2, "Q")
        with pytest.raises(Refused, match="hotel and room are needed"):
            plates.remove_plate(hotel="A")
        with pytest.raises(Refused, match="room A 3 is empty"):
            plates.remove_plate(hotel="A", room=3)
        with pytest.raises(Refused, match="stands 'P', not 'Q'"):
            plates.remove_plate("Q", "A", 1)
        assert plates.remove_plate(hotel="A", room=1)["plate"] == "P"
        assert plates.remove_plate("Q") == {"plate": "Q", "hotel": "A", "room": 2}

    def test_a_hotel_that_is_gone(self, tmp_path: Path, task: Fixture) -> None:
        """Its plates are known, and cannot be brought."""
        state = tmp_path / "inventory.json"
        PlateResort(PlateResortSettings(), state).place_plate("D", 1, "P")
        plates = PlateResort(PlateResortSettings(hotels=("A", "B")), state)
        assert plates.find_plate("P")["hotel"] == "D"
        assert plates.get_hotels()["plates"] == {"A": {}, "B": {}, "D": {"1": "P"}}
        with pytest.raises(Refused, match="'D' is not one of A, B"):
            plates.activate_plate("P", task)

    def test_a_card_is_told_where_each_plate_stands(self, tmp_path: Path) -> None:
        """Hotels with angle and plates by room, also without a servo, and one that is gone."""
        state = tmp_path / "inventory.json"
        PlateResort(PlateResortSettings(), state).place_plate("D", 1, "P")
        plates = PlateResort(PlateResortSettings(hotels=("A", "B"), rooms_per_hotel=5), state)
        plates.place_plate("B", 2, "Q")
        plates.disconnect()
        told = plates.read()
        assert told.hotels == {
            "A": {"angle": 19.0, "count": 0, "plates": {}},
            "B": {"angle": 199.0, "count": 1, "plates": {"2": "Q"}},
            "D": {"angle": None, "count": 1, "plates": {"1": "P"}},
        }
        assert (told.rooms, told.plates) == (5, 2)

    def test_what_a_card_is_told_fits_a_state(self) -> None:
        """Names of the longest stay below 16 KB; of more plates it says only how many."""
        plates = PlateResort(PlateResortSettings(rooms_per_hotel=200))
        names = [f"{number:064}" for number in range(151)]
        for room, name in enumerate(names[:150], start=1):
            plates.place_plate("A", room, name)
        plates.disconnect()
        told = plates.read().hotels
        assert told["A"]["plates"] == {str(room): name for room, name in enumerate(names[:150], start=1)}
        assert len(json.dumps(told)) < 16_000
        plates.place_plate("A", 151, names[150])
        hotel = plates.read().hotels["A"]
        assert (hotel["count"], hotel["plates"]) == (151, None)
