"""The canonical form is read as it was written, and no qrel is lost or made up silently."""

import errno
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data import beir, formats
from trainer.data.dataset import SPLITS, Dataset, Document, Judgement, Split
from trainer.errors import BadData, DiskFull

DATA = Path(__file__).parents[3] / "support" / "data"

IDS = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n"), min_size=1, max_size=8).filter(str.strip)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(str.strip)
DOCUMENTS = st.builds(Document, TEXTS, st.just("") | TEXTS) | st.builds(Document, st.just(""), TEXTS)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    queries = draw(st.dictionaries(IDS, TEXTS, min_size=1, max_size=6))
    corpus = draw(st.dictionaries(IDS, DOCUMENTS, min_size=1, max_size=6))
    judgement = st.builds(
        Judgement, st.sampled_from(sorted(queries)), st.sampled_from(sorted(corpus)), st.booleans(), st.booleans()
    )
    judgements = draw(st.lists(judgement, unique=True, max_size=15))
    splits: dict[str, Split] = {}
    if draw(st.booleans()):
        judged = sorted({one.query for one in judgements if not one.weak})
        splits = {query: draw(st.sampled_from(SPLITS)) for query in judged}
    return Dataset(queries, corpus, tuple(judgements), splits)


@given(datasets())
def test_what_is_written_is_read(dataset: Dataset) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "set"
        beir.write(dataset, folder)
        found = beir.read(folder)
    assert found.queries == dataset.queries
    assert found.corpus == dataset.corpus
    assert set(found.judgements) == set(dataset.judgements)
    assert found.splits == dataset.splits
    assert found.digest == dataset.digest


def test_a_pair_of_several_sources_is_written_once_with_the_highest_weight(tmp_path: Path) -> None:
    judgements = (
        Judgement("q", "d", good=True, weight=0.3, source="click"),
        Judgement("q", "d", good=True, weight=0.9, source="feedback"),
        Judgement("q", "d", good=True, weight=0.5, source="click"),
        Judgement("q", "e", good=False, weight=0.3, source="click"),
        Judgement("q", "e", good=False),
    )
    dataset = Dataset({"q": "ask"}, {"d": Document("one"), "e": Document("two")}, judgements)
    beir.write(dataset, tmp_path / "set")
    kept = beir.read(tmp_path / "set")
    assert set(kept.judgements) == {judgements[1], judgements[4]}
    assert kept.weights() == dataset.weights() == {("q", "d"): 0.9}


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(DATA / "beir", folder / "beir"))


def test_scores_of_0_and_less_are_bad(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with (folder / "qrels" / "train.tsv").open("a") as file:
        file.write("q1\tc90\t-1\nq1\tc201\t0.5\n")
    dataset = beir.read(folder)
    assert dataset.good()["q1"] == {"c124", "c201"}
    assert dataset.bad()["q1"] == {"c105", "c90"}


@pytest.mark.parametrize("name", ["dev", "validation", "val", "valid"])
def test_dev_has_several_names(name: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "qrels" / "validation.tsv").rename(folder / "qrels" / f"{name}.tsv")
    assert beir.read(folder).splits == {"q1": "train", "q2": "dev", "q3": "test"}


def test_weak_judgements_are_no_persons_and_have_no_split() -> None:
    dataset = beir.read(DATA / "beir")
    assert [judgement for judgement in dataset.judgements if judgement.weak] == [Judgement("q4", "c105", True, True)]
    assert "q4" not in dataset.splits
    assert "q4" not in dataset.good()
    assert dataset.good("train")["q4"] == {"c105"}


@pytest.mark.parametrize(
    ("file", "row", "said"),
    [
        ("qrels/test.tsv", "q3\tc352\t1", "query 'q3' and document 'c352' were judged the same before"),
        ("qrels/test.tsv", "q3\tc352\t2", "query 'q3' and document 'c352' were judged the same before"),
        ("qrels/test.tsv", "q3\tc0\t1", "no document has the id 'c0'"),
        ("qrels/test.tsv", "q9\tc352\t1", "no query has the id 'q9'"),
        ("qrels/test.tsv", "q1\tc352\t1", "query 'q1' is in train as well"),
        ("qrels/test.tsv", "q3\tc201\tgood", "the score is 'good', which is not a number"),
        ("qrels/test.tsv", "q3\tc201\tnan", "the score is not a number"),
        ("qrels/test.tsv", "q3\tc201", "has 2 cells where the header has 3"),
        ("negatives.tsv", "q3\tc261", "were judged the same before"),
        ("negatives.tsv", "q4\tc261", "query 'q4' is in no qrels file"),
        ("corpus.jsonl", '{"_id": "c90", "text": "other"}', "the id 'c90' stands for another document before"),
        ("corpus.jsonl", '{"_id": "c91", "title": "", "text": " "}', "the text is empty"),
        ("corpus.jsonl", '{"_id": "c91"}', "the text is missing"),
        ("corpus.jsonl", '{"text": "x"}', "`_id` is missing"),
        ("queries.jsonl", '{"_id": "q1", "text": "other"}', "the id 'q1' stands for another query before"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_problem_and_not_silent(file: str, row: str, said: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with (folder / file).open("a") as target:
        target.write(row + "\n")
    number = len((folder / file).read_text().splitlines())
    with pytest.raises(BadData, match="--skip-bad"):
        beir.read(folder)
    imported = formats.load(folder, "beir", skip_bad=True)
    assert [problem.location for problem in imported.problems] == [f"{file}:{number}"]
    assert said in imported.problems[0].reason
    assert imported.dataset.digest == beir.read(DATA / "beir").digest


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("qrels/dev2.tsv", "query-id\tcorpus-id\tscore\n", "qrels/dev2.tsv is of no known split"),
        ("qrels/all.tsv", "query-id\tcorpus-id\tscore\n", "for judgements without a split, but others have one"),
        ("qrels/train.tsv", "q1\tc124\t1\n", "qrels/train.tsv:1 must be the header"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(file: str, content: str, said: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(BadData, match=said):
        formats.load(folder, "beir", skip_bad=True)


def test_a_folder_without_qrels_says_what_a_folder_has(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    shutil.rmtree(folder / "qrels")
    with pytest.raises(BadData, match=r"has no qrels: a BEIR folder has corpus.jsonl"):
        beir.read(folder)


def test_nothing_is_written_over_and_nothing_by_halves(tmp_path: Path) -> None:
    dataset = beir.read(DATA / "beir")
    beir.write(dataset, tmp_path / "set")
    with pytest.raises(BadData, match="is there already"):
        beir.write(dataset, tmp_path / "set")
    tabbed = Dataset({"a\tb": "x"}, dataset.corpus, ())
    with pytest.raises(BadData, match="take out tabs"):
        beir.write(tabbed, tmp_path / "tabbed")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_corpus_is_found_by_its_file_and_by_its_folder() -> None:
    assert beir.read_corpus(DATA / "beir") == beir.read_corpus(DATA / "beir" / "corpus.jsonl")
    assert beir.read_corpus(DATA / "beir") == beir.read(DATA / "beir").corpus


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(DiskFull, match="make room and start again"):
        beir.write(beir.read(DATA / "beir"), tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_a_corpus_that_a_service_exports_is_one(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        '{"id": "a", "collection": "default", "text": "One.", "metadata": {}, "cursor": 1}'
    )
    assert beir.read_corpus(tmp_path / "corpus.jsonl") == {"a": Document("One.")}
