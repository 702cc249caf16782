"""The texts that callers send, and checks of them, shared by the routes that take them."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StrictInt

from service.errors import EmptyInput, InvalidRequest, TooLarge
from service.models.encoder import Encoder
from service.settings import Settings

# A text, texts, token ids of the model's own tokenizer, or lists of them.
Given = str | list[str] | list[StrictInt] | list[list[StrictInt]]
ModelName = Annotated[str | None, Field(description="active, the id of a checkpoint, or an alias; default: active")]


def check_texts(texts: Sequence[str], param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless there are texts, not too many, none blank and none too long."""
    if not texts:
        raise EmptyInput(f"{param} is empty: send at least one text", param)
    if len(texts) > settings.limits.inputs:
        raise TooLarge(
            f"{param} has {len(texts)} texts, more than {settings.limits.inputs}: send parts, or raise"
            " INSTAR_LIMITS__INPUTS",
            param,
        )
    for place, text in enumerate(texts):
        check_text(text, param if len(texts) == 1 else f"{param}.{place}", settings)


def texts_of(
    given: list[str] | list[int] | list[list[int]], encoder: Encoder, param: str, settings: Settings
) -> list[str]:
    """The texts that a request gives as such, or as token ids of the model's own tokenizer.

    Raises InvalidRequest for token ids unless the settings allow them: those of another tokenizer look alike, and
    nobody would notice that the vectors are of other words.
    """
    if not settings.clients.token_ids and not all(isinstance(item, str) for item in given):
        raise InvalidRequest(
            f"{param} has token ids, and nothing says that they are of this model's tokenizer: send the text"
            " (LangChain's OpenAIEmbeddings does with check_embedding_ctx_length=False), or set"
            " INSTAR_CLIENTS__TOKEN_IDS=true here if all callers have the ids from /tokenize",
            param,
        )
    texts: list[str] = []
    ids: list[int] = []
    for item in given:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, int):
            ids.append(item)
        elif not item:
            raise InvalidRequest(f"{param} has an empty list of token ids: leave it out", param)
        else:
            texts.append(encoder.decode(item, param))
    return [*texts, encoder.decode(ids, param)] if ids else texts


def check_dimensions(dimensions: int | None, encoder: Encoder) -> None:
    """Raise InvalidRequest unless vectors of `encoder` can be cut to `dimensions`."""
    if dimensions is not None and not 1 <= dimensions <= encoder.dimensions:
        raise InvalidRequest(f"dimensions must be 1 to {encoder.dimensions} with {encoder.checkpoint.id}", "dimensions")


def check_text(text: str, param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless `text` has content and is not too long."""
    if len(text) > settings.limits.text:
        raise TooLarge(
            f"{param} has {len(text)} characters, more than {settings.limits.text}: split it, or raise"
            " INSTAR_LIMITS__TEXT",
            param,
        )
    if not text or text.isspace():
        instead = "send a question" if param.startswith("query") else "send text, or leave it out"
        raise EmptyInput(f"{param} is empty or blank: {instead}", param)


def refuse_nul(value: str, param: str) -> None:
    """Raise InvalidRequest for U+0000, which not every store can hold."""
    if "\0" in value:
        raise InvalidRequest(f"{param} contains the character U+0000: remove it", param)
