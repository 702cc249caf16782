"""Subject first, verb second: how docstrings do not begin, and words that say nothing of what they hold."""

import ast

from tests.architecture.source import HOUSES, files

OPENINGS = ("Of ", "Those ", "What ", "That ", "The same", "Meanwhile", "Where ", "Who ", "Which ")
EMPTY_WORDS = {"found", "own", "given"}


def docstrings(tree: ast.AST) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, documented)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_docstrings_begin_with_their_subject_or_verb() -> None:
    trees = files(*HOUSES).items()
    assert not [path for path, tree in trees if any(text.startswith(OPENINGS) for text in docstrings(tree))]


def test_variables_are_named_for_what_they_hold() -> None:
    trees = files("instar", "service").items()
    names = {(path, getattr(node, "id", getattr(node, "arg", None))) for path, tree in trees for node in ast.walk(tree)}
    assert not [(path, name) for path, name in names if name in EMPTY_WORDS]
