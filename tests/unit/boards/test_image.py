"""The image of a board: what lies on its flash."""

import ast
import json
from pathlib import Path

import pytest

from lab2mqtt.boards import firmware, image, nodes
from lab2mqtt.boards.manifest import MANIFEST, Manifest, sha256
from lab2mqtt.core.house import STATE_KEYS

KEY = "nobody's key"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A node of one's own that uses a part of ours."""
    node = tmp_path / "own"
    node.mkdir()
    (node / "main.py").write_text(
        "from labboard import Board\nfrom parts.servo import Servo\nBoard().run()\n"
    )
    (node / "node.json").write_text(
        '{"device_id": "own-1", "pins": {"servo": 15}, "settings": {"a": {"b": 1}}}'
    )
    return node


@pytest.mark.parametrize("node", nodes())
def test_every_node_compiles_and_needs_little_of_what_a_board_takes(node: str, tmp_path: Path) -> None:
    """Its manifest goes into one message, and names every file by its hash."""
    manifest = image.build(node, tmp_path, version="1.2.3", key=KEY)
    assert (manifest.node, manifest.version) == (node, "1.2.3")
    assert Manifest.read((tmp_path / "app_a" / MANIFEST).read_text()) == manifest
    assert len(manifest.text()) < 4096
    for file in manifest.files:
        assert sha256(tmp_path / "app_a" / file.name) == file.sha256
        assert (tmp_path / "app_a" / file.name).stat().st_size == file.size
    assert not (tmp_path / "config.json").exists()
    assert not (tmp_path / "secrets.json").exists()


def test_a_node_of_ones_own_gets_its_parts_and_the_configuration_over_its_defaults(
    own: Path, tmp_path: Path
) -> None:
    """Group by group; all is bytecode but what MicroPython starts itself."""
    out = tmp_path / "out"
    image.build(own, out, {"device_id": "mine", "settings": {"a": {"c": 2}}}, {"ssid": "lab"})
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"boot.py", "main.py", "config.json", "secrets.json", "lib/wire.mpy", "app_a/app.mpy"} <= files
    assert "app_a/parts/servo.mpy" in files
    assert "app_a/parts/voltage.mpy" not in files
    assert [name for name in files if name.endswith(".py")] in (
        ["boot.py", "main.py"],
        ["main.py", "boot.py"],
    )
    assert json.loads((out / "config.json").read_text()) == {
        "device_id": "mine",
        "pins": {"servo": 15},
        "settings": {"a": {"b": 1, "c": 2}},
    }


def test_what_a_board_wrote_itself_stays_and_what_is_old_goes(own: Path, tmp_path: Path) -> None:
    """A source left in place of bytecode would be taken first."""
    image.build(own, tmp_path / "out")
    out = tmp_path / "out"
    (out / "latch.json").write_text("{}")
    (out / "lib/wire.py").write_text("")
    (out / "app_a/parts/old.mpy").write_text("")
    image.build(own, out)
    assert (out / "latch.json").exists()
    assert not (out / "lib/wire.py").exists()
    assert not (out / "app_a/parts/old.mpy").exists()


def test_the_signature_is_of_the_key_and_of_every_word(own: Path, tmp_path: Path) -> None:
    """By default the key is the board's own update_key."""
    by_secrets = image.build(own, tmp_path / "a", secrets={"update_key": KEY})
    by_key = image.build(own, tmp_path / "b", key=KEY)
    assert by_secrets == by_key
    assert len(by_key.hmac) == 64
    signatures = {
        by_key.hmac,
        image.build(own, tmp_path / "c", key="other").hmac,
        image.build(own, tmp_path / "d", key=KEY, version="9").hmac,
        Manifest("else", by_key.version, by_key.files).sign(KEY).hmac,
        Manifest(by_key.node, by_key.version, by_key.files[1:]).sign(KEY).hmac,
    }
    assert len(signatures) == 5
    assert image.build(own, tmp_path / "e").hmac == ""


def test_the_house_is_what_a_board_can_do() -> None:
    """As members of JSON objects, in which nothing is escaped twice."""
    told = {what: json.loads("{" + members + "}") for what, members in image.house().items()}
    assert {
        "cancel",
        "emergency_stop",
        "reset_emergency_stop",
        "reserve",
        "release",
        "set_maintenance",
    } == set(told["tasks"])
    assert {"readiness", "happening", "stop", "reset_stop", "cancel"} <= set(told["entities"])
    assert "pause" not in told["entities"]


@pytest.mark.parametrize(
    ("main", "node_json", "said"),
    [("def", "{}", "invalid syntax"), ("x = 1", "[]", "is not a JSON object"), ("x = 1", "{", "node.json")],
)
def test_a_node_that_cannot_be_built_says_why(
    own: Path, tmp_path: Path, main: str, node_json: str, said: str
) -> None:
    """With its file."""
    (own / "main.py").write_text(main)
    (own / "node.json").write_text(node_json)
    with pytest.raises(image.ImageError, match=said):
        image.build(own, tmp_path / "out", {})


def test_an_unknown_node_is_told_with_what_was_meant(tmp_path: Path) -> None:
    """And with what there is."""
    with pytest.raises(image.ImageError, match=r"did you mean 'lab-sensor'\?\); there are balance, "):
        image.build("lab-sensr", tmp_path)


def test_a_board_knows_the_keys_that_every_state_has() -> None:
    """A part must not say one of them; the bridge's list and the board's are one."""
    source = (firmware() / "labboard" / "assembly.py").read_text("utf-8")
    listed = [
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_STATE"
    ]
    assert listed == [STATE_KEYS]
