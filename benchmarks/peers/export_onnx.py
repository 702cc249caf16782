"""Exports a transformer as ONNX, for Infinity: `export_onnx.py FOLDER NEW_FOLDER` runs in Infinity's environment.

It uses torch's exporter by tracing, because optimum 1.24 cannot read what the newer exporter writes.
"""

import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"


def main() -> None:
    """Copy FOLDER to NEW_FOLDER, and add the ONNX model."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))
    # Other attention would be traced with the lengths of the example.
    model = AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(source)
    example = tokenizer(["a short text", "another, somewhat longer text"], padding=True, return_tensors="pt")
    torch.onnx.export(
        model,
        tuple(example[name] for name in _INPUTS),
        str(target / "model.onnx"),
        input_names=list(_INPUTS),
        output_names=[_OUTPUT],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in (*_INPUTS, _OUTPUT)},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main()
