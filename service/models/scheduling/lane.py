"""A lane: the texts that wait there, and the choice of those in the next batch. The scheduler's lock guards it."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice

from opentelemetry.trace import Span

from service.machine.arrays import Vectors
from service.models.base import Batchable, Cores, Lane, Prepared
from service.models.scheduling.batching import by_length, in_order

# How many of the longest-waiting texts are considered for a batch: when sorting by length, when keeping arrival order.
# By length, a large budget has more to choose from: one text for every 16 of its tokens.
_BY_LENGTH, _IN_ORDER, _TOKENS_PER_TEXT = 256, 48, 16
# Tokens with which a batch has most of the rate of a larger one (`make bench-budget`). The texts that wait in the
# interactive lane are divided among the processors in batches of at least that many.
_ENOUGH_TOKENS = 128
# Each token of a sequence is compared with all others. Beyond this many tokens, another text costs a sequence more than
# it saves.
_SEQUENCE_TOKENS = 256


@dataclass(slots=True, eq=False)
class Request:
    """The texts of one submission; `order` holds the positions that are not in a batch yet, longest text first."""

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
    """Texts that are computed together, each as its request and its position there.

    `padded` are its tokens with padding; `waited` holds the queueing time, in seconds, of each request that starts with
    it.
    """

    encoder: Batchable
    texts: list[tuple[Request, int]]
    cores: Cores
    padded: int
    waited: list[float]


@dataclass(slots=True)
class LaneState:
    """The work that a lane has done, and the work that waits; `rate` is tokens per second, 0 before the first batch."""

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

    def choose(self, lane: Lane, budget: int, processors: int) -> list[tuple[Request, int]]:
        """The texts of the next batch: the first request's longest, and those that cost the least beside it."""
        head = self.requests[0]
        encoder, longest = head.encoder, head.items[head.order[0]]
        part = encoder.part(longest)
        considered = max(_BY_LENGTH, budget // _TOKENS_PER_TEXT)
        compatible = (
            (request, position)
            for request in self.requests
            if request.encoder is encoder
            for position in islice(request.order, considered)
            if (item := request.items[position]).side_and_prompt == longest.side_and_prompt
            and encoder.part(item) == part
        )
        texts = list(islice(compatible, _IN_ORDER if encoder.packs else considered))
        if lane == "interactive":
            enough = max(_ENOUGH_TOKENS, encoder.overhead)
            budget = min(budget, max(enough, self.waiting_tokens // processors))
        if encoder.packs:
            indices = in_order(list(map(_tokens, texts)), min(budget, _SEQUENCE_TOKENS))
            return [texts[index] for index in indices]
        anchor = texts[0]
        texts.sort(key=_tokens)
        return texts[by_length(list(map(_tokens, texts)), texts.index(anchor), budget, encoder.overhead)]

    def measure(self, cores: Cores, tokens: int, seconds: float, processors: int) -> None:
        """Let the batch count for a tenth of the rate, so that the rate follows the load within a second or two."""
        rate = tokens / max(seconds, 1e-9) * (1 if cores == "whole" else processors)
        self.rate = rate if not self.rate else 0.9 * self.rate + 0.1 * rate

    def tokens_ahead(self, lane: Lane, tokens: int, turn: int) -> int:
        """The waiting tokens that are computed before a new request of `tokens` is done.

        Bulk requests take turns of `turn` tokens, a full batch. So each other one counts for as many turns as the new
        one needs. A patient one counts for a single turn, because it is no reason to refuse others.
        """
        if lane == "interactive":
            return self.waiting_tokens
        turns = -(-tokens // turn)
        return sum(min(request.waiting_tokens, turn if request.patient else turns * turn) for request in self.requests)


def _tokens(text: tuple[Request, int]) -> int:
    request, position = text
    return request.items[position].tokens
