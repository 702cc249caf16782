"""Propensities are measured where documents stood at several ranks, and assumed where nothing was measured."""

from collections.abc import Iterable

import numpy as np
import pytest

from service.learning.base import Impressions
from service.learning.propensity import Propensities, assumed, estimate

CURVE = {1: 1.0, 2: 0.8, 3: 0.7, 4: 0.65, 5: 0.6}


def swapped(clicks: float, ranks: Iterable[int] = CURVE, generations: int = 2) -> list[Impressions]:
    """Documents of unlike appeal that generations show at other ranks each, clicked as often as CURVE says."""
    ranks = list(ranks)
    rows = []
    for document, appeal in enumerate((0.9, 0.5, 0.2, 0.1, 0.6)[: len(ranks)]):
        for generation in range(generations):
            rank = ranks[(document + generation) % len(ranks)]
            shown = round(clicks * 1000)
            clicked = round(shown * appeal * CURVE[rank])
            rows.append(Impressions("docs", "q", str(document), generation, rank, shown, clicked))
    return rows


def test_documents_at_several_ranks_tell_the_curve_whatever_their_appeal() -> None:
    measured = estimate(swapped(100))
    assert measured.chance == pytest.approx(list(CURVE.values()), rel=0.02)
    assert measured.enough
    assert (measured.evidence > 50).all()


def test_without_swaps_the_assumed_curve_stands() -> None:
    rows = swapped(100, generations=1)
    assert estimate(rows).chance == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert not estimate(rows).enough
    assert not estimate([]).enough
    assert len(estimate([]).chance) == 1


def test_one_generation_alone_is_no_experiment() -> None:
    # One generation shows a document at several ranks if a filter removes others, and a filter tells what is wanted.
    rows = [Impressions("docs", "q", "a", 1, rank, 1000, 900) for rank in (1, 2)]
    assert list(estimate(rows).chance) == [1, 1 / 2]


def test_the_way_from_the_assumed_curve_to_the_measured_one_is_smooth() -> None:
    chances = [float(estimate(swapped(size)).chance[3]) for size in (0.005, 0.02, 0.1, 0.5, 2.5, 100)]
    assert chances == sorted(chances)
    assert chances[0] == pytest.approx(1 / 4, abs=0.05)
    assert chances[-1] == pytest.approx(CURVE[4], rel=0.02)
    assert max(np.diff(chances)) < 0.25


def test_ranks_that_no_swap_connects_keep_the_assumed_curve() -> None:
    measured = estimate([*swapped(100, (1, 2)), Impressions("docs", "q", "z", 1, 10, 1000, 10)])
    assert measured.chance[1] == pytest.approx(0.8, rel=0.02)
    assert measured.chance[9] < 0.2
    assert measured.evidence[9] == 0


def test_a_document_that_is_nearly_always_at_one_rank_is_little_evidence() -> None:
    rows = [Impressions("docs", "q", "a", 1, 1, 100_000, 50_000), Impressions("docs", "q", "a", 2, 2, 10, 9)]
    assert estimate(rows).evidence[1] < 10
    # Its click-through rates alone would make the second rank nearly twice as visible as the first.
    assert estimate(rows).chance[1] < 0.75


def test_beyond_the_last_rank_the_chance_goes_on_falling() -> None:
    chances = Propensities(np.array([1.0, 0.8]), np.zeros(2)).at(np.array([1, 2, 4, 8]))
    assert chances == pytest.approx([1, 0.8, 0.4, 0.2])
    assert assumed(3).at(np.array([1, 3, 6])) == pytest.approx([1, 1 / 3, 1 / 6])


def test_clicks_that_nobody_made_stop_nothing() -> None:
    rows = [Impressions("docs", "q", "a", generation, rank, 0) for generation, rank in ((1, 1), (2, 2))]
    assert list(estimate(rows).chance) == [1, 1 / 2]
