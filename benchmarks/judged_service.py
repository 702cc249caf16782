"""A service with much to show: documents, two generations, judged questions, a search log with feedback, and a key."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks import growth, service, texts

_PEOPLE = ("ana", "bo", "cem")
_USERS = 200
# Documents that are judged for each question, and days over which that goes.
_JUDGED, _DAYS = 4, 40
_MODELS = ("first", "second")
_WORDS = 40
# Questions of one request, and judgements of one.
_TOGETHER, _SENT_TOGETHER = 100, 2000


@dataclass(frozen=True)
class Judged:
    """A service that is ready: its address, an admin's key, its questions, and what it has of each kind."""

    address: str
    key: str
    questions: Sequence[str]
    counts: dict[str, int]


@contextmanager
def running(folder: Path, documents: int, questions: int, searches: int) -> Iterator[Judged]:
    """Run a service on the empty `folder` and fill it.

    Each question is asked of a document in words of its own, judged by several people, and searched for by users, some
    more often than others; some users give a thumb.
    """
    for seed, name in enumerate(_MODELS):
        growth.make_static(folder / name, seed)
    with service.running(folder / "data", folder, _MODELS[0], MODE="hybrid") as started:
        passages = texts.passages(documents, words=_WORDS)
        asked = _questions(passages, questions)
        with httpx.Client(base_url=started.base_url, timeout=7200) as client:
            _write(client, passages)
            judgements = _judge(client, asked)
            _search(client, asked, searches)
            service.reload(started.base_url, _MODELS[1], force=True)
            service.settled(started)
            saved = {"questions": [{"query": query} for query in asked[:50]]}
            client.put("/admin/question-sets/release", json=saved).raise_for_status()
            made = client.post("/admin/keys", json={"name": "ana", "scopes": ["admin"], "close_service": True})
            token = made.raise_for_status().json()["token"]
        counts = {"documents": documents, "questions": questions, "judgements": judgements, "searches": searches}
        yield Judged(started.base_url, token, asked, counts)


def _questions(passages: Sequence[str], count: int) -> list[str]:
    """Eight words of a document for each question, with its number, so that no two are alike."""
    pick = random.Random(0)
    asked = []
    for number in range(count):
        words = passages[pick.randrange(len(passages))].split()
        start = pick.randrange(max(1, len(words) - 8))
        asked.append(f"{' '.join(words[start : start + 8])} {number}?")
    return asked


def _write(client: httpx.Client, passages: Sequence[str]) -> None:
    """Write the passages with metadata of few and of many values, in one stream."""
    lines = (
        json.dumps({"id": str(n), "text": text, "metadata": {"source": f"s{n % 50}", "year": 2000 + n % 27}}).encode()
        + b"\n"
        for n, text in enumerate(passages)
    )
    client.post("/documents", content=lines, headers={"Content-Type": "application/x-ndjson"}).raise_for_status()


def _judge(client: httpx.Client, asked: Sequence[str]) -> int:
    """Judge the first documents of each question over some weeks, each by one person or by two.

    Returns the number of judgements.
    """
    pick = random.Random(1)
    now = datetime.now(UTC)
    judgements: list[dict[str, Any]] = []
    for queries, results, _ in _searched(client, asked, log=False):
        for query, hits in zip(queries, results, strict=True):
            for rank, hit in enumerate(hits[:_JUDGED]):
                for person in pick.sample(_PEOPLE, 1 + (rank == 0)):
                    at = (now - timedelta(days=pick.uniform(0, _DAYS))).isoformat()
                    said = {"query": query, "document": hit["id"], "good": pick.random() < 0.5 - rank / 10}
                    judgements.append({**said, "source": "person", "by": person, "at": at})
    for start in range(0, len(judgements), _SENT_TOGETHER):
        part = judgements[start : start + _SENT_TOGETHER]
        client.post("/admin/judgements", json={"judgements": part}).raise_for_status()
    return len(judgements)


def _search(client: httpx.Client, asked: Sequence[str], searches: int) -> None:
    """Search as users do: half of the searches are for questions that were judged, and a fifth get a thumb."""
    pick = random.Random(2)
    queries = [
        pick.choice(asked) if pick.random() < 0.5 else f"{pick.choice(asked[: len(asked) // 4])} please"
        for _ in range(searches)
    ]
    for _, results, identities in _searched(client, queries, log=True):
        events = [
            {"search": identity, "document": hits[0]["id"], "action": pick.choice(("good", "bad"))}
            for identity, hits in zip(identities, results, strict=True)
            if hits and pick.random() < 0.2
        ]
        client.post("/feedback", json={"events": events}).raise_for_status()


def _searched(client: httpx.Client, queries: Sequence[str], *, log: bool) -> Iterator[tuple[Sequence[str], Any, Any]]:
    """Search for many queries; yields portions of them with their results and the ids of their searches."""
    for start in range(0, len(queries), _TOGETHER):
        portion = queries[start : start + _TOGETHER]
        body = {"query": portion, "log": log, "user": f"user {start % _USERS}"}
        answer = client.post("/search", json=body).raise_for_status().json()
        yield portion, answer["results"], answer.get("search")
