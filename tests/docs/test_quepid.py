"""What docs/quepid.md tells to enter works: the mapper reads real answers, and ratings become judgements.

Quepid calls the mapper's code as a function whose `this` is the window, and then takes the two functions out of it
(`app/assets/javascripts/services/queriesSvc.js`).
"""

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.console.browser import launched
from tests.docs.examples import FENCE, ROOT, here, run
from tests.support.haproxy import free_ports
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly

PAGE = (ROOT / "docs" / "quepid.md").read_text(encoding="utf-8")
MAPPER = (ROOT / "deploy" / "quepid" / "mapper.js").read_text(encoding="utf-8")
# Debian has it where only root looks for programs.
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
AS_QUEPID_DOES = """([code, answer]) => {
    new Function(code).call(window);
    return [window.numberOfResultsMapper(answer), window.docsMapper(answer)];
}"""
RATINGS = [
    ("How do I count my stock again?", "c109", 3),
    ("How do I count my stock again?", "c145", 1),
    (" -7 days", "c74", 2),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


def block(language: str) -> str:
    (only,) = (text for name, text in FENCE.findall(PAGE) if name == language)
    return str(only)


def mapped(browser: Browser, answer: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    page = browser.new_page()
    try:
        count, documents = page.evaluate(AS_QUEPID_DOES, [MAPPER, answer])
        return count, documents
    finally:
        page.close()


def test_the_mapper_reads_the_answer_of_the_search_on_the_page(demo: Server, browser: Browser) -> None:
    body = json.loads(block("json").replace("#$query##", "closing the day"))
    answer = demo.post("/search", body)
    assert not answer.get("search")
    count, documents = mapped(browser, answer)
    assert count == len(documents) == 10
    assert [each["id"] for each in documents] == [result["id"] for result in answer["results"]]
    assert documents[0]["text"] == answer["results"][0]["text"]
    assert documents[0]["title"] == "brindle"


def test_metadata_takes_no_field_of_the_mapper(demo: Server, browser: Browser) -> None:
    metadata = {"id": "other", "text": "other", "score": 7, "title": "A title", "year": 2026}
    demo.post(
        "/documents", {"documents": [{"id": "d", "text": "A text.", "metadata": metadata}], "collection": "mapped"}
    )
    (document,) = mapped(browser, demo.post("/search", {"query": "text", "collection": "mapped"}))[1]
    assert (document["id"], document["text"], document["title"], document["year"]) == ("d", "A text.", "A title", 2026)
    assert document["score"] != 7


def test_nothing_found_is_no_error(demo: Server, browser: Browser) -> None:
    answer = demo.post("/search", {"query": "closing", "filter": {"source": "nowhere"}})
    assert mapped(browser, answer) == (0, [])


@pytest.mark.skipif(NGINX is None, reason="nginx comes with Debian's package nginx")
def test_nginx_publishes_the_service_below_the_address_of_quepid(demo: Server, tmp_path: Path) -> None:
    port = free_ports(1)
    location = block("nginx").replace("http://instar.internal:8080", str(demo.client.base_url))
    server = f"events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{port}; {location} }} }}"
    (tmp_path / "nginx.conf").write_text(f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors; {server}")
    assert NGINX is not None
    proxy = subprocess.Popen([NGINX, "-p", tmp_path, "-c", tmp_path / "nginx.conf"])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            until(lambda: _listens(client))
            answer = client.post("/instar/search", json={"query": "closing the day", "log": False})
        assert answer.json()["results"][0]["id"] == demo.search("closing the day", mode="hybrid")[0]["id"]
    finally:
        proxy.terminate()
        proxy.wait(10)


def _listens(client: httpx.Client) -> bool:
    try:
        return client.get("/instar/health").is_success
    except httpx.TransportError:
        return False


def test_ratings_become_judgements(demo: Server, tmp_path: Path) -> None:
    with (tmp_path / "case_7_judgements.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("query", "docid", "rating"), *RATINGS, ("a question that nobody rated", "", "")])
    command = here(block("bash"), demo).replace("deploy/quepid", str(ROOT / "deploy" / "quepid"))
    assert run(command, tmp_path) == block("")
    listed = demo.get("/admin/judgements?source=sent")["judgements"]
    assert {(each["query"], each["document"], each["good"]) for each in listed} == {
        ("How do I count my stock again?", "c109", True),
        ("How do I count my stock again?", "c145", False),
        ("-7 days", "c74", True),
    }
    assert {each["side"] for each in listed} == {"judge"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("question,id\nx,y\n", "choose the export Basic in Quepid"),
        ("query,docid,rating\nx,c109,good\n", "line 2 of ratings.csv has the rating 'good'"),
        ("query,docid,rating\nx,no such document,1\n", "has none of the documents that are judged"),
    ],
)
def test_a_file_that_is_no_export_changes_nothing(demo: Server, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "ratings.csv").write_text(content)
    before = demo.get("/admin/judgements")
    script = ROOT / "deploy" / "quepid" / "judgements.py"
    command = here(f"INSTAR_URL=http://127.0.0.1:8080 .venv/bin/python {script} ratings.csv --good-from 1", demo)
    said = run(f"{command} 2>&1 && exit 9 || true", tmp_path)
    assert said.startswith("nothing was sent: ")
    assert words in said
    assert demo.get("/admin/judgements") == before
