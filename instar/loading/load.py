"""A load: what is stored is compared with what the files say, and the difference is sent."""

from collections.abc import Iterable

from instar.client import Instar, InstarError, Refused
from instar.client.types import NewDocument, WriteAnswer
from instar.loading.comparing import Advance, Comparison, Outcome, Stored
from instar.loading.cutting import Cutter, Passage
from instar.loading.origin import Listing, Origin
from instar.loading.owners import LOADED_FROM, Owners, matching


class Stopped(InstarError):
    """A load has ended in the middle. The message says why, and how to go on."""


class Load:
    """Brings the passages of origins into a collection. Files that cannot be read keep the passages they had."""

    def __init__(
        self, client: Instar, cutter: Cutter, collection: str, *, dry: bool = False, replace: bool = False
    ) -> None:
        """`replace`: most of what is stored of an origin may go, and ids of other loads may be taken over."""
        self._client = client
        self._cutter = cutter
        self._collection = collection
        self._dry = dry
        self._replace = replace
        self._owners = Owners(client, collection, ask=not replace)

    def renew(self, cutter: Cutter) -> None:
        """Cut so from now on, and take it that others may have written since the latest run."""
        self._cutter = cutter
        self._owners.forget()

    def run(self, origin: Origin, listing: Listing, advance: Advance = int) -> Outcome:
        """Send what has changed in the files and remove what is gone. `advance` is told the bytes that are done.

        Raises Mistaken if most of what is stored of the origin would go, and Stopped if the service fails after it has
        written some.
        """
        stored = {
            document["id"]: Stored.of(document)
            for document in matching(self._client, self._collection, {LOADED_FROM: origin.name})
        }
        comparison = Comparison(origin, listing, stored, self._owners, replace=self._replace)
        outcome, changed = comparison.outcome, comparison.changed(self._cutter, advance)
        if self._dry:
            outcome.written = sum(1 for _ in changed)
            outcome.removed = len(outcome.gone)
        else:
            self._bring(outcome, changed)
        self._owners.note((*stored, *outcome.kept), origin.name)
        self._owners.note(outcome.gone, None)
        return outcome

    def _bring(self, outcome: Outcome, changed: Iterable[Passage]) -> None:
        try:
            self._send(changed, outcome)
            outcome.removed = self._client.delete_all(outcome.gone, self._collection)
        except InstarError as error:
            if not outcome.written:
                raise
            raise Stopped(
                f"{error}; {outcome.written:,} passages are written by now: the same command sends what is left"
            ) from error

    def _send(self, passages: Iterable[Passage], outcome: Outcome) -> None:
        def count(answer: WriteAnswer) -> None:
            outcome.written += answer["written"]
            outcome.unchanged += answer["unchanged"]

        def put_aside(document: NewDocument, refused: Refused) -> None:
            # The name of the field in a request of one document says nothing to who has a folder.
            outcome.refused.append((str(document.get("id")), refused.reason.replace("documents.0.", "")))

        documents = (passage.document() for passage in passages)
        self._client.write_all(documents, self._collection, progress=count, refused=put_aside)
