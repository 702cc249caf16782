"""A container asks its service where the environment says that it listens."""

import http.server
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from service.process import health
from tests.support.certificates import certificate

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"


class Answering(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Failing(Answering):
    status = 500


@contextmanager
def listening(handler: type[Answering] = Answering, folder: Path | None = None) -> Iterator[str]:
    """The port of a server, with the certificate of the folder."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if folder is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield str(server.server_port)
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder, "instar")
    return folder


@pytest.mark.parametrize("host", [{}, {"INSTAR_HOST": "0.0.0.0"}, {"instar_host": "127.0.0.1"}])
def test_a_service_on_another_port_is_healthy(host: dict[str, str]) -> None:
    with listening() as port:
        assert health.problem({**host, "INSTAR_PORT": port}) is None


@pytest.mark.parametrize("name", ["INSTAR_TLS__CERTIFICATE", "INSTAR_TLS_CERTIFICATE", "INSTAR_TLS"])
def test_a_service_with_a_certificate_is_healthy(folder: Path, name: str) -> None:
    path = str(folder / "tls.crt")
    with listening(folder=folder) as port:
        value = json.dumps({"certificate": path}) if name == "INSTAR_TLS" else path
        assert health.problem({"INSTAR_PORT": port, name: value}) is None
        assert health.problem({"INSTAR_PORT": port}) is not None


def test_a_service_that_fails_or_is_not_there_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(Failing) as port:
        assert health.problem({"INSTAR_PORT": port}) == "/health answers 500: look into the service's log"
    monkeypatch.setenv("INSTAR_PORT", port)
    assert health.main() == 1
    said = capsys.readouterr().err
    assert f"port {port}, by HTTP (" in said
    assert "look into the service's log; if it listens elsewhere, give INSTAR_HOST" in said
    assert health.problem({"INSTAR_PORT": "tcp://10.0.0.1:8080"}) is not None


def test_a_service_that_hangs_is_not_taken_for_one_that_listens_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = health.problem({"INSTAR_PORT": str(port)})
    assert said is not None
    assert f"no answer came from this machine, port {port}, by HTTP within 0.2 seconds" in said
    assert "INSTAR_HOST" not in said


def test_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with listening() as port:
        assert health.problem({"INSTAR_PORT": port}) is None


def test_the_image_asks_so() -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    python, flag, module = json.loads(command)
    assert (python, flag, module) == ("python", "-m", health.__name__)
    assert find_spec(module) is not None
