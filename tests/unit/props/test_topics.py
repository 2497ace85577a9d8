"""Topics for which a broker would drop the link are found before."""

import pytest

from lab2mqtt.props.topics import LONGEST, filter_or_error, topic_or_error


@pytest.mark.parametrize(
    "topic", ["a", "a/b", "/", "halloween/tesla/telemetry/Trunk Open", "ä", "a" * LONGEST]
)
def test_a_topic(topic: str) -> None:
    """Blanks and letters of all kinds are allowed."""
    assert topic_or_error(topic) == topic
    assert filter_or_error(topic) == topic


@pytest.mark.parametrize("topic", ["+", "#", "a/+/b", "+/", "/#", "+/+/#", "halloween/+/state"])
def test_a_filter(topic: str) -> None:
    """It is no topic to publish on."""
    assert filter_or_error(topic) == topic
    with pytest.raises(ValueError, match="no topic"):
        topic_or_error(topic)


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+", "a/b#", "a\nb", "a\x00", "a\x9fb", "a" * (LONGEST + 1)])
def test_neither(topic: str) -> None:
    """It says what is allowed."""
    with pytest.raises(ValueError, match="cannot be subscribed"):
        filter_or_error(topic)
    with pytest.raises(ValueError, match="is no topic"):
        topic_or_error(topic)
