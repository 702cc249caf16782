"""JSON with `queries`, `corpus` and `relevant_docs`: two formats share this shape and mean different things."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer.data.collected import Collected
from trainer.data.dataset import Document
from trainer.data.problems import Problem, Unusable, shown, text
from trainer.errors import BadData


def collect(path: Path, collected: Collected) -> Iterator[tuple[str, str, list[str]]]:
    """Read the texts, and yield (location, query id, document ids) for every entry of `relevant_docs`.

    Raises BadData if the file is not JSON of this shape.
    """
    content = _parsed(path, collected)
    names = ("queries", "corpus", "relevant_docs")
    queries, corpus, relevant = (content.get(name) if isinstance(content, dict) else None for name in names)
    if not (isinstance(queries, dict) and isinstance(corpus, dict) and isinstance(relevant, dict)):
        raise BadData(
            f"{path.name} must be a JSON object with `queries` {{id: text}}, `corpus` {{id: text}} and `relevant_docs`"
            " {query id: [document ids]}: correct it, or name its format"
        )
    for identity, query in queries.items():
        with collected.row(f"queries.{identity}"):
            collected.add_query(identity, text(query, "the text"))
    for identity, document in corpus.items():
        with collected.row(f"corpus.{identity}"):
            collected.add_document(identity, Document(text(document, "the text")))
    for query, documents in relevant.items():
        location = f"relevant_docs.{query}"
        ids = None
        with collected.row(location):
            ids = _ids(documents)
        if ids is not None:
            yield location, query, ids


def _parsed(path: Path, collected: Collected) -> Any:
    """The file as JSON. If an object has a key twice, the first value is kept and the second becomes a problem."""

    def keep_first(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in pairs:
            if kept.setdefault(key, value) != value:
                collected.problems.append(Problem(path.name, f"the id {shown(key)} stands for something else before"))
        return kept

    try:
        return json.loads(path.read_bytes(), object_pairs_hook=keep_first)
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error.strerror}): name another file") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path.name} is not JSON ({error}): correct it, or name its format") from error


def _ids(documents: Any) -> list[str]:
    if not isinstance(documents, list) or not all(isinstance(identity, str) for identity in documents):
        raise Unusable(f"is {shown(documents)}, where a list of document ids is needed")
    return documents
