"""A worker's configuration: which file, what is broken in it, and what its ``ConfigModel`` makes of it."""

from pathlib import Path

import pytest
from tests.unit.props.written_props import PLAIN, PropsFolder

from lab2mqtt.props.finding import find
from lab2mqtt.props.loading import load
from lab2mqtt.props.settings import PropsSettings
from lab2mqtt.runtime.address import Broker


@pytest.fixture
def prop(tmp_path: Path) -> PropsFolder:
    """Writes props."""
    return PropsFolder(tmp_path / "props")


@pytest.mark.parametrize(
    ("files", "config"),
    [
        ({}, {}),
        ({"config__json": '{"a": 1}'}, {"a": 1}),
        ({"config__json": '\ufeff{"a": 1}'}, {"a": 1}),
        ({"config__yaml": "a: 2\n"}, {"a": 2}),
        ({"config__yml": "a: 3\n"}, {"a": 3}),
        ({"config__yml": "a: 3\n", "config__yaml": "a: 2\n"}, {"a": 2}),
        ({"config__yml": "a: 3\n", "config__json": '{"a": 1}'}, {"a": 1}),
        ({"config__yaml": ""}, {}),
        ({"config__yaml": "# a: 1\n---\n\n"}, {}),
        ({"config__example__json": '{"a": 1}'}, {}),
    ],
)
def test_the_first_configuration_beside_it_is_taken(
    prop: PropsFolder, files: dict[str, str], config: dict[str, int]
) -> None:
    """None, or an empty one, is {}."""
    loaded = load(prop(**files))
    assert (loaded.config, loaded.warnings) == (config, ())


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        ({"config__json": '{\n"a": 1,\n}'}, "config.json:"),
        ({"config__json": "[1]"}, "config.json:1: the file must hold an object"),
        ({"config__json": "[" * 100_000}, "config.json: no JSON: "),
        ({"config__yaml": "a: 1\nb: [\n"}, "config.yaml:3: no YAML: "),
        (
            {"config__yaml": "- 1\n"},
            "config.yaml:1: the file must hold keys with values, such as `tick_interval: 5`",
        ),
        ({"config__yml": "a: !!python/object:os.system {}\n"}, "config.yml:1: no YAML: "),
    ],
)
def test_a_broken_configuration_is_a_warning_and_an_empty_one(
    prop: PropsFolder, files: dict[str, str], warning: str
) -> None:
    """The worker loads, and the warning names file and line."""
    loaded = load(prop(**files))
    assert loaded.config == {}
    (told,) = loaded.warnings
    assert told.startswith(warning)


def test_a_configuration_that_is_no_text_is_a_warning(prop: PropsFolder) -> None:
    """Such as one saved in another encoding."""
    found = prop()
    for name in ("config.yml", "config.json"):
        (found.file.parent / name).write_bytes(b'{"a": "\xff"}')
        loaded = load(found)
        assert loaded.config == {}
        assert name in loaded.warnings[0]


def test_a_key_that_stands_twice_is_a_warning(prop: PropsFolder) -> None:
    """The last one counts, as YAML has it."""
    loaded = load(prop(config__yaml="a: 1\na: 2\n"))
    assert (loaded.config, loaded.warnings) == ({"a": 2}, ("config.yaml:2: a stands here a second time",))


MODEL = """
    from pydantic import BaseModel

    class ConfigModel(BaseModel):
        interval: int = 5
        token: int = 0
"""

OWN_MODEL = """
    class ConfigModel:
        def __init__(self, interval=5):
            self.interval = int(interval)

        @classmethod
        def model_validate(cls, data):
            return cls(**data)
"""


@pytest.mark.parametrize("model", [MODEL, OWN_MODEL], ids=["pydantic", "one's own"])
def test_a_model_validates_the_configuration(prop: PropsFolder, model: str) -> None:
    """Without a file it gives its defaults; what does not fit too, with a warning."""
    if model == MODEL:
        pytest.importorskip("pydantic")
    worker = PLAIN + model
    assert load(prop(worker)).config.interval == 5  # type: ignore[attr-defined]
    fits = load(prop(worker, config__json='{"interval": 7}'))
    assert (fits.config.interval, fits.warnings) == (7, ())  # type: ignore[attr-defined]
    wrong = load(prop(worker, config__json='{"interval": "soon"}'))
    assert wrong.config.interval == 5  # type: ignore[attr-defined]
    (warning,) = wrong.warnings
    assert warning.startswith("the configuration does not fit: ")
    assert warning.endswith("; its defaults are used")
    broken = load(prop(worker, config__json="{"))
    assert broken.config.interval == 5  # type: ignore[attr-defined]
    assert len(broken.warnings) == 1


def test_a_misfit_names_the_keys_and_not_their_values(prop: PropsFolder) -> None:
    """One may be a password."""
    pytest.importorskip("pydantic")
    (warning,) = load(prop(PLAIN + MODEL, config__json='{"interval": 7, "token": "hush-hush"}')).warnings
    assert "token: Input should be a valid integer" in warning
    assert "hush" not in warning


def test_a_model_without_defaults_leaves_an_empty_configuration(prop: PropsFolder) -> None:
    """As a broken file does."""
    model = OWN_MODEL.replace("interval=5", "interval")
    loaded = load(prop(PLAIN + model))
    assert loaded.config == {}
    assert "there are no defaults, so it is empty" in loaded.warnings[0]


def test_a_config_model_that_is_none_is_a_warning(prop: PropsFolder) -> None:
    """Not a crash."""
    loaded = load(prop(PLAIN + "\n    ConfigModel = 3\n", config__json='{"a": 1}'))
    assert loaded.config == {}
    assert "does not fit" in loaded.warnings[0]


@pytest.mark.parametrize("file", ["heartbeat.json", "heartbeat.yaml", "heartbeat.yml"])
def test_a_built_in_has_its_configuration_beside_the_props(tmp_path: Path, file: str) -> None:
    """Under its own name, as all built-ins share a folder."""
    (tmp_path / file).write_text('{"tick_interval": 1}', encoding="utf-8")
    (tmp_path / "show.yaml").write_text("shows: []", encoding="utf-8")
    found = {one.name: one for one in find(PropsSettings(tmp_path, Broker()))}
    assert load(found["heartbeat"]).config == {"tick_interval": 1}
    assert load(found["show"]).config == {"shows": []}
