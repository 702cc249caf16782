"""A data set while it is read: its texts and judgements so far, and its problems."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from trainer.data.dataset import Dataset, Document, Judgement, Split
from trainer.data.problems import Problem, Unusable, shown, text
from trainer.data.review import PutAside
from trainer.data.texts import content_id


class Collected:
    """Takes texts and judgements one after the other. One that cannot be used raises Unusable.

    An importer reads each row in `with collected.row(location):`, which turns that error into a problem.
    """

    def __init__(self) -> None:
        self.queries: dict[str, str] = {}
        self.corpus: dict[str, Document] = {}
        self.splits: dict[str, Split] = {}
        self.collections: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.review: list[PutAside] = []
        self._judgements: list[Judgement] = []
        self._judged: set[Judgement] = set()
        self._indexes: dict[tuple[str, str], list[int]] = {}

    @contextmanager
    def row(self, location: str) -> Iterator[None]:
        """Within the block the row at `location` is read; Unusable becomes a problem of that row."""
        try:
            yield
        except Unusable as reason:
            self.problems.append(Problem(location, str(reason)))

    def note(self, location: str, reason: str) -> None:
        """Report that a sound row is of no use."""
        self.problems.append(Problem(location, reason, "note"))

    def add_query(self, identity: str, query: str) -> None:
        if self.queries.setdefault(identity, query) != query:
            raise Unusable(f"the id {shown(identity)} stands for another query before, which is kept")

    def add_document(self, identity: str, document: Document) -> None:
        text(document.passage, "the text")
        if self.corpus.setdefault(identity, document) != document:
            raise Unusable(f"the id {shown(identity)} stands for another document before, which is kept")

    def query(self, query: str) -> str:
        """Add a query that came without an id, and return its id."""
        identity = content_id(query.strip())
        self.queries.setdefault(identity, query.strip())
        return identity

    def document(self, document: str) -> str:
        """Add a document that came without an id, and return its id."""
        identity = content_id(document.strip())
        self.corpus.setdefault(identity, Document(document.strip()))
        return identity

    def knows(self, judgement: Judgement) -> bool:
        """Whether an equal judgement was taken before."""
        return judgement in self._judged

    def judge(self, *judgements: Judgement) -> None:
        """Add judgements by id, all or none. Raises Unusable for an unknown id or a repeat."""
        for judgement in judgements:
            query, document = shown(judgement.query), shown(judgement.document)
            if judgement.query not in self.queries:
                raise Unusable(f"no query has the id {query}")
            if judgement.document not in self.corpus:
                raise Unusable(f"no document has the id {document}")
            if self.knows(judgement):
                raise Unusable(f"query {query} and document {document} were judged the same before")
        self._take(judgements)

    def judge_texts(self, query: str, good: Sequence[str], bad: Sequence[str]) -> None:
        """Add judgements of texts, which get ids made from their contents. Raises Unusable if a text is good and bad.

        Rows may overlap, so an earlier judgement is taken again only if the row has no other.
        """
        if {passage.strip() for passage in good} & {passage.strip() for passage in bad}:
            raise Unusable("has the same document for good and for bad")
        identity = self.query(query)
        judgements = [Judgement(identity, self.document(passage), good=True) for passage in good]
        judgements += [Judgement(identity, self.document(passage), good=False) for passage in bad]
        fresh = [judgement for judgement in dict.fromkeys(judgements) if not self.knows(judgement)]
        # A repeated row is kept twice, for `inspect` to count.
        self._take(fresh or judgements)

    def weigh(self, query: str, document: str, weight: float, source: str) -> None:
        """Give the judgements of a pair of ids a weight and a source. Raises Unusable if the pair has none."""
        indexes = self._of_pair().get((query, document))
        if indexes is None:
            raise Unusable(f"query {shown(query)} and document {shown(document)} have no judgement")
        for index in indexes:
            self._judgements[index] = replace(self._judgements[index], weight=weight, source=source)

    def _of_pair(self) -> dict[tuple[str, str], list[int]]:
        """The indexes of the judgements of each pair; nothing may be taken after the first call."""
        if not self._indexes:
            for index, judgement in enumerate(self._judgements):
                self._indexes.setdefault((judgement.query, judgement.document), []).append(index)
        return self._indexes

    def _take(self, judgements: Sequence[Judgement]) -> None:
        self._judgements.extend(judgements)
        self._judged.update(judgements)

    def dataset(self) -> Dataset:
        """All that was taken, as a data set."""
        return Dataset(self.queries, self.corpus, tuple(self._judgements), self.splits, self.collections)
