"""What a private Home Assistant gets from us is in its configuration folder before it starts."""

from pathlib import Path
import tomllib

from lab2mqtt.hub import configuration, given

ROOT = Path(__file__).parents[3]


def prepared(folder: Path, copies: dict[str, Path]) -> None:
    """Write a configuration folder."""
    configuration.prepare(folder, folder, 8123, open_door=False, extra_yaml="", copies=copies)


def test_all_of_ours_is_given() -> None:
    """The integration, and the blueprints of both kinds, each where Home Assistant looks for it."""
    found = given.folders()
    assert found.keys() == {
        "custom_components/lab2mqtt",
        "blueprints/automation/lab2mqtt",
        "blueprints/script/lab2mqtt",
    }
    for place, folder in found.items():
        assert folder == ROOT / place
        assert any(folder.iterdir())


def test_the_wheel_takes_all_of_ours_along() -> None:
    """Where ``given`` looks for it in an installed package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for top in {Path(place).parts[0] for place in given.folders()}:
        assert packed[top] == f"lab2mqtt/home_assistant/{top}"


def test_copies_are_made_anew(tmp_path: Path) -> None:
    """What was changed, added or deleted there is as it was given; what it was given from stays as it was."""
    ours = tmp_path / "ours"
    (ours / "__pycache__").mkdir(parents=True)
    (ours / "turn.yaml").write_text("turn")
    hub = tmp_path / "hub"
    copy = hub / "blueprints" / "script" / "lab2mqtt"
    theirs = copy.with_name("theirs") / "own.yaml"
    copies = {"blueprints/script/lab2mqtt": ours}
    prepared(hub, copies)
    assert [file.name for file in copy.iterdir()] == ["turn.yaml"]
    theirs.parent.mkdir()
    theirs.write_text("own")
    (copy / "turn.yaml").write_text("changed")
    (copy / "left.yaml").write_text("left over")
    prepared(hub, copies)
    assert {file.name: file.read_text() for file in copy.iterdir()} == {"turn.yaml": "turn"}
    assert (ours / "turn.yaml").read_text() == "turn"
    assert theirs.read_text() == "own"
