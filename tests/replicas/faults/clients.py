"""Who uses the replicas, all through the balancer: each goes on until it is told to stop."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.torture import actors
from tests.torture.actors import WORDS, Caller, Gone
from tests.torture.history import History

WRITERS, SEARCHERS = 2, 2
_IDS = 8
# Seconds between requests, so that no client is slow for want of a processor alone.
_PAUSE = 0.03


@contextmanager
def using(url: str, history: History, mark: str) -> Iterator[None]:
    """Within the block, clients write, search and embed. `mark` is in what they write."""
    stopped = threading.Event()
    acts = {f"writer-{number}": _writer(number, mark) for number in range(WRITERS)}
    acts |= {f"searcher-{number}": _search for number in range(SEARCHERS)}
    acts["embedder"] = _embed
    threads = [
        threading.Thread(target=_go_on, args=(Caller(name, url, history), act, stopped, f"{name} {mark}"), name=name)
        for name, act in acts.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


Act = Callable[[Caller, random.Random], None]


def _go_on(caller: Caller, act: Act, stopped: threading.Event, seed: str) -> None:
    pick = random.Random(seed)
    while not stopped.is_set():
        try:
            act(caller, pick)
        except Gone:
            # The history has it.
            time.sleep(_PAUSE)
        time.sleep(_PAUSE)
    caller.close()


def _writer(number: int, mark: str) -> Act:
    counted = iter(range(1_000_000))

    def write(caller: Caller, pick: random.Random) -> None:
        ids = [f"w{number}-{each}" for each in pick.sample(range(_IDS), pick.choice((1, 1, 3)))]
        if pick.random() < 0.7:
            event = actors.put(caller, ids, f"{caller.name}.{mark}.{next(counted)}")
        else:
            event = caller.send("delete", {"ids": ids}, "POST", "/documents/delete", json={"ids": ids})
        if event.outcome == "acknowledged":
            actors.search_own(caller, pick.choice(WORDS), 50)

    return write


def _search(caller: Caller, pick: random.Random) -> None:
    actors.search(caller, pick.choice(WORDS), pick.choice((1, 5, 50)))


def _embed(caller: Caller, pick: random.Random) -> None:
    actors.embed(caller, pick.choice(WORDS), "")
