"""int8 without calibration: weights in int8 by groups, and activations that are scaled in groups as they come.

128 weights of a row share a scale, and so do the 128 activations that they are multiplied by (OpenVINO's dynamic
quantisation). No corpus is needed, so every data folder gives one checkpoint the same vectors. Projections of the
values of attention stay as they are: in all-MiniLM-L6-v2 they are a twelfth of the work and make half of the error.
Groups of 64 are more exact and gain a quarter less.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.machine.arrays import Vectors
from service.models.engines.base import ROUNDED_AGREEMENT, Unsuitable
from service.models.engines.int8 import Int8
from service.models.engines.openvino import opset

_GROUP = 128
GROUPED = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP}
_STEPS = 127
# The name of these projections in transformers' BERT and its kin.
_VALUES = "attention.self.value"


class GroupedInt8(Int8):
    """Two engines of one model: the exact one computes short texts, which int8 changes most, and int8 the long ones."""

    min_agreement = ROUNDED_AGREEMENT


def grouped(model: Any) -> Any:
    """A copy of an OpenVINO `model` with int8 weights in groups; raises Unsuitable if none of its weights fit."""
    copy = model.clone()
    weights = [operation for operation in copy.get_ordered_ops() if _fits(operation)]
    if not weights:
        raise Unsuitable(f"it has no weights in groups of {_GROUP}")
    for operation in weights:
        operation.input(1).replace_source_output(_in_groups(operation.input_value(1).get_node().data))
    return copy


def _fits(operation: Any) -> bool:
    """Whether an operation multiplies by weights, a row for each output, which are to be int8."""
    if operation.get_type_name() != "MatMul" or not operation.get_attributes()["transpose_b"]:
        return False
    weights = operation.input_value(1).get_node()
    if weights.get_type_name() != "Constant" or _VALUES in operation.get_friendly_name():
        return False
    return len(weights.shape) == 2 and weights.shape[1] % _GROUP == 0


def _in_groups(weights: NDArray[Any]) -> Any:
    """The output of operations that give `weights` (n, width) back from int8 (n, groups, _GROUP) and their scales."""
    groups: Vectors = weights.astype(np.float32).reshape(len(weights), -1, _GROUP)
    # The least normal number, so that a group of zeros is not divided by zero.
    scales = np.maximum(np.abs(groups).max(axis=2, keepdims=True) / _STEPS, np.finfo(np.float32).tiny)
    codes = opset.convert(opset.constant(np.rint(groups / scales).astype(np.int8)), "f32")
    restored = opset.multiply(codes, opset.constant(scales))
    shape = opset.constant(np.array(weights.shape, dtype=np.int64))
    return opset.reshape(restored, shape, special_zero=False).output(0)
