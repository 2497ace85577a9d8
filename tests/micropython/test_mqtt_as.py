"""The link of a board on mqtt_as: the tests of ``test_transport.py``, where its files are at hand.

They are no part of this repository. ``$MQTT_AS_DIR`` names a clone of peterhinch/micropython-mqtt on GitHub,
at the commit that ``lab2mqtt.boards.mqtt_as`` names.
"""

import os
from pathlib import Path

import pytest
from tests.micropython.test_transport import (
    make_link,
    test_a_board_that_dies_is_called_offline,
    test_a_broker_that_acknowledges_nothing,
    test_a_broker_that_hangs_is_left,
    test_a_broker_that_lets_us_not_in,
    test_a_message_that_is_too_long_is_skipped,
    test_a_retained_message_that_is_too_long_is_skipped,
    test_a_topic_that_is_no_text_is_passed_over,
    test_a_topic_that_the_broker_refuses,
    test_another_client_of_its_name_is_no_reason_to_fight,
    test_it_asks_for_a_sign_of_life,
    test_it_is_back_within_3_s_of_a_restart,
    test_messages_go_both_ways,
    test_nonsense_ends_the_connection_and_no_more,
    test_the_stop_is_known_before_any_command,
    test_what_cannot_be_said_is_told,
    test_what_fails_at_a_new_link_is_tried_again,
    test_wifi_comes_and_goes,
    test_without_the_stop_nothing_runs,
    watcher,
)

__all__ = [
    "make_link",
    "test_a_board_that_dies_is_called_offline",
    "test_a_broker_that_acknowledges_nothing",
    "test_a_broker_that_hangs_is_left",
    "test_a_broker_that_lets_us_not_in",
    "test_a_message_that_is_too_long_is_skipped",
    "test_a_retained_message_that_is_too_long_is_skipped",
    "test_a_topic_that_is_no_text_is_passed_over",
    "test_a_topic_that_the_broker_refuses",
    "test_another_client_of_its_name_is_no_reason_to_fight",
    "test_it_asks_for_a_sign_of_life",
    "test_it_is_back_within_3_s_of_a_restart",
    "test_messages_go_both_ways",
    "test_nonsense_ends_the_connection_and_no_more",
    "test_the_stop_is_known_before_any_command",
    "test_what_cannot_be_said_is_told",
    "test_what_fails_at_a_new_link_is_tried_again",
    "test_wifi_comes_and_goes",
    "test_without_the_stop_nothing_runs",
    "watcher",
]


@pytest.fixture
def link() -> dict[str, object]:
    """mqtt_as, from where the environment says."""
    folder = os.environ.get("MQTT_AS_DIR")
    if not folder:
        pytest.skip("mqtt_as is not at hand: set $MQTT_AS_DIR to a clone of peterhinch/micropython-mqtt")
    assert (Path(folder) / "mqtt_as" / "__init__.py").is_file(), f"MQTT_AS_DIR: no mqtt_as in {folder}"
    return {"link": "mqtt_as", "library": Path(folder)}
