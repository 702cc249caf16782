"""The messages that docs/troubleshooting.md explains are messages of the code, so that a search for them ends there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
# Cells of tables whose head says that they are messages.
TABLE = re.compile(r"^\| message \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
MESSAGE = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
GAP = "…"


def messages() -> list[str]:
    tables = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    listed = [message for table in tables for message in MESSAGE.findall(table)]
    assert len(listed) == sum(table.count("\n") for table in tables) > 30
    return listed


def texts(code: str) -> Iterator[str]:
    """The strings of a module but for its docstrings; a gap stands for each value that is filled in."""
    nodes = list(ast.walk(ast.parse(code)))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def says(text: str, message: str) -> bool:
    """Whether a text has the parts of a message in their order."""
    return re.search(".{1,99}?".join(map(re.escape, message.split(GAP))), text) is not None


@pytest.fixture(scope="module")
def said() -> list[str]:
    rooms = (path for room in ("instar", "service", "trainer") for path in (ROOT / room).rglob("*.py"))
    return [text for path in rooms for text in texts(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("message", messages())
def test_a_message_of_the_page_is_one_of_the_code(message: str, said: list[str]) -> None:
    assert len(message.replace(GAP, "").strip()) > 8
    assert any(says(text, message) for text in said)


def test_a_message_that_nothing_says_is_noticed(said: list[str]) -> None:
    assert not any(says(text, "there is no … by that colour") for text in said)
