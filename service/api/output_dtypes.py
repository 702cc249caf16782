"""Vectors in the type of number that a caller wants: what it may ask for, and what its answer says of them."""

from service.errors import InvalidRequest
from service.generations.calibration import Calibration
from service.generations.generation import Generation
from service.machine.arrays import Vectors
from service.models.base import ServedModel
from service.models.quantisation import (
    PACKED,
    PACKED_DIMENSIONS,
    RANGED,
    OutputDtype,
    Quantised,
    by_range,
    packed,
)

DTYPE_HEADER = "X-Instar-Output-Dtype"
RANGE_HEADER = "X-Instar-Range"


def check_dtype(dtype: OutputDtype, dimensions: int | None, encoder: ServedModel, *, normalize: bool = True) -> None:
    """Raise InvalidRequest unless vectors of `encoder`, cut to `dimensions`, can be answered in that type."""
    dimensions = dimensions or encoder.dimensions
    if dtype in PACKED and dimensions % PACKED_DIMENSIONS:
        raise not_packable(dtype, dimensions)
    if dtype in RANGED and not normalize:
        raise InvalidRequest(
            f"{dtype} is calibrated on vectors of unit length: leave normalize out, or ask for float or binary",
            "normalize",
        )


def not_packable(dtype: OutputDtype, dimensions: int) -> InvalidRequest:
    """The dimensions of the vectors do not fill whole bytes."""
    fitting = dimensions - dimensions % PACKED_DIMENSIONS
    ask = f"ask for {fitting} dimensions, or for int8" if fitting else f"ask for {PACKED_DIMENSIONS} or more"
    return InvalidRequest(
        f"{dtype} puts {PACKED_DIMENSIONS} dimensions into a byte, and {dimensions} do not fill whole bytes: {ask}",
        "dimensions",
    )


class OutputDtypes:
    """Finishes raw vectors in the types of `output_dtype`."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration

    async def finish(
        self,
        generation: Generation,
        raw: Vectors,
        dtype: OutputDtype,
        dimensions: int | None,
        *,
        normalize: bool = True,
    ) -> tuple[Quantised, dict[str, str]]:
        """The raw vectors (n, native dimensions) in the type, after `check_dtype`, and the headers that say so."""
        encoder = generation.encoder
        if dtype == "float":
            return encoder.finish(raw, dimensions, normalize=normalize), {}
        if dtype in PACKED:
            return packed(encoder.finish(raw, dimensions, normalize=normalize), dtype), {DTYPE_HEADER: dtype}
        end = await self._calibration.range_end(generation)
        vectors = encoder.finish(raw)[:, :dimensions]
        return by_range(vectors, dtype, end), {DTYPE_HEADER: dtype, RANGE_HEADER: repr(end)}
