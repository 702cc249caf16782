"""Every promise has a test file with its number, and unit tests lie in folders named for the rooms that they test."""

from tests.architecture.source import ROOT
from tests.conftest import LONG_FIRST

TESTS = ROOT / "tests"


def test_every_promise_of_the_design_has_a_file_with_its_number() -> None:
    for number in range(1, 8):
        assert list((TESTS / "promises").glob(f"test_{number}_*.py")), number


def test_unit_tests_mirror_the_rooms() -> None:
    unit = TESTS / "unit"
    rooms = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    assert len(rooms) > 5
    for room in rooms:
        assert (ROOT / "service" / room).is_dir() or (ROOT / room).is_dir(), room


def test_what_begins_first_is_there() -> None:
    for name in LONG_FIRST:
        assert (TESTS / name).exists(), name
