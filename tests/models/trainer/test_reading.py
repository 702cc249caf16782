"""A run's base reads each document once, and gives what sentence-transformers gives; batches suit the processor."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.support import checkpoints
from trainer import base_model, reading
from trainer.reading import Reader

TEXTS = ["the pump is dry", "a valve that leaks", "the pump is dry", "who closes the day?"]


class Counting(Reader):
    """Notes how many texts are read."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.read = 0

    def encode(self, inputs: Any, *arguments: Any, **named: Any) -> Any:
        self.read += len(inputs)
        return super().encode(inputs, *arguments, **named)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoints.tiny(tmp_path / "base")
    return tmp_path / "base"


def counting(folder: Path) -> Counting:
    reader = base_model.load_folder(folder, "cpu", kind=Counting)
    assert isinstance(reader, Counting)
    return reader


@pytest.mark.parametrize(
    "named", [{}, {"normalize_embeddings": True}, {"convert_to_tensor": True}, {"prompt": "text: "}]
)
def test_the_vectors_are_those_of_the_model(folder: Path, named: dict[str, Any]) -> None:
    model, reader = base_model.load_folder(folder, "cpu"), counting(folder)
    expected = model.encode_document(TEXTS, **named)
    for _ in range(2):
        vectors = reader.encode_document(TEXTS, **named)
        assert type(vectors) is type(expected)
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_each_text_is_read_once_in_whatever_form_it_is_asked_for(folder: Path) -> None:
    reader = counting(folder)
    reader.encode_document(TEXTS[:2], show_progress_bar=False, batch_size=1)
    assert reader.read == 2
    reader.encode_document(TEXTS, normalize_embeddings=True, convert_to_tensor=True, prompt=None)
    assert reader.read == 3


def test_another_prompt_or_precision_is_read_anew(folder: Path) -> None:
    reader = counting(folder)
    plain = reader.encode_document(TEXTS)
    assert not np.allclose(plain, reader.encode_document(TEXTS, prompt="passage: "))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reader.encode_document(TEXTS)
    assert reader.read == 3 * 3
    np.testing.assert_array_equal(plain, reader.encode_document(TEXTS))


def test_questions_are_read_each_time(folder: Path) -> None:
    reader = counting(folder)
    np.testing.assert_array_equal(reader.encode_query(TEXTS), reader.encode_query(TEXTS))
    assert reader.read == 2 * len(TEXTS)


@pytest.mark.parametrize("inputs", ["the pump is dry", []])
def test_one_text_or_none_is_left_to_the_model(folder: Path, inputs: Any) -> None:
    expected = base_model.load_folder(folder, "cpu").encode_document(inputs)
    np.testing.assert_array_equal(counting(folder).encode_document(inputs), expected)


def test_long_texts_are_read_in_smaller_batches_than_short_ones(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    model: SentenceTransformer = base_model.load_folder(folder, "cpu")
    model.max_seq_length = 4096
    sizes = [reading.batch_size(model, ["x" * length] * 50) for length in (10, 3000, 1_000_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 32
    assert sizes[-1] == 4
    # A model that reads the beginnings alone has short texts.
    model.max_seq_length = 8
    assert reading.batch_size(model, ["x" * 1_000_000]) == 32


def test_the_tokens_of_chinese_are_counted_and_those_of_english_estimated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    model: SentenceTransformer = base_model.load_folder(folder, "cpu")
    model.max_seq_length = 256
    assert reading.batch_size(model, ["the pump is dry " * 20] * 1000) == 1024 // (320 // 4 + 1)
    assert reading.batch_size(model, ["每天晚上关店之前我们要检查所有的发票" * 15] * 1000) == 1024 // 256


def test_no_more_texts_are_counted_than_a_sample_and_none_beyond_what_is_read() -> None:
    counted: list[str] = []

    def count(texts: Sequence[str]) -> list[int]:
        counted.extend(texts)
        return [1] * len(texts)

    assert reading.nearly_longest([("x" * 10_000, "y")] * 50_000, 64, count) == 64 + 1
    assert len(counted) <= 2 * 128
    assert max(map(len, counted)) == 64 * 4


def test_the_time_of_a_reading_is_measured_by_some_texts_none_of_which_counts_as_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, now = counting(folder), 0.0
    encode = SentenceTransformer.encode

    def slowly(model: Any, inputs: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal now
        now += 2 * len(inputs)
        return encode(model, inputs, *arguments, **named)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    monkeypatch.setattr(SentenceTransformer, "encode", slowly)
    texts = [f"text {number}" for number in range(1000)]
    assert reading.seconds(reader, texts) == 2 * 1000
    assert reader.read < 100
    assert reader.unread(texts) == 1000
    reader.encode_document(texts[:10], normalize_embeddings=True)
    assert reader.unread(texts) == 990
