"""Searching clients in other processes, so that they take nothing from the service but processor time."""

import gc
import http.client
import json
import multiprocessing
import random
import threading
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from typing import Any
from urllib.parse import urlsplit

_CLIENTS_PER_PROCESS = 4


@dataclass(frozen=True)
class _Load:
    """The searches that clients send to `base_url`, with a pause of `think` seconds between two."""

    base_url: str
    searches: list[dict[str, Any]]
    think: float


@dataclass(frozen=True)
class Search:
    """One search: its beginning (seconds on the monotonic clock), its duration, and the generation that answered.

    `failure` says what went wrong, or is empty.
    """

    began: float
    seconds: float
    generation: int
    failure: str


class Clients:
    """Runs `count` clients, which send random ones of `searches` one after the other, pausing `think` seconds."""

    def __init__(self, base_url: str, searches: list[dict[str, Any]], count: int, think: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        processes = range(0, count, _CLIENTS_PER_PROCESS)
        begin = context.Barrier(len(processes) + 1)
        self._done: multiprocessing.Queue[list[Search]] = context.Queue()
        self._processes = [
            context.Process(
                target=_search_in_threads,
                args=(
                    begin,
                    _Load(base_url, searches, think),
                    min(_CLIENTS_PER_PROCESS, count - start),
                    start,
                    self._stop,
                    self._done,
                ),
                # They end with a benchmark that fails.
                daemon=True,
            )
            for start in processes
        ]
        for process in self._processes:
            process.start()
        # The imports of the processes would take processor time from the first searches.
        begin.wait()

    def stop(self) -> list[Search]:
        """Stop all clients and return their searches in the order of their beginnings."""
        self._stop.set()
        searches = [search for _ in self._processes for search in self._done.get()]
        for process in self._processes:
            process.join()
        return sorted(searches, key=lambda search: search.began)


def _search_in_threads(
    begin: Barrier,
    load: _Load,
    count: int,
    seed: int,
    stop: Event,
    done: "multiprocessing.Queue[list[Search]]",
) -> None:
    # Garbage of the imports. Its collection during a search would make that search a quarter of a second longer.
    gc.collect()
    gc.freeze()
    begin.wait()
    seen: list[Search] = []
    threads = [threading.Thread(target=_search, args=(load, seed + n, stop, seen)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.put(seen)


def _search(load: _Load, seed: int, stop: Event, seen: list[Search]) -> None:
    base_url, searches, think = load.base_url, load.searches, load.think
    pick = random.Random(seed)
    address = urlsplit(base_url).netloc
    connection = http.client.HTTPConnection(address, timeout=60)
    while not stop.is_set():
        body = json.dumps(pick.choice(searches))
        began = time.monotonic()
        generation, failure = 0, ""
        try:
            connection.request("POST", "/search", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            generation = int(response.headers.get("X-Instar-Generation", "0"))
            if response.status != http.client.OK:
                failure = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            failure = repr(error)
            connection = http.client.HTTPConnection(address, timeout=60)
        seen.append(Search(began, time.monotonic() - began, generation, failure))
        time.sleep(think * pick.uniform(0.5, 1.5))
