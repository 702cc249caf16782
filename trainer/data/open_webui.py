"""Open WebUI's exports, `--format open-webui`: rated answers, or whole chats, as one JSON array.

A row of the feedback export (backend/open_webui/models/feedbacks.py in open-webui/open-webui) has `data.rating`, 1 or
-1, `meta.message_id`, and in `snapshot` the chat as it was then. A row of the chat export has `chat`, whose answers
carry their rating in `annotation`. Both hold messages by id, each with `parentId`, `role`, `content` and, in an answer,
`sources`: each a file with the texts of its chunks in `document` (older versions call them `citations`). What a tool
has answered is a source as well, and no document. Newer versions may have the text of an answer in `output` alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trainer.data.answers import Answer, Answers, Thumb
from trainer.data.collected import Collected
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, text

Messages = Mapping[str, Mapping[str, Any]]


def collect(path: Path, collected: Collected) -> None:
    """Read a file. Sources are matched to the documents that were collected before; else they become the corpus."""
    answers = Answers(collected)
    for location, row in objects(path, collected):
        with collected.row(location):
            is_feedback = isinstance(row.get("data"), dict) and "rating" in row["data"]
            for answer in _rated(row) if is_feedback else _of_chat(row):
                answers.take(answer, location)


def _rated(row: Mapping[str, Any]) -> Iterator[Answer]:
    """The one answer of a row of the feedback export."""
    thumb = _thumb(row["data"]["rating"])
    if thumb is None:
        return
    messages = _messages(row.get("snapshot"))
    identity = _object(row.get("meta"), "meta").get("message_id")
    message = messages.get(str(identity))
    if message is None:
        raise Unusable(f"no message has the id {shown(identity)}: export the feedback with its chats (snapshot)")
    yield _answer(message, messages, thumb)


def _of_chat(row: Mapping[str, Any]) -> Iterator[Answer]:
    """All answers of a row of the chat export, the rated ones with their thumbs."""
    messages = _messages(row)
    for message in messages.values():
        if message.get("role") == "assistant":
            annotation = message.get("annotation")
            rating = annotation.get("rating") if isinstance(annotation, dict) else None
            yield _answer(message, messages, _thumb(rating))


def _answer(message: Mapping[str, Any], messages: Messages, thumb: Thumb | None) -> Answer:
    question = messages.get(str(message.get("parentId")), {})
    query = text(_words(question), "the question") if thumb else ""
    return Answer(query, str(_words(message) or ""), _sources(message), thumb)


def _messages(stored: Any) -> Messages:
    """The messages by id. They lie in `history`, up to two chats deep, by the version that exported them."""
    holder = stored
    while isinstance(holder, dict) and "history" not in holder:
        holder = holder.get("chat")
    if not isinstance(holder, dict):
        raise Unusable("has no chat with a history: export the feedback, or all chats, from the admin's settings")
    messages = _object(holder["history"], "history").get("messages") or {}
    rows = messages.values() if isinstance(messages, dict) else messages
    if not isinstance(rows, list | type({}.values())) or not all(isinstance(row, dict) for row in rows):
        raise Unusable(f"the messages are {shown(messages)}, where objects by id are needed")
    return {str(row.get("id")): row for row in rows}


def _sources(message: Mapping[str, Any]) -> list[str]:
    """The texts of the chunks; a source without text, and what a tool has answered, is left out."""
    sources = message.get("sources") or message.get("citations") or []
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise Unusable(f"the sources are {shown(sources)}, where a list of objects is needed")
    chunks = [source.get("document") or [] for source in sources if not _is_of_tool(source)]
    if not all(isinstance(texts, list) for texts in chunks):
        raise Unusable("the document of a source is no list of texts")
    return [text(chunk, "the text of a source") for texts in chunks for chunk in texts if chunk]


def _is_of_tool(source: Mapping[str, Any]) -> bool:
    origin = source.get("source")
    return bool(source.get("tool_result")) or (isinstance(origin, dict) and origin.get("type") == "tool")


def _words(message: Mapping[str, Any]) -> Any:
    """The content of a message: a string, or the texts of its blocks."""
    content, output = message.get("content"), message.get("output")
    if not content and isinstance(output, list):
        items = [item for item in output if isinstance(item, dict) and item.get("type") == "message"]
        content = [block for item in items for block in item.get("content") or []]
    if isinstance(content, list):
        return "\n".join(str(block["text"]) for block in content if isinstance(block, dict) and block.get("text"))
    return content


def _thumb(rating: Any) -> Thumb | None:
    """The thumb, or None if nobody rated the answer. Forms of the API send numbers as text."""
    if rating is None:
        return None
    if str(rating) not in ("1", "-1") or isinstance(rating, bool):
        raise Unusable(f"the rating is {shown(rating)}, which is neither 1 nor -1")
    return "like" if str(rating) == "1" else "dislike"


def _object(stored: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(stored, dict):
        raise Unusable(f"{what} is {shown(stored)}, where a JSON object is needed")
    return stored
