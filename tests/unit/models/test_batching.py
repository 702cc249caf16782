"""A batch keeps to its budget, and holds as much as that allows: of one length, or in the order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from service.models.scheduling.batching import by_length, in_order

LENGTHS = st.lists(st.integers(1, 600), min_size=1, max_size=60).map(sorted)


@given(LENGTHS, st.data(), st.integers(1, 1024), st.sampled_from((16, 4096)))
def test_a_batch_holds_its_anchor_and_keeps_to_the_budget(
    lengths: list[int], data: st.DataObject, budget: int, overhead: int
) -> None:
    anchor = data.draw(st.integers(0, len(lengths) - 1))
    chosen = by_length(lengths, anchor, budget, overhead)
    assert chosen.start <= anchor < chosen.stop
    batch = lengths[chosen]
    assert len(batch) == 1 or max(batch) * len(batch) <= budget
    assert len(batch) == 1 or max(batch) * len(batch) - sum(batch) <= overhead + 0.15 * sum(batch)


@given(st.integers(1, 64), st.integers(1, 40), st.integers(0, 39), st.integers(64, 1024))
def test_equal_texts_fill_the_budget(length: int, count: int, anchor: int, budget: int) -> None:
    chosen = by_length([length] * count, min(anchor, count - 1), budget, 16)
    assert chosen.stop - chosen.start == min(count, budget // length)


def test_short_texts_do_not_wait_for_long_ones() -> None:
    assert by_length([8, 9, 10, 200, 210], 0, 1024, 16) == slice(0, 3)
    assert by_length([8, 9, 10, 200, 210], 3, 1024, 16) == slice(3, 5)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=60), st.integers(1, 1024))
def test_in_order_the_first_is_there_and_whoever_there_is_room_for(lengths: list[int], budget: int) -> None:
    chosen = in_order(lengths, budget)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    assert len(chosen) == 1 or sum(lengths[place] for place in chosen) <= budget
    for left in set(range(len(lengths))) - set(chosen):
        before = sum(lengths[place] for place in chosen if place < left)
        assert before + lengths[left] > budget, "there was room for it when it was its turn"
