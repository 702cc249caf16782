"""LlamaIndex's `EmbeddingQAFinetuneDataset.save_json`, `--format llama-index`: all of `relevant_docs` are good."""

from pathlib import Path

from trainer.data import questions
from trainer.data.collected import Collected
from trainer.data.dataset import Judgement
from trainer.data.problems import Unusable


def collect(path: Path, collected: Collected) -> None:
    """Read a file. Raises BadData if it is not JSON of this shape."""
    for location, query, ids in questions.collect(path, collected):
        if not ids:
            with collected.row(location):
                raise Unusable("has no document")
        for document in ids:
            with collected.row(location):
                collected.judge(Judgement(query, document, good=True))
