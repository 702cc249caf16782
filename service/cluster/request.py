"""A note in the records: what the replica that leads asks the others to prepare."""

from uuid import UUID

from pydantic import BaseModel

from service.checkpoints.model_kind import Kind
from service.corpus.base import Records

_NOTE = "preparing"


class Wish(BaseModel):
    """The wish for a generation of the checkpoint `model`, or for the reranker `model`, on every replica.

    `number` is 0 for a new generation. `ticket` tells one wish from all others.
    """

    ticket: int
    leader: UUID
    model: str
    number: int
    kind: Kind = "dense"


def wished(records: Records) -> Wish | None:
    """Return what replicas are asked to prepare at the moment."""
    note = records.note(_NOTE)
    return None if note is None else Wish.model_validate_json(note)


def ask(records: Records, wish: Wish | None) -> None:
    """Replace what replicas are asked to prepare; None: nothing."""
    records.save_note(_NOTE, None if wish is None else wish.model_dump_json())
