"""The machine that a measurement was made on."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trainer.train import processor


def describe() -> dict[str, str]:
    """Processor, cores and the versions that decide the figures."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": str(os.cpu_count()),
        "instructions": instructions(),
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "sentence-transformers", "faiss-cpu")},
    }


def instructions() -> str:
    """The widest instructions that torch uses here, such as AVX2 or AVX512, and whether there are some for bf16."""
    return torch.backends.cpu.get_cpu_capability() + (" with bf16" if processor.has_bf16() else "")


def beside(results: Path) -> Path:
    """The file `results`. On a machine with a GPU, another file beside it."""
    return results.with_stem(f"{results.stem}-gpu") if torch.cuda.is_available() else results


def sizes_before(results: Path) -> list[dict[str, Any]]:
    """The `sizes` in a file of results that was written on an equal machine, because a million documents take most of
    an hour."""
    before = json.loads(results.read_text()) if results.exists() else {}
    sizes: list[dict[str, Any]] = before["sizes"] if before.get("machine") == describe() else []
    return sizes
