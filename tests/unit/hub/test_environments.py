"""The environments with a Home Assistant in them."""

from pathlib import Path
import tomllib

import pytest

from lab2mqtt.hub import environments
from lab2mqtt.hub.environments import NEWEST, NEWEST_KIT, OLDEST, OLDEST_KIT, RELEASES

ROOT = Path(__file__).parents[3]


def test_types_are_checked_by_one_mypy() -> None:
    """The kits have the one that checks everything else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(environments.KIT_TOOLS) < set(project["dependency-groups"]["lint"])


def test_a_hub_and_a_kit_of_one_version_are_two() -> None:
    """Neither takes the other's place, or is taken for the other."""
    assert OLDEST.version == OLDEST_KIT.version
    assert len({environments.location(release) for release in RELEASES.values()}) == len(RELEASES) == 4
    assert OLDEST.recipe != OLDEST_KIT.recipe


def test_the_kits_are_of_the_oldest_and_of_nearly_the_newest() -> None:
    """Each on the Python of the hub that it stands for."""
    assert OLDEST_KIT.python == OLDEST.python
    assert NEWEST_KIT.python == NEWEST.python
    assert NEWEST_KIT.packages[0] == f"homeassistant=={NEWEST_KIT.version}"


def test_one_made_by_another_recipe_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose kit was of an older release."""
    monkeypatch.setenv("LAB2MQTT_CACHE", str(tmp_path))
    python = environments.location(NEWEST_KIT) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch(0o700)
    assert not environments.is_installed(NEWEST_KIT)
    marker = environments.location(NEWEST_KIT) / "lab2mqtt-recipe"
    marker.write_text(NEWEST_KIT.recipe)
    assert environments.is_installed(NEWEST_KIT)
    marker.write_text(NEWEST_KIT.recipe.replace(NEWEST_KIT.kit, "0.13.1"))
    assert not environments.is_installed(NEWEST_KIT)
