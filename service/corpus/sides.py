"""The sides of judged queries: what trains never judges, and what judges is never trained on.

A query has a node, made of its words, and so do the documents that are good for it, each made of its text and of its
id. Queries that share a node are connected: their words are equal but for case, order and punctuation, or they have a
good document in common. So are queries that are nearly equal (`near_duplicates.py`). The first query decides the side,
those that are connected to it later follow it, and no node leaves the side judge again. Nodes are hashes, and outlive
the judgements that they were made of.

A query of the side train with a good document of the side judge would connect the two. It is on neither side for as
long as that judgement is there. A query that nearly equals one of judge, and is connected to one that trains, is on
neither side for ever.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from service.corpus.judgements import Judgement, Side

# The share of queries, in hundredths, that train if nothing else decides.
_TRAIN = 70
Standing = Side | Literal["neither"]
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes of one judgement. `text` is None if the document is not in the corpus."""

    query: bytes
    document: bytes
    text: bytes | None

    @property
    def good(self) -> tuple[bytes, ...]:
        """The nodes of the document."""
        return (self.document,) if self.text is None else (self.document, self.text)


def text_hash(text: str) -> bytes:
    """Hash a text to 16 bytes, by which equal texts are found (SHA-256, cut)."""
    return sha256(text.encode()).digest()[:16]


def nodes_of(judgement: Judgement, text: str | None) -> Nodes:
    """The nodes of a judgement whose document has that text."""
    return Nodes(
        query_node(judgement.query),
        _node("id", judgement.collection, judgement.document),
        None if text is None else _node("text", " ".join(text.casefold().split())),
    )


def query_node(query: str) -> bytes:
    """The node of a query: its words, whatever their case, order and repetition, or the whole query if it has none."""
    return _node("query", *words_of(query))


def words_of(query: str) -> list[str]:
    """The different words of a query, sorted, or its parts between spaces if it has none."""
    plain = unicodedata.normalize("NFKC", query).casefold()
    return sorted(set(_WORDS.findall(plain))) or plain.split()


def assign(
    judgements: Sequence[tuple[Judgement, Nodes]],
    known: Mapping[bytes, Standing],
    near: Mapping[bytes, Sequence[bytes]],
) -> dict[bytes, Standing]:
    """The sides of nodes that are new, or that were of the side train and are now of judge.

    `judgements` come with their nodes, in the order of their arrival; `known` has the sides of all nodes that have one,
    and `near` the earlier queries that each new one nearly equals.
    """
    sides: dict[bytes, Standing] = {}

    def sides_of(nodes: Iterable[bytes]) -> set[Standing | None]:
        return {sides.get(node) or known.get(node) for node in nodes}

    good: dict[bytes, list[bytes]] = {}
    for judgement, nodes in judgements:
        good.setdefault(nodes.query, []).extend(nodes.good if judgement.good else ())
    for judgement, nodes in judgements:
        documents = good.pop(nodes.query, None)
        if documents is None:
            continue
        (side,) = sides_of([nodes.query])
        if side is None:
            side = _joined(sides_of(near.get(nodes.query, ())), sides_of(documents)) or _first(judgement, nodes)
            sides[nodes.query] = side
        if side == "neither":
            continue
        for document in documents:
            if side == "judge" or sides_of([document]) == {None}:
                sides[document] = side
    return {node: side for node, side in sides.items() if known.get(node) != side}


def _joined(near: Set[Standing | None], documents: Set[Standing | None]) -> Standing | None:
    """The side of a query by those of the queries that it nearly equals and of its good documents, if they have any."""
    connected = near | documents
    if "judge" in near and "train" in connected:
        return "neither"
    # A query with a good document of judge that is connected to train, too, counts as one of train.
    return "train" if "train" in connected else "judge" if "judge" in connected else None


def _first(judgement: Judgement, nodes: Nodes) -> Side:
    """The side of a query that nothing connects to an earlier one.

    Sent judgements are there to judge by. Generated ones are no measure of anything.
    """
    if judgement.side is not None:
        return judgement.side
    if judgement.source in ("sent", "generated"):
        return "judge" if judgement.source == "sent" else "train"
    return "train" if int.from_bytes(nodes.query[:8]) % 100 < _TRAIN else "judge"


def _node(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode()).digest()[:16]
