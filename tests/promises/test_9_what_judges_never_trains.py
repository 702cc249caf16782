"""Promise 9: no query that judges is ever exported for training, by any route, choice or format, also after a crash."""

import json
import random
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from tests.support.server import Server
from tests.support.stores import on_both_stores
from trainer.__main__ import main

STATED = ("person", "sent", "generated")
SOURCES = ("person", "sent", "feedback", "click", "generated")


def judgements(pick: random.Random) -> list[dict[str, Any]]:
    """Judgements of forty questions and their rephrasings on thirty documents, many of which connect two questions."""
    said = []
    for number in range(120):
        question = f"which documents answer question number {pick.randrange(40)}"
        backwards = " ".join(reversed(question.split()))
        misspelt = question.replace("question", "qestion")
        query = pick.choice([question, question.upper(), f"{question}?", backwards, misspelt])
        judgement = {"query": query, "document": f"d{pick.randrange(30)}", "good": pick.random() < 0.6}
        side = {"side": pick.choice(["train", "judge"])} if pick.random() < 0.2 else {}
        said.append(judgement | side | {"source": pick.choice(STATED), "by": f"person {number}"})
    return said


def node(query: str) -> tuple[str, ...]:
    return tuple(sorted(query.lower().strip("?").replace("qestion", "question").split()))


@on_both_stores
def test_no_query_that_judges_is_exported(tiny_server: Server, tmp_path: Path) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"the text of document {n}" for n in range(30)})
    pick = random.Random(9)
    sides: dict[tuple[str, ...], set[str]] = {}
    exported: set[tuple[str, ...]] = set()
    for judgement in judgements(pick):
        # The queries of one request might contradict each other.
        server.post("/admin/judgements", {"judgements": [judgement]})
        if pick.random() < 0.02:
            server.kill()
            server.start()
        exported |= everything_exported(server)
        for each in server.get("/admin/judgements")["judgements"]:
            if each["side"] is not None:
                sides.setdefault(node(each["query"]), set()).add(each["side"])
    judging = {query for query, of_query in sides.items() if "judge" in of_query}
    assert len(judging) > 5
    assert len(exported) > 5
    # No query has ever changed sides, and none that judges has ever left.
    assert all(len(of_query) == 1 for of_query in sides.values())
    assert not exported & judging
    the_trainer_gets_none(str(server.client.base_url), judging, tmp_path)


def everything_exported(server: Server) -> set[tuple[str, ...]]:
    nodes = set()
    for more in ({}, {"side": "train"}, {"collection": "default"}, *({"source": source} for source in SOURCES)):
        reply = server.client.get("/admin/export", params={"what": "judgements"} | more)
        nodes |= {node(json.loads(line)["query"]) for line in reply.text.splitlines()}
    for more in ({"side": "judge"}, {"side": "judge", "source": "sent"}, {"side": "judge", "what": "documents"}):
        assert server.client.get("/admin/export", params={"what": "judgements"} | more).status_code == 403
    return nodes


def the_trainer_gets_none(url: str, judging: set[tuple[str, ...]], folder: Path) -> None:
    choices = chain.from_iterable(combinations(STATED, size) for size in (1, 2, 3))
    for number, sources in enumerate(choices):
        out = folder / f"imported-{number}"
        assert main(["import", url, "--format", "instar", "--out", str(out), "--with", ",".join(sources)]) == 0
        queries = [json.loads(line)["text"] for line in (out / "queries.jsonl").read_text().splitlines()]
        assert queries
        assert not {node(query) for query in queries} & judging
