"""What a bridge offers to boards, and which pieces it hands out."""

from collections.abc import Callable
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lab2mqtt.boards import image
from lab2mqtt.runtime.mqtt import Message
from lab2mqtt.runtime.updates import Updates

WANT = "lab/pico-1/update/want"
MANIFEST = "lab/pico-1/update/manifest"


class Link:
    """Notes what is published."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | bytes, bool]] = []

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False, later: bool = True
    ) -> None:
        """Publish, and never later: what nobody waits for any more."""
        assert (qos, later) == (1, False)
        self.said.append((topic, payload, retain))

    def take(self) -> list[tuple[str, str | bytes, bool]]:
        """What was said since it was asked last."""
        said, self.said = self.said, []
        return said


@pytest.fixture
def link() -> Link:
    """A link."""
    return Link()


@pytest.fixture
def updates(tmp_path: Path, link: Link) -> Updates:
    """An offer of version 2.0 of the node fan, to the board pico-1."""
    image.build("fan", tmp_path / "fan", version="2.0", key="k")
    made = Updates(tmp_path, "lab", link.publish)
    made.look()
    made.described("pico-1", "fan")
    made.look()
    return made


def ask(updates: Updates, link: Link, **changed: Any) -> list[tuple[str, str | bytes, bool]]:  # noqa: ANN401 - JSON
    """Ask for a piece; gives what was answered."""
    link.take()
    want = {"file": 0, "offset": 0, "length": 1024, "version": "2.0", **changed}
    updates.hear(Message(WANT, json.dumps(want).encode(), retained=False))
    return link.take()


def test_an_offer_is_retained_said_once_and_withdrawn_with_the_board(
    updates: Updates, link: Link, tmp_path: Path
) -> None:
    """And said anew on another link."""
    text = (tmp_path / "fan/app_a/manifest.json").read_text()
    assert link.take() == [(MANIFEST, text, True)]
    updates.look()
    updates.described("pico-1", "fan")
    updates.look()
    assert link.take() == []
    updates.forget()
    updates.described("pico-1", "fan")
    updates.look()
    assert link.take() == [(MANIFEST, text, True)]
    updates.gone("pico-1")
    updates.gone("stranger")
    assert link.take() == [(MANIFEST, "", True)]


def test_a_piece_is_the_bytes_of_the_file(updates: Updates, link: Link, tmp_path: Path) -> None:
    """At its end there are fewer, past it none."""
    app = (tmp_path / "fan/app_a/app.mpy").read_bytes()
    assert ask(updates, link, offset=10, length=20) == [("lab/pico-1/update/piece/0/10", app[10:30], False)]
    assert ask(updates, link, offset=len(app) - 3) == [
        (f"lab/pico-1/update/piece/0/{len(app) - 3}", app[-3:], False)
    ]
    assert ask(updates, link, offset=len(app)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"file": 99},
        {"file": -1},
        {"offset": -1},
        {"length": 0},
        {"length": 5000},
        {"file": True},
        {"offset": None},
        {"file": "../secrets.json"},
        {"version": "1.9"},
        {"version": None},
    ],
)
def test_what_is_asked_wrongly_is_not_answered(updates: Updates, link: Link, changed: dict[str, Any]) -> None:
    """Nor does it end anything."""
    assert ask(updates, link, **changed) == []
    assert len(ask(updates, link)) == 1


@pytest.mark.parametrize(
    ("topic", "payload", "retained"),
    [
        (WANT, b"{", False),
        (WANT, b"[]", False),
        ("lab/stranger/update/want", b'{"file":0,"offset":0,"length":9,"version":"2.0"}', False),
        ("other/pico-1/update/want", b'{"file":0,"offset":0,"length":9,"version":"2.0"}', False),
        (WANT, b'{"file":0,"offset":0,"length":9,"version":"2.0"}', True),
    ],
)
def test_who_is_no_board_of_ours_is_not_answered(
    updates: Updates,
    link: Link,
    topic: str,
    payload: bytes,
    retained: bool,  # noqa: FBT001
) -> None:
    """Nor what is no question."""
    link.take()
    updates.hear(Message(topic, payload, retained))
    assert link.take() == []


def test_what_is_built_anew_is_offered_and_the_old_one_no_longer_served(
    updates: Updates, link: Link, tmp_path: Path
) -> None:
    """Pieces of two versions are never mixed."""
    link.take()
    image.build("fan", tmp_path / "fan", version="2.1", key="k")
    assert len(ask(updates, link)) == 1  # until the next look all is as it was
    updates.look()
    assert [json.loads(str(payload))["version"] for _, payload, _ in link.take()] == ["2.1"]
    assert ask(updates, link) == []
    assert len(ask(updates, link, version="2.1")) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda app: (app / "app.mpy").write_bytes(b"x"), "others than its manifest says"),
        (lambda app: (app / "app.mpy").unlink(), "No such file"),
        (lambda app: (app / "manifest.json").write_text("{}"), "no manifest of an application"),
        (lambda app: image.build("fan", app.parent, version="3"), "not signed"),
    ],
)
def test_what_is_broken_or_not_signed_is_not_offered(
    tmp_path: Path,
    link: Link,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    """The log says why, once."""
    image.build("fan", tmp_path / "fan", version="2.0", key="k")
    spoil(tmp_path / "fan/app_a")
    updates = Updates(tmp_path, "lab", link.publish)
    updates.described("pico-1", "fan")
    with caplog.at_level(logging.WARNING):
        updates.look()
        updates.look()
    assert link.take() == [(MANIFEST, "", True)]
    assert [said in record.getMessage() for record in caplog.records] == [True]
