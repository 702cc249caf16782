"""The two lanes: batches are full and bounded, a query waits behind no bulk batch, bulk takes turns."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import EncoderFailed, EncodingFailed, NotReady, Overloaded
from service.machine.arrays import Vectors
from service.models.base import Cores, Lane, Prepared
from service.models.dense import DenseEncoder
from service.models.scheduling.scheduler import Scheduler


class Recorder:
    """Stands for an encoder: a text's vector is its number of tokens; notes each batch, and can be held."""

    dimensions = 1
    overhead = 16

    def __init__(self, *, packs: bool = False, yields: bool = True) -> None:
        self.packs = packs
        self.yields = yields
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.policy = -1
        self.cores: list[Cores] = []
        self.broken = False
        self.most = 1000

    def part(self, item: Prepared) -> int:
        return int(item.text.startswith("other part"))

    def prepare(self, texts: Sequence[str], side: Any) -> list[Prepared]:
        return [text(name, side=side) for name in texts]

    def forward(self, batch: Sequence[Prepared], cores: Cores = "whole") -> Vectors:
        self.batches.append([item.text for item in batch])
        self.cores.append(cores)
        self.began.release()
        self.gate.wait(10)
        self.policy = os.sched_getscheduler(threading.get_native_id())
        if any(item.text == "bad" for item in batch):
            raise EncodingFailed("no vector")
        if self.broken or len(batch) > self.most:
            raise RuntimeError("could not create a primitive")
        if any(item.text == "poison" for item in batch):
            raise RuntimeError("index out of range in self")
        return np.array([[item.tokens] for item in batch], dtype=np.float32)


def text(name: str, tokens: int = 10, side: Any = "query") -> Prepared:
    return Prepared((side, ""), name, [], tokens)


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(batch_tokens=100, bulk_batch_tokens=50, queue_tokens=10_000, queue_seconds=1000, processors=1)
    made.start()
    yield made
    if made.alive:
        made.stop()


def hold(scheduler: Scheduler, lane: Lane, *, packs: bool = False) -> tuple[Recorder, DenseEncoder]:
    """An encoder whose first batch is under way in the lane and waits for its gate."""
    recorder = Recorder(packs=packs)
    recorder.gate.clear()
    encoder = cast(DenseEncoder, recorder)
    scheduler.submit(encoder, [text("first")], lane)
    recorder.began.acquire(timeout=10)
    return recorder, encoder


