"""Subject first, verb second: how docstrings do not begin, and words that say nothing of what they hold."""

import ast
from collections import Counter

from tests.architecture.source import files, require

OPENINGS = ("Of ", "Those ", "What ", "That ", "The same", "Meanwhile")
EMPTY_WORDS = {"found", "own", "given"}
FEW = 20
# Files with docstrings that begin so today. Whoever mends one takes it off the list; nobody adds one.
INVERTED = {
    "service/access/keyring.py",
    "service/errors.py",
    "service/machine/children.py",
    "service/machine/cache.py",
    "service/models/engines/base.py",
    "service/models/engines/cuda_graphs.py",
    "service/models/scheduling/device.py",
    "service/models/verdict.py",
    "service/observability/tracing.py",
    "service/search/query.py",
    "service/search/retrieval.py",
}
# Words that are used more often than that in the service today.
FREQUENT = {
    "found",
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
    require({word for word, uses in names.items() if uses >= FEW}, FREQUENT)
