"""The wishes of the replica that leads: a note in the records says what to prepare, and a build what to embed."""

from uuid import UUID

from pydantic import BaseModel

from service.checkpoints.model_kind import Kind
from service.cluster.base import Request
from service.cluster.heartbeats import Heartbeats
from service.cluster.portions import Portions
from service.corpus.base import Records

# The name of the note.
NOTE = "preparing"


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
    note = records.note(NOTE)
    return None if note is None else Wish.model_validate_json(note)


def ask(records: Records, wish: Wish) -> None:
    """Replace what replicas are asked to prepare."""
    records.save_note(NOTE, wish.model_dump_json())


def ask_again(records: Records, wish: Wish) -> bool:
    """Say whether something else is asked for, or was until now, when the wish is asked for once more.

    Another activation in this process may have asked for it, and withdrawn it, and so may a former leader that was
    stopped in between.
    """
    current = wished(records)
    if current is None:
        ask(records, wish)
    return current is None or current.ticket != wish.ticket


def withdraw(records: Records, wish: Wish) -> None:
    """Ask for nothing any more, unless another replica leads by now and asks for something."""
    current = wished(records)
    if current is not None and current.ticket == wish.ticket:
        records.save_note(NOTE, None)


class PostgresRequests:
    """The requests to the process `identity`. Safe from any thread."""

    def __init__(self, records: Records, heartbeats: Heartbeats, portions: Portions, identity: UUID) -> None:
        self._records = records
        self._heartbeats = heartbeats
        self._portions = portions
        self._identity = identity

    def current(self) -> Request | None:
        """See `Requests`."""
        wish = wished(self._records)
        if wish is not None and wish.leader != self._identity and self._lives(wish.leader):
            return Request(wish.model, wish.number, wish.ticket, kind=wish.kind)
        model = self._portions.announced(self._identity)
        return None if model is None else Request(model, builds=True)

    def _lives(self, leader: UUID) -> bool:
        """Say whether somebody may still wait for what is wished: one that was killed has not withdrawn it."""
        return any(replica.state.id == leader for replica in self._heartbeats.replicas())
