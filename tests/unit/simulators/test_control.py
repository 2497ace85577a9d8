"""What every simulator takes past its own interface, and what it answers."""

import json
from pathlib import Path
import socket
from typing import Any

import pytest

from lab2mqtt.simulators import serial_line
from lab2mqtt.simulators.control import Controls, Fault, control, lines, listening
from lab2mqtt.simulators.ot2 import control as ot2_control, robot

FAULTS = {
    "slow": Fault("answers late; `seconds`: how much", {"seconds": float}),
    "booting": Fault("starts; `phase`: early or late", {"phase": ("early", "late")}),
    "off": Fault("no power"),
}


def controls() -> Controls:
    """Ones that answer with what was asked."""
    return Controls(FAULTS, {"reboot": "off and on"}, lambda asked: {"did": asked})


def answered(**asked: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The answer to a request."""
    return json.loads(controls().answer(json.dumps(asked).encode()))


def test_help_tells_what_there_is() -> None:
    """A command line needs to know no simulator."""
    told = answered(help=True)
    assert told["hands"] == {"reboot": "off and on"}
    assert told["faults"]["off"] == "no power"


def test_options_are_read() -> None:
    """As the fault takes them."""
    assert answered(fault="slow", seconds="2")["did"] == {"fault": "slow", "seconds": 2.0}
    assert answered(fault="off", on=False)["did"] == {"fault": "off", "on": False}
    assert answered(fault="booting", phase="late")["did"]["phase"] == "late"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"fault": "tired"}, "'tired' is not one of slow, booting, off"),
        ({"fault": "slow", "second": 1}, "'second' is not one of those that this fault takes: seconds"),
        ({"fault": "off", "seconds": 1}, "this fault takes: none"),
        ({"fault": "slow", "seconds": "soon"}, "seconds 'soon' is no float"),
        ({"fault": "booting", "phase": "now"}, "'now' is not one of early, late"),
    ],
)
def test_a_wrong_request_says_what_is_right(asked: dict[str, Any], why: str) -> None:
    """And nothing is done."""
    told = answered(**asked)
    assert list(told) == ["error"]
    assert why in told["error"]


@pytest.mark.parametrize("line", [b"no json", b"[1]", b"3"])
def test_nonsense_is_an_error(line: bytes) -> None:
    """Not the end of the simulator."""
    assert json.loads(controls().answer(line))["error"]


def test_every_simulator_explains_what_it_takes() -> None:
    """Each option of a fault stands in its words."""
    for faults, hands in ((robot.FAULTS, ot2_control.HANDS), (serial_line.FAULTS, serial_line.HANDS)):
        for fault in faults.values():
            assert [name for name in fault.options if f"`{name}`" not in fault.words] == []
        assert not faults.keys() & hands.keys()
        told = lines(faults, hands)
        assert [name for name in (*faults, *hands) if f"  {name} " not in told] == []


def test_a_socket_is_served_once(tmp_path: Path) -> None:
    """The second one is told; what is no socket is left alone."""
    link = tmp_path / "link"
    with listening(link), pytest.raises(FileExistsError, match="another simulator serves"), listening(link):
        pytest.fail("two serve one link")
    assert list(tmp_path.iterdir()) == []
    beside = tmp_path / "link.control"
    beside.write_text("mine")
    with pytest.raises(FileExistsError, match="no socket"), listening(link):
        pytest.fail("it took a file for a socket")
    assert beside.read_text() == "mine"


def test_nobody_there(tmp_path: Path) -> None:
    """Also where a socket was left behind."""
    with pytest.raises(OSError, match=r"."):
        control(tmp_path / "link")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "link.control"))
    with pytest.raises(ConnectionRefusedError):
        control(tmp_path / "link")
