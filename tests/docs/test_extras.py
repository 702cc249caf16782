"""The page on operating has every extra of Instar, and messages name none that there is not."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
# For whoever changes Instar.
OF_DEVELOPMENT = {"dev", "docs"}


def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"]) - OF_DEVELOPMENT


def test_the_table_has_every_extra() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page.partition("| extra | for |\n|---|---|\n")[2].partition("\n\n")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines()]
    assert {name for cell in first_cells for name in re.findall(r"`([a-z0-9-]+)`", cell)} == extras()


def test_the_image_names_every_extra_that_is_of_use_in_it() -> None:
    head = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition("\nFROM ")[0]
    listed = head.partition("EXTRAS are ")[2].partition(": ")[2].partition(".")[0]
    named = set(re.findall(r"[a-z0-9-]+", re.sub(r"\(.*?\)", "", listed)))
    # The stores of frameworks are for programs that call the service.
    assert named == extras() - {"langchain", "llama-index"}


def test_messages_and_pages_name_extras_that_there_are() -> None:
    places = [
        *ROOT.glob("docs/*.md"),
        *(path for room in ("instar", "service", "trainer") for path in (ROOT / room).rglob("*.py")),
    ]
    named = {
        name for path in places for name in re.findall(r"instar\[([a-z0-9-]+)\]", path.read_text(encoding="utf-8"))
    }
    assert named == extras()
