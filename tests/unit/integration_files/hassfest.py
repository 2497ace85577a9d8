"""What hassfest and HACS verify for a custom integration, and what we hold ourselves to beyond it.

The originals are neither packaged nor run without Home Assistant and GitHub; these are the same rules in our
own words. A rule for Home Assistant's own integrations (every action has an icon, say) holds here, too.
"""

from pathlib import Path

from tests.unit.integration_files.blueprints import blueprint_problems
from tests.unit.integration_files.described import described_problems
from tests.unit.integration_files.flow_texts import flow_problems
from tests.unit.integration_files.icons import icon_problems
from tests.unit.integration_files.integration import Integration
from tests.unit.integration_files.manifest import import_problems, manifest_problems, set_up_problems
from tests.unit.integration_files.quality_scale import quality_scale_problems
from tests.unit.integration_files.repository import copy_problems, repository_problems
from tests.unit.integration_files.texts import language_problems, shape_problems
from tests.unit.integration_files.texts_used import used_text_problems

CHECKS = (
    manifest_problems,
    import_problems,
    set_up_problems,
    language_problems,
    used_text_problems,
    flow_problems,
    described_problems,
    icon_problems,
    quality_scale_problems,
    copy_problems,
)


def integration_problems(folder: Path) -> list[str]:
    """All that is wrong with the integration in a folder, in words; empty if nothing is."""
    integration = Integration(folder)
    # What cannot be read or has another shape is told alone: the checks behind would stumble over it.
    if wrong := integration.read() or list(shape_problems(integration)):
        return wrong
    return [problem for check in CHECKS for problem in check(integration)]


def problems(root: Path, domain: str) -> list[str]:
    """All that is wrong with a repository and the integration in it, in words; empty if nothing is."""
    return [
        *integration_problems(root / "custom_components" / domain),
        *repository_problems(root),
        *blueprint_problems(root),
    ]
