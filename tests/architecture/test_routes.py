"""A file of routes reads as routes, and a message stands in one place."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.architecture.source import Function, files, functions


def registered(tree: ast.AST) -> list[ast.Call]:
    """The calls that make a function a route."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in ("router.add", "describe")]


def height(node: ast.expr | ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def handled(function: Function) -> int:
    """Lines of the body, the docstring aside."""
    return sum(map(height, function.body[1:] if ast.get_docstring(function) else function.body))


def test_files_of_routes_are_more_about_handling_than_about_registering() -> None:
    for path, tree in files("service/api/routes").items():
        calls = registered(tree)
        handlers = [function for function in functions(tree) if isinstance(function, ast.AsyncFunctionDef)]
        assert calls or path.endswith("__init__.py"), path
        assert sum(map(height, calls)) <= sum(map(handled, handlers)), path
        assert not any(
            ast.unparse(decorator).startswith("router.") for each in handlers for decorator in each.decorator_list
        )


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
    assert not {text for text, paths in where.items() if len(paths) > 1}
