"""Checks of texts, dimensions and cursors that callers send, shared by the routes that take them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Request
from pydantic import Field, StrictInt

from service.errors import EmptyInput, InvalidRequest, TooLarge
from service.models.base import ServedModel
from service.settings import Settings

# A text, texts, token ids of one text, or token ids of several.
TextsOrTokens = str | list[str] | list[StrictInt] | list[list[StrictInt]]
ModelName = Annotated[str | None, Field(description="active, the id of a checkpoint, or an alias; default: active")]
INPUT_DESCRIPTION = (
    "a text or texts; with `INSTAR_CLIENTS__TOKEN_IDS` also token ids of the model's own tokenizer, or lists of them"
)
NEXT_CURSOR = "`cursor` of the next page; null: this is the last page"
DIMENSIONS_DESCRIPTION = "cut the vectors to this many dimensions, then normalise them again"
OUTPUT_DTYPE_DESCRIPTION = (
    "type of the numbers. int8, uint8: the place of each number in a range that is fixed for the model's document"
    " fingerprint, in 256 steps; binary, ubinary: signs as bits, 8 dimensions in a byte, int8 or uint8; compare int8 by"
    " cosine, and bits by Hamming distance"
)


def check_texts(texts: Sequence[str], param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless there are texts, not too many, and none blank or too long."""
    if not texts:
        raise no_texts(param)
    if len(texts) > settings.limits.inputs:
        raise too_many_texts(param, len(texts), settings.limits.inputs)
    for index, text in enumerate(texts):
        check_text(text, param if len(texts) == 1 else f"{param}.{index}", settings)


def no_texts(param: str) -> EmptyInput:
    """The list of texts is empty."""
    return EmptyInput(f"{param} is empty: send at least one text", param)


def too_many_texts(param: str, count: int, limit: int) -> TooLarge:
    """There are `count` texts, more than `limit`."""
    return TooLarge(f"{param} has {count} texts, more than {limit}: send parts, or raise INSTAR_LIMITS__INPUTS", param)


def texts_of(
    inputs: list[str] | list[int] | list[list[int]], encoder: ServedModel, param: str, settings: Settings
) -> list[str]:
    """Return the texts of a request, decoded from token ids if it has those of the model's own tokenizer.

    Raises InvalidRequest for token ids unless the settings allow them: ids of another tokenizer look the same, and
    nobody would notice that the vectors belong to other words.
    """
    if not settings.clients.token_ids and not all(isinstance(item, str) for item in inputs):
        raise InvalidRequest(
            f"{param} has token ids, and nothing says that they are of this model's tokenizer: send the text"
            " (LangChain's OpenAIEmbeddings does with check_embedding_ctx_length=False), or set"
            " INSTAR_CLIENTS__TOKEN_IDS=true here if all callers have the ids from /tokenize",
            param,
        )
    texts: list[str] = []
    ids: list[int] = []
    for item in inputs:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, int):
            ids.append(item)
        elif not item:
            raise InvalidRequest(f"{param} has an empty list of token ids: leave it out", param)
        else:
            texts.append(encoder.decode(item, param))
    return [*texts, encoder.decode(ids, param)] if ids else texts


def check_dimensions(dimensions: int | None, encoder: ServedModel) -> None:
    """Raise InvalidRequest unless vectors of `encoder` can be cut to `dimensions`."""
    if dimensions is not None and not 1 <= dimensions <= encoder.dimensions:
        raise wrong_dimensions(encoder.dimensions, encoder.checkpoint.id)


def wrong_dimensions(limit: int, model: str) -> InvalidRequest:
    """Vectors of the checkpoint with that id have 1 to `limit` dimensions."""
    return InvalidRequest(f"dimensions must be 1 to {limit} with {model}", "dimensions")


def check_text(text: str, param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless `text` has content and is not too long."""
    if len(text) > settings.limits.text:
        raise TooLarge(
            f"{param} has {len(text)} characters, more than {settings.limits.text}: split it, or raise"
            " INSTAR_LIMITS__TEXT",
            param,
        )
    if not text or text.isspace():
        raise blank(param)


def blank(param: str) -> EmptyInput:
    """A text is empty or has spaces only."""
    instead = "send a question" if param.startswith("query") else "send text, or leave it out"
    return EmptyInput(f"{param} is empty or blank: {instead}", param)


def refuse_nul(value: str, param: str) -> None:
    """Raise InvalidRequest for U+0000, which not every store can hold."""
    if "\0" in value:
        raise InvalidRequest(f"{param} contains the character U+0000: remove it", param)


async def refuse_collection_in_query(request: Request) -> None:
    """Raise InvalidRequest if the query names a collection, for a route that reads it in the body alone."""
    if "collection" in request.query_params:
        raise InvalidRequest("collection is read in the body here, not in the query: name it there", "collection")


def unknown_cursor() -> InvalidRequest:
    """The service did not make the cursor of a page."""
    return InvalidRequest("cursor is not one of ours: take it from `next` of the page before", "cursor")
