"""Each query before and after tuning, and the rankings of the queries that changed most."""

from collections.abc import Mapping

from service.significance import Floats
from trainer.prove.judged_queries import JudgedQueries
from trainer.prove.rankings import Rankings
from trainer.prove.report.model import Example, Line, Query

# Queries whose rankings are shown: so many of the largest losses, and so many of the largest wins.
_EXAMPLES = 5
_EXAMPLE_DEPTH = 10
_EXAMPLE_CHARACTERS = 240


def outcomes(rankings: Mapping[str, Rankings], queries: JudgedQueries, before: Floats, after: Floats) -> list[Query]:
    """Every query's ranks and its nDCG@10 `before` and `after` (queries), the largest loss first."""
    base, tuned = rankings["base"], rankings["tuned"]
    changes = [
        Query(
            id=query,
            text=queries.dataset.queries[query],
            collection=queries.dataset.collections.get(query),
            good_before=base.best(query, queries.good[query]),
            good_after=tuned.best(query, queries.good[query]),
            bad_before=base.best(query, queries.bad[query]) if queries.bad.get(query) else None,
            bad_after=tuned.best(query, queries.bad[query]) if queries.bad.get(query) else None,
            ndcg_before=float(old),
            ndcg_after=float(new),
        )
        for query, old, new in zip(queries.ids, before, after, strict=True)
    ]
    return sorted(changes, key=lambda query: (query.ndcg_after - query.ndcg_before, query.id))


def examples(rankings: Mapping[str, Rankings], queries: JudgedQueries, change: Floats) -> list[Example]:
    """The largest losses, then the largest wins, by the `change` (queries) of nDCG@10."""
    order = sorted(range(len(queries.ids)), key=lambda row: (change[row], queries.ids[row]))
    losses = [row for row in order if change[row] < 0][:_EXAMPLES]
    wins = [row for row in reversed(order) if change[row] > 0][:_EXAMPLES]
    return [
        Example(
            query=query,
            text=queries.dataset.queries[query],
            collection=queries.dataset.collections.get(query),
            before=_lines(rankings["base"], queries, query),
            after=_lines(rankings["tuned"], queries, query),
        )
        for query in (queries.ids[row] for row in losses + wins)
    ]


def _lines(rankings: Rankings, queries: JudgedQueries, query: str) -> list[Line]:
    good, bad = queries.good[query], queries.bad.get(query, set())
    return [
        Line(
            document=document,
            text=_shortened(queries.dataset.corpus[document].passage),
            judged="good" if document in good else "bad" if document in bad else "",
        )
        for document in rankings.top[query][:_EXAMPLE_DEPTH]
    ]


def _shortened(passage: str) -> str:
    """The beginning of a passage on one line, cut by characters: many languages write no spaces between words."""
    line = " ".join(passage.split())
    return line if len(line) <= _EXAMPLE_CHARACTERS else f"{line[: _EXAMPLE_CHARACTERS - 1]}…"
