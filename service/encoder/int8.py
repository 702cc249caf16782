"""int8: an OpenVINO model whose matrix products are quantised; for processors with instructions for it (VNNI, AMX).

NNCF's post-training quantisation for transformers, with SmoothQuant (Xiao et al. 2023), calibrated on documents of the
corpus: the same weights calibrated on other documents give slightly other vectors. NNCF is an extra, `instar[int8]`.

It computes passages and sentences. A single word, of which every vector of the model is made then, it would change most
(all-MiniLM-L6-v2: cosines from 0.96), and gain nothing on: short texts are left to the model as it is.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from service.encoder.engine import QUANTISED, Engine, Padded, Share, Unsuitable, Vectors
from service.encoder.openvino_engine import root_logger_kept

# Tokens of a text, special ones included, from which on it is computed in int8.
_LEAST_TOKENS = 16
_FAILURES = (RuntimeError, ValueError, TypeError, KeyError, AttributeError)


class Int8:
    """Two engines of one model, by the length of each text, whatever shares its batch."""

    name = "openvino int8"
    least_cosine = QUANTISED

    def __init__(self, exact: Engine, quantised: Engine) -> None:
        self._exact = exact
        self._quantised = quantised

    def pooled(self, batch: Padded, share: Share) -> Vectors:
        """Pooled vectors of the batch."""
        long = batch.mask.sum(axis=1) >= _LEAST_TOKENS
        if long.all():
            return self._quantised.pooled(batch, share)
        if not long.any():
            return self._exact.pooled(batch, share)
        short = self._exact.pooled(batch.rows(~long), share)
        found = np.empty((len(long), short.shape[1]), dtype=np.float32)
        found[~long] = short
        found[long] = self._quantised.pooled(batch.rows(long), share)
        return found


def quantised(model: Any, batches: Sequence[Padded]) -> Any:
    """`model`, quantised by what it computes of `batches`; raises Unsuitable if that is not possible."""
    with root_logger_kept():
        try:
            import nncf  # noqa: PLC0415  (heavy, and an extra)
            import rich  # noqa: PLC0415  (what NNCF draws its progress with)
        except ImportError as error:
            raise Unsuitable("int8 needs NNCF: pip install 'instar[int8]'") from error
        # Its own function changes handlers, too, which others may have added.
        logging.getLogger("nncf").setLevel(logging.ERROR)
        rich.reconfigure(quiet=True)
        try:
            return nncf.quantize(
                model,
                nncf.Dataset([batch.tensors() for batch in batches]),
                model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.PERFORMANCE,
                subset_size=len(batches),
            )
        except _FAILURES as error:
            raise Unsuitable(f"NNCF cannot quantise it ({type(error).__name__}: {error})") from error
