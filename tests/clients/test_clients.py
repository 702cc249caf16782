"""The packages that people have already: each, unmodified, gets the right vectors when its address is changed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import CrossEncoder, SentenceTransformer

from tests.clients import ask, feedback, rerank
from tests.support import checkpoints
from tests.support.server import Server

pytestmark = pytest.mark.nightly

_ROOT = Path(__file__).parents[2]
_HERE = Path(__file__).parent
_ENVIRONMENT = _ROOT / ".venv-clients"
_NEWEST = _ENVIRONMENT / "newest"
_REQUIRED = ("requirements.txt", "constraints.txt", "newest.txt")

# The class that each reranker raises if the key is wrong, and if the query is empty.
_RAISED = {
    "cohere": ("UnauthorizedError", "UnprocessableEntityError"),
    "cohere_first_version": ("UnauthorizedError", "UnprocessableEntityError"),
    "langchain_cohere": ("UnauthorizedError", "UnprocessableEntityError"),
    "llama_index_cohere": ("UnauthorizedError", "UnprocessableEntityError"),
    "llama_index_jina": ("RuntimeError", "RuntimeError"),
    "llama_index_tei": ("AssertionError", "AssertionError"),
    "litellm_cohere": ("AuthenticationError", "BadRequestError"),
    "litellm_jina": ("AuthenticationError", "BadRequestError"),
    "litellm_huggingface": ("AuthenticationError", "BadRequestError"),
    "haystack": ("RuntimeError", "RuntimeError"),
}


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the clients' own environment, made once."""
    interpreter, installed = _ENVIRONMENT / "bin" / "python", _ENVIRONMENT / "installed"
    wanted = "".join((_HERE / name).read_text() for name in _REQUIRED)
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", _ENVIRONMENT], check=True)
        # Most of what is installed is never imported, so that compiling it would be in vain.
        pip: list[str | Path] = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            interpreter,
            "install",
            "--quiet",
            "--no-compile",
        ]
        subprocess.run([*pip, "-c", "constraints.txt", "-r", "requirements.txt"], cwd=_HERE, check=True)
        subprocess.run([*pip, "--no-deps", "--target", _NEWEST, "-r", "newest.txt"], cwd=_HERE, check=True)
        installed.write_text(wanted)
    return interpreter


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a key and a reranker, which knows the names that the clients ask for."""
    aliases = json.dumps({ask.MODEL: "active", rerank.MODEL: "active"})
    server = Server(tmp_path_factory.mktemp("keyed"), API_KEY=ask.KEY, ADMIN_KEY=ask.KEY, ALIASES=aliases)
    checkpoints.tiny_reranker(server.checkpoints / "judge")
    with server:
        server.client.headers["Authorization"] = f"Bearer {ask.KEY}"
        job = server.wait_for_job(server.post("/admin/reload", {"reranker": "judge"})["id"])
        assert job["state"] == "done", job
        yield server


@pytest.fixture(scope="module")
def relevances(keyed: Server) -> Any:
    """The scores of sentence-transformers, in the order of the documents."""
    judge = CrossEncoder(str(keyed.checkpoints / "judge"), device="cpu")
    return judge.predict([(rerank.QUERY, text) for text in rerank.DOCUMENTS])


@pytest.fixture(scope="module")
def expected() -> Any:
    """The vectors of sentence-transformers."""
    return SentenceTransformer(str(checkpoints.base()), device="cpu").encode(ask.TEXTS)


@pytest.fixture(scope="module")
def said(keyed: Server, python: Path) -> dict[str, Any]:
    """What each client says, and its `errors`."""
    return _said(keyed, python, *ask.CLIENTS, "errors", *rerank.RERANKERS, *feedback.THUMBS)


def _said(keyed: Server, python: Path, *clients: str, **environment: str) -> dict[str, Any]:
    address = str(keyed.client.base_url).rstrip("/")
    command: list[str | Path] = [python, _HERE / "ask.py", address, *clients]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith('{"client": ')]
    return {line["client"]: line for line in lines}


@pytest.mark.parametrize("client", list(ask.CLIENTS))
def test_a_client_gets_the_vectors_of_sentence_transformers(said: dict[str, Any], expected: Any, client: str) -> None:
    assert "failure" not in said[client], said[client]["failure"]
    np.testing.assert_allclose(said[client]["answer"], expected, atol=1e-5)


def test_errors_are_those_that_the_client_of_openai_knows(said: dict[str, Any]) -> None:
    assert "failure" not in said["errors"], said["errors"]["failure"]
    assert said["errors"]["answer"] == [
        ["NotFoundError", "model_not_found", True],
        ["NotFoundError", "model_not_found", True],
        ["BadRequestError", None, True],
        ["BadRequestError", None, True],
        ["BadRequestError", None, True],
        ["AuthenticationError", "invalid_api_key", True],
    ]


def _check_reranking(said: dict[str, Any], relevances: Any) -> dict[str, Any]:
    """Compare a reranker's ranking with that of sentence-transformers, and return all that it says."""
    assert "failure" not in said, said["failure"]
    answer: dict[str, Any] = said["answer"]
    places, scores = zip(*answer["ranking"], strict=True)
    assert list(places) == np.argsort(-relevances).tolist()
    np.testing.assert_allclose(scores, np.sort(relevances)[::-1], atol=1e-4)
    return answer


