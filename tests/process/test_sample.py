"""The sample corpus keeps the form that the trainer takes, and stays hard for the base model."""

import shutil
from pathlib import Path

import pytest

from benchmarks.sample import load_sample
from service import ranking, sample
from tests.support.server import Server

# Not even root makes a folder there.
UNWRITABLE = Path("/sys/kernel")


def test_the_form_is_that_of_judged_questions() -> None:
    found = sample.load()
    assert set(found) == {"queries", "corpus", "relevant_docs"}
    assert len(found["corpus"]) >= 300
    assert len(found["queries"]) >= 400
    assert found["relevant_docs"].keys() == found["queries"].keys()
    for good, bad in found["relevant_docs"].values():
        assert good != bad
        assert {good, bad} <= found["corpus"].keys()
    for texts in (found["corpus"], found["queries"]):
        assert len({text.casefold() for text in texts.values()}) == len(texts)
        assert all(text.strip() == text and text for text in texts.values())


@pytest.fixture(scope="module")
def figures(server: Server) -> dict[str, float]:
    """nDCG@10 over the judged queries, by the mode of the search; the service has the base model."""
    judged = load_sample()
    asked = list(judged.good.items())

    def ndcg(mode: str) -> float:
        total = 0.0
        for start in range(0, len(asked), 100):
            part = asked[start : start + 100]
            body = {"query": [judged.queries[query] for query, _ in part], "mode": mode}
            for hits, (_, good) in zip(server.post("/search", body)["results"], part, strict=True):
                total += ranking.ndcg([hit["id"] for hit in hits], good)
        return total / len(asked)

    return {mode: ndcg(mode) for mode in ("dense", "keyword", "hybrid")}


def test_the_base_model_finds_it_hard(figures: dict[str, float]) -> None:
    assert 0.3 < figures["dense"] < 0.65


def test_hybrid_search_finds_more_than_the_better_of_its_parts(figures: dict[str, float]) -> None:
    assert figures["hybrid"] > max(figures["dense"], figures["keyword"]) + 0.05


@pytest.mark.skipif(not UNWRITABLE.exists(), reason="it needs Linux")
def test_a_folder_of_checkpoints_that_cannot_be_written_does_not_keep_the_service_from_starting(
    tmp_path: Path, embedded_sample: Path
) -> None:
    folder = shutil.copytree(embedded_sample, tmp_path / "sample")
    with Server(folder, SAMPLE="true", CHECKPOINTS_DIR=UNWRITABLE) as server:
        assert server.search("How do I close the day?")
        assert server.wait_for("the sample has no second checkpoint")
