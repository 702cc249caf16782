"""Weak labels: pairs of query and document, made from a corpus alone. Nobody judged them, so they never test.

A title is a query for its text, a heading for its document, and a span of words for the document that it was cut from.
(Contriever, Izacard et al. 2022, pairs two spans of one text. Here the second is the whole document, as a search
returns it.) If the model does not rank a pair's document high, the query probably asks for nothing, and `consistent`
leaves the pair out (Promptagator, Dai et al. 2022).
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sentence_transformers import SentenceTransformer

from trainer.data.collected import Collected
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.data.texts import normalised
from trainer.prepare import reranking

_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
# The fewest words of a title, heading or crop: nobody could tell what fewer words ask for.
_LEAST_WORDS = 2
_LEAST_CROP = 4
_LARGEST_CROP = 32
# The smallest and the largest share of the text that a crop takes, as in Contriever.
_CROP_SHARES = (0.05, 0.5)


def generate(corpus: Mapping[str, Document], seed: int) -> Dataset:
    """A data set of weak judgements alone. Equal corpora and seeds give equal sets, whatever their order.

    Each document gives one crop, and those of its title and headings that no other document has.
    """
    collected = Collected()
    collected.corpus.update(corpus)
    titles = {key: [*_titles(document)] for key, document in sorted(corpus.items())}
    uses = Counter(normalised(name) for names in titles.values() for name in dict.fromkeys(names))
    for key, document in sorted(corpus.items()):
        crop = _crop(document.text, random.Random(f"{seed} {key}"))  # noqa: S311 (it has to repeat)
        for query in [*(name for name in titles[key] if uses[normalised(name)] == 1), *crop]:
            judgement = Judgement(collected.query(query), key, good=True, weak=True)
            if not collected.knows(judgement):
                collected.judge(judgement)
    return collected.dataset()


def consistent(model: SentenceTransformer, dataset: Dataset, k: int, *, quiet: bool = True) -> Dataset:
    """The data set without weak judgements whose document `model` does not rank among the first `k`."""
    queries = sorted({judgement.query for judgement in dataset.judgements if judgement.weak and judgement.good})
    if not queries:
        return dataset
    first = reranking.retrieve(model, dataset, queries, k, quiet=quiet)
    kept = tuple(
        judgement
        for judgement in dataset.judgements
        if not judgement.weak or not judgement.good or judgement.document in first[judgement.query]
    )
    dropped = {judgement.query for judgement in dataset.judgements} - {judgement.query for judgement in kept}
    left = {query: text for query, text in dataset.queries.items() if query not in dropped}
    return replace(dataset, queries=left, judgements=kept)


def _titles(document: Document) -> Iterator[str]:
    """The title and the headings that have enough words."""
    for name in [document.title, *_HEADING.findall(document.text)]:
        if len(name.split()) >= _LEAST_WORDS:
            yield name.strip()


def _crop(text: str, pick: random.Random) -> list[str]:
    """One span of words from a random position, or none if the text is too short."""
    words = _HEADING.sub(" ", text).split()
    low, high = (min(int(share * len(words)), _LARGEST_CROP) for share in _CROP_SHARES)
    if high < _LEAST_CROP:
        return []
    size = pick.randint(max(low, _LEAST_CROP), high)
    first = pick.randint(0, len(words) - size)
    return [" ".join(words[first : first + size])]
