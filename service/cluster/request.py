"""A note in the records: what the replica that leads asks the others to prepare."""

from uuid import UUID

from pydantic import BaseModel

from service.corpus.base import Records

# The name of the note.
NOTE = "preparing"


class Wish(BaseModel):
    """The wish for a generation of the checkpoint `model` on every replica.

    `number` is 0 for a new one. `ticket` tells one wish from all others.
    """

    ticket: int
    leader: UUID
    model: str
    number: int


def wished(records: Records) -> Wish | None:
    """Return what replicas are asked to prepare at the moment."""
    note = records.note(NOTE)
    return None if note is None else Wish.model_validate_json(note)


def ask(records: Records, wish: Wish | None) -> None:
    """Replace what replicas are asked to prepare; None: nothing."""
    records.save_note(NOTE, None if wish is None else wish.model_dump_json())
