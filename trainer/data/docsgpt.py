"""DocsGPT's feedback, `--format docsgpt`: rows of its table `conversation_messages`, as JSON lines or from PostgreSQL.

A row has `prompt`, `response`, `sources` [{`text`, `title`, `source`}] and `feedback`, which is null or {"text": "like"
or "dislike"} (application/storage/db/models.py and application/api/user/conversations/routes.py in arc53/DocsGPT).

DocsGPT stores the first 1,000 characters of a source (`save_conversation` in application/api/answer/services/
conversation_service.py). So sources are matched to the corpus by the beginnings of its documents. Titles are left out:
DocsGPT embeds the text alone, and stores the text as the title of a chunk without one.
"""

from pathlib import Path
from typing import Any

from trainer.data import postgres
from trainer.data.answers import Answer, Answers, Thumb
from trainer.data.collected import Collected
from trainer.data.lines import objects, parsed
from trainer.data.problems import Unusable, shown, text

_CUT = 1000


def collect(source: Path | str, collected: Collected) -> None:
    """Read JSON lines at a path, or a database at a URL.

    Sources are matched to the documents that were collected before. If there are none, the sources become the corpus.
    Raises BadData if `source` cannot be read.
    """
    rows = postgres.messages(source) if postgres.is_url(source) else objects(Path(source), collected)
    answers = Answers(collected, _CUT)
    for location, row in rows:
        with collected.row(location):
            thumb = _thumb(row.get("feedback"))
            sources = _sources(row.get("sources"))
            prompt = text(row.get("prompt"), "the prompt") if thumb else ""
            answers.take(Answer(prompt, str(row.get("response") or ""), sources, thumb), location)
    if cut := answers.cut_documents:
        reason = f"{len(cut):,} documents may be cut at {_CUT:,} characters: name the whole ones with --corpus"
        collected.note("sources", reason)


def _thumb(feedback: Any) -> Thumb | None:
    """like, dislike, or None if nobody rated the answer."""
    rating = parsed(feedback)
    if isinstance(rating, dict):
        rating = rating.get("text")
    if rating is None:
        return None
    match rating.strip().lower() if isinstance(rating, str) else rating:
        case "like":
            return "like"
        case "dislike":
            return "dislike"
    raise Unusable(f"the feedback is {shown(rating)}, which is neither like nor dislike")


def _sources(stored: Any) -> list[str]:
    """The texts of the sources; a source without text is left out."""
    sources = parsed(stored)
    if sources is None:
        return []
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise Unusable(f"the sources are {shown(sources)}, where a list of objects is needed")
    texts = [source.get("text") for source in sources]
    return [text(stored_text, "the text of a source") for stored_text in texts if stored_text]
