"""Plates and rooms, and the file that they are kept in."""

import json
from pathlib import Path

import pytest

from lab2mqtt.core.errors import Fault, Refused
from lab2mqtt.drivers.inventory import Inventory, Room


def test_kept_across_restarts(tmp_path: Path) -> None:
    """A new bridge knows what the old one knew."""
    state = tmp_path / "deep" / "inventory.json"
    inventory = Inventory(state)
    inventory.place(Room("B", 3), "Plate 7")
    inventory.place(Room("A", 20), "κάτι")
    inventory.remove("Plate 7")
    assert Inventory(state).plates() == {"κάτι": Room("A", 20)}
    assert [file.name for file in state.parent.iterdir()] == ["inventory.json"]


def test_one_plate_one_room() -> None:
    """Nobody stands on somebody else, and nobody twice."""
    inventory = Inventory(None)
    inventory.place(Room("A", 1), "P1")
    inventory.place(Room("A", 1), "P1")
    with pytest.raises(Refused, match="room A 1 is occupied by 'P1'"):
        inventory.place(Room("A", 1), "P2")
    with pytest.raises(Refused, match="'P1' stands in room A 1: remove"):
        inventory.place(Room("B", 1), "P1")
    assert inventory.remove("P1") == Room("A", 1)
    assert inventory.plate_in(Room("A", 1)) is None


def test_an_unknown_plate_has_near_names() -> None:
    """A typo is the usual reason."""
    inventory = Inventory(None)
    inventory.place(Room("A", 1), "assay-17")
    with pytest.raises(Refused, match=r"'asay-17' stands in no room \(did you mean 'assay-17'\?\)"):
        inventory.find("asay-17")
    with pytest.raises(Refused):
        inventory.remove("nothing")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"plates": []}',
        '{"plates": {"P": 1}}',
        '{"plates": {"P": {"hotel": "A", "room": true}}}',
        '{"plates": {"P": {"hotel": "A", "room": 1}, "Q": {"hotel": "A", "room": 1}}}',
        "\udce4",
    ],
)
def test_a_corrupt_file_is_set_aside(tmp_path: Path, content: str) -> None:
    """Never emptied in silence: it is kept under another name, and the text says so."""
    state = tmp_path / "inventory.json"
    state.write_text(content, errors="surrogateescape")
    inventory = Inventory(state)
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("inventory.json.unreadable-")
    assert aside.read_text(errors="surrogateescape") == content
    assert str(aside) in inventory.problem
    with pytest.raises(Refused, match="could not be read"):
        inventory.find("P")
    inventory.place(Room("A", 1), "P")
    assert Inventory(state).problem == ""


def test_hotels_that_are_gone_are_kept(tmp_path: Path) -> None:
    """Somebody may have renamed a hotel by mistake."""
    state = tmp_path / "inventory.json"
    state.write_text(json.dumps({"version": 1, "plates": {"P": {"hotel": "old", "room": 99}}}))
    inventory = Inventory(state)
    inventory.place(Room("A", 1), "Q")
    assert Inventory(state).find("P") == Room("old", 99)


def test_what_cannot_be_written_is_not_believed(tmp_path: Path) -> None:
    """Memory and file say the same."""
    (tmp_path / "file").write_text("")
    inventory = Inventory(None)
    inventory._state = tmp_path / "file" / "inventory.json"
    with pytest.raises(Fault, match="cannot be written"):
        inventory.place(Room("A", 1), "P")
    assert inventory.plates() == {}
