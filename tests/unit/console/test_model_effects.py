"""What a confirmation says is what the API has said."""

from typing import Any

import pytest

from service.console.screens import model_effects

INFO = {"model": "base@1", "generation": 3, "documents": 964, "reload": None}
CHECKPOINT = {"name": "tuned", "model": "tuned@2", "size": 92_000_000, "fingerprint": "new", "source": "zip"}
ACTIVE = {"generation": 3, "state": "active", "fingerprint": "old"}
RELOAD: dict[str, Any] = {"kind": "dense", "rate": 23.4}


def text(sentences: list[str]) -> str:
    return "\n".join(sentences)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "under a second"), (1, "1 second"), (42, "42 seconds"), (180, "3 minutes"), (9000, "2.5 hours")],
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert model_effects.duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(400, "0 kB"), (92e6, "92 MB"), (2.5e9, "2.5 GB")])
def test_sizes_are_words(count: int, words: str) -> None:
    assert model_effects.size(count) == words


def test_a_reload_says_what_it_embeds_and_how_long_that_takes() -> None:
    said = text(model_effects.of_reload(CHECKPOINT, INFO, [ACTIVE], [{"kind": "dense", "rate": None}, RELOAD]))
    assert "at most 964 documents, in 41 seconds at 23 a second" in said
    assert "tuned@2 (92 MB)" in said
    assert "generation 3 can be returned to" in said


def test_a_reload_says_nothing_of_time_that_nobody_measured() -> None:
    said = text(model_effects.of_reload(CHECKPOINT, INFO, [ACTIVE], [{"kind": "reranker", "rate": 5.0}]))
    assert "at most 964 documents. Vectors" in said


def test_a_reload_with_the_fingerprint_of_a_living_generation_embeds_nothing() -> None:
    alike = {"generation": 2, "state": "retained", "fingerprint": "new"}
    assert "those of generation 2" in text(model_effects.of_reload(CHECKPOINT, INFO, [ACTIVE, alike], []))
    released = alike | {"state": "released"}
    assert "964 documents" in text(model_effects.of_reload(CHECKPOINT, INFO, [ACTIVE, released], []))


def test_a_reload_of_what_answers_changes_nothing() -> None:
    said = text(model_effects.of_reload(CHECKPOINT | {"model": "base@1"}, INFO, [ACTIVE], []))
    assert "would change nothing" in said


@pytest.mark.parametrize(
    ("state", "reload", "embed", "words"),
    [
        ("active", False, 0, "nothing would change"),
        ("retained", False, 0, "under a second"),
        ("retained", False, 2, "written since: 2 documents"),
        ("retained", True, 2, "under its number"),
        ("released", True, 964, "under a new number"),
    ],
)
def test_a_rollback_says_where_it_leads(state: str, reload: bool, embed: int, words: str) -> None:
    plan = {
        "generation": 2,
        "model": "former@0",
        "state": state,
        "reload": reload,
        "embed": embed,
        "seconds": None,
    }
    said = text(model_effects.of_rollback(plan, INFO))
    assert words in said
    assert "former@0" in said


SHADOWED = {
    "searches": 1204,
    "skipped": 0,
    "overlap": 0.58,
    "same_first": 0.7,
    "score_shift": -0.02,
    "active_ms": 9.0,
    "shadow_ms": 12.0,
}


def test_the_shadow_says_what_it_found() -> None:
    said = text(model_effects.shadow_findings(SHADOWED))
    assert "1,204" in said
    assert "58% of the documents and 70% of the first" in said
    assert "0.020 lower" in said
    assert "12.0 ms in it, and 9.0 ms in the active one" in said
    assert "min_score" not in text(model_effects.shadow_findings(SHADOWED | {"score_shift": 0.0001}))
    assert "No search" in text(model_effects.shadow_findings(SHADOWED | {"searches": 0}))
    assert model_effects.shadow_findings(None) == []


@pytest.mark.parametrize(
    ("active", "building", "falls_by"),
    [(0.458, 0.397, "0.061"), (0.458, 0.458, None), (0.4584, 0.4576, None), (0, 1, None)],
)
def test_a_loss_is_told_with_its_size(active: float, building: float, falls_by: str | None) -> None:
    said = model_effects.loss({"active": {"ndcg": active}, "building": {"ndcg": building}})
    if falls_by is None:
        assert said is None
    else:
        assert f"falls by {falls_by}, from {active:.3f} to {building:.3f}" in str(said)
    assert model_effects.loss(None) is None


def test_a_cancellation_says_what_is_kept() -> None:
    job = {"stage": "embed", "done": 588, "total": 962, "model": "tuned", "checkpoint": None}
    assert "Embedded: 588 of 962 documents." in text(model_effects.of_cancellation(job))
    assert "vectors" not in text(model_effects.of_cancellation(job | {"done": 0, "total": 0}))
    assert "leaves the shadow" in text(model_effects.of_cancellation(job | {"stage": "shadow", "shadowed": SHADOWED}))


def test_a_deletion_says_who_needs_it_and_what_goes() -> None:
    checkpoint = CHECKPOINT | {"copied": True, "note": "ours"}
    assert "used by generation 2" in text(model_effects.of_deletion(checkpoint, ["generation 2"]))
    said = text(model_effects.of_deletion(checkpoint, []))
    assert "92 MB" in said
    assert "note" in said
    broken = {"name": "torn", "source": "folder", "copied": False, "note": None}
    assert "torn is deleted" in text(model_effects.of_deletion(broken, []))
    assert "cannot be deleted" in text(model_effects.of_deletion(checkpoint | {"source": "bundled"}, []))


def test_judgements_are_told_with_their_interval() -> None:
    judged = {
        "queries": 60,
        "active": {"ndcg": 0.61},
        "building": {"ndcg": 0.66},
        "better": 44,
        "worse": 16,
        "interval": (0.01, 0.09),
    }
    said = text(model_effects.judge_findings(judged))
    assert "from 0.610 to 0.660, with 95% certainty by +0.010 to +0.090: 44 are better, 16 worse" in said
    assert "95%" not in text(model_effects.judge_findings(judged | {"interval": None}))
    assert "Nobody" in text(model_effects.judge_findings(None))
