"""Documents lead somewhere: every link, every path that CONTRIBUTING.md names, and every page from docs/index.md."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs").glob("*.ipynb"),
    ROOT / "deploy" / "docsgpt" / "README.md",
    ROOT / "tests" / "torture" / "README.md",
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
PATH = re.compile(r"(?:instar|service|trainer|tests|deploy|docs|benchmarks)/[\w./]*|[A-Z]+\.md")


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(text(page)):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} in {page.name}"
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor} in {page.name}"


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / path).resolve() for path, _ in LINK.findall(text(index))}
    assert linked == {page.resolve() for page in PAGES if page != index}


def test_every_path_of_contributing_is_there() -> None:
    named = {
        path
        for code in re.findall(r"`([^`\n]+)`", text(CONTRIBUTING))
        for path in PATH.findall(code)
        if "NAME" not in code.split("/")[-1]
    }
    assert len(named) > 40
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_table_of_contributing_names_rooms_and_tests() -> None:
    rows = re.findall(r"^\| ([^`|]+) \| (.*) \| (.*) \|$", text(CONTRIBUTING), re.MULTILINE)[1:]
    rows = [row for row in rows if not set(row[0]) <= {"-"}]
    assert len(rows) >= 18
    for subject, room, tests in rows:
        assert PATH.search(room), subject
        assert "tests/" in tests, subject
    rooms = {path.name for path in (ROOT / "service").iterdir() if (path / "__init__.py").exists()}
    table = " ".join(room for _, room, _ in rows)
    assert [name for name in sorted(rooms - {"machine", "sample"}) if f"service/{name}/" not in table] == []


def test_the_readme_is_short() -> None:
    assert len(text(ROOT / "README.md").splitlines()) <= 160
