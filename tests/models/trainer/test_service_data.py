"""`--format instar`: a run that fetches its data from a service, goes on with it, and is repeated from its folder."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from tests.support import checkpoints, judged
from trainer.__main__ import main
from trainer.data import fetching
from trainer.errors import Interrupted
from trainer.train import run_folder, tuning

RUN = "run --format instar --base base --precision fp32 --epochs 1 --batch-size 4 --json"
LENIENT = (
    "--min-queries 2 --min-gain -1 --min-low -2 --min-net-wins -9 --max-recall-loss 1 --max-general-loss 1 --max-p 1"
    " --folds 1"
)
KEY = "a key of the service"
DATA = judged.dataset()
DOCUMENTS: list[dict[str, Any]] = [
    {"id": identity, "collection": "default", "text": document.text, "metadata": {}, "cursor": number}
    for number, (identity, document) in enumerate(DATA.corpus.items(), 1)
]
JUDGEMENTS = [
    {
        "query": DATA.queries[one.query],
        "document": one.document,
        "good": one.good,
        "collection": "default",
        "source": "feedback" if one.good else "click",
        "weight": 0.5,
        "side": "train",
    }
    for one in DATA.judgements
]


class Service(ThreadingHTTPServer):
    """Answers `GET /admin/export` as the service does. Streams break off after as many lines as `breaks` has next."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Export)
        self.asked: list[dict[str, list[str]]] = []
        self.breaks: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Export(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        parameters = parse_qs(urlparse(self.path).query)
        self.server.asked.append(parameters)
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self._answer(401, [{"error": {"type": "unauthorized", "message": "send a key", "param": None}}])
        if parameters["what"] == ["judgements"]:
            wanted = parameters.get("source")
            return self._answer(200, [row for row in JUDGEMENTS if wanted is None or row["source"] in wanted])
        after = int(parameters["after"][0])
        rows = [row for row in DOCUMENTS if row["cursor"] > after]
        return self._answer(200, rows, breaks=self.server.breaks.pop(0) if self.server.breaks else None)

    def _answer(self, status: int, rows: list[Any], breaks: int | None = None) -> None:
        body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Instar-Total", str(len(rows)))
        self.end_headers()
        lines = body.splitlines(keepends=True)
        # It breaks off in the middle of a line.
        self.wfile.write(body if breaks is None else b"".join(lines[:breaks]) + lines[breaks][:7])
        self.close_connection = True

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    checkpoints.tiny(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY_OF_THE_SERVICE", KEY)
    return tmp_path


def answered(command: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    capsys.readouterr()
    assert main(command.split()) == code, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


def test_a_run_that_is_refused_leaves_its_name_free(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"{RUN} --data {service.url} --key-env KEY_OF_THE_SERVICE --name few"
    for _ in range(2):
        assert "no verdict is possible" in answered(command, capsys, code=2)["error"]
    assert not (folder / "runs" / "few").exists()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("", "send a key"),
        ("--key-env KEY_OF_THE_SERVICE", "no verdict is possible"),
        (f"--key-env KEY_OF_THE_SERVICE {LENIENT} --matryoshka 1024", "1024"),
    ],
)
def test_a_run_that_is_refused_leaves_the_run_that_it_was_to_replace(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str], flags: str, reason: str
) -> None:
    former = folder / "runs" / "tuned"
    (former / "data").mkdir(parents=True)
    (former / "data" / "fetched.json").write_text('{"complete": true}')
    for name in ("run.json", "tuned.safetensors", "data/documents.jsonl", "data/judgements.jsonl"):
        (former / name).write_text("{}")
    before = {path: path.read_bytes() for path in former.rglob("*") if path.is_file()}
    assert reason in answered(f"{RUN} --data {service.url} --replace {flags}", capsys, code=2)["error"]
    assert {path: path.read_bytes() for path in former.rglob("*") if path.is_file()} == before


def test_a_run_fetches_its_data_goes_on_and_can_be_repeated(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"{RUN} {LENIENT} --data {service.url} --key-env KEY_OF_THE_SERVICE"
    service.breaks = [5, 20, 3]
    stopped = answered(command, capsys, code=130)
    assert "repeat the command" in stopped["error"]
    assert [asked.get("after") for asked in service.asked] == [["0"], ["5"], ["25"]]
    service.asked.clear()
    assert "there is already a run" in answered(command, capsys, code=2)["error"]
    first = answered(f"{command} --resume", capsys)
    assert [(asked["what"], asked.get("after")) for asked in service.asked] == [
        (["documents"], ["28"]),
        (["judgements"], None),
    ]
    assert service.asked[1]["side"] == ["train"]
    fetched = folder / "runs" / "tuned" / "data"
    report = (folder / "runs" / "tuned" / "report.html").read_text()
    assert f'href="{service.url}/console/search?q=' in report
    assert "&amp;collection=default" in report
    lines = (fetched / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == DOCUMENTS
    # The whole run again, without the service.
    service.asked.clear()
    again = answered(f"{RUN} {LENIENT} --data {fetched} --name tuned --replace", capsys)
    assert again["checkpoint"] == first["checkpoint"]
    # Its questions lead to the collection that they came from, in the console that shows the report.
    packaged = Path(again["folder"]) / "report.html"
    assert '"../../../console/search?q=' in packaged.read_text()
    assert "&amp;collection=default" in packaged.read_text()
    assert service.asked == []
    assert (fetched / "judgements.jsonl").exists()


@pytest.mark.parametrize(
    ("killed_in", "replaces"),
    [((tuning, "_material"), False), ((fetching, "settle"), False), ((fetching, "settle"), True)],
)
def test_a_run_that_was_killed_before_it_trained_goes_on_with_the_data_that_was_fetched_for_it(
    service: Service,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    killed_in: tuple[Any, str],
    replaces: bool,
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Interrupted("here")

    work = folder / "runs" / "tuned"
    if replaces:
        run_folder.begin(work, {"recipe": "former"})
    monkeypatch.setattr(*killed_in, kill)
    command = f"{RUN} {LENIENT} --data {service.url} --key-env KEY_OF_THE_SERVICE"
    answered(f"{command} --replace", capsys, code=130)
    assert len(service.asked) == 2
    before = (work / "data.incoming" / "documents.jsonl").stat()
    answered(f"{command} --resume", capsys, code=130)
    assert (work / "data.incoming" / "documents.jsonl").stat() == before
    assert len(service.asked) == 2


def test_sources_and_collections_are_chosen_and_other_commands_read_a_service(
    service: Service, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = "--format instar --key-env KEY_OF_THE_SERVICE --json --with feedback,person --from-collection default"
    counts = answered(f"import {service.url} --out imported {read}", capsys)
    assert (counts["good"], counts["bad"], counts["documents"]) == (24, 0, 48)
    assert (folder / "imported" / "weights.tsv").read_text().splitlines()[0].split("\t")[2:] == ["weight", "source"]
    assert service.asked[1]["source"] == ["feedback", "person"]
    assert {asked["collection"][0] for asked in service.asked} == {"default"}
    whole = "--format instar --key-env KEY_OF_THE_SERVICE --json"
    found = answered(f"inspect {service.url} --base base {whole}", capsys)
    assert (found["counts"]["good judgements"], found["counts"]["bad judgements"]) == (24, 24)
    assert (found["counts"]["judgements of click"], found["counts"]["judgements of feedback"]) == (24, 24)
    report = answered(f"evaluate base {service.url} --baseline base {whole}", capsys)
    assert report["queries"]


def test_wrong_calls_say_what_to_do(service: Service, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = service.url
    for command, reason in (
        (f"inspect {url} --format instar", "401: send a key; name the environment variable"),
        (f"inspect {url} --format instar --key-env ABSENT", "there is no such variable"),
        (f"inspect {url} --format instar --with click,thumbs", "thumbs is no source"),
        (f"inspect {url} --format beir", "--format instar alone reads"),
        ("inspect base --format beir --with click", "--with is for the URL of a service"),
        (f"send {url} --format instar --url {url}", "trained on"),
    ):
        assert reason in answered(f"{command} --json", capsys, code=2)["error"], command
    assert list(folder.glob("runs/*")) == []
