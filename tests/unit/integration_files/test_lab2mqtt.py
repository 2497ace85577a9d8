"""Our integration keeps to the rules of hassfest, of HACS and of the Integration Quality Scale."""

from pathlib import Path
import re

from tests.unit.integration_files.hassfest import problems
from tests.unit.integration_files.integration import Integration
from tests.unit.integration_files.texts import leaves, placeholders_of

from lab2mqtt import wire

ROOT = Path(__file__).parents[3]


def test_nothing_is_wrong() -> None:
    """Manifest, texts, icons, quality scale, images, blueprints, and what HACS wants."""
    found = problems(ROOT, "lab2mqtt")
    assert not found, "\n".join(found)


def test_german_is_german() -> None:
    """What has some words is not the same in both languages."""
    integration = Integration(ROOT / "custom_components/lab2mqtt")
    german = dict(leaves(integration.languages["de"]))
    same = [
        key
        for key, english in leaves(integration.strings)
        if len(re.findall(r"\w+", re.sub(r"\{.*?\}", "", english))) > 2 and german.get(key) == english
    ]
    assert same == []


def test_every_error_code_has_a_text() -> None:
    """A command fails in the user's language, whichever code the device answers."""
    exceptions = Integration(ROOT / "custom_components/lab2mqtt").strings["exceptions"]
    lacking = [code for code in wire.ERROR_CODES if code not in exceptions]
    assert lacking == []
    for code in wire.ERROR_CODES:
        assert placeholders_of(exceptions[code]) <= {"device", "task", "error"}, code
