"""How long calls keep trying is told by the environment of a deployment."""

import pytest

from lab2mqtt.core.errors import Misconfigured
from lab2mqtt.prefect import Patience


def test_what_is_not_told_is_as_usual() -> None:
    """And an empty variable tells nothing."""
    assert Patience.of({"LAB2MQTT_REFUSED_FOR": "0", "LAB2MQTT_NO_ANSWER_FOR": ""}) == Patience(refused_for=0)


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With the variable's name."""
    with pytest.raises(Misconfigured, match=r"LAB2MQTT_START_WITHIN is .*not a number of seconds"):
        Patience.of({"LAB2MQTT_START_WITHIN": text})
