"""The models that a run starts from, by its recipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from service.checkpoints.checkpoint import Checkpoint
from trainer import base_model, reading
from trainer.errors import BadData
from trainer.reading import Reader
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Start:
    """`base` is trained. `retriever` is the embedding model that finds hard negatives and a reranker's candidates: the
    base itself, if that is to become an embedding model."""

    recipe: Recipe
    base: Checkpoint
    retriever: Checkpoint

    @property
    def reranks(self) -> bool:
        """Whether a reranker is trained."""
        return self.recipe.kind == "reranker"

    @property
    def new_head(self) -> bool:
        """Whether the base is an embedding model's encoder, whose new head knows nothing before it is trained."""
        return self.reranks and self.base.kind == "dense"

    @cached_property
    def reader(self) -> Reader:
        """The retriever in memory, for all models of the run."""
        return reading.load(self.retriever)

    @property
    def ranks_as_base(self) -> bool:
        """Whether the trained model ranks as the `reader` does before it is trained."""
        changes = (self.recipe.query_prompt, self.recipe.document_prompt, self.recipe.max_length)
        return not self.reranks and all(change is None for change in changes)

    @property
    def later_shares(self) -> set[float]:
        """The shares of tuned weights that are measured after the training. The others are known by then."""
        if self.new_head:
            return set()
        # LoRA's matrices are multiplied into the weights after the training has measured them.
        known = {0.0: self.ranks_as_base, 1.0: self.recipe.mode != "lora"}
        return {share for share in self.recipe.alphas if not known.get(share)}

    @property
    def identity(self) -> dict[str, str]:
        """The ids of the models, by their parts in the run."""
        return {"base": self.base.id} | ({"retriever": self.retriever.id} if self.reranks else {})

    def lineage(self) -> dict[str, JsonValue]:
        """The models as a manifest keeps them. One that has learned from data by its own manifest is noted as such."""
        models = {"base": self.base} | ({"retriever": self.retriever} if self.reranks else {})
        return {
            part: {"id": model.id, "digest": model.digest, "document_fingerprint": model.fingerprint}
            | ({"learned": True} if model.manifest and model.manifest.lineage.get("data") else {})
            for part, model in models.items()
        }


@contextmanager
def opened(recipe: Recipe, *, allow_hub: bool) -> Iterator[Start]:
    """Open the recipe's models. Raises BadData if one cannot be used, or is not of the kind that is needed."""
    if recipe.kind == "dense":
        with base_model.open(recipe.base, allow_hub=allow_hub) as base:
            yield Start(recipe, base, base)
        return
    _refuse_others(recipe)
    with (
        base_model.open(recipe.base, allow_hub=allow_hub, kinds=("dense", "reranker")) as base,
        base_model.open(recipe.retriever, allow_hub=allow_hub) as retriever,
    ):
        yield Start(recipe, base, retriever)


def _refuse_others(recipe: Recipe) -> None:
    """Raise BadData if the recipe has settings that a cross-encoder cannot have."""
    others = {
        "--mode": recipe.mode != "full",
        "--matryoshka": bool(recipe.matryoshka),
        "--query-prompt": recipe.query_prompt is not None,
        "--document-prompt": recipe.document_prompt is not None,
    }
    unfit = [flag for flag, present in others.items() if present]
    if unfit:
        raise BadData(
            f"{', '.join(unfit)} is for embedding models: a reranker reads query and document as one text and gives no"
            " vector; leave it out"
        )
