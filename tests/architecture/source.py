"""The source of all three packages as syntax trees, for tests of its shape and its words."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOUSES = ("instar", "service", "trainer")
# Its generator decides what is in it.
GENERATED = "instar/client/types.py"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files(*houses: str) -> dict[str, ast.Module]:
    """The tree of every file below the houses, by its path from the root."""
    paths = (path for house in houses for path in sorted((ROOT / house).rglob("*.py")) if path != ROOT / GENERATED)
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in paths}


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines(path: str) -> int:
    return len((ROOT / path).read_text().splitlines())


def length(function: Function) -> int:
    """Lines of a function, its docstring counted and its decorators not."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def require(offenders: set[str], exceptions: set[str]) -> None:
    """Nothing offends but the exceptions, and each exception still does: the list of them only shrinks."""
    assert not offenders - exceptions, f"new: {sorted(offenders - exceptions)}"
    assert not exceptions - offenders, f"mended, so take it off the list: {sorted(exceptions - offenders)}"
