"""Checks of the texts that callers send, shared by the routes that take them."""

from collections.abc import Sequence

from service.errors import InvalidRequest, TooLarge
from service.settings import Settings


def check_texts(texts: Sequence[str], param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless there are texts, not too many, none blank and none too long."""
    if not texts:
        raise InvalidRequest(f"{param} is empty: send at least one text", param)
    if len(texts) > settings.max_inputs:
        raise TooLarge(
            f"{param} has {len(texts)} texts, more than {settings.max_inputs}: send parts, or raise INSTAR_MAX_INPUTS",
            param,
        )
    for place, text in enumerate(texts):
        check_text(text, param if len(texts) == 1 else f"{param}.{place}", settings)


def check_text(text: str, param: str, settings: Settings) -> None:
    """Raise InvalidRequest or TooLarge unless `text` has content and is not too long."""
    if len(text) > settings.max_text:
        raise TooLarge(
            f"{param} has {len(text)} characters, more than {settings.max_text}: split it, or raise INSTAR_MAX_TEXT",
            param,
        )
    if not text or text.isspace():
        raise InvalidRequest(f"{param} is empty or blank: send text, or leave it out", param)


def refuse_nul(value: str, param: str) -> None:
    """Raise InvalidRequest for U+0000, which not every store can hold."""
    if "\0" in value:
        raise InvalidRequest(f"{param} contains the character U+0000: remove it", param)
