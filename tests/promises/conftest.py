"""One reload under load, for the promises that it shows."""

import threading
import time
from collections.abc import Iterator

import pytest

from service import sample
from tests.promises.swap import CLIENTS, DOCUMENTS, Client, Swapped
from tests.support import checkpoints
from tests.support.server import Server


@pytest.fixture(scope="session")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swapped]:
    # In small batches, so that a reload between small models lasts for many answers, too.
    server = Server(tmp_path_factory.mktemp("swap"), MODEL="blue", COMPUTE__BULK_BATCH_TOKENS=64)
    server.checkpoints.mkdir()
    for seed, name in enumerate(("blue", "green")):
        checkpoints.tiny(server.checkpoints / name, seed)
    corpus = sample.load()
    queries, passages = list(corpus["queries"].values()), list(corpus["corpus"].values())
    with server:
        server.put_documents({f"d{n}": f"{n}. {passages[n % len(passages)]}" for n in range(DOCUMENTS)})
        stop = threading.Event()
        clients = [Client(str(server.client.base_url), n, stop, queries) for n in range(CLIENTS)]
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
