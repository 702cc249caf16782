"""DocsGPT's feedback, `--format docsgpt`: rows of its table `conversation_messages`, as JSON lines or from PostgreSQL.

A row has `prompt`, `response`, `sources` [{`text`, `title`, `source`}] and `feedback`, which is null or {"text": "like"
or "dislike"} (application/storage/db/models.py and application/api/user/conversations/routes.py in arc53/DocsGPT). A
thumb rates the answer and not each of its sources. So the sources of a liked answer become weak good documents, and the
sources of a disliked answer are put aside for review.

DocsGPT stores the first 1,000 characters of a source (`save_conversation` in application/api/answer/services/
conversation_service.py). So sources are matched to the corpus by the beginnings of its documents. Titles are left out:
DocsGPT embeds the text alone, and stores the text as the title of a chunk without one.
"""

from bisect import bisect_left
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

import orjson

from trainer.data import postgres
from trainer.data.collected import Collected
from trainer.data.dataset import Document, Judgement
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, text
from trainer.data.review import PutAside

_CUT = 1000


def collect(source: Path | str, collected: Collected) -> None:
    """Read JSON lines at a path, or a database at a URL.

    Sources are matched to the documents that were collected before. If there are none, the sources become the corpus.
    Raises BadData if `source` cannot be read.
    """
    rows = postgres.messages(source) if postgres.is_url(source) else objects(Path(source), collected)
    corpus = Beginnings(collected.corpus) if collected.corpus else None
    cut = set[str]()
    for location, row in rows:
        with collected.row(location):
            thumb = _thumb(row.get("feedback"))
            documents: list[str] = []
            for stored in _sources(row.get("sources")):
                if corpus is None:
                    documents.append(collected.document(stored))
                    cut.update(documents[-1:] if len(stored) >= _CUT else [])
                elif thumb:
                    documents += _matched(stored, corpus, location, collected)
            if thumb:
                prompt = text(row.get("prompt"), "the prompt")
                _take(thumb, prompt, str(row.get("response") or ""), documents, location, collected)
    if cut:
        reason = f"{len(cut):,} documents may be cut at {_CUT:,} characters: name the whole ones with --corpus"
        collected.note("sources", reason)


class Beginnings:
    """The documents of a corpus by their beginnings. Spacing does not count."""

    def __init__(self, corpus: Mapping[str, Document]) -> None:
        self._sorted = sorted((_spaced(document.text), identity) for identity, document in corpus.items())

    def matching(self, source: str) -> list[tuple[str, str]]:
        """(text, id) of each document that a stored source may be: its text is equal, or longer if the source was
        cut."""
        beginning = _spaced(source)
        first = bisect_left(self._sorted, (beginning, ""))
        following = (self._sorted[index] for index in range(first, len(self._sorted)))
        if len(source) < _CUT:
            return list(takewhile(lambda entry: entry[0] == beginning, following))
        return list(takewhile(lambda entry: entry[0].startswith(beginning), following))


def _matched(source: str, corpus: Beginnings, location: str, collected: Collected) -> list[str]:
    """The id of the one document that matches the source. Otherwise nothing, and a note says why."""
    candidates = corpus.matching(source)
    texts = {whole for whole, _ in candidates}
    if len(texts) == 1:
        return [candidates[0][1]]
    reason = "is not in the corpus" if not texts else f"may be any of {len(texts)} documents of the corpus"
    collected.note(location, f"the source {shown(source)} {reason}, and is left out")
    return []


def _take(thumb: str, prompt: str, response: str, documents: list[str], location: str, collected: Collected) -> None:
    if not documents:
        collected.note(location, f"the answer was {thumb}d, but no document of it is known")
    elif thumb == "dislike":
        texts = tuple(collected.corpus[document].passage for document in dict.fromkeys(documents))
        collected.review.append(PutAside(prompt, response, texts))
    else:
        query = collected.query(prompt)
        for document in dict.fromkeys(documents):
            judgement = Judgement(query, document, good=True, weak=True)
            # A question may be asked and liked any number of times.
            if not collected.knows(judgement):
                collected.judge(judgement)


def _thumb(feedback: Any) -> str | None:
    """like, dislike, or None if nobody rated the answer."""
    rating = _parsed(feedback)
    if isinstance(rating, dict):
        rating = rating.get("text")
    if rating is None:
        return None
    thumb = rating.strip().lower() if isinstance(rating, str) else rating
    if thumb not in ("like", "dislike"):
        raise Unusable(f"the feedback is {shown(rating)}, which is neither like nor dislike")
    return str(thumb)


def _sources(stored: Any) -> list[str]:
    """The texts of the sources; a source without text is left out."""
    sources = _parsed(stored)
    if sources is None:
        return []
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise Unusable(f"the sources are {shown(sources)}, where a list of objects is needed")
    texts = [source.get("text") for source in sources]
    return [text(stored_text, "the text of a source") for stored_text in texts if stored_text]


def _parsed(stored: Any) -> Any:
    """The value of a JSON column, which some exports write as a string."""
    if isinstance(stored, str) and stored.lstrip()[:1] in {"{", "[", '"', "n"}:
        try:
            return orjson.loads(stored)
        except orjson.JSONDecodeError as error:
            raise Unusable(f"{shown(stored)} is not JSON: {error.msg}") from error
    return stored


def _spaced(source: str) -> str:
    return " ".join(source.split())
