"""A lane: the texts that wait there, and which of them form the next batch. The scheduler's lock guards it."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice

from opentelemetry.trace import Span

from service.machine.arrays import Vectors
from service.models.base import Batchable, Cores, Lane, Prepared
from service.models.scheduling.batching import by_length, in_order

# Texts, of those that have waited longest, out of which a batch is formed: by length, and in the order of arrival. By
# length there are more to choose from for a large budget, one for each so many tokens.
_LOOKED_AT, _IN_ORDER, _PER_TEXT = 256, 48, 16
# Tokens with which a batch has most of the rate that a larger one has (`make bench-budget`). What waits in the
# interactive lane is shared out among the processors in batches of at least so many.
_ENOUGH_TOKENS = 128
# Each token of a sequence is compared with all others, so that more texts in one of so many tokens cost more than they
# save.
_SEQUENCE_TOKENS = 256


@dataclass(slots=True, eq=False)
class Request:
    """The texts of one submission; `order` holds the places that are not in a batch yet, longest text first."""

    encoder: Batchable
    items: Sequence[Prepared]
    future: "Future[Vectors]"
    order: deque[int]
    rows: list[Vectors | None]
    missing: int
    waiting_tokens: int
    patient: bool
    submitted: float
    span: Span


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that are computed together, each as its request and its place there; `waited` in seconds."""

    encoder: Batchable
    places: list[tuple[Request, int]]
    cores: Cores
    padded: int
    waited: list[float]


@dataclass(slots=True)
class LaneState:
    """Work done by a lane, and work that waits; `rate` is tokens per second, 0 before the first batch."""

    waiting_tokens: int = 0
    running: int = 0
    rate: float = 0.0
    batches: int = 0
    texts: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    requests: "deque[Request]" = field(default_factory=deque, repr=False)

    def drop_abandoned(self) -> None:
        """Take out requests that have nothing left to run: complete, failed, or given up by their caller."""
        for request in [request for request in self.requests if not request.order or request.future.done()]:
            self.waiting_tokens -= request.waiting_tokens
            self.requests.remove(request)

    def chosen(self, lane: Lane, budget: int, processors: int) -> list[tuple[Request, int]]:
        """The texts of the next batch: the first request's longest, and what costs the least beside it."""
        head = self.requests[0]
        encoder, longest = head.encoder, head.items[head.order[0]]
        part = encoder.part(longest)
        looked_at = max(_LOOKED_AT, budget // _PER_TEXT)
        candidates = (
            (request, place)
            for request in self.requests
            if request.encoder is encoder
            for place in islice(request.order, looked_at)
            if request.items[place].kind == longest.kind and encoder.part(request.items[place]) == part
        )
        waiting = list(islice(candidates, _IN_ORDER if encoder.packs else looked_at))
        if lane == "interactive":
            enough = max(_ENOUGH_TOKENS, encoder.overhead)
            budget = min(budget, max(enough, self.waiting_tokens // processors))
        if encoder.packs:
            fitting = in_order(
                [request.items[place].tokens for request, place in waiting], min(budget, _SEQUENCE_TOKENS)
            )
            return [waiting[place] for place in fitting]
        anchor = waiting[0]
        waiting.sort(key=lambda each: each[0].items[each[1]].tokens)
        lengths = [request.items[place].tokens for request, place in waiting]
        return waiting[by_length(lengths, waiting.index(anchor), budget, encoder.overhead)]

    def measure(self, cores: Cores, tokens: int, seconds: float, processors: int) -> None:
        """Let the batch count for a tenth of the rate, so that it follows the load within a second or two."""
        rate = tokens / max(seconds, 1e-9) * (1 if cores == "whole" else processors)
        self.rate = rate if not self.rate else 0.9 * self.rate + 0.1 * rate

    def before(self, lane: Lane, tokens: int, turn: int) -> int:
        """Waiting tokens that come before the last of a new request of so many; a `turn` is what a batch may hold."""
        if lane == "interactive":
            return self.waiting_tokens
        turns = -(-tokens // turn)
        return sum(min(other.waiting_tokens, turn if other.patient else turns * turn) for other in self.requests)
