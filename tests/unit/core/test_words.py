"""Texts for people."""

import pytest

from lab2mqtt.core.words import listed, near, show


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Z", "'Z'"),
        (True, "true"),
        (None, "null"),
        (3, "3"),
        ([1, "b"], '[1, "b"]'),
        ({"a": "°"}, '{"a": "°"}'),
        ({1}, "{1}"),
    ],
)
def test_a_value_is_shown_as_it_stood_in_the_message(value: object, shown: str) -> None:
    """Somebody who sent true does not look for True."""
    assert show(value) == shown


def test_a_long_value_is_cut_and_says_so() -> None:
    """A refusal must fit into a log line and a notification."""
    shown = show("x" * 1000)
    assert len(shown) == 60
    assert shown.endswith("…")


def test_the_nearest_word_is_proposed() -> None:
    """A typo is the most frequent mistake."""
    assert near("hotle", ["angle", "hotel"]) == " (did you mean 'hotel'?)"


def test_nothing_is_proposed_where_nothing_is_near() -> None:
    """A far-fetched proposal sends a person the wrong way."""
    assert near("centrifuge", ["hotel", "angle"]) == ""
    assert near("hotel", []) == ""


def test_of_many_choices_the_first_and_the_last_are_told() -> None:
    """All wells of a plate would hide what else is wrong."""
    assert listed(["left", 2, None]) == "left, 2, None"
    assert listed(f"A{column}" for column in range(1, 25)).endswith("A22, A23, A24")
    assert listed(f"A{column}" for column in range(1, 26)) == "A1, A2, A3, A4, …, A25"
