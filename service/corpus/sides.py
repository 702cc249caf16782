"""The sides of judged queries: what trains never judges, and what judges is never trained on.

A query has a node, made of its words, and so do the documents that are good for it, each made of its text and of its
id. Queries that share a node are connected: their words are equal but for case, order and punctuation, or they have a
good document in common. The first query decides the side, those that are connected to it later follow it, and no node
leaves the side judge again. Nodes are hashes, and outlive the judgements that they were made of.

A query of the side train with a good document of the side judge would connect the two. It is on neither side for as
long as that judgement is there.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from service.corpus.judgements import Judgement, Side

# The share of queries, in hundredths, that train if nothing else decides.
_TRAIN = 70
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
    plain = unicodedata.normalize("NFKC", query).casefold()
    return _node("query", *(sorted(set(_WORDS.findall(plain))) or plain.split()))


def assign(judgements: Sequence[tuple[Judgement, Nodes]], known: Mapping[bytes, Side]) -> dict[bytes, Side]:
    """The sides of nodes that are new, or that were of the side train and are now of judge.

    `judgements` come with their nodes, in the order of their arrival; `known` has the sides of all nodes that have one.
    """
    sides: dict[bytes, Side] = {}

    def side_of(node: bytes) -> Side | None:
        return sides.get(node) or known.get(node)

    good: dict[bytes, list[bytes]] = {}
    for judgement, nodes in judgements:
        good.setdefault(nodes.query, []).extend(nodes.good if judgement.good else ())
    for judgement, nodes in judgements:
        documents = good.pop(nodes.query, None)
        if documents is None:
            continue
        side = side_of(nodes.query)
        if side is None:
            connected = {side for side in map(side_of, documents) if side is not None}
            # A query that is connected to both counts as one of train, which is on neither side.
            side = (min(connected, key=("train", "judge").index) if connected else None) or _first(judgement, nodes)
            sides[nodes.query] = side
        for document in documents:
            if side == "judge" or side_of(document) is None:
                sides[document] = side
    return {node: side for node, side in sides.items() if known.get(node) != side}


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
