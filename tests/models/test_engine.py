"""An engine gives torch's vectors, or torch computes; and what it keeps on the disk is never trusted blindly."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Router

from service.checkpoints import checkpoint
from service.machine.arrays import Vectors
from service.models.base import CORES, Side
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from service.models.engines.torch_bf16 import TorchBf16
from tests.models.test_encoder import (
    TEXTS,
    dense,
    excluding_its_prompt,
    first_token,
    matryoshka,
    normalizing,
    plain,
    prompted,
    routed,
    static,
)
from tests.support import checkpoints
from tests.support.waiting import until

Make = Callable[[Path], SentenceTransformer]
SIDES: tuple[Side, ...] = ("query", "document")


def with_query_adapter(folder: Path) -> SentenceTransformer:
    shared: list[Any] = list(checkpoints.tiny_model(folder))
    router = Router.for_query_document(query_modules=[shared[1], Dense(32, 32)], document_modules=[shared[1]])
    return SentenceTransformer(modules=[shared[0], router], device="cpu")


def with_late_query_adapter(folder: Path) -> SentenceTransformer:
    shared: list[Any] = list(checkpoints.tiny_model(folder))
    router = Router.for_query_document(query_modules=[Dense(32, 32)], document_modules=[Dense(32, 32)])
    return SentenceTransformer(modules=[*shared, router], device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkpoints.save(plain(tmp_path / "parts"), tmp_path / "model")


def no_documents(_: int) -> list[str]:
    return []


def load(folder: Path, engines: Path) -> DenseEncoder:
    return EncoderFactory("auto", engines, 2, no_documents, checkpoints.TRIALS).load(checkpoint.read(folder, "model"))


def vectors(encoder: DenseEncoder, side: Side = "document") -> Vectors:
    return encoder.finish(encoder.forward(encoder.prepare(TEXTS, side)))


@pytest.mark.parametrize(
    "make", [plain, prompted, matryoshka, normalizing, dense, first_token, with_late_query_adapter]
)
def test_openvino_gives_the_vectors_of_sentence_transformers(tmp_path: Path, make: Make) -> None:
    folder = checkpoints.save(make(tmp_path / "parts"), tmp_path / "model")
    reference = SentenceTransformer(str(folder), device="cpu")
    encoder = load(folder, tmp_path / "engines")
    assert encoder.engine.startswith("openvino")
    for side, encode in (("query", reference.encode_query), ("document", reference.encode_document)):
        expected = encode(TEXTS, normalize_embeddings=True)
        items = encoder.prepare(TEXTS, side)  # type: ignore[arg-type]
        for cores in CORES:
            found = encoder.finish(encoder.forward(items, cores))
            assert (found * expected).sum(axis=1).min() > 0.999
            alone = np.concatenate([encoder.finish(encoder.forward([item], cores)) for item in items])
            assert (alone * expected).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("make", [excluding_its_prompt, routed, static, with_query_adapter])
def test_what_openvino_cannot_compute_is_computed_by_torch_and_the_log_says_why(
    tmp_path: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    folder = checkpoints.save(make(tmp_path / "parts"), tmp_path / "model")
    reference = SentenceTransformer(str(folder), device="cpu")
    encoder = load(folder, tmp_path / "engines")
    assert encoder.engine == "torch fp32"
    np.testing.assert_allclose(vectors(encoder), reference.encode_document(TEXTS, normalize_embeddings=True), atol=2e-6)
    assert f"{encoder.checkpoint.id} is computed by torch fp32 because OpenVINO " in caplog.text


def test_an_engine_with_other_vectors_is_not_used(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = checkpoints.tiny(tmp_path / "other", seed=5)
    wrong = list(SentenceTransformer(str(other), device="cpu"))
    monkeypatch.setattr(DenseEncoder, "convertible", lambda _: wrong)
    encoder = load(folder, tmp_path / "engines")
    assert encoder.engine == "torch fp32"
    assert "gives other vectors (cosine " in caplog.text
    expected = SentenceTransformer(str(folder), device="cpu").encode_document(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(vectors(encoder), expected, atol=2e-6)


def test_many_threads_get_what_one_does(folder: Path, tmp_path: Path) -> None:
    encoder = load(folder, tmp_path / "engines")
    batches = [encoder.prepare(TEXTS, "document"), encoder.prepare(["a query"], "query")]
    alone = [encoder.forward(batch, "spare") for batch in batches]
    with ThreadPoolExecutor(8) as threads:
        for number, found in enumerate(threads.map(encoder.forward, batches * 50, ["spare"] * 100)):
            np.testing.assert_allclose(found, alone[number % 2], atol=1e-3)


def test_a_kept_conversion_is_used_again_and_made_anew_when_damaged(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engines = tmp_path / "engines"
    first = vectors(load(folder, engines))
    (kept,) = engines.glob("*.sequences-float")
    calls: list[int] = []
    convert = openvino.convert_model

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return convert(*arguments, **options)

    monkeypatch.setattr(openvino, "convert_model", counted)
    np.testing.assert_array_equal(vectors(load(folder, engines)), first)
    assert not calls
    weights = kept / "model.bin"
    damaged = bytearray(weights.read_bytes())
    damaged[len(damaged) // 2] ^= 64
    weights.write_bytes(damaged)
    np.testing.assert_array_equal(vectors(load(folder, engines)), first)
    assert len(calls) == 1
    (kept / "checksums.json").unlink()
    np.testing.assert_array_equal(vectors(load(folder, engines)), first)
    assert len(calls) == 2
    assert "torch" not in [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_conversion_that_cannot_be_kept_costs_the_engine_until_the_next_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        encoder = load(folder, tmp_path / "engines")
    assert encoder.engine == "torch fp32"
    assert vectors(encoder).shape == (len(TEXTS), 32)
    assert "cannot be stored" in caplog.text
    assert list((tmp_path / "engines").iterdir()) == []
    assert load(folder, tmp_path / "engines").engine.startswith("openvino")


def test_what_no_generation_needs_is_forgotten(folder: Path, tmp_path: Path) -> None:
    made = EncoderFactory("auto", tmp_path / "engines", 2, no_documents, checkpoints.TRIALS)
    identity = made.load(checkpoint.read(folder, "model")).checkpoint.id
    made.forget({identity})
    kept = sorted(path.name for path in (tmp_path / "engines").iterdir())
    assert kept == [f"{identity}.sequences-float", f"{identity}.verdict"]
    made.forget(set())
    assert list((tmp_path / "engines").iterdir()) == []


@pytest.mark.nightly
@pytest.mark.parametrize("choice", ["auto", "int8"])
def test_nothing_is_reported_to_anybody(folder: Path, tmp_path: Path, choice: str) -> None:
    """OpenVINO's own package tells its makers of every import and conversion."""
    program = (
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): print('CONNECTS', arguments, flush=True)\n"
        "sys.addaudithook(refuse)\n"
        "from pathlib import Path\n"
        "from service.checkpoints import checkpoint\n"
        "from service.models.encoder_factory import EncoderFactory\n"
        "from tests.support.checkpoints import TRIALS\n"
        f"read = checkpoint.read(Path({str(folder)!r}), 'model')\n"
        "texts = [f'text {n} of the corpus' for n in range(100)]\n"
        f"made = EncoderFactory({choice!r}, Path({str(tmp_path / 'engines')!r}), 2, lambda _: texts, TRIALS)\n"
        "print(made.load(read).engine, 'nncf' in sys.modules)\n"
        "import time; time.sleep(1)\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert output.startswith("openvino"), output
    assert ("True" in output) == (choice == "int8")
    assert "CONNECTS" not in output
    assert not (tmp_path / "intel").exists()


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="policies of threads are Linux's")
def test_bulk_is_computed_at_the_lowest_priority_whoever_asks_for_it(tmp_path: Path) -> None:
    encoder = load(checkpoints.base(), tmp_path / "engines")
    items = encoder.prepare([" ".join(TEXTS)] * 8, "document")

    def spent() -> dict[int, tuple[int, int]]:
        """Policy and clock ticks of each thread but this one, which counts (proc(5), "stat")."""
        found = {}
        for thread in set(os.listdir("/proc/self/task")) - {str(threading.get_native_id())}:  # noqa: PTH208
            fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
            found[int(thread)] = (int(fields[38]), int(fields[11]) + int(fields[12]))
        return found

    stopped = threading.Event()

    def compute() -> None:
        while not stopped.is_set():
            encoder.forward(items, "spare")

    before = spent()

    def ticks() -> dict[bool, int]:
        """Those at the lowest priority since then, and the others."""
        counted = {True: 0, False: 0}
        for thread_id, (policy, total) in spent().items():
            counted[policy == os.SCHED_IDLE] += total - before.get(thread_id, (0, 0))[1]
        return counted

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    # Beside busy processes the lowest priority gets next to nothing in a second.
    until(lambda: ticks()[True] > 80, 60)
    counted = ticks()
    stopped.set()
    for thread in threads:
        thread.join()
    assert counted[True] > 10 * counted[False], counted


def test_bf16_is_a_copy_that_gives_the_vectors_of_fp32() -> None:
    encoder = DenseEncoder(checkpoint.read(checkpoints.base(), "model"))
    items = encoder.prepare(TEXTS, "document")
    expected = encoder.finish(encoder.forward(items))
    # On a CPU, where it is slow and never chosen.
    encoder.use(TorchBf16(encoder.convertible(), encoder.device, encoder.padded(items), encoder.max_length))
    found = encoder.finish(encoder.forward(items))
    assert encoder.engine == "torch bf16"
    assert not np.array_equal(found, expected)
    assert (found * expected).sum(axis=1).min() > 0.999
    encoder.use(None)
    np.testing.assert_array_equal(encoder.finish(encoder.forward(items)), expected)
