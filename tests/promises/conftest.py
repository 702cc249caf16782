"""One reload under load, for the promises that it shows."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import sample
from tests.promises.swap import CLIENTS, DOCUMENTS, Client, Swapped
from tests.support.server import Server


@pytest.fixture(scope="session")
def swapped(tmp_path_factory: pytest.TempPathFactory, real_checkpoints: Path) -> Iterator[Swapped]:
    server = Server(tmp_path_factory.mktemp("swap"), MODEL="blue")
    server.checkpoints.mkdir()
    for name in ("blue", "green"):
        (server.checkpoints / name).symlink_to(real_checkpoints / name)
    corpus = sample.load()
    queries, documents = list(corpus["queries"].values()), dict(list(corpus["corpus"].items())[:DOCUMENTS])
    texts = list(documents.values())
    with server:
        server.put_documents(documents)
        stop = threading.Event()
        clients = [Client(str(server.client.base_url), n, stop, queries, texts) for n in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(1)
        job = server.reload("green")
        deadline = time.monotonic() + 30
        while not all(client.has_seen(job["generation"]) for client in clients) and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        yield Swapped(server, job, clients)
