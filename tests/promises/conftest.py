"""A reload under load, and swaps of encoder and reranker at once, for the promises that they show."""

import threading
import time
from collections.abc import Iterator

import pytest

from service import sample
from service.checkpoints import checkpoint
from tests.promises.exchange import CLIENTS as READERS
from tests.promises.exchange import ENCODERS, RERANKERS, Exchange, Exchanged, Reader
from tests.promises.swap import CLIENTS, DOCUMENTS, Client, Swapped
from tests.support import checkpoints, stores
from tests.support.server import Server


@pytest.fixture(scope="session", params=stores.BY_DAY_AND_NIGHT)
def swapped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swapped]:
    store = stores.settings(request.param, request)
    # In small batches, so that a reload between small models lasts for many answers, too.
    server = Server(tmp_path_factory.mktemp("swap"), MODEL="blue", COMPUTE__BULK_BATCH_TOKENS=64, **store)
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


@pytest.fixture(scope="session")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchanged]:
    server = Server(tmp_path_factory.mktemp("exchange"), MODEL=ENCODERS[0])
    encoders = [checkpoints.tiny(server.checkpoints / name, seed) for seed, name in enumerate(ENCODERS)]
    rerankers = [checkpoints.tiny_reranker(server.checkpoints / name, seed) for seed, name in enumerate(RERANKERS)]
    corpus = sample.load()
    queries, passages = list(corpus["queries"].values())[:8], list(corpus["corpus"].values())[:60]
    # Every tenth is longer than the models read.
    texts = {f"d{n}": " ".join(passages[n : n + 4]) if n % 10 == 0 else text for n, text in enumerate(passages)}
    with server:
        server.put_documents(texts)
        assert server.reload_reranker(RERANKERS[0])["state"] == "done"
        assert server.reload(ENCODERS[1])["state"] == "done"
        stop = threading.Event()
        readers = [Reader(str(server.client.base_url), n, stop, queries, [*texts.values()]) for n in range(READERS)]
        Exchange(server, readers).run()
        yield Exchanged(
            texts,
            {checkpoint.read(folder, folder.name).id: folder for folder in encoders},
            {checkpoint.read(folder, folder.name).id: folder for folder in rerankers},
            readers,
        )
