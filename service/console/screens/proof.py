"""The trainer's proof in a checkpoint's lineage, in words. Anybody may have written it, so no part of it is sure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Lineage = Mapping[str, Any]
# The trainer's verdicts, as docs/tuning.md explains them.
VERDICTS: Mapping[str, str] = {
    "PROMOTE": "better, beyond doubt",
    "HOLD": "perhaps better",
    "REJECT": "worse, or it forgot too much",
    "INSUFFICIENT": "too few test questions to say",
}
# Metrics that are shown, and characters of a word that somebody made up.
_METRICS, _CHARACTERS = 10, 80
# The metrics that stand for all others in a list.
_MAIN = ("nDCG@10", "recall@10")
_NONE = "not known"


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of base and tuned model, and their difference, each with its 95% interval."""

    metric: str
    base: str
    tuned: str
    difference: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A run of the trainer: its verdict, what that means, what it trained on, and what it measured."""

    verdict: str
    meaning: str
    trained: str
    figures: tuple[Figure, ...]
    outcome: str

    @property
    def tone(self) -> str:
        """Return the class of its tag: good, bad, or none."""
        return {"PROMOTE": "good", "REJECT": "bad"}.get(self.verdict, "")

    @property
    def main(self) -> tuple[Figure, ...]:
        """Return the figures that a list shows."""
        return tuple(figure for figure in self.figures if figure.metric in _MAIN) or self.figures[:1]


def proof(lineage: Lineage) -> Proof | None:
    """Return what a lineage says of the run that made the checkpoint; None if no run did."""
    verdict = lineage.get("verdict")
    outcome = verdict.get("outcome") if isinstance(verdict, Mapping) else None
    if not isinstance(outcome, str) or not outcome:
        return None
    metrics = _mapping(lineage, "metrics")
    return Proof(
        verdict=outcome[:_CHARACTERS],
        meaning=VERDICTS.get(outcome, ""),
        trained=_trained(lineage),
        figures=tuple(_figures(metrics))[:_METRICS],
        outcome=_outcome(metrics),
    )


def _trained(lineage: Lineage) -> str:
    """Say what the model was trained on, as far as it is known."""
    base, data = lineage.get("base"), _mapping(lineage, "data")
    name = base.get("id") if isinstance(base, Mapping) else base
    begins = f"Trained from {name[:_CHARACTERS]}" if isinstance(name, str) else "Trained"
    counts = (
        (_mapping(data, "queries").get("train"), "queries"),
        (data.get("judgements"), "judgements"),
        (data.get("documents"), "documents"),
    )
    parts = [f"{number:,.0f} {word}" for number, word in counts if _is_number(number)]
    return f"{begins} on {', '.join(parts)}" if parts else begins if name else ""


def _figures(metrics: Lineage) -> Iterator[Figure]:
    scores = _mapping(metrics, "scores")
    for metric, difference in _mapping(metrics, "differences").items():
        base, tuned = (_interval(_mapping(_mapping(scores, side), metric)) for side in ("base", "tuned"))
        change = _interval(difference, "+") if isinstance(difference, Mapping) else None
        if change is not None:
            yield Figure(str(metric)[:_CHARACTERS], base or _NONE, tuned or _NONE, change)


def _outcome(metrics: Lineage) -> str:
    counts = [(metrics.get(name), word) for name, word in (("wins", "better"), ("losses", "worse"), ("ties", "equal"))]
    parts = [f"{number:,.0f} {word}" for number, word in counts if _is_number(number)]
    return f"Test questions: {', '.join(parts)}" if parts else ""


def _interval(estimate: Lineage, sign: str = "") -> str | None:
    """An estimate with its interval: `0.512 [0.480, 0.544]`; None if it is none."""
    numbers = [estimate.get(name) for name in ("value", "low", "high")]
    if not all(map(_is_number, numbers)):
        return None
    value, low, high = (f"{number:{sign}.3f}" for number in numbers)
    return f"{value} [{low}, {high}]"


def _mapping(content: Lineage, name: str) -> Lineage:
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}


def _is_number(value: Any) -> bool:
    """Say whether it is a number that a figure can have; `true` and numbers of thousands of digits are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