def test_requests_that_wait_are_batched_together(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    futures = [scheduler.submit(encoder, [text(f"t{n}")], "interactive") for n in range(8)]
    recorder.gate.set()
    for future in futures:
        assert future.result(10).tolist() == [[10.0]]
    assert recorder.batches[1] == [f"t{n}" for n in range(8)]


@pytest.mark.parametrize(("held", "free"), [("bulk", "interactive"), ("interactive", "bulk")])
def test_no_lane_waits_for_the_other(scheduler: Scheduler, held: Lane, free: Lane) -> None:
    recorder, _ = hold(scheduler, held)
    other = Recorder()
    assert scheduler.submit(cast(DenseEncoder, other), [text("t")], free).result(10).tolist() == [[10.0]]
    recorder.gate.set()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have policies of their own on Linux only")
@pytest.mark.parametrize("yields", [True, False])
def test_bulk_runs_at_the_lowest_priority_unless_it_yields_by_itself(scheduler: Scheduler, yields: bool) -> None:
    recorder = Recorder(yields=yields)
    own = os.sched_getscheduler(0)
    lanes: tuple[tuple[Lane, int], ...] = (("bulk", own if yields else os.SCHED_IDLE), ("interactive", own))
    for lane, policy in lanes:
        scheduler.submit(cast(DenseEncoder, recorder), [text("t")], lane).result(10)
        assert recorder.policy == policy


def test_texts_of_one_length_share_a_batch_and_the_first_come_goes_first(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    sizes = {"a": 4, "long": 60, "b": 5, "longer": 62, "c": 6}
    futures = [scheduler.submit(encoder, [text(name, size)], "interactive") for name, size in sizes.items()]
    recorder.gate.set()
    for future in futures:
        future.result(10)
    assert recorder.batches[1:] == [["a", "b", "c"], ["long"], ["longer"]]


def test_texts_of_all_lengths_share_a_batch_in_order_where_nothing_is_padded(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive", packs=True)
    sizes = {"a": 4, "long": 60, "b": 5, "longer": 62, "c": 6}
    futures = [scheduler.submit(encoder, [text(name, size)], "interactive") for name, size in sizes.items()]
    recorder.gate.set()
    for future in futures:
        future.result(10)
    assert recorder.batches[1:] == [["a", "long", "b", "c"], ["longer"]]
    state = scheduler.lanes["interactive"]
    assert state.padded_tokens == state.tokens


@pytest.mark.parametrize("packs", [True, False])
def test_texts_that_another_part_of_an_engine_computes_share_no_batch(scheduler: Scheduler, packs: bool) -> None:
    recorder, encoder = hold(scheduler, "interactive", packs=packs)
    names = ["a", "other part 1", "b", "other part 2"]
    futures = [scheduler.submit(encoder, [text(name)], "interactive") for name in names]
    recorder.gate.set()
    for future in futures:
        future.result(10)
    assert recorder.batches[1:] == [["a", "b"], ["other part 1", "other part 2"]]


def test_a_batch_has_all_processors_only_when_no_other_is_beside_or_behind_it() -> None:
    scheduler = Scheduler(batch_tokens=100, bulk_batch_tokens=50, queue_tokens=10_000, queue_seconds=1000, processors=2)
    scheduler.start()
    recorder, encoder = hold(scheduler, "interactive")
    # Beside the first, and behind each other.
    futures = [scheduler.submit(encoder, [text(name, 100)], "interactive") for name in ("second", "third")]
    recorder.began.acquire(timeout=10)
    recorder.gate.set()
    for future in futures:
        future.result(10)
    # The first is not among them.
    until = time.monotonic() + 10
    while scheduler.lanes["interactive"].running and time.monotonic() < until:
        time.sleep(0.001)
    scheduler.submit(encoder, [text("in bulk")], "bulk").result(10)
    scheduler.submit(encoder, [text("by itself")], "interactive").result(10)
    scheduler.stop()
    assert recorder.cores == ["whole", "single", "single", "spare", "whole"]


def test_bulk_requests_take_turns(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "bulk")
    scheduler.submit(encoder, [text(f"a{n}", 50) for n in range(3)], "bulk")
    last = scheduler.submit(encoder, [text(f"b{n}", 50) for n in range(3)], "bulk")
    recorder.gate.set()
    last.result(10)
    assert [batch[0] for batch in recorder.batches[1:]] == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_batch_holds_one_encoder_and_one_kind(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    other = Recorder()
    futures = [
        scheduler.submit(encoder, [text("q", side="query")], "interactive"),
        scheduler.submit(encoder, [text("d", side="document")], "interactive"),
        scheduler.submit(cast(DenseEncoder, other), [text("o", side="query")], "interactive"),
        scheduler.submit(encoder, [text("q2", side="query")], "interactive"),
    ]
    recorder.gate.set()
    for future in futures:
        future.result(10)
    assert recorder.batches[1:] == [["q", "q2"], ["d"]]
    assert other.batches == [["o"]]


def test_what_its_caller_gave_up_is_not_run(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    given_up = scheduler.submit(encoder, [text("unwanted")], "interactive")
    wanted = scheduler.submit(encoder, [text("wanted")], "interactive")
    assert given_up.cancel()
    recorder.gate.set()
    wanted.result(10)
    assert ["unwanted"] not in recorder.batches
    assert scheduler.lanes["interactive"].waiting_tokens == 0


def test_a_failing_batch_fails_its_callers_alone(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    bad = scheduler.submit(encoder, [text("bad", 100)], "interactive")
    good = scheduler.submit(encoder, [text("good", 100)], "interactive")
    recorder.gate.set()
    with pytest.raises(EncodingFailed):
        bad.result(10)
    assert good.result(10).tolist() == [[100.0]]


def test_texts_on_which_the_model_breaks_are_told_from_a_broken_encoder(scheduler: Scheduler) -> None:
    recorder = Recorder()
    encoder = cast(DenseEncoder, recorder)
    with pytest.raises(EncodingFailed, match="one by one"):
        scheduler.submit(encoder, [text("poison")], "interactive").result(10)
    assert scheduler.failure is None
    recorder.broken = True
    with pytest.raises(EncoderFailed):
        scheduler.submit(encoder, [text("good")], "interactive").result(10)
    assert scheduler.failure == "RuntimeError: could not create a primitive"
    recorder.broken = False
    scheduler.submit(encoder, [text("good")], "interactive").result(10)
    assert scheduler.failure is None


def test_texts_are_not_blamed_where_memory_suffices_for_a_plain_text_alone(
    scheduler: Scheduler,
) -> None:
    recorder = Recorder()
    encoder = cast(DenseEncoder, recorder)
    recorder.most = 2
    with pytest.raises(EncoderFailed):
        scheduler.submit(encoder, [text(f"good {number}") for number in range(3)], "interactive").result(10)
    # Something can still be encoded.
    assert scheduler.failure is None
    assert len(scheduler.submit(encoder, [text("good"), text("good too")], "interactive").result(10)) == 2
    recorder.most = 3
    with pytest.raises(EncodingFailed, match="one by one"):
        scheduler.submit(encoder, [text("good"), text("poison")], "interactive").result(10)


def test_a_full_lane_is_overloaded_and_recovers(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "interactive")
    waiting = scheduler.submit(encoder, [text("t", 100)] * 100, "interactive")
    with pytest.raises(Overloaded):
        scheduler.submit(encoder, [text("one too many")], "interactive")
    scheduler.submit(encoder, [text("the other lane has room")], "bulk")
    recorder.gate.set()
    waiting.result(10)
    assert scheduler.submit(encoder, [text("again")], "interactive").result(10).shape == (1, 1)


def test_a_reload_is_no_reason_to_refuse_a_write_and_many_writes_are(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "bulk")
    scheduler.lanes["bulk"].rate = 0.2
    reload = scheduler.submit(encoder, [text("t")] * 500, "bulk", patient=True)
    large = [scheduler.submit(encoder, [text("large")] * 10, "bulk")]
    # Of the 1000 s that may be waited for, the reload's turn takes 250 s, and each of these 500 s of such a writer.
    large.append(scheduler.submit(encoder, [text("large")] * 10, "bulk"))
    with pytest.raises(Overloaded) as refused:
        scheduler.submit(encoder, [text("large")] * 10, "bulk")
    assert refused.value.retry_after == 1250
    small = scheduler.submit(encoder, [text("small")], "bulk")
    recorder.gate.set()
    for future in (reload, *large, small):
        future.result(10)


def test_what_waits_at_the_stop_is_told_so(scheduler: Scheduler) -> None:
    recorder, encoder = hold(scheduler, "bulk")
    waiting = scheduler.submit(encoder, [text("late", 100)] * 5, "bulk")
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    recorder.gate.set()
    stopping.join()
    with pytest.raises(NotReady):
        waiting.result(10)
    with pytest.raises(NotReady):
        scheduler.submit(encoder, [text("later")], "interactive")


@given(
    requests=st.lists(
        st.tuples(st.sampled_from(["interactive", "bulk"]), st.lists(st.integers(1, 150), min_size=1, max_size=12)),
        min_size=1,
        max_size=12,
    )
)
def test_every_text_gets_its_own_vector_in_bounded_batches(requests: list[tuple[Any, list[int]]]) -> None:
    scheduler = Scheduler(
        batch_tokens=100, bulk_batch_tokens=50, queue_tokens=1_000_000, queue_seconds=1000, processors=3
    )
    recorder = Recorder()
    encoder = cast(DenseEncoder, recorder)
    futures = [
        scheduler.submit(encoder, [text(f"{number}/{place}", tokens) for place, tokens in enumerate(sizes)], lane)
        for number, (lane, sizes) in enumerate(requests)
    ]
    scheduler.start()
    for future, (_, sizes) in zip(futures, requests, strict=True):
        assert future.result(10)[:, 0].tolist() == sizes
    scheduler.stop()
    assert all(state.waiting_tokens == 0 for state in scheduler.lanes.values())
    names = [name for batch in recorder.batches for name in batch]
    assert len(names) == len(set(names)) == sum(len(sizes) for _, sizes in requests)
    for batch in recorder.batches:
        lanes = {requests[int(name.split("/")[0])][0] for name in batch}
        widths = [requests[int(number)][1][int(place)] for number, place in (name.split("/") for name in batch)]
        assert len(lanes) == 1
        budget = 100 if lanes == {"interactive"} else 50
        assert len(batch) == 1 or max(widths) * len(batch) <= budget
