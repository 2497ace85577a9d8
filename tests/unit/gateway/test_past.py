"""What a device has on record may be anything."""

import pytest

from lab2mqtt.gateway.past import Told, result_in

ROW: Told = {"request_id": "once", "task": "dose", "received_at": 1.0}


def test_a_result_out_of_a_history() -> None:
    """As it stood on the wire."""
    told = result_in({**ROW, "status": "error", "error": "loose", "error_code": "busy", "ended_at": 2.0})
    assert told
    assert (told["error"], told["error_code"], told["timestamp"]) == ("loose", "busy", 2.0)
    assert result_in(ROW) is None


@pytest.mark.parametrize("odd", [{"status": []}, {"status": "success", "received_at": "now"}])
def test_an_odd_row_has_none(odd: Told) -> None:
    """As one of a command that is not over."""
    assert result_in({**ROW, **odd}) is None


def test_an_odd_error_is_one_of_the_device() -> None:
    """In words."""
    told = result_in({**ROW, "status": "error", "error": ["x"], "error_code": ["y"]})
    assert told
    assert (told["error"], told["error_code"]) == ("['x']", "device_error")
