"""The plots of a report as inline SVG, drawn in the page's own colours (`currentColor` and its classes)."""

from collections.abc import Mapping, Sequence
from math import log10

from markupsafe import Markup, escape

from trainer.prove.report.model import Query

_WIDTH, _HEIGHT = 560, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 16, 44
_MODELS = ("base", "tuned", "bm25")


def recall_by_k(curves: Mapping[str, Sequence[float]]) -> Markup:
    """The recall of the models by K."""
    most = len(curves["base"])

    def position(k: int, recall: float) -> tuple[float, float]:
        return _across((k - 1) / (most - 1)), _up(recall)

    parts = [_rule(_up(tick / 5), f"{tick / 5:.1f}") for tick in range(6)]
    parts += [_tick(_across((k - 1) / (most - 1)), str(k)) for k in (1, 5, 10, 15, 20) if k <= most]
    for name in _MODELS:
        points = " ".join("{:.1f},{:.1f}".format(*position(k, recall)) for k, recall in enumerate(curves[name], 1))
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(name, points))
        parts += [
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}, K {}: {:.3f}</title></circle>').format(
                name, *position(k, recall), name, k, recall
            )
            for k, recall in enumerate(curves[name], 1)
        ]
    parts.append(_axes("passages, K", "recall"))
    ends = "; ".join(f"{name} {curves[name][0]:.2f} at 1 and {curves[name][-1]:.2f} at {most}" for name in _MODELS)
    return _svg("Recall by K", ends, parts)


def ranks(queries: Sequence[Query]) -> Markup:
    """The rank of each query's first good document before and after, on logarithmic axes. Below the line is better."""
    most = max([10, *(rank for query in queries for rank in (query.good_before, query.good_after))])
    span = log10(most)

    def share(rank: int) -> float:
        return log10(rank) / span

    ticks = [tick for tick in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000) if tick <= most]
    parts = [_rule(_up(share(tick)), f"{tick:,}") for tick in ticks]
    parts += [_tick(_across(share(tick)), f"{tick:,}") for tick in ticks]
    parts.append(
        Markup('<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
            _across(0), _up(0), _across(1), _up(1)
        )
    )
    for query in queries:
        parts.append(
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}: {} to {}</title></circle>').format(
                _way(query.good_before - query.good_after),
                _across(share(query.good_before)),
                _up(share(query.good_after)),
                query.text,
                query.good_before,
                query.good_after,
            )
        )
    parts.append(
        Markup('<text class="side" x="{}" y="{}" text-anchor="end">better</text>').format(_across(1), _up(0.04))
    )
    parts.append(Markup('<text class="side" x="{}" y="{}">worse</text>').format(_across(0.02), _up(0.94)))
    parts.append(_axes("rank before", "rank after"))
    better = sum(query.good_after < query.good_before for query in queries)
    worse = sum(query.good_after > query.good_before for query in queries)
    return _svg("Rank of the first good document, before and after", f"{better} nearer the top, {worse} further", parts)


def changes(queries: Sequence[Query]) -> Markup:
    """The change of each query's nDCG@10 as a bar, from the largest loss to the largest gain."""
    by_change = sorted((query.ndcg_after - query.ndcg_before, query.text) for query in queries)
    width = (_WIDTH - _LEFT - _RIGHT) / max(1, len(by_change))
    parts = [_rule(_up((tick + 2) / 4), f"{tick / 2:+.1f}" if tick else "0") for tick in range(-2, 3)]
    for number, (change, text) in enumerate(by_change):
        top, bottom = sorted((_up(0.5), _up((change + 1) / 2)))
        parts.append(
            Markup(
                '<rect class="{}" x="{:.2f}" y="{:.1f}" width="{:.2f}" height="{:.1f}">'
                "<title>{}: {:+.3f}</title></rect>"
            ).format(
                _way(change), _LEFT + number * width, top, max(0.6, width * 0.85), max(0.8, bottom - top), text, change
            )
        )
    parts.append(_axes("queries, from the largest loss to the largest gain", "change of nDCG@10"))
    wins, losses = sum(change > 0 for change, _ in by_change), sum(change < 0 for change, _ in by_change)
    return _svg("Wins and losses", f"{wins} queries are better, {losses} worse", parts)


def _way(gain: float) -> str:
    return "better" if gain > 0 else "worse" if gain < 0 else "equal"


def _across(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _up(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _rule(y: float, label: str) -> Markup:
    return Markup(
        '<line class="rule" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>'
        '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(_LEFT, y, _WIDTH - _RIGHT, y, _LEFT - 8, y + 4, label)


def _tick(x: float, label: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, _HEIGHT - _BOTTOM + 18, label)


def _axes(across: str, up: str) -> Markup:
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    return Markup(
        '<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
        '<text class="axis" x="{}" y="{:.1f}" text-anchor="middle" transform="rotate(-90 {} {:.1f})">{}</text>'
    ).format((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, across, 12, middle, 12, middle, up)


def _svg(title: str, description: str, parts: Sequence[Markup]) -> Markup:
    name = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title>'
        '<desc id="{}-d">{}</desc>{}</svg>'
    ).format(_WIDTH, _HEIGHT, name, name, name, title, name, description, Markup("\n").join(map(escape, parts)))
