"""Files, functions and folders stay small enough to be read at a glance."""

from itertools import chain

import pytest

from tests.architecture.source import HOUSES, ROOT, Function, files, functions, length, lines


def parameters(function: Function) -> int:
    """How many a caller passes: without `self`, and without what `*` and `**` gather."""
    named = function.args
    listed = [each.arg for each in chain(named.posonlyargs, named.args, named.kwonlyargs)]
    return len(listed) - (listed[:1] in (["self"], ["cls"]))


@pytest.mark.parametrize(("house", "most"), [("instar", 250), ("service", 300), ("trainer", 350)])
def test_no_file_is_long(house: str, most: int) -> None:
    assert not {path for path in files(house) if lines(path) > most}


def test_no_function_is_over_60_lines() -> None:
    long = {
        f"{path}: {function.name}"
        for path, tree in files(*HOUSES).items()
        for function in functions(tree)
        if length(function) > 60
    }
    assert not long


def test_no_function_takes_over_7_parameters() -> None:
    wide = {
        f"{path}: {function.name}"
        for path, tree in files(*HOUSES).items()
        for function in functions(tree)
        if parameters(function) > 7
    }
    assert not wide


def test_at_the_root_of_the_service_are_few_files_and_rooms() -> None:
    service = ROOT / "service"
    assert len([path for path in service.glob("*.py") if path.name != "__init__.py"]) <= 7
    assert len(list(service.glob("*/__init__.py"))) <= 20


def test_no_file_lies_deeper_than_two_folders() -> None:
    # service/api/routes/search.py: two folders within the house.
    assert not {path for path in files(*HOUSES) if path.count("/") > 3}
