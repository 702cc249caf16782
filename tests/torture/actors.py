"""What those ask who use the service: writers, searchers, an embedder with a pin, and an operator."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tests.support.balancer import SERVED_BY
from tests.torture.history import Event, History, Outcome
from tests.torture.plan import Action

# Longer than anything may take, and shorter than anyone waits.
TIMEOUT_SECONDS = 30.0
# One in so many documents is longer than the models read.
LONG_EVERY = 7
# In place of the id of a reranker where there is none.
NO_RERANKER = "none"
WORDS = [
    "parcel", "invoice", "drawer", "ledger", "harbour", "lantern", "meadow", "gravel", "copper", "violin",
    "saddle", "thimble", "orchard", "pebble", "walnut", "canvas", "anchor", "furnace", "pillow", "ribbon",
    "button", "candle", "basket", "feather", "kettle", "hammer", "marble", "needle", "pepper", "quarry",
    "rocket", "shovel", "tunnel", "urchin", "velvet", "window", "yonder", "zephyr", "bramble", "cobalt",
]  # fmt: skip


class Gone(Exception):
    """The service no longer answers."""


class Caller:
    """Sends requests for one actor and notes them."""

    def __init__(self, name: str, base_url: str, history: History, replica: str = "") -> None:
        """Ask at `base_url`: one `replica`, or a balancer, which says who has answered."""
        self.name = name
        self.replica = replica
        # The position of the last answer that had one: `X-Instar-Seen`.
        self.seen: str | None = None
        self._client = httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS)
        self._history = history

    def send(
        self,
        kind: str,
        asked: dict[str, Any],
        method: str,
        path: str,
        *,
        accepted: Sequence[int] = (200,),
        read: Callable[[httpx.Response], dict[str, Any]] = lambda answer: dict(answer.json()),
        **request: Any,
    ) -> Event:
        """One request as an event; `accepted` statuses acknowledge it. Raises Gone when the connection breaks."""
        start = time.monotonic()
        try:
            answer = self._client.request(method, path, **request)
        except httpx.TransportError as error:
            event = Event(kind, self.name, start, time.monotonic(), "unknown", 0, asked, {"error": repr(error)})
            self._history.add(event)
            raise Gone from error
        end = time.monotonic()
        replica = answer.headers.get(SERVED_BY, self.replica)
        self.seen = answer.headers.get("X-Instar-Seen", self.seen)
        outcome: Outcome = "acknowledged" if answer.status_code in accepted else "unknown"
        if 400 <= answer.status_code < 500 and outcome == "unknown":
            outcome = "refused"
        try:
            answered = read(answer) if outcome == "acknowledged" else dict(answer.json())
        except ValueError:
            answered = {"body": answer.text[:500]}
        return self._history.add(
            Event(kind, self.name, start, end, outcome, answer.status_code, asked, answered, replica=replica)
        )

    def is_healthy(self) -> bool:
        """What the service says of itself to whoever would restart it; raises Gone as a request does."""
        try:
            return self._client.get("/health").is_success
        except httpx.TransportError as error:
            raise Gone from error

    def note(self, event: Event) -> Event:
        """Note what no single request was."""
        return self._history.add(event)

    def close(self) -> None:
        self._client.close()


def operate(caller: Caller, action: Action) -> None:
    """Replace the model or the reranker, or go back to the one before."""
    match action.kind:
        case "reload" | "reload-reranker":
            reload(caller, action.kind, action.asked["model"])
        case "cancel":
            cancel(caller, "reload", action.asked["model"], action.asked["after"])
        case "cancel-reranker":
            cancel(caller, "reload-reranker", action.asked["model"], action.asked["after"])
        case "rollback":
            rollback(caller)
        case "rollback-reranker":
            rollback_reranker(caller)


def put(caller: Caller, ids: Sequence[str], mark: str) -> Event:
    """Write a new version of each, with a text that there is nowhere else."""
    texts = {identity: text(identity, mark) for identity in ids}
    documents = [{"id": identity, "text": own} for identity, own in texts.items()]
    return caller.send("put", {"texts": texts}, "POST", "/documents", json={"documents": documents})


def bulk(caller: Caller, ids: Sequence[str], mark: str) -> Event:
    """The same as a stream of lines."""
    texts = {identity: text(identity, mark) for identity in ids}
    lines = "".join(f'{{"id": "{identity}", "text": "{own}"}}\n' for identity, own in texts.items())
    return caller.send(
        "bulk",
        {"texts": texts},
        "POST",
        "/documents",
        content=lines,
        headers={"Content-Type": "application/x-ndjson"},
        read=lambda answer: {"count": len(answer.json()["ids"])},
    )


def text(identity: str, mark: str) -> str:
    """A text of a few words, or for some documents one of several windows, the same for the same arguments."""
    first, second = WORDS[hash_of(identity) % len(WORDS)], WORDS[hash_of(mark) % len(WORDS)]
    short = f"{first} {second} {identity} {mark}"
    if hash_of(identity) % LONG_EVERY:
        return short
    return " ".join([short, *(f"The {word} is beside the {second}." for word in WORDS)])


def hash_of(words: str) -> int:
    return sum(place * ord(letter) for place, letter in enumerate(words, 1))


def search(caller: Caller, query: str, k: int) -> Event:
    """The answer with what its headers say."""
    asked = {"query": query, "k": k}
    return caller.send("search", asked, "POST", "/search", json=asked | {"mode": "dense"}, read=read_search)


def search_own(caller: Caller, query: str, k: int) -> Event:
    """A search that names what its caller has seen, and so must show all that the caller has written."""
    asked = {"query": query, "k": k}
    headers = {} if caller.seen is None else {"X-Instar-Seen": caller.seen}
    body = asked | {"mode": "dense"}
    return caller.send("search", asked | {"own": True}, "POST", "/search", json=body, headers=headers, read=read_search)


def read_search(answer: httpx.Response) -> dict[str, Any]:
    """What the checker needs of the answer to a search."""
    found = answer.json()
    return {
        "header": [answer.headers["X-Instar-Model"], int(answer.headers["X-Instar-Generation"])],
        "body": [found["model"], found["generation"]],
        "results": [[result["id"], result["text"], result["score"]] for result in found["results"]],
    }


def reranked(caller: Caller, query: str, k: int) -> Event:
    """A search whose first `k` documents the reranker orders; each with its score in the search before it."""

    def read(answer: httpx.Response) -> dict[str, Any]:
        body = answer.json()
        return {
            "header": [answer.headers["X-Instar-Model"], int(answer.headers["X-Instar-Generation"])],
            "body": [body["model"], body["generation"]],
            "rerankers": [answer.headers["X-Instar-Reranker"], body["reranker"]],
            "results": [
                [result["id"], result["text"], result["explain"]["first"]["score"], result["score"]]
                for result in body["results"]
            ],
        }

    body = {"query": query, "k": k, "mode": "dense", "explain": True, "rerank": {"top": k}}
    return caller.send("reranked", {"query": query, "k": k}, "POST", "/search", json=body, read=read)


def rerank(caller: Caller, query: str, seed: int) -> Event:
    """The scores of a few texts, of which one may be long."""
    texts = [text(f"j-{number}", f"{caller.name}.{number}") for number in range(seed, seed + 3)]

    def read(answer: httpx.Response) -> dict[str, Any]:
        scores = {rank["index"]: rank["score"] for rank in answer.json()}
        return {"reranker": answer.headers["X-Instar-Reranker"], "scores": [scores[place] for place in range(3)]}

    asked = {"query": query, "texts": texts}
    return caller.send("rerank", asked, "POST", "/rerank", json=asked, read=read)


def embed(caller: Caller, words: str, model: str) -> Event:
    """The vector of a document, by a named checkpoint or, for an empty name, by the active one."""

    def read(answer: httpx.Response) -> dict[str, Any]:
        return {
            "header": [answer.headers["X-Instar-Model"], int(answer.headers["X-Instar-Generation"])],
            "vector": answer.json()[0],
        }

    body = {"inputs": words, "input_type": "document"} | ({"model": model} if model else {})
    return caller.send("embed", {"text": words, "model": model}, "POST", "/embed", json=body, read=read)


def reload(caller: Caller, kind: str, model: str) -> None:
    """Begin a reload, or one of a reranker, and wait until it is over."""
    event = begin(caller, kind, model)
    if event.outcome == "acknowledged":
        follow(caller, event)


def begin(caller: Caller, kind: str, model: str) -> Event:
    """Begin a reload, or one of a reranker."""
    # What people and users judge here are words without a meaning, by which nothing should be refused.
    body = {"reranker" if kind == "reload-reranker" else "model": model, "force": True}
    return caller.send(kind, {"model": model}, "POST", "/admin/reload", json=body, accepted=(202,))


def cancel(caller: Caller, kind: str, model: str, after: float) -> None:
    """Begin a reload, or one of a reranker, and cancel it a little later."""
    event = begin(caller, kind, model)
    if event.outcome != "acknowledged":
        return
    time.sleep(after)
    identity = event.answered["id"]
    event.outcome = "unknown"
    caller.send("cancel", {"id": identity}, "DELETE", f"/admin/jobs/{identity}")
    follow(caller, event)


def follow(caller: Caller, event: Event) -> None:
    """Ask after the job of a reload until it is over, and note in its event what became of it, and when."""
    event.outcome = "unknown"
    identity = event.answered["id"]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        seen = caller.send("job", {"id": identity}, "GET", f"/admin/jobs/{identity}")
        if seen.outcome == "acknowledged" and seen.answered["state"] not in ("queued", "running"):
            event.end = seen.end
            event.outcome = "acknowledged" if seen.answered["state"] == "done" else "refused"
            event.answered = seen.answered
            return
        time.sleep(0.02)


def rollback(caller: Caller) -> Event:
    """Go back to the generation before."""
    return caller.send("rollback", {}, "POST", "/admin/rollback", read=_active)


def rollback_reranker(caller: Caller) -> Event:
    """Go back to the reranker before, or to none."""

    def read(answer: httpx.Response) -> dict[str, Any]:
        record = answer.json()["reranker"]
        return {"checkpoint": NO_RERANKER if record is None else record["model"]}

    return caller.send("rollback-reranker", {}, "POST", "/admin/rollback", json={"reranker": True}, read=read)


def listing(caller: Caller, kind: str) -> Event:
    """All documents, page by page, as one event; for a time when nobody writes."""
    start = time.monotonic()
    texts = {document["id"]: document["text"] for document in listed(caller, "page", "/documents", {"limit": 500})}
    end = time.monotonic()
    return caller.note(Event(kind, caller.name, start, end, "acknowledged", 200, {}, texts, replica=caller.replica))


def listed(caller: Caller, kind: str, path: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """All items of a list that comes in pages. Raises Gone as well if a page is not answered."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = caller.send(kind, {}, "GET", path, params=params | ({"cursor": cursor} if cursor else {}))
        if page.outcome != "acknowledged":
            raise Gone
        cursor = page.answered.pop("next")
        (rows,) = page.answered.values()
        items += rows
        page.answered = {}
        if cursor is None:
            return items


def _active(answer: httpx.Response) -> dict[str, Any]:
    found = answer.json()
    return {"model": found["model"], "generation": found["generation"]}
