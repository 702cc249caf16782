"""A corpus with judged queries, and the calls by which a service learns of judgements."""

from typing import Any

from tests.support.server import Server

TEXTS = {f"d{n}": f"report {n} of ward {n % 7}, section {n % 11}" for n in range(60)}
QUERIES = [f"section {n} of ward {n % 7}" for n in range(12)]


def judgement(query: str, document: str, *, good: bool = True, **more: Any) -> dict[str, Any]:
    return {"query": query, "document": document, "good": good, **more}


def put(server: Server, judgements: list[dict[str, Any]], **more: Any) -> Any:
    return server._json(server.client.put("/admin/judgements", json={"judgements": judgements} | more))


def add(server: Server, judgements: list[dict[str, Any]], **more: Any) -> Any:
    return server.post("/admin/judgements", {"judgements": judgements} | more)


def listed(server: Server, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.get("/admin/judgements", params=params)["judgements"]
    return found


def firsts(server: Server) -> dict[str, str]:
    """The first result of each query."""
    return {query: server.search(query, k=1)[0]["id"] for query in QUERIES}


def judged_by(server: Server) -> list[dict[str, Any]]:
    """Judgements by which nothing can be better than what answers now: what it finds first is good, the rest bad."""
    return [
        judgement(query, hit["id"], good=not place)
        for query in QUERIES
        for place, hit in enumerate(server.search(query, k=5))
    ]
