"""A service that was used for some weeks: asked, complained of, judged by two people, and given other models."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from service import sample
from service.access import keyring
from service.access.keyring import Limits
from service.checkpoints.manifest import Manifest, write_manifest
from tests.support.server import Server
from tests.support.waiting import until

SHADOW = "all-MiniLM-L6-v2-128"
# Its past is asked about in these settings: all searches are kept, and no model is refused for what it loses.
SETTINGS: dict[str, Any] = {"SAMPLE": "true", "MODE": "hybrid", "SEARCHES__KEEP": "all", "GATE__MAX_LOSS": 1}
_NOTE = "the base model, cut to a third of its dimensions: smaller, and a little worse"
_GUIDELINES = """Good: a reader could answer the question with this passage alone.
Bad: it is about the same thing, and does not answer.

Not sure? Leave it to others. Ask #brindle-search what a word means."""
_CLOSING = """\
Closing the day ends the work of a byre until the next morning. Before you ring the gloam, look at the board: \
strands that are still open are listed there, each with the lantern that holds it. Tie them off, or hand them over \
to the late shift with the key Hand over.

Then count what has moved. The walk is short on most days, since only garths that were touched are in it. A garth \
that was counted wrongly twice is put on the list of the morning, and nobody is asked a third time on the same \
evening.

Ring the gloam when the board is empty. Burrs that were pressed and not collected stay valid for the next driver. \
The report goes out within the hour, to everybody whose role is reeve. It compares the pieces of the day with those \
of the same day of the week before, and names the three garths in which most was missing.

If the power fails while the gloam rings, ring it again: what was closed stays closed, and nothing is counted \
twice. If the wireless fails, the lanterns keep what was scanned, and send it as soon as they find the network. Do \
not switch them off before the lamp is green, or else the last scans are asked for again the next morning.

A day that was closed by mistake can be opened once, by a reeve, until midnight. Corrections after that are entered \
on the current day with a remark, and both days show it. Croft cannot open a day again. On Manor the bell can ring \
by itself at a fixed time, unless strands are open; then the person who opened the day gets a message, and another \
one an hour later. Holidays are left out, and so are days on which nobody has lit a lantern."""
_GUIDES = {
    "guide/closing": ("Closing the day", "Shifts", "everybody", _CLOSING),
    "guide/first-count": (
        "The first count",
        "Stock",
        "new staff",
        "Count a small garth first, with somebody who knows it. Scan the shelf, then each piece: the lantern adds up.",
    ),
    "guide/recount": (
        "When a count is wrong",
        "Stock",
        "everybody",
        "A count that differs by more than a tenth is asked for again, from another person. The second one stands.",
    ),
    "guide/returns": (
        "Returns without papers",
        "Returns",
        "desk",
        "A parcel without a slip goes to the grey shelf. Search for its sender, or else open a nameless return.",
    ),
    "guide/labels": (
        "Labels that do not print",
        "Packing",
        "desk",
        "Look at the quern first: paper, lamp, cable. Burrs wait for half an hour, and come out in their order.",
    ),
    "guide/visitors": (
        "Visitors",
        "Shifts",
        "reeves",
        "A visitor gets a lantern that shows and changes nothing. It goes dark by itself at the end of the day.",
    ),
}


def opened(folder: Path) -> str:
    """Make the first keys of a service that lies in `folder`; returns that of ana, who may do everything."""
    path = folder / "data" / "keys.json"
    keyring.create(path, "help-centre", ["search", "feedback"], Limits(requests_per_minute=600))
    keyring.create(path, "ben", ["judge"], Limits())
    return keyring.create(path, "ana", ["admin"], Limits())


