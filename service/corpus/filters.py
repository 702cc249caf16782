"""The language in which callers filter by metadata, parsed into a tree of conditions.

    {"source": "a.md"}                                   equal; any element of a list
    {"year": {"gte": 2024, "lt": 2026}}                  eq, ne, gt, gte, lt, lte
    {"tags": {"in": ["x", "y"]}}                         any of these; `all`: each of these
    {"year": {"exists": true}}                           whether the key is there, whatever its value
    {"and": [f, ...]}  {"or": [f, ...]}  {"not": f}      several keys in one object: and

Nested metadata is reached by a dotted path. Numbers compare with numbers, and strings with strings by code point. Dates
(`service.corpus.moments`) compare with dates as moments, whatever their precision and zone, and with no other string;
equality of dates without a time of day is equality of strings. A document without the key fails every condition but ne
and not.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, or_
from typing import Any, Literal, TypeVar, cast

from service.corpus.moments import has_time, is_like_a_date, moment
from service.errors import InvalidRequest

Scalar = str | int | float | bool | None
Kind = Literal["null", "bool", "number", "string", "hash", "moment", "empty"]
Operator = Literal["in", "gt", "gte", "lt", "lte", "exists"]

MAX_DEPTH = 16
MAX_CONDITIONS = 256
MAX_VALUES = 1000
# Longer strings are compared by their hash, because an entry of an index must stay small.
_LONGEST_INDEXED = 512
_INT64 = range(-(2**63), 2**63)
_RANGES: tuple[Operator, ...] = ("gt", "gte", "lt", "lte")
_OPERATORS = "eq, ne, gt, gte, lt, lte, in, all or exists"
_COMPARED: dict[Operator, Callable[[Any, Any], bool]] = {"in": eq, "gt": gt, "gte": ge, "lt": lt, "lte": le}
_Set = TypeVar("_Set")


@dataclass(frozen=True, slots=True)
class IndexedValue:
    """A metadata value in the form in which it is indexed: `kind` tells true, 1 and "1" apart.

    A date is indexed twice, as a string and as a moment. The kind `empty` is a list or an object without an element.
    """

    kind: Kind
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. A store can list the documents that meet it. A range has one value, `exists` has none."""

    key: str
    operator: Operator
    values: tuple[IndexedValue, ...]

    @property
    def is_range_of_strings(self) -> bool:
        """Whether it is met only by strings that do not look like dates (`service.corpus.moments`)."""
        return self.operator in _RANGES and self.values[0].kind == "string"


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts."""

    parts: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """All documents but those that pass the part."""

    part: "Filter"


Filter = Condition | And | Or | Not


def parse(source: Any) -> Filter:
    """Parse the JSON value of a `filter` field; raises InvalidRequest if it is not in the language."""
    budget = iter(range(MAX_CONDITIONS))
    return _parse(source, MAX_DEPTH, budget)


def evaluate(tree: Filter, meeting: Callable[[Condition], _Set]) -> _Set:
    """Combine the sets that meet each condition into the set that passes `tree`.

    A set is an array of booleans or of packed bits, or anything else with `&`, `|` and `~`.
    """
    match tree:
        case Condition():
            return meeting(tree)
        case And(parts):
            return reduce(and_, (evaluate(part, meeting) for part in parts))
        case Or(parts):
            return reduce(or_, (evaluate(part, meeting) for part in parts))
        case Not(part):
            return cast(_Set, ~cast(Any, evaluate(part, meeting)))


def meets(indexed: set[tuple[str, IndexedValue]], condition: Condition) -> bool:
    """Say whether a document with these attributes meets the condition. Every store says the same."""
    if condition.operator == "exists":
        return any(key == condition.key or key.startswith(f"{condition.key}.") for key, _ in indexed)
    return any(
        key == condition.key
        and value.kind == operand.kind
        and _COMPARED[condition.operator](value.value, operand.value)
        and not (condition.is_range_of_strings and is_like_a_date(str(value.value)))
        for key, value in indexed
        for operand in condition.values
    )


def attributes(metadata: dict[str, Any]) -> set[tuple[str, IndexedValue]]:
    """Return the values to filter a document by: scalars and elements of lists, nested ones by their dotted path."""
    return set(_flatten("", metadata))


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, IndexedValue]]:
    if value in ({}, []) and prefix:
        yield prefix, IndexedValue("empty", 0)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _flatten(prefix, inner)
    else:
        yield prefix, index_value(value)
        if isinstance(value, str) and (at := moment(value)) is not None:
            yield prefix, IndexedValue("moment", at)


def index_value(value: Scalar) -> IndexedValue:
    """Return the form in which a metadata value is indexed and compared."""
    match value:
        case None:
            return IndexedValue("null", 0)
        case bool():
            return IndexedValue("bool", int(value))
        case int():
            return IndexedValue("number", value if value in _INT64 else float(value))
        case float():
            return IndexedValue("number", value)
        case str() if len(value) > _LONGEST_INDEXED:
            return IndexedValue("hash", hashlib.sha256(value.encode()).hexdigest())
        case str():
            return IndexedValue("string", value)


def _parse(source: Any, depth: int, budget: Iterator[int]) -> Filter:
    if depth == 0:
        raise InvalidRequest(f"the filter is nested deeper than {MAX_DEPTH}: flatten it", "filter")
    if not isinstance(source, dict) or not source:
        raise InvalidRequest('a filter is an object such as {"source": "a.md"} or {"year": {"gte": 2024}}', "filter")
    parts = [part for key, value in source.items() for part in _parse_entry(key, value, depth, budget)]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _parse_entry(key: str, value: Any, depth: int, budget: Iterator[int]) -> Iterator[Filter]:
    if key in ("and", "or"):
        if not isinstance(value, list) or not value:
            raise InvalidRequest(f'"{key}" takes a list of one or more filters', "filter")
        parts = tuple(_parse(part, depth - 1, budget) for part in value)
        yield And(parts) if key == "and" else Or(parts)
    elif key == "not":
        yield Not(_parse(value, depth - 1, budget))
    elif isinstance(value, dict):
        if not value:
            raise InvalidRequest(f"{key[:80]!r} has no operator: use {_OPERATORS}", "filter")
        for operator, operand in value.items():
            yield _parse_operation(key, operator, operand, budget)
    elif isinstance(value, list):
        raise InvalidRequest(f'to match one of several values write {{"{key[:80]}": {{"in": [...]}}}}', "filter")
    else:
        yield _condition(key, "in", [value], budget)


def _parse_operation(key: str, operator: str, operand: Any, budget: Iterator[int]) -> Filter:
    if operator in ("in", "all"):
        if not isinstance(operand, list) or not 0 < len(operand) <= MAX_VALUES:
            raise InvalidRequest(f'"{operator}" takes a list of 1 to {MAX_VALUES} values', "filter")
        if operator == "in":
            return _condition(key, "in", operand, budget)
        return And(tuple(_condition(key, "in", [value], budget) for value in operand))
    if operator == "exists":
        if not isinstance(operand, bool):
            raise InvalidRequest('"exists" takes true or false', "filter")
        exists = _condition(key, "exists", [], budget)
        return exists if operand else Not(exists)
    if operator == "eq":
        return _condition(key, "in", [operand], budget)
    if operator == "ne":
        return Not(_condition(key, "in", [operand], budget))
    for comparison in _RANGES:
        if operator == comparison:
            if (
                isinstance(operand, bool)
                or not isinstance(operand, int | float | str)
                or len(str(operand)) > _LONGEST_INDEXED
            ):
                raise InvalidRequest(
                    f'"{operator}" compares numbers or strings of up to {_LONGEST_INDEXED} characters', "filter"
                )
            return _condition(key, comparison, [operand], budget)
    raise InvalidRequest(f"there is no operator {operator[:80]!r}: use {_OPERATORS}", "filter")


def _condition(key: str, operator: Operator, values: Sequence[Any], budget: Iterator[int]) -> Condition:
    if next(budget, None) is None:
        raise InvalidRequest(
            f'the filter has more than {MAX_CONDITIONS} conditions: use "in", or fewer conditions', "filter"
        )
    if any(isinstance(value, dict | list) for value in values):
        raise InvalidRequest(
            f"{key[:80]!r} is compared with an object or a list: use a string, number, boolean or null", "filter"
        )
    return Condition(key, operator, tuple(_operand(value, operator) for value in values))


def _operand(value: Scalar, operator: Operator) -> IndexedValue:
    """Return the form in which a value is looked up: a date is a moment, unless days or months are to be equal."""
    if isinstance(value, str) and (operator in _RANGES or has_time(value)) and (at := moment(value)) is not None:
        return IndexedValue("moment", at)
    if isinstance(value, str) and operator in _RANGES and is_like_a_date(value):
        raise InvalidRequest(
            f"there is no such day or time as {value[:80]!r}: write YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, and a"
            " zone such as Z or +02:00 unless it is UTC",
            "filter",
        )
    return index_value(value)
