"""Small judged data sets to train on."""

from trainer.data.dataset import Dataset, Document, Judgement, Split

_THINGS = (
    "parcel", "invoice", "printer", "garden", "violin", "harbour", "recipe", "camera", "bicycle", "museum", "lantern",
    "blanket", "compass", "kettle", "ladder", "mirror", "needle", "orchard", "pillow", "quarry", "ribbon", "saddle",
    "teapot", "umbrella",
)  # fmt: skip


def dataset(queries: int = 24, *, bad: bool = True) -> Dataset:
    """A question has the words of its bad document and not those of its good one. Two thirds of the questions train."""
    things = _THINGS[:queries]
    corpus = {
        **{f"good{n}": Document(f"Everything about the {thing} and how it is kept.") for n, thing in enumerate(things)},
        **{f"bad{n}": Document(f"Nothing here but the price of a {thing}.") for n, thing in enumerate(things)},
    }
    judgements = [Judgement(f"q{n}", f"good{n}", good=True) for n in range(len(things))]
    if bad:
        judgements += [Judgement(f"q{n}", f"bad{n}", good=False) for n in range(len(things))]
    splits: dict[str, Split] = {
        f"q{n}": ("train", "train", "train", "train", "dev", "test")[n % 6] for n in range(len(things))
    }
    return Dataset(
        {f"q{n}": f"Is there nothing here on a {thing}?" for n, thing in enumerate(things)},
        corpus,
        tuple(judgements),
        splits,
    )


def components(data: Dataset) -> dict[str, int]:
    """A component for each query."""
    return {query: number for number, query in enumerate(sorted(data.queries))}
