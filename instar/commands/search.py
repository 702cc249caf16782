"""The command `search`: a question, and its results for people, or as JSON."""

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping

from instar.client import Instar, results_of
from instar.client.types import Result, SearchRequest

DESCRIPTION = "Ask a question, and see the passages that answer it."
EXAMPLE = 'instar search "How do I count my stock again?" --k 3'
_LINES = 4
_WIDEST = 100


def add(parser: argparse.ArgumentParser) -> None:
    """Add the question, and how it is asked."""
    parser.add_argument("question")
    parser.add_argument("--k", type=int, default=5, metavar="N", help="how many results (default 5)")
    parser.add_argument("--collection", help="where to search (default: default)")
    parser.add_argument("--mode", choices=("dense", "keyword", "hybrid"), help="by vector, by words, or by both")
    parser.add_argument("--filter", type=json.loads, metavar="JSON", help='as of the API: {"source": "handbook.md"}')
    parser.add_argument("--json", action="store_true", help="the whole answer of the service, as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Search; returns 0."""
    request: SearchRequest = {"query": arguments.question, "k": arguments.k}
    if arguments.collection is not None:
        request["collection"] = arguments.collection
    if arguments.mode is not None:
        request["mode"] = arguments.mode
    if arguments.filter is not None:
        request["filter"] = arguments.filter
    with Instar(arguments.url, key=arguments.key) as client:
        answer = client.search(**request)
        documents = {} if answer["results"] else client.info()["collections"]
    if arguments.json:
        # An output of another encoding has the numbers of what it lacks, and JSON writes these in a way of its own.
        has_all = (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(answer, ensure_ascii=not has_all, indent=1))
        return 0
    for rank, result in enumerate(results_of(answer), 1):
        print(_shown(rank, result))
    if not answer["results"]:
        print(_nothing(arguments.collection or "default", documents), file=sys.stderr)
    return 0


def _nothing(collection: str, documents: Mapping[str, int]) -> str:
    """Why nothing was found, and what to do, by the number of documents in each collection."""
    if documents.get(collection):
        return f"nothing was found in {collection}: ask in other words, or without --filter"
    others = ", ".join(f"{name} ({count:,})" for name, count in documents.items() if count)
    if others:
        return f"nothing was found: {collection} has no documents; name a collection that has: --collection {others}"
    return f"nothing was found: {collection} has no documents; load some: instar load FOLDER --collection {collection}"


def _shown(rank: int, result: Result) -> str:
    """A result: where it is from, and the beginning of its text."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    text = " ".join(result["text"].split())
    lines = textwrap.wrap(text, width - 4, max_lines=_LINES, placeholder=" …")
    return "\n".join([f"{rank:>2}. {result['id']}  {result['score']:.2f}", *(f"    {line}" for line in lines), ""])
