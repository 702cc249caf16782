"""Batches of training rows: every row once, even sizes, groups spread, lengths together."""

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.prepare.batches import SpreadBatchSampler


def batches(groups: list[int], lengths: list[int], size: int, epoch: int = 0) -> list[list[int]]:
    sampler = SpreadBatchSampler(groups, lengths, batch_size=size, generator=torch.Generator(), seed=1)
    sampler.set_epoch(epoch)
    made = list(sampler)
    assert len(made) == len(sampler)
    return made


@given(
    rows=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 500)), min_size=1, max_size=300),
    size=st.integers(2, 40),
)
def test_every_row_is_in_one_batch_and_batches_are_of_nearly_equal_size(rows: list[tuple[int, int]], size: int) -> None:
    groups, lengths = map(list, zip(*rows, strict=True))
    made = batches(groups, lengths, size)
    assert sorted(row for batch in made for row in batch) == list(range(len(rows)))
    sizes = [len(batch) for batch in made]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


@given(groups=st.lists(st.integers(0, 20), min_size=1, max_size=200), size=st.integers(16, 64))
def test_a_group_is_spread_over_the_batches_as_thinly_as_it_can_be(groups: list[int], size: int) -> None:
    made = batches(groups, [1] * len(groups), size)
    for group, count in Counter(groups).items():
        most = max(sum(groups[row] == group for row in batch) for batch in made)
        assert most <= -(-count // len(made))


def test_two_answers_to_one_question_share_no_batch_where_there_are_batches_enough() -> None:
    groups = [row // 4 for row in range(256)]
    for batch in batches(groups, list(range(256)), 32):
        assert len({groups[row] for row in batch}) == len(batch)


def test_texts_of_like_length_share_a_batch_where_there_are_many() -> None:
    lengths = [(row * 7919) % 4096 for row in range(4096)]
    spans = [
        max(lengths[row] for row in batch) - min(lengths[row] for row in batch)
        for batch in batches(lengths, lengths, 32)
    ]
    assert max(spans) <= 4096 / 8 + 1


def test_epochs_differ_and_repeat() -> None:
    groups = list(range(64))
    assert batches(groups, groups, 8, epoch=0) == batches(groups, groups, 8, epoch=0)
    assert batches(groups, groups, 8, epoch=0) != batches(groups, groups, 8, epoch=1)


def test_fewer_rows_than_a_batch_are_one_batch_and_not_none() -> None:
    assert [sorted(batch) for batch in batches([0, 1, 2], [1, 1, 1], 64)] == [[0, 1, 2]]
