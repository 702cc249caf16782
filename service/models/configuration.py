"""The ways to compute a checkpoint other than by torch in fp32, and the order in which they are tried."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

# The layout of a batch: its texts one after the other in one sequence, or each in a row that is padded.
Layout = Literal["sequences", "rows"]
# int8 is calibrated on documents; grouped is int8 as well, by groups of weights and without calibration.
Precision = Literal["float", "int8", "grouped"]
# The streams of a compiled model: one for each processor, so that it computes as many batches at a time; or one in all,
# which compiles where several do not (OpenVINO divides by the number of processors of a stream).
Streams = Literal["several", "one"]


class Configuration(BaseModel):
    """An engine other than torch in fp32, with its options."""

    model_config = ConfigDict(frozen=True)

    engine: Literal["openvino", "torch bf16"]
    precision: Precision = "float"
    form: Layout = "rows"
    streams: Streams = "several"

    def __str__(self) -> str:
        if self.engine != "openvino":
            return self.engine
        precision = {"float": "", "int8": " int8", "grouped": " int8 by groups"}[self.precision]
        return f"OpenVINO{precision} in {self.form}{' on one stream' if self.streams == 'one' else ''}"


def on_processors(forms: tuple[Layout, ...], *, int8: bool) -> list[Configuration]:
    """Configurations for processors, the fastest first."""
    floats = [Configuration(engine="openvino", form=form, streams=streams) for form in forms for streams in _STREAMS]
    if not int8:
        return floats
    return [Configuration(engine="openvino", precision="int8", form=forms[0], streams="several"), *floats]


_STREAMS: tuple[Streams, ...] = ("several", "one")
