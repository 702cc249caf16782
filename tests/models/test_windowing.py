"""Windows of long documents: each is read whole, and together they are all of the text."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from service.checkpoints import checkpoint
from service.machine.arrays import Spans
from service.models.dense import DenseEncoder
from service.models.encoding import Encoding
from service.models.scheduling.scheduler import Scheduler
from service.models.windowing import TRUNCATED, Windowing, Windowings, parts
from tests.support import checkpoints

LIMIT = 64
SENTENCE = "A parcel that was returned is weighed again, photographed and put onto the shelf of its sender. "
ALL = Windowing(overlap=8, most=4096)
TEXTS = {
    "white space": " \n\t" * 400,
    "white space around": "\n" * 500 + SENTENCE * 20 + " " * 500,
    "no ends of sentences": "x" * 3000,
    "no ends of sentences, with spaces": "shelf " * 600,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🙂" * 120,
    "combining characters": "Z̸̢̛͍͖̝͎a̵͇̓l̶̰̏g̷̗̈o̶̜͐ " * 90,
    "Chinese": "退回的包裹会重新称重拍照并放回寄件人的货架上。" * 40,
    "Chinese without marks": "退回的包裹会重新称重拍照并放回寄件人的货架上" * 40,
    "Windows line ends": (SENTENCE.strip() + "\r\n\r\n") * 20,
    "code": "def weigh(parcel: Parcel) -> float:\n    return scale.read(parcel) if parcel else 0.0\n\n\n" * 30,
    "sentences": SENTENCE * 40,
    "one huge word": "a" + "́" * 2000,
}
TOKENS = st.sampled_from(
    ["shelf", "parcel.", " ", "\n\n", "\r\n", "🙂", "é", "漢字", "?!", "x" * 70, "é", "\u200d", "\t"]
)


def plain(folder: Path) -> SentenceTransformer:
    return checkpoints.tiny_model(folder)


def prompted(folder: Path) -> SentenceTransformer:
    return checkpoints.tiny_model(folder, prompts={"query": "query: ", "document": "a passage of a manual: "})


def cut_on_the_left(folder: Path) -> SentenceTransformer:
    model = checkpoints.tiny_model(folder, prompts={"document": "passage: "})
    tokenizer: Any = model.tokenizer
    tokenizer.truncation_side = "left"
    return model


def trained(folder: Path, tokenizer: Tokenizer, *, left: bool = False) -> SentenceTransformer:
    """A tiny model with another tokenizer."""
    # transformers has no types for it.
    wrapper: Any = PreTrainedTokenizerFast
    wrapped = wrapper(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", truncation_side="left" if left else "right"
    )
    return checkpoints.tiny_model(folder, tokenizer=wrapped)


CORPUS = [*TEXTS.values(), "passage: query: " * 10]
SPECIAL = ["<pad>", "<unk>"]


def unigram(folder: Path) -> SentenceTransformer:
    """Pieces as SentencePiece has them, and no special tokens around a text."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False),
    )
    return trained(folder, tokenizer)