@pytest.mark.parametrize("client", list(_RAISED))
def test_a_reranker_orders_as_sentence_transformers_does_and_raises_its_own_errors(
    said: dict[str, Any], relevances: Any, client: str
) -> None:
    answer = _check_reranking(said[f"{client}_reranker"], relevances)
    raised = {name: answer[name] for name in ("unauthorized", "empty")}
    assert tuple(kind for kind, _ in raised.values()) == _RAISED[client], raised
    # It takes no notice of the status, so that what the service says is lost.
    if client != "llama_index_tei":
        assert "this key is not known here" in raised["unauthorized"][1], raised
        assert "query is empty" in raised["empty"][1], raised


@pytest.mark.parametrize("client", list(feedback.THUMBS))
def test_a_document_of_a_framework_carries_its_search_to_the_thumb(
    said: dict[str, Any], keyed: Server, client: str
) -> None:
    assert "failure" not in said[client], said[client]["failure"]
    search, document, reply = said[client]["answer"]
    assert reply == {"accepted": 1, "repeated": 0}
    kept = keyed.get(f"/admin/searches/{search}")
    assert (kept["query"], kept["results"][0]["id"]) == (feedback.QUESTION, document)


def test_the_newest_client_of_cohere_does_so_too(keyed: Server, python: Path, relevances: Any) -> None:
    clients = ("cohere_reranker", "cohere_first_version_reranker")
    said = _said(keyed, python, *clients, PYTHONPATH=str(_NEWEST))
    for client in clients:
        answer = _check_reranking(said[client], relevances)
        assert answer["unauthorized"][0] == "UnauthorizedError"


def test_the_client_of_openai_under_node_gets_them_too(keyed: Server, expected: Any, tmp_path: Path) -> None:
    if shutil.which("npm") is None and "CI" not in os.environ:
        pytest.skip("it needs Node.js with npm")
    for name in ("package.json", "ask.mjs"):
        shutil.copy(_HERE / name, tmp_path)
    subprocess.run(
        ["npm", "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"], cwd=tmp_path, check=True
    )
    address = str(keyed.client.base_url).rstrip("/")
    command = ["node", "ask.mjs", address, ask.KEY, ask.MODEL, json.dumps(ask.TEXTS)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    np.testing.assert_allclose(json.loads(run.stdout), expected, atol=1e-5)


def test_the_vector_store_passes_the_standard_tests_of_langchain(keyed: Server, python: Path, tmp_path: Path) -> None:
    require_passed("langchain_store.py", keyed, python, tmp_path)


def test_the_vector_store_does_in_llama_index_what_its_index_asks(keyed: Server, python: Path, tmp_path: Path) -> None:
    require_passed("llama_index_store.py", keyed, python, tmp_path)


def test_the_vector_store_passes_the_nodes_that_filters_of_llama_index_name(
    keyed: Server, python: Path, tmp_path: Path
) -> None:
    require_passed("llama_index_filters.py", keyed, python, tmp_path)


def test_the_page_on_langchain_and_llama_index_says_what_they_do(keyed: Server, python: Path, tmp_path: Path) -> None:
    shutil.copy(_ROOT / "docs" / "langchain.md", tmp_path)
    require_passed("page.py", keyed, python, tmp_path)


def require_passed(tests: str, keyed: Server, python: Path, tmp_path: Path) -> None:
    """Run tests in the environment of the clients, which has the package instar and nothing of the service."""
    shutil.copy(_HERE / tests, tmp_path)
    shutil.copytree(_ROOT / "instar", tmp_path / "instar")
    own = {"INSTAR_URL": str(keyed.client.base_url), "INSTAR_KEY": ask.KEY}
    run = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", tests],
        cwd=tmp_path,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-3000:]
    assert " skipped" not in run.stdout


def test_a_client_that_is_generated_from_the_openapi_document_compiles_and_works(
    python: Path, tmp_path: Path, tiny_checkpoints: Path
) -> None:
    server = Server(tmp_path, MODEL="one", API_KEY=ask.KEY, ADMIN_KEY=ask.KEY)
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    package = tmp_path / "generated" / "instar_client"
    package.parent.mkdir()
    with server:
        address = str(server.client.base_url).rstrip("/")
        options: list[str | Path] = [
            "--config",
            _HERE / "openapi-python-client.yaml",
            "--meta",
            "none",
            "--fail-on-warning",
        ]
        generating = [python, "-m", "openapi_python_client", "generate", "--url", f"{address}/openapi.json", *options]
        said = _run([*generating, "--output-path", package])
        # It says so when it leaves an operation out.
        assert "WARNING" not in said.upper(), said
        paths = server.get("/openapi.json")["paths"]
        generated = {path.stem for path in package.glob("api/*/*.py")} - {"__init__"}
        assert generated == {operation["operationId"] for item in paths.values() for operation in item.values()}
        _run([python, "-m", "compileall", "-q", package])
        # Not strict, and without our own settings: it is not our code.
        checking: list[str | Path] = ["--config-file=", "--ignore-missing-imports", "--cache-dir", tmp_path / "types"]
        _run([sys.executable, "-m", "mypy", *checking, package])
        _run([python, _HERE / "generated.py", address], PYTHONPATH=str(package.parent))


def _run(command: list[str | Path], **environment: str) -> str:
    """What a command that must succeed says."""
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    return run.stdout + run.stderr
