"""The limits of a key that has the scope judge and not admin: it judges in its own name, and sees no other's word."""

from collections.abc import Sequence
from dataclasses import replace

from service.corpus.judgements import Judgement, JudgementFilter, Source
from service.errors import Forbidden

_PERSON: frozenset[Source] = frozenset({"person"})


def check_own(judgements: Sequence[Judgement], name: str | None) -> None:
    """Raise Forbidden unless all judgements are the word of the person `name`. None: they may be of anybody."""
    if name is None:
        return
    for judgement in judgements:
        if judgement.source != "person" or judgement.by != name:
            raise not_own(name)


def own_only(conditions: JudgementFilter, name: str | None) -> JudgementFilter:
    """Return the conditions, and that a judgement is the word of the person `name`; None: of anybody.

    Raises Forbidden if the conditions name somebody else, or another source.
    """
    if name is None:
        return conditions
    if conditions.by not in (None, name) or conditions.sources not in (None, _PERSON):
        raise not_own(name)
    return replace(conditions, by=name, sources=_PERSON)


def own_view(by: str | None, name: str | None) -> str | None:
    """Return whose view it is: that of `by`, or that of the person `name`, who may see no other's.

    Raises Forbidden if that person asks for another's.
    """
    if name is None:
        return by
    if by not in (None, name):
        raise not_own(name)
    return name


def not_own(name: str) -> Forbidden:
    """The key of that name may judge in no other name."""
    return Forbidden(
        f"the key {name} has the scope judge and not admin, so it judges in its own name alone: send source person, and"
        f" by {name} or none"
    )