def bytes_cut_on_the_left(folder: Path) -> SentenceTransformer:
    """A byte of an emoji may be a token of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [SENTENCE],
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return trained(folder, tokenizer, left=True)


MAKERS = [plain, prompted, cut_on_the_left, unigram, bytes_cut_on_the_left]


def load(make: Callable[[Path], SentenceTransformer], folder: Path) -> DenseEncoder:
    return DenseEncoder(checkpoint.read(checkpoints.save(make(folder / "parts"), folder / "model"), "model"))


@pytest.fixture(scope="module", params=MAKERS, ids=lambda make: str(make.__name__))
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DenseEncoder:
    return load(request.param, tmp_path_factory.mktemp("windowing"))


def spans_of(encoder: DenseEncoder, text: str, windowing: Windowing) -> Spans:
    (spans,) = encoder.windows([text], encoder.prepare([text], "document"), windowing)
    return spans


def require_sound(encoder: DenseEncoder, text: str, windowing: Windowing) -> Spans:
    """Demand of the windows of a text what every text and model may expect; returns them."""
    spans = spans_of(encoder, text, windowing)
    assert spans.dtype == np.int32
    if not spans.any():
        assert spans.tolist() == [[0, 0]]
        assert encoder.count(text, "document") <= LIMIT or not text.strip()
        return spans
    assert encoder.count(text, "document") > LIMIT
    assert len(spans) <= windowing.most
    starts, ends = spans.T
    assert (starts < ends).all()
    assert (np.diff(starts) > 0).all()
    assert (np.diff(ends) > 0).all()
    assert starts[0] >= 0
    assert ends[-1] <= len(text)
    assert not text[: starts[0]].strip()
    for end, start in zip(ends[:-1].tolist(), starts[1:].tolist(), strict=True):
        assert not text[end:start].strip(), "something between two windows is in neither"
        shared = text[start:end]
        assert encoder.count(shared, None) <= windowing.overlap + 4
    if len(spans) < windowing.most:
        assert not text[ends[-1] :].strip(), "something after the last window is in none"
    for part in parts(text, spans):
        assert encoder.count(part, "document") <= LIMIT, "the model does not read all of a window"
    return spans


@pytest.mark.parametrize("name", TEXTS)
def test_windows_are_read_whole_and_lose_nothing(encoder: DenseEncoder, name: str) -> None:
    for windowing in (ALL, Windowing(0, 4096), Windowing(4096, 3)):
        if windowing.overlap < LIMIT:
            require_sound(encoder, TEXTS[name], windowing)
        else:
            assert len(spans_of(encoder, TEXTS[name], windowing)) <= 3


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(TOKENS, min_size=1, max_size=40),
    times=st.integers(1, 40),
    joint=st.sampled_from(["", " "]),
    overlap=st.integers(0, 12),
    most=st.integers(2, 40),
)
def test_any_text_keeps_all_its_characters(
    encoder: DenseEncoder, words: list[str], times: int, joint: str, overlap: int, most: int
) -> None:
    require_sound(encoder, joint.join(words * times), Windowing(overlap, most))


def test_windows_end_at_the_ends_of_sentences(encoder: DenseEncoder) -> None:
    text = SENTENCE * 20
    for part in parts(text, require_sound(encoder, text, Windowing(0, 4096))):
        assert part.startswith("A parcel")
        assert part.endswith("sender.")


def test_the_most_windows_are_the_first_ones_of_all(encoder: DenseEncoder) -> None:
    text = SENTENCE * 200
    assert np.array_equal(spans_of(encoder, text, ALL)[:3], spans_of(encoder, text, Windowing(8, 3)))


@pytest.mark.parametrize("name", TEXTS)
def test_truncation_tells_the_part_that_the_model_reads(encoder: DenseEncoder, name: str) -> None:
    text = TEXTS[name]
    ((start, end),) = spans_of(encoder, text, TRUNCATED.default).tolist()
    if (start, end) == (0, 0):
        assert encoder.count(text, "document") <= LIMIT
        return
    assert 0 <= start < end <= len(text)
    (read,), (outside,) = encoder.prepare([text], "document"), encoder.prepare([text[start:end]], "document")
    # A word that is cut may be other tokens on its own, and only then.
    assert abs(outside.tokens - read.tokens) <= 20


def test_truncation_on_the_left_tells_the_end(tmp_path: Path) -> None:
    encoder = load(cut_on_the_left, tmp_path)
    text = SENTENCE * 20 + "The last words."
    ((start, end),) = spans_of(encoder, text, TRUNCATED.default).tolist()
    assert start > 0
    assert text[start:end].endswith("The last words.")


def test_truncation_counts_no_character_of_the_prompt(tmp_path: Path) -> None:
    bare, with_prompt = load(plain, tmp_path / "bare"), load(prompted, tmp_path / "prompted")
    text = SENTENCE * 20
    ((_, end),) = spans_of(bare, text, TRUNCATED.default).tolist()
    ((start, shorter),) = spans_of(with_prompt, text, TRUNCATED.default).tolist()
    assert start == 0
    assert 0 < shorter < end
    assert with_prompt.count(text[:shorter], "document") == LIMIT


def test_a_prompt_that_leaves_no_room_truncates(tmp_path: Path) -> None:
    def filled(folder: Path) -> SentenceTransformer:
        return checkpoints.tiny_model(folder, prompts={"document": "passage " * (LIMIT - 5)})

    assert len(spans_of(load(filled, tmp_path), SENTENCE * 20, ALL)) == 1


def test_a_model_that_reads_everything_has_one_window(tmp_path: Path) -> None:
    def static(_: Path) -> SentenceTransformer:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(checkpoints.base()))
        return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=32)], device="cpu")

    assert not spans_of(load(static, tmp_path), SENTENCE * 1000, ALL).any()


@pytest.fixture
def encoding() -> Iterator[Encoding]:
    scheduler = Scheduler(
        batch_tokens=1000, bulk_batch_tokens=1000, queue_tokens=10**6, queue_seconds=1000, processors=1
    )
    scheduler.start()
    encoding = Encoding(scheduler, windowings=Windowings(ALL, {"cut": TRUNCATED.default}))
    yield encoding
    encoding.close()
    scheduler.stop()


def test_each_window_has_the_vector_of_its_text(encoder: DenseEncoder, encoding: Encoding) -> None:
    long = SENTENCE * 12
    texts = ["short", long, "a", long + "More.", "also short"]
    documents = asyncio.run(encoding.embed_documents(encoder, texts, ALL))
    assert [len(document) for document in documents][::2] == [1, 1, 1]
    for text, document in zip(texts, documents, strict=True):
        alone = asyncio.run(encoding.embed(encoder, list(parts(text, document.spans)), "document"))
        assert document.vectors.shape == (len(document.spans), encoder.dimensions)
        assert np.allclose(document.vectors, alone, atol=1e-5)


def test_truncation_gives_the_vector_of_the_model_that_cuts_itself(encoder: DenseEncoder, encoding: Encoding) -> None:
    texts = list(TEXTS.values())
    documents = asyncio.run(encoding.embed_documents(encoder, texts, TRUNCATED.default))
    vectors = asyncio.run(encoding.embed(encoder, texts, "document"))
    assert np.allclose(np.concatenate([document.vectors for document in documents]), vectors, atol=1e-5)
