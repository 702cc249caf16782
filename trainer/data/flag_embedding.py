"""JSON lines as FlagEmbedding trains on them, `--format flag-embedding`: {"query": text, "pos": [text], "neg": [text]}.

`neg` may be missing. Anything else in a row (prompts, the scores of a teacher) is ignored.
"""

from pathlib import Path
from typing import Any

from trainer.data.collected import Collected
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, text


def collect(path: Path, collected: Collected) -> None:
    """Read a file. Raises BadData if it cannot be read."""
    for location, row in objects(path, collected):
        with collected.row(location):
            good, bad = _texts(row.get("pos"), "pos"), _texts(row.get("neg") or [], "neg")
            if not good:
                raise Unusable("`pos` has no document")
            collected.judge_texts(text(row.get("query"), "`query`"), good, bad)


def _texts(values: Any, name: str) -> list[str]:
    if not isinstance(values, list):
        raise Unusable(f"`{name}` is {shown(values)}, where a list of texts is needed")
    return [text(value, f"`{name}`[{number}]") for number, value in enumerate(values)]
