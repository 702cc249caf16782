"""What the replica that leads asks the others to prepare, as a note in the records."""

from uuid import UUID

from pydantic import BaseModel

from service.corpus.base import Records

_NOTE = "preparing"


class Asked(BaseModel):
    """The wish for a generation of the checkpoint `model` on every replica.

    `number` is 0 for a new one. `ticket` tells one wish from all others.
    """

    ticket: int
    leader: UUID
    model: str
    number: int


def asked(records: Records) -> Asked | None:
    """Return what replicas are asked to prepare at the moment."""
    note = records.note(_NOTE)
    return None if note is None else Asked.model_validate_json(note)


def ask(records: Records, wish: Asked | None) -> None:
    """Replace what replicas are asked to prepare; None: nothing."""
    records.save_note(_NOTE, None if wish is None else wish.model_dump_json())
