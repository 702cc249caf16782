"""Every importer on a real file of its format, and what it says of rows that cannot be used."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from service import sample
from trainer.data import formats
from trainer.data.dataset import Dataset, Judgement
from trainer.data.texts import content_id
from trainer.errors import BadData

DATA = Path(__file__).parents[3] / "support" / "data"
FILES = {
    "good-bad": "good_bad.json",
    "llama-index": "llama_index.json",
    "beir": "beir",
    "pairs": "pairs.csv",
    "triplets": "triplets.jsonl",
    "labelled-pairs": "labelled_pairs.csv",
    "flag-embedding": "flag_embedding.jsonl",
    "docsgpt": "docsgpt.jsonl",
    "instar": "instar",
    "ubi": "ubi.jsonl",
    "langfuse": "langfuse.json",
    "open-webui": "open_webui.json",
}
# The one format that has no texts of documents.
CORPUS = {"ubi": DATA / "docsgpt_corpus.jsonl"}
GOOD = {"q1": "c124", "q2": "c201", "q3": "c352"}
BAD = {"q1": "c105", "q2": "c90", "q3": "c261"}


def load(name: str) -> Dataset:
    return formats.load(DATA / FILES[name], name, skip_bad=False, corpus=CORPUS.get(name)).dataset


def by_sample_ids(judged: dict[str, set[str]], dataset: Dataset) -> dict[str, set[str]]:
    """The judgements with the ids that their texts have in the sample corpus, whatever the ids are in the data set."""
    brindle = sample.load()
    queries = {text: key for key, text in brindle["queries"].items()}
    documents = {" ".join(text.split()): key for key, text in brindle["corpus"].items()}
    return {
        queries[dataset.queries[query]]: {documents[" ".join(dataset.corpus[one].text.split())] for one in found}
        for query, found in judged.items()
    }


def sets(pairs: dict[str, str]) -> dict[str, set[str]]:
    return {query: {document} for query, document in pairs.items()}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("good-bad", sets(GOOD), sets(BAD)),
        ("llama-index", {"q1": {"c124"}, "q2": {"c201", "c90"}}, {}),
        ("beir", sets(GOOD), {"q1": {"c105"}, "q3": {"c261"}}),
        ("pairs", sets(GOOD), {}),
        ("triplets", sets(GOOD), sets(BAD)),
        ("labelled-pairs", sets(GOOD), sets(BAD)),
        ("flag-embedding", {"q1": {"c124"}, "q2": {"c201", "c352"}}, {"q1": {"c105", "c261"}}),
        ("docsgpt", {}, {}),
        ("instar", sets(GOOD), {"q1": {"c105"}}),
        ("langfuse", {}, {}),
        ("open-webui", {}, {}),
    ],
)
def test_good_is_good_and_bad_is_bad(name: str, good: dict[str, set[str]], bad: dict[str, set[str]]) -> None:
    dataset = load(name)
    assert by_sample_ids(dataset.good(), dataset) == good
    assert by_sample_ids(dataset.bad(), dataset) == bad


def test_every_format_has_a_file_here() -> None:
    assert list(formats.FORMATS) == list(FILES)


@pytest.mark.parametrize("name", ["", "json", "good_bad"])
def test_a_format_that_is_not_known_lists_all_with_a_line_each(name: str) -> None:
    with pytest.raises(BadData) as refused:
        formats.load(DATA / "good_bad.json", name, skip_bad=True)
    lines = str(refused.value).splitlines()
    for known, form in formats.FORMATS.items():
        assert sum(line.split()[:1] == [known] and form.says in line for line in lines) == 1


def test_the_same_text_has_one_id_in_every_file() -> None:
    pairs, triplets = load("pairs"), load("triplets")
    assert pairs.queries == triplets.queries
    shared = pairs.corpus.keys() & triplets.corpus.keys()
    assert {pairs.corpus[key] for key in shared} == {triplets.corpus[key] for key in shared}
    assert len(shared) == 2
    assert set(pairs.queries) == {content_id(text) for text in pairs.queries.values()}


# Each writes one bad row into an otherwise sound file; the text is what must be said of it.
def _json(change: Callable[[dict[str, Any]], None], source: str) -> bytes:
    found = orjson.loads((DATA / source).read_bytes())
    change(found)
    return orjson.dumps(found)


JSON_PROBLEMS: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lambda found: found["relevant_docs"].update(q3=["c352", "c0"]), "relevant_docs.q3: no document has the id 'c0'"),
    (lambda found: found["relevant_docs"].update(q3=["c352"]), "relevant_docs.q3: has 1 ids"),
    (lambda found: found["relevant_docs"].update(q3=["c352", "c261", "c90"]), "relevant_docs.q3: has 3 ids"),
    (lambda found: found["relevant_docs"].update(q3=["c352", "c352"]), "relevant_docs.q3: has the same document"),
    (lambda found: found["relevant_docs"].update(q3="c352"), "relevant_docs.q3: is 'c352', where a list"),
    (lambda found: found["relevant_docs"].update(q9=["c352", "c261"]), "relevant_docs.q9: no query has the id 'q9'"),
    (lambda found: found["queries"].update(q8=" "), "queries.q8: the text is empty"),
    (lambda found: found["corpus"].update(c8=7), "corpus.c8: the text is 7, which is not text"),
]


@pytest.mark.parametrize(("change", "said"), JSON_PROBLEMS)
def test_a_bad_entry_of_the_questions_is_named_and_left_out(
    change: Callable[[dict[str, Any]], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.json"
    path.write_bytes(_json(change, "good_bad.json"))
    with pytest.raises(BadData, match="--skip-bad") as refused:
        formats.load(path, "good-bad", skip_bad=False)
    assert said in str(refused.value)
    imported = formats.load(path, "good-bad", skip_bad=True)
    assert [said in str(problem) for problem in imported.problems] == [True]
    place = said.split(":", maxsplit=1)[0].removeprefix("relevant_docs.")
    assert imported.dataset.good() == {query: {good} for query, good in GOOD.items() if query != place}
    assert imported.dataset.bad() == {query: {bad} for query, bad in BAD.items() if query != place}


def test_an_id_that_stands_twice_in_the_questions_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "feedback.json"
    path.write_text('{"queries":{"q":"one","q":"two"},"corpus":{"c":"a","d":"b"},"relevant_docs":{"q":["c","d"]}}')
    imported = formats.load(path, "good-bad", skip_bad=True)
    assert [str(problem) for problem in imported.problems] == [
        "feedback.json: the id 'q' stands for something else before"
    ]
    assert imported.dataset.queries == {"q": "one"}


ROW_PROBLEMS: list[tuple[str, str, bytes, str]] = [
    ("pairs", "csv", b"one cell", "has 1 cells where the header has 2"),
    ("pairs", "csv", b"how,", "the good document is empty"),
    ("pairs", "csv", b"\xff\xfe,x", "byte 1 is not UTF-8"),
    ("pairs", "csv", b'"how,why', "is not CSV"),
    (
        "triplets",
        "jsonl",
        b'{"anchor": "how", "positive": "so"}',
        "has no bad document: name its column negative or bad",
    ),
    ("triplets", "jsonl", b'{"anchor": "how", "positive": "so", "negative": "so "}', "the same document for good and"),
    (
        "triplets",
        "jsonl",
        b'{"anchor": "how", "positive": "so", "negative": 3}',
        "the negative document is 3, which is",
    ),
    ("triplets", "jsonl", b'{"positive": "so", "negative": "no"}', "has no query: name its column query or anchor"),
    (
        "triplets",
        "jsonl",
        b'{"anchor": "how", "question": "how", "positive": "so", "negative": "no"}',
        "may both be the",
    ),
    ("labelled-pairs", "csv", b"how,so,0.7", "the label is '0.7', and a loss on labelled pairs learns nothing from"),
    ("labelled-pairs", "csv", b"how,so,nan", "the label is 'nan'"),
    ("labelled-pairs", "csv", b"how,so,yes", "the label is 'yes', which is neither 0 nor 1"),
    ("labelled-pairs", "csv", b"how,so,", "the label is missing"),
    ("flag-embedding", "jsonl", b'{"query": "how", "pos": []}', "`pos` has no document"),
    ("flag-embedding", "jsonl", b'{"query": "how", "pos": "so"}', "`pos` is 'so', where a list of texts is needed"),
    ("flag-embedding", "jsonl", b'{"query": "how", "pos": ["so"], "neg": [""]}', "`neg`[0] is empty"),
    ("flag-embedding", "jsonl", b'["how", "so"]', "is ['how', 'so'], where a JSON object is needed"),
    ("flag-embedding", "jsonl", b'{"query": "how", "pos": ["so', "is not JSON"),
    (
        "docsgpt",
        "jsonl",
        b'{"prompt": "how", "sources": [], "feedback": {"text": "meh"}}',
        "is 'meh', which is neither",
    ),
    (
        "docsgpt",
        "jsonl",
        b'{"prompt": "how", "sources": {"text": "a"}, "feedback": null}',
        "a list of objects is needed",
    ),
    ("docsgpt", "jsonl", b'{"prompt": "how", "sources": [], "feedback": {"text": ["like"]}}', "is ['like'], which is"),
    ("docsgpt", "jsonl", b'{"prompt": "how", "sources": [], "feedback": "{half"}', "'{half' is not JSON"),
    ("docsgpt", "jsonl", b'{"prompt": " ", "sources": [{"text": "a"}], "feedback": "like"}', "the prompt is empty"),
]


@pytest.mark.parametrize(("name", "suffix", "row", "said"), ROW_PROBLEMS)
def test_a_bad_row_is_named_by_its_line_and_left_out(
    name: str, suffix: str, row: bytes, said: str, tmp_path: Path
) -> None:
    sound = load(name)
    path = tmp_path / f"data.{suffix}"
    lines = (DATA / FILES[name]).read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], row, b"\n", *lines[1:]]))
    with pytest.raises(BadData, match="--skip-bad") as refused:
        formats.load(path, name, skip_bad=False)
    assert f"data.{suffix}:2: " in str(refused.value)
    imported = formats.load(path, name, skip_bad=True)
    bad = [str(problem) for problem in imported.problems if problem.severity == "bad"]
    assert len(bad) == 1
    assert said in bad[0]
    assert imported.dataset.judgements == sound.judgements


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ({"query": "how", "positive": "so", "label": 0}, "labelled-pairs"),
        ({"query": "how", "positive": "so", "score": 0.9}, "labelled-pairs"),
        ({"query": "how", "positive": "so", "negative": "no"}, "triplets"),
    ],
)
def test_pairs_do_not_pass_over_a_label_or_a_bad_document(row: dict[str, Any], other: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(orjson.dumps(row))
    with pytest.raises(BadData, match=f"so its format is {other}"):
        formats.load(path, "pairs", skip_bad=True)


def test_a_triplet_may_have_several_bad_documents_and_rows_may_overlap(tmp_path: Path) -> None:
    path = tmp_path / "mined.jsonl"
    rows = [
        {"query": "how", "positive": "so", "negative_1": "no", "negative_2": "never"},
        {"query": "how", "positive": "so", "negative_1": "no", "negative_2": "perhaps"},
    ]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    dataset = formats.load(path, "triplets", skip_bad=False).dataset
    assert dataset.good() == {content_id("how"): {content_id("so")}}
    assert dataset.bad() == {content_id("how"): {content_id(text) for text in ("no", "never", "perhaps")}}
    assert len(dataset.judgements) == 4


@pytest.mark.parametrize("label", [0, 1, 0.0, 1.0, True, False, "0", "1", "1.0", "true", "False"])
def test_labels_of_exactly_0_and_1_are_taken_however_they_are_written(label: Any, tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl"
    path.write_bytes(orjson.dumps({"query": "how", "passage": "so", "label": label}))
    dataset = formats.load(path, "labelled-pairs", skip_bad=False).dataset
    number = {"true": 1, "False": 0}.get(label, label)
    assert bool(dataset.good()) == (float(number) == 1)
    assert bool(dataset.bad()) == (float(number) == 0)


@pytest.mark.parametrize("name", ["pairs", "triplets", "labelled-pairs", "flag-embedding", "docsgpt"])
def test_an_array_of_rows_is_read_as_lines_of_them_are(name: str, tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {
        "pairs": [{"query": "how", "positive": "so"}, {"query": "where", "positive": "here"}],
        "triplets": [{"query": "how", "positive": "so", "negative": "no"}],
        "labelled-pairs": [{"query": "how", "passage": "so", "label": True}],
        "flag-embedding": [{"query": "how", "pos": ["so"], "neg": ["no"]}],
        "docsgpt": [orjson.loads(line) for line in (DATA / "docsgpt.jsonl").read_bytes().splitlines()],
    }
    lines, array, odd = (tmp_path / each for each in ("lines.jsonl", "array.json", "odd.json"))
    lines.write_bytes(b"\n".join(map(orjson.dumps, rows[name])))
    array.write_bytes(b"\xef\xbb\xbf" + orjson.dumps(rows[name], option=orjson.OPT_INDENT_2))
    odd.write_bytes(orjson.dumps([*rows[name], "no row"]))
    of_lines, of_array = (formats.load(path, name, skip_bad=True).dataset for path in (lines, array))
    assert of_array == of_lines
    (problem,) = [
        each for each in formats.load(odd, name, skip_bad=True).problems if f"odd.json[{len(rows[name])}]" in str(each)
    ]
    assert "where a JSON object is needed" in str(problem)


BINARY = [b"\x00\xff\xfe\x9c\x80binary\x1b[2J", b"invalid \xc3\x28,UTF-8"]
RUBBISH = {
    "flag-embedding": [*BINARY, b'{"query": "half a line", "pos', b"[1, 2", b"NaN", b'"a text"'],
    # What has two cells is a row, whatever stands in them.
    "pairs": [*BINARY, b'"unbalanced, quote', b'how,"cut in the mid', b"half a ro", b"1,2,3"],
}


@pytest.mark.parametrize("name", ["flag-embedding", "pairs"])
def test_one_percent_of_rubbish_is_reported_line_by_line_and_costs_nothing_else(name: str, tmp_path: Path) -> None:
    path = tmp_path / ("rows.jsonl" if name == "flag-embedding" else "rows.csv")
    lines = []
    rubbish = set()
    for number in range(2, 3002):
        if number % 100 == 50:
            lines.append(RUBBISH[name][number // 100 % len(RUBBISH[name])])
            rubbish.add(f"{path.name}:{number}")
        elif name == "flag-embedding":
            lines.append(orjson.dumps({"query": f"question {number}", "pos": [f"answer {number}"]}))
        else:
            lines.append(f'question {number},"answer {number}, in quotes"'.encode())
    header = b"query,positive" if name == "pairs" else orjson.dumps({"query": "q", "pos": ["p"]})
    path.write_bytes(b"\n".join([header, *lines]))
    with pytest.raises(BadData) as refused:
        formats.load(path, name, skip_bad=False)
    assert len(rubbish) == 30
    assert "30 rows of the data cannot be used" in str(refused.value)
    reasons = Counter(problem.reason for problem in formats.load(path, name, skip_bad=True).problems)
    listed = min(20, sum(min(times, 3) for times in reasons.values()))
    assert str(refused.value).count(f"{path.name}:") == listed
    assert f"and {30 - listed} more" in str(refused.value)
    imported = formats.load(path, name, skip_bad=True)
    assert {problem.location for problem in imported.problems} == rubbish
    assert len(imported.dataset.judgements) == 3000 - len(rubbish) + (name == "flag-embedding")


def test_cells_may_run_over_lines_and_files_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(b'\xef\xbb\xbfQuestion;Answer\r\nhow;"so:\r\n1; 2"\r\n\r\nwhy;5" disk\r\n')
    dataset = formats.load(path, "pairs", skip_bad=False).dataset
    assert set(dataset.queries.values()) == {"how", "why"}
    assert {document.text for document in dataset.corpus.values()} == {"so:\n1; 2", '5" disk'}


CONSOLE = "query,document,good,collection,source,by,at,side,stale,provenance\n"


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("skip_bad", [True, False])
def test_judgements_by_ids_are_told_once_for_what_they_are(name: str, skip_bad: bool, tmp_path: Path) -> None:
    path = tmp_path / "judgements.csv"
    row = "How do I {n}?,c{n},true,docs,person,ann,2026-11-28T12:00:00Z,train,false,\n"
    path.write_text(CONSOLE + "".join(row.format(n=n) for n in range(2000)))
    with pytest.raises(BadData) as refused:
        formats.load(path, name, skip_bad=skip_bad)
    said = str(refused.value)
    assert said.count("judgements.csv has the columns of judgements by the ids of documents") == 1
    assert f"--judged {path}" in said
    assert "--data URL --format instar" in said
    assert said.count("judgements.csv:") <= 1
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("name", [name for name in FILES if name not in CORPUS])
def test_a_format_that_reads_nothing_is_answered_by_one_that_reads_all(name: str) -> None:
    refusals = {}
    for wrong in formats.FORMATS:
        with suppress(BadData):
            formats.load(DATA / FILES[name], wrong, skip_bad=False)
            continue
        with pytest.raises(BadData) as refused:
            formats.load(DATA / FILES[name], wrong, skip_bad=False)
        refusals[wrong] = str(refused.value)
    assert len(refusals) >= 10
    for said in refusals.values():
        assert re.search(rf"looks like the format (.* or )?{name}\b.*: name it by --format", said), said


def test_a_format_that_is_not_named_is_answered_by_those_that_it_may_be() -> None:
    with pytest.raises(BadData, match=r"good_bad.json looks like the format good-bad or llama-index"):
        formats.load(DATA / "good_bad.json", "", skip_bad=True)


def test_data_without_a_usable_judgement_is_refused_even_with_skip_bad(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("name,price\nkettle,3\n")
    with pytest.raises(BadData, match=r"prices.csv:2: has no query"):
        formats.load(path, "pairs", skip_bad=True)


def test_one_indented_object_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "row.json"
    path.write_text('{\n "query": "how",\n "pos": ["so"]\n}\n')
    assert formats.load(path, "flag-embedding", skip_bad=False).dataset.good() == {
        content_id("how"): {content_id("so")}
    }


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [
        ("nowhere.json", "good-bad", "does not exist"),
        ("good_bad.json", "beir", "must be a folder"),
        ("beir", "pairs", "must be a file"),
        ("pairs.csv", "good-bad", "is not JSON"),
    ],
)
def test_what_is_not_there_or_of_another_kind_is_refused(source: str, name: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        formats.load(DATA / source, name, skip_bad=True)


def test_a_corpus_goes_with_exports_that_refer_to_documents() -> None:
    with pytest.raises(BadData, match="--corpus goes with --format docsgpt, instar, ubi, langfuse or open-webui alone"):
        formats.load(DATA / "pairs.csv", "pairs", skip_bad=True, corpus=DATA / "docsgpt_corpus.jsonl")


def test_repeated_rows_stay_for_inspect_to_count(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'{"query": "how", "positive": "so"}\n' * 3)
    judgement = Judgement(content_id("how"), content_id("so"), good=True)
    assert formats.load(path, "pairs", skip_bad=False).dataset.judgements == (judgement,) * 3
