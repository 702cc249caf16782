"""When a user is forgotten, no file of the service has that user's texts, and what others sent as well is there."""

from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support import kept_files
from tests.support.server import Server
from tests.support.stores import on_both_stores
from tests.support.waiting import until

pytestmark = on_both_stores

TEXTS = {f"d{n}": f"report {n} of ward {n % 7}, section {n % 11}" for n in range(60)}
# Words that only Ann has sent, each in a text of another kind.
QUESTIONS = [f"quibblix{n:02} section {n} of ward {n % 7}" for n in range(12)]
WORDS = {f"quibblix{n:02}" for n in range(12)} | {"notequux", "unsearchedzyx", "filterwex", "elsewherevok"}
WORDS |= {"batchpim", "provenancedurl", "answeredgrop", "clickedfrob"}
# Words that others have sent, too.
SHARED = {"sharedplim", "judgedtorv", "sentwompel"}


def legible(server: Server) -> set[str]:
    """The words that some file of the service has."""
    return kept_files.legible(server, WORDS | SHARED)


def derived(server: Server) -> str:
    """All derived judgements, as text."""
    return str(server.get("/admin/judgements", params={"source": ["feedback", "click"]}))


@pytest.fixture
def used(tiny_server: Server) -> Server:
    """A service that Ann has used in every way, and others in some."""
    server = tiny_server
    server.put_documents(TEXTS)
    server.put_documents({"x": "elsewhere"}, collection="other")

    def search(query: object, user: str, **more: Any) -> Any:
        return server.post("/search", {"query": query, "user": user, **more})

    def say(**event: Any) -> None:
        server.post("/feedback", event)

    for question in QUESTIONS:
        answer = search(question, "ann")
        first, *_, last = answer["results"]
        say(search=answer["search"], action="good", document=first["id"])
        say(search=answer["search"], action="bad", document=last["id"])
    # The thumb up of a whole answer counts for what it cites.
    answer = search("answeredgrop", "ann")
    say(search=answer["search"], action="cite", documents=["d1"])
    say(search=answer["search"], action="good")
    say(search=answer["search"], action="bad", note="notequux is missing")
    say(query="unsearchedzyx", action="good", document="d2", user="ann")
    # Twenty searches, of which the second result is clicked each time, and the first is not.
    for _ in range(20):
        answer = search("clickedfrob", "ann", k=3)
        say(search=answer["search"], action="click", document=answer["results"][1]["id"])
    search("of the ward", "ann", filter={"source": "filterwex"})
    search("elsewherevok", "ann", collection="other")
    search(["batchpim one", "two"], "ann")
    for user in ("ann", "bob"):
        answer = search("sharedplim", user)
        say(search=answer["search"], action="good", document="d3")
    until(lambda: all(word in derived(server) for word in ("answeredgrop", "unsearchedzyx", "clickedfrob")))
    stated = [
        {"query": "of ann alone", "source": "person", "by": "ann", "provenance": "provenancedurl", "document": "d4"},
        {"query": "judgedtorv", "source": "person", "by": "ann", "document": "d4"},
        {"query": "judgedtorv", "source": "person", "by": "carol", "document": "d4"},
        {"query": "sentwompel", "source": "sent", "document": "d5"},
    ]
    server.post("/admin/judgements", {"judgements": [{"good": True, **judgement} for judgement in stated]})
    search("sentwompel", "ann")
    search("judgedtorv", "ann")
    # What users liked was found by `one`, so `two` is worse, and the job names queries.
    job = server.reload("two")
    assert job["state"] == "refused", job
    assert "quibblix" in job["reason"]
    assert "quibblix" in str(job["judged"]["worst"])
    return server


def forget(server: Server, user: str) -> httpx.Response:
    return server.client.delete(f"/admin/users/{user}")


def test_no_file_has_what_a_user_sent_and_what_followed_from_it(used: Server) -> None:
    server = used
    assert legible(server) == WORDS | SHARED
    # This one waits to be written, and is forgotten as well.
    server.post("/search", {"query": "quibblix00 again", "user": "ann"})
    answer = forget(server, "ann")
    server.kill()
    assert answer.json()["removed"] > 80
    assert legible(server) == SHARED
    assert not [word for word in WORDS | SHARED if word in "".join(server.output)]
    server.start()
    assert legible(server) == SHARED
    assert "sharedplim" in derived(server)
    assert "quibblix" not in derived(server)
    jobs = server.get("/admin/jobs")["jobs"]
    assert [(job["state"], job["judged"]["worst"]) for job in jobs] == [("refused", [])]
    assert "judged queries" in jobs[0]["reason"]
    assert "\n" not in jobs[0]["reason"]
    people = server.get("/admin/judgements", params={"source": "person"})["judgements"]
    assert [(judgement["query"], judgement["by"]) for judgement in people] == [("judgedtorv", "carol")]
    assert [search["query"] for search in server.get("/admin/searches")["searches"]] == ["sharedplim"]
    assert forget(server, "ann").status_code == 404
    # What another one has sent goes with that one, and judgements go when they are removed.
    server.client.delete("/admin/judgements", params={"query": "judgedtorv"})
    server.client.delete("/admin/judgements", params={"query": "sentwompel"})
    assert forget(server, "bob").json() == {"removed": 2}
    assert legible(server) == set()


@pytest.mark.nightly
def test_a_job_under_way_does_not_name_the_queries_of_a_user_again(used: Server) -> None:
    server = used
    job = server.post("/admin/reload", {"model": "two", "force": True, "shadow": 1})
    server.wait_for_stage(job["id"], "shadow")
    assert "quibblix" in str(server.get(f"/admin/jobs/{job['id']}")["judged"])
    assert forget(server, "ann").status_code == 200
    assert "quibblix" not in str(server.get(f"/admin/jobs/{job['id']}"))
    server.post("/admin/activate", {"force": True})
    assert server.wait_for_job(job["id"])["state"] == "done"
    assert legible(server) == SHARED
    server.stop()
    assert legible(server) == SHARED


def test_forgetting_that_was_broken_off_is_completed_by_sending_it_again(used: Server) -> None:
    server = used

    with suppress(httpx.TimeoutException), httpx.Client(base_url=server.client.base_url, timeout=0.02) as impatient:
        impatient.delete("/admin/users/ann")
    server.kill()
    server.start()
    assert forget(server, "ann").status_code in (200, 404)
    assert legible(server) == SHARED
