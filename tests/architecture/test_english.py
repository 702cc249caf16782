"""Subject first, verb second: how docstrings do not begin, and words that say nothing of what they hold."""

import ast
from collections import Counter

from tests.architecture.source import files, require

OPENINGS = ("Of ", "Those ", "What ", "That ", "The same", "Meanwhile", "Where ", "Who ", "Which ")
EMPTY_WORDS = {"found", "own", "given"}
# Files with docstrings that begin so today. Whoever mends one takes it off the list; nobody adds one.
INVERTED = {
    "service/checkpoints/signature.py",
    "service/generations/__init__.py",
    "service/generations/changes.py",
    "service/generations/loaded.py",
    "service/generations/webhook.py",
    "service/process/environment.py",
    "service/process/server.py",
    "service/reload/judge.py",
    "service/reload/shadow.py",
    "service/writing/writing.py",
}


def docstrings(tree: ast.AST) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_docstrings_begin_with_their_subject_or_verb() -> None:
    trees = files("service", "trainer").items()
    require({path for path, tree in trees if any(t.startswith(OPENINGS) for t in docstrings(tree))}, INVERTED)


def test_variables_are_named_for_what_they_hold() -> None:
    names = Counter(
        name
        for tree in files("service").values()
        for node in ast.walk(tree)
        if (name := getattr(node, "id", None) or getattr(node, "arg", None)) in EMPTY_WORDS
    )
    assert not names
