"""Says what a file looks like whose format was named wrongly, by its columns and by trying the other formats."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from trainer.data import tables
from trainer.data.collected import Collected
from trainer.errors import BadData

Collect = Callable[[Path, Collected], None]
# A larger file is not read once more for each format.
_MOST_BYTES = 32 << 20
_BY_IDS = frozenset({"query", "document", "good"})


def described(path: Path, others: Mapping[str, Collect]) -> str:
    """Sentences on what `path` looks like, and which of the `others` reads all of it; empty if nobody can say."""
    if not path.exists():
        return ""
    if _columns(path) >= _BY_IDS:
        return (
            f"{path.name} has the columns of judgements by the ids of documents (query, document, good), as the console"
            " exports them and pool writes them. No --format reads these alone, because they have no texts of"
            f" documents: train on the service that has them, by --data URL --format instar, or give --judged {path}"
            " beside data with these questions and documents. A file of GET /admin/export?what=judgements is read"
            " by --format instar --corpus documents.jsonl. If document holds texts, rename good to label, and"
            " --format labelled-pairs reads it."
        )
    names = _readers(path, others)
    if not names:
        return ""
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return f"{path.name} looks like the format {listed}: name it by --format."


def _columns(path: Path) -> set[str]:
    """The names of the columns in lower case, as the first row has them."""
    with suppress(BadData):
        for _, row in () if path.is_dir() else tables.rows(path, Collected()):
            return set(row)
    return set()


def _readers(path: Path, others: Mapping[str, Collect]) -> list[str]:
    """The formats in which every row can be used."""
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        return []
    return [name for name, collect in others.items() if _reads(path, collect)]


def _reads(path: Path, collect: Collect) -> bool:
    collected = Collected()
    try:
        collect(path, collected)
    except (BadData, OSError):
        return False
    if any(problem.severity == "bad" for problem in collected.problems):
        return False
    return bool(collected.dataset().judgements or collected.review)