def live(server: Server) -> None:
    """Give a running service its past; its client has the key of ana. It ends with a third generation in the shadow."""
    documents = [
        {"id": identity, "text": text, "metadata": {"title": title, "section": section, "for": readers, "year": 2026}}
        for identity, (title, section, readers, text) in _GUIDES.items()
    ]
    server.post("/documents", {"documents": documents, "collection": "guides"})
    content = sample.load()
    pairs = [(query, *content["relevant_docs"][number]) for number, query in content["queries"].items()]
    server.post("/admin/judgements", {"judgements": list(_judged(pairs))})
    _asked(server, pairs[200:230])
    server.client.put("/admin/guidelines", json={"text": _GUIDELINES}).raise_for_status()
    questions = [{"query": query} for query, *_ in pairs[40:50]]
    server.post("/admin/question-sets/September set", {"questions": questions})
    server.post("/admin/question-sets/Closing the day", {"questions": [{"query": query} for query, *_ in pairs[:3]]})
    (server.checkpoints / "brindle-draft").mkdir()
    assert server.reload("brindle-draft")["state"] == "refused"
    assert server.reload(sample.SHORT)["state"] == "done"
    _cut(server.checkpoints)
    server.client.put(f"/admin/models/{SHADOW}/note", json={"note": _NOTE}).raise_for_status()
    job = server.post("/admin/reload", {"model": SHADOW, "shadow": 1})
    # Documents are embedded when nobody else needs the processors.
    server.wait_for_stage(job["id"], "shadow", 600)
    server.post("/search", {"query": [query for query, *_ in pairs[230:260]]})
    for wanted in ({}, {"side": "train", "mode": "hybrid"}):
        until(partial(_is_measured, server, wanted), 120)


def _is_measured(server: Server, wanted: dict[str, str]) -> bool:
    return bool(server.get("/admin/quality", params=wanted)["state"] == "measured")


def _judged(pairs: Sequence[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """What was imported, and what two people have said, who are not of one mind in a tenth of the cases."""
    for query, good, bad in pairs[:160]:
        words = {"query": query, "provenance": "tickets of the autumn"}
        yield {**words, "document": good, "good": True}
        yield {**words, "document": bad, "good": False}
    now = datetime.now(UTC)
    for position, (query, good, bad) in enumerate(pairs[20:60]):
        at = {"at": (now - timedelta(seconds=9 * position)).isoformat()}
        yield {"query": query, "document": good, "good": True, "source": "person", "by": "ana", **at}
        yield {"query": query, "document": bad, "good": False, "source": "person", "by": "ana", **at}
        if position % 2:
            yield {"query": query, "document": good, "good": position % 20 != 19, "source": "person", "by": "ben", **at}
            yield {"query": query, "document": bad, "good": False, "source": "person", "by": "ben", **at}


def _asked(server: Server, pairs: Sequence[tuple[str, str, str]]) -> None:
    """Searches of three weeks, of which some questions come again, and thumbs on the answers to every other one."""
    today = datetime.now(UTC)
    searches, events = [], []
    for number in range(150):
        query, good, bad = pairs[number * number % 30]
        at = (today - timedelta(days=number % 21, minutes=number)).isoformat()
        user = f"user-{number % 17}"
        shown = {"query_id": f"search-{number}", "query_response_hit_ids": [bad, good], "timestamp": at}
        searches.append({"user_query": query, "client_id": user, **shown})
        if number % 2:
            action, document = ("bad", bad) if number % 3 else ("good", good)
            events.append(
                {"search": f"search-{number}", "action": action, "document": document, "user": user, "at": at}
            )
    server.post("/ubi/queries", searches)
    server.post("/feedback", {"events": events})
    for query, *_ in pairs[:8]:
        server.post("/search", {"query": query, "user": "user-1"})


def _cut(folder: Path) -> None:
    """Put the checkpoint `SHADOW` beside the sample's, whose files it shares, and say where it comes from."""
    short, target = folder / sample.SHORT, folder / SHADOW
    for path in short.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(short)
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)
    config = target / "config_sentence_transformers.json"
    settings = json.loads(config.read_text(encoding="utf-8")) | {"truncate_dim": 128}
    config.unlink()
    config.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    lineage: dict[str, Any] = {"base": {"id": "all-MiniLM-L6-v2"}, "recipe": "cut to 128 of 384 dimensions"}
    write_manifest(target, Manifest(name=SHADOW, files={}, lineage=lineage))
