"""Links between the pages, and to the repository."""

from collections.abc import Iterator
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def links() -> Iterator[tuple[Path, str]]:
    """Every link to a place in this repository."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
            if not re.match(r"[a-z]+:", link):
                yield page, link


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """The file is there, and so is the heading."""
    for there, link in links():
        if there != page:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_every_page_can_be_found() -> None:
    """The index, or a page that it names, leads to each."""
    linked = {(page.parent / link.partition("#")[0]).resolve() for page, link in links()}
    assert [page for page in PAGES if page not in linked and page.parent == ROOT / "docs"] in (
        [],
        [ROOT / "docs" / "README.md"],
    )
