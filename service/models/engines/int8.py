"""int8: two OpenVINO models with int8 weights, for processors with instructions for it (VNNI, AMX).

Long texts go to a model whose weights and activations have fixed scales: NNCF's post-training quantisation for
transformers, with SmoothQuant (Xiao et al. 2023), calibrated on documents of the corpus. So two corpora give one
checkpoint slightly different vectors. NNCF is an extra, `instar[int8]`.

Fixed scales would change the vector of a single word most (all-MiniLM-L6-v2: cosines from 0.94). So short texts go to a
model that has int8 weights alone and scales activations as they come, 64 of a token at a time (OpenVINO's dynamic
quantisation). This second model changes a word by a tenth as much, and is the faster one for few tokens.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors
from service.models.base import Cores
from service.models.engines.base import QUANTISED_AGREEMENT, Engine, Padded, Unsuitable
from service.models.engines.openvino import root_logger_kept

# A text is long from this many tokens on, special ones included: of 2,500 parts of sentences with 10 tokens and more,
# none came below a cosine of 0.992.
_LONG = 10
# Activations that share a scale: more are a little faster and less exact.
DYNAMIC = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 64}
_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError)


class Int8:
    """Two engines of one model. The length of a text decides which computes it, whatever texts share its batch."""

    name = "openvino int8"
    min_agreement = QUANTISED_AGREEMENT

    def __init__(self, short: Engine, long: Engine) -> None:
        self._short = short
        self._long = long

    @property
    def packs(self) -> bool:
        """Whether texts of all lengths share a batch at no cost; both engines agree in this."""
        return self._long.packs

    def part(self, tokens: int) -> int:
        """1 for long texts, 0 for short ones."""
        return int(tokens >= _LONG)

    def pooled(self, batch: Padded, cores: Cores) -> Vectors:
        """Pooled vectors of the batch."""
        long = batch.mask.sum(axis=1) >= _LONG
        if long.all():
            return self._long.pooled(batch, cores)
        if not long.any():
            return self._short.pooled(batch, cores)
        short_vectors = self._short.pooled(batch.rows(~long), cores)
        vectors = np.empty((len(long), short_vectors.shape[1]), dtype=np.float32)
        vectors[~long] = short_vectors
        vectors[long] = self._long.pooled(batch.rows(long), cores)
        return vectors


def compressed(model: Any) -> Any:
    """`model` with int8 weights, for short texts; raises Unsuitable if NNCF cannot make it."""
    with _nncf() as nncf:
        mode = nncf.CompressWeightsMode.INT8_ASYM
        # The embeddings of tokens (`Gather`) stay as they are: they are looked up, which takes no time.
        return nncf.compress_weights(
            model.clone(), mode=mode, ignored_scope=nncf.IgnoredScope(types=["Gather"], validate=False)
        )


def quantised(model: Any, batches: Sequence[Mapping[str, NDArray[np.int64]]]) -> Any:
    """`model` quantised for long texts and calibrated on `batches`; raises Unsuitable if NNCF cannot make it."""
    with _nncf() as nncf:
        return nncf.quantize(
            model,
            nncf.Dataset(list(batches)),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(batches),
        )


@contextmanager
def _nncf() -> Iterator[Any]:
    """NNCF, kept quiet. Raises Unsuitable if it is not installed or fails."""
    with root_logger_kept():
        try:
            import nncf  # noqa: PLC0415  (heavy, and an extra)
            import rich  # noqa: PLC0415  (NNCF draws its progress with it)
        except ImportError as error:
            raise Unsuitable("int8 needs NNCF: pip install 'instar[int8]'") from error
        # `nncf.set_log_level` would also change handlers, which others may have added.
        logging.getLogger("nncf").setLevel(logging.ERROR)
        rich.reconfigure(quiet=True)
        try:
            yield nncf
        except _FAILURES as error:
            raise Unsuitable(f"NNCF cannot quantise it ({type(error).__name__}: {error})") from error
