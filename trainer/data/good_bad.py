"""The JSON of the sample corpus, `--format good-bad`: `relevant_docs` maps each query to [good, bad].

LlamaIndex writes JSON of this shape with good documents alone, and no file says which of the two formats it has.
"""

from pathlib import Path

from trainer.data import questions
from trainer.data.collected import Collected
from trainer.data.dataset import Judgement
from trainer.data.problems import Unusable


def collect(path: Path, collected: Collected) -> None:
    """Read a file. Raises BadData if it is not JSON of this shape."""
    for location, query, ids in questions.collect(path, collected):
        with collected.row(location):
            good, bad = _pair(ids)
            collected.judge(Judgement(query, good, good=True), Judgement(query, bad, good=False))


def _pair(ids: list[str]) -> tuple[str, str]:
    """(good, bad). Raises Unusable unless there are two different ids."""
    if len(ids) != 2:
        raise Unusable(
            f"has {len(ids)} ids, where good-bad means [good, bad]: if all of them are good, the format is llama-index"
        )
    if ids[0] == ids[1]:
        raise Unusable("has the same document for good and for bad")
    return ids[0], ids[1]
