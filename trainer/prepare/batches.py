"""Batches: the rows that are trained on together.

Some losses take the documents of other rows for negatives. Two answers to one question in a batch would punish each
other, so the rows of a group are spread over the batches. Texts of similar length share a batch, because every text is
padded to the longest. All batches have nearly equal size: a last batch of one row would teach such a loss nothing.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

# The number of batches that share a range of lengths: enough to spread a group over.
_BATCHES_PER_RANGE = 16


class SpreadBatchSampler(DefaultBatchSampler):
    """Batches of nearly equal size that spread groups and keep lengths together, different in each epoch.

    `groups` and `lengths` have the group and the length in characters of each row.
    """

    def __init__(
        self, groups: Sequence[int], lengths: Sequence[int], *, batch_size: int, generator: torch.Generator, seed: int
    ) -> None:
        rows: Any = range(len(groups))
        super().__init__(rows, batch_size, drop_last=False, generator=generator, seed=seed)
        self._generator = generator
        self._groups = groups
        self._lengths = lengths
        self._count = max(1, -(-len(groups) // batch_size))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        self._generator.manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self._groups), generator=self._generator).tolist()
        order.sort(key=self._lengths.__getitem__)
        ranges = max(1, round(self._count / _BATCHES_PER_RANGE))
        batches: list[list[int]] = []
        for number in range(ranges):
            first, last = number * self._count // ranges, (number + 1) * self._count // ranges
            rows = order[first * len(order) // self._count : last * len(order) // self._count]
            batches += self._spread(rows, last - first)
        for number in torch.randperm(len(batches), generator=self._generator).tolist():
            yield batches[number]

    def _spread(self, rows: Sequence[int], count: int) -> list[list[int]]:
        """Divide `rows` into `count` batches: the largest groups first, each row into the emptiest of the batches with
        the fewest rows of its group."""
        sizes = Counter(self._groups[row] for row in rows)
        shuffled = [rows[index] for index in torch.randperm(len(rows), generator=self._generator).tolist()]
        shuffled.sort(key=lambda row: (-sizes[self._groups[row]], self._groups[row]))
        batches: list[list[int]] = [[] for _ in range(count)]
        emptiest = [(0, number) for number in range(count)]
        waiting: list[tuple[int, int]] = []
        group = None
        for row in shuffled:
            if self._groups[row] != group or len(waiting) == count:
                group = self._groups[row]
                for entry in waiting:
                    heapq.heappush(emptiest, entry)
                waiting = []
            size, number = heapq.heappop(emptiest)
            batches[number].append(row)
            waiting.append((size + 1, number))
        return batches


def sampler(groups: Sequence[int], lengths: Sequence[int]) -> Callable[..., SpreadBatchSampler]:
    """A factory for `SentenceTransformerTrainingArguments(batch_sampler=...)`."""

    def make(_: Any, batch_size: int, generator: torch.Generator, seed: int, **__: Any) -> SpreadBatchSampler:
        return SpreadBatchSampler(groups, lengths, batch_size=batch_size, generator=generator, seed=seed)

    return make
