"""The demonstration: the help centre of an invented product with judged questions, and a checkpoint to reload."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from service.checkpoints import checkpoint
from service.corpus.base import Document
from service.machine import files

SHORT = "all-MiniLM-L6-v2-256"


def file() -> Path:
    """Return the path of the JSON file with the questions, the passages and the judgements."""
    return Path(str(resources.files(__package__).joinpath("brindle.json")))


def load() -> dict[str, Any]:
    """Return `queries` {id: text}, `corpus` {id: text} and `relevant_docs` {query id: [good id, bad id]}."""
    content: dict[str, Any] = json.loads(file().read_text(encoding="utf-8"))
    return content


def documents() -> list[Document]:
    """Return the passages as documents."""
    return [Document(identity, text, {"source": "brindle"}) for identity, text in load()["corpus"].items()]


def write_checkpoint(base: Path, folder: Path) -> None:
    """Put the checkpoint `SHORT` into `folder`, unless it is there. It is `base`, cut to 256 of its 384 dimensions."""
    target = folder / SHORT
    if target.exists():
        return
    with files.new_folder(folder) as incoming:
        cut = incoming / SHORT
        checkpoint.copy(base, cut)
        config = cut / "config_sentence_transformers.json"
        settings = json.loads(config.read_text(encoding="utf-8")) | {"truncate_dim": 256}
        config.write_text(json.dumps(settings, indent=2), encoding="utf-8")
        cut.rename(target)
