"""A note in the records: what the replica that leads asks the others to prepare."""

from uuid import UUID

from pydantic import BaseModel

from service.corpus.base import Records

_NOTE = "preparing"


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
    note = records.note(_NOTE)
    return None if note is None else Wish.model_validate_json(note)


def ask(records: Records, wish: Wish) -> None:
    """Replace what replicas are asked to prepare."""
    records.save_note(_NOTE, wish.model_dump_json())


def withdraw(records: Records, wish: Wish) -> None:
    """Ask for nothing any more, unless another replica leads by now and asks for something."""
    current = wished(records)
    if current is not None and current.ticket == wish.ticket:
        records.save_note(_NOTE, None)
