"""Each check finds its fault, says it in words, and finds nothing where there is none."""

from pathlib import Path

import pytest
from tests.unit.integration_files import faults_of_descriptions, faults_of_files, faults_of_texts
from tests.unit.integration_files.fault import Fault
from tests.unit.integration_files.hassfest import problems
from tests.unit.integration_files.made import DOMAIN, make_repository


def test_nothing_is_wrong_with_the_made_one(tmp_path: Path) -> None:
    """What the faults are put into has none."""
    make_repository(tmp_path)
    assert problems(tmp_path, DOMAIN) == []


@pytest.mark.parametrize(
    "fault",
    [*faults_of_files.FAULTS, *faults_of_texts.FAULTS, *faults_of_descriptions.FAULTS],
    ids=lambda fault: str(fault.name),
)
def test_a_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    """It is told, and nothing else is."""
    make_repository(tmp_path)
    fault.put_into(tmp_path)
    found = problems(tmp_path, DOMAIN)
    for words in fault.told:
        assert any(words in problem for problem in found), (words, found)
    assert [problem for problem in found if not any(words in problem for words in fault.told)] == []
