"""A file of routes reads as routes, and a message stands in one place."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.architecture.source import Function, files, functions, require

# Files and messages of today. Whoever mends one takes it off its list; nobody adds one.
MOSTLY_DECORATORS = {
    "service/api/openapi/events.py",
}
SAID_TWICE = {
    ", which leaves its folder: do not trust its source",
    "INSTAR_TRACING needs more packages: pip install 'instar[tracing]'",
    "SELECT seq FROM documents WHERE dead = 0 ORDER BY seq",
}


def is_route(function: Function) -> bool:
    return any(ast.unparse(decorator).startswith("router.") for decorator in function.decorator_list)


def decorators(function: Function) -> int:
    """Lines before the function's own."""
    return function.lineno - min(decorator.lineno for decorator in function.decorator_list)


def handler(function: Function) -> int:
    """Lines of the body, the docstring aside."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return sum((statement.end_lineno or 0) - statement.lineno + 1 for statement in body)


def test_handlers_are_longer_than_their_decorators() -> None:
    offenders = set()
    for path, tree in files("service").items():
        routes = [function for function in functions(tree) if is_route(function)]
        if sum(map(decorators, routes)) > sum(map(handler, routes)):
            offenders.add(path)
    require(offenders, MOSTLY_DECORATORS)


def strings(tree: ast.AST) -> Iterator[str]:
    """String literals, docstrings aside."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_message_stands_in_two_files() -> None:
    where = defaultdict(set)
    for path, tree in files("service").items():
        for text in strings(tree):
            if len(text) > 40:
                where[text].add(path)
    require({text for text, paths in where.items() if len(paths) > 1}, SAID_TWICE)
