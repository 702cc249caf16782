"""Sends the ratings of a Quepid case to Instar as judgements.

It reads Quepid's export "Basic", a CSV of query, docid and rating. A rating of `--good-from` or more is good, and a
lower one is bad. Pairs without a rating are left out. It needs `instar` and `httpx`. The address and the key, which has
the scope admin, are in INSTAR_URL and INSTAR_KEY.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from instar.client import Instar, InstarError
from instar.client.types import Judgement

_COLUMNS = ("query", "docid", "rating")
# Quepid writes a space before a query that a spreadsheet would take for a formula.
_FORMULA = ("-", "=", "+", "@")


def main() -> int:
    """Send the ratings, print what that has changed, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ratings", type=Path, help="the CSV that Quepid has exported")
    parser.add_argument(
        "--good-from", type=float, required=True, help="least rating that is good: 1 of 0 to 1, 2 of 0 to 3"
    )
    parser.add_argument("--collection", default="default", help="the collection that the case searches")
    options = parser.parse_args()
    try:
        rated = list(judgements(options.ratings, options.good_from, options.collection))
        with Instar() as client:
            taken = client.judge(judgements=rated, collection=options.collection)
    except (OSError, ValueError, InstarError) as error:
        print(f"nothing was sent: {error}", file=sys.stderr)
        return 1
    print(
        f"{len(rated)} ratings: {taken['added']} judgements are new, {taken['changed']} said something else before;"
        f" reloads are judged by {taken['judging']} questions"
    )
    return 0


def judgements(path: Path, good_from: float, collection: str) -> Iterator[Judgement]:
    """Yield a judgement for each rating. Raises ValueError, which names the line, if the file is no such export."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not set(_COLUMNS) <= set(reader.fieldnames or ()):
            raise ValueError(f"{path} has not the columns {', '.join(_COLUMNS)}: choose the export Basic in Quepid")
        for row in reader:
            query, document, rating = (row[name] or "" for name in _COLUMNS)
            if not document or not rating:
                continue
            try:
                good = float(rating) >= good_from
            except ValueError as error:
                raise ValueError(
                    f"line {reader.line_num} of {path} has the rating {rating!r}: make it a number"
                ) from error
            yield {
                "query": query[1:] if query.startswith(tuple(f" {sign}" for sign in _FORMULA)) else query,
                "document": document,
                "good": good,
                "collection": collection,
                "provenance": f"Quepid, {path.name}",
            }


if __name__ == "__main__":
    sys.exit(main())
