"""The trainer's report looks like the console, though neither imports the other: what both name has one value."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "service" / "console" / "static" / "console.css"
REPORT = ROOT / "trainer" / "prove" / "report" / "report.css"


def look(path: Path) -> dict[str, str]:
    """The variables of a style sheet, and the font of its root."""
    root = re.search(r":root \{(.*?)\n\}", path.read_text(encoding="utf-8"), re.DOTALL)
    assert root
    return dict(re.findall(r"(--[\w-]+|font): (.+);", root[1]))


def rules(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.:,> -]+) \{ (.*) \}$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_colours_and_type_are_those_of_the_console() -> None:
    console, report = look(CONSOLE), look(REPORT)
    names = {"--ground", "--card", "--line", "--text", "--muted", "--accent", "--good", "--bad", "--tint", "font"}
    assert {name: report.get(name) for name in names} == {name: console.get(name) for name in names}
    assert all(name not in console or console[name] == value for name, value in report.items())


def test_cards_are_those_of_the_console() -> None:
    console, report = rules(CONSOLE), rules(REPORT)
    for selector in (".card", ".card > :last-child", "a", ":focus-visible", "table", "h2"):
        assert report[selector] == console[selector], selector
