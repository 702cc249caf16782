"""Makes a part of a model learn (all weights, a query adapter, LoRA matrices), and makes it a plain model again."""

import copy
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router
from torch import nn

from trainer.base_model import Model
from trainer.errors import BadData
from trainer.recipe import Mode

_LORA_ALPHA_PER_RANK = 2
_LORA_DROPOUT = 0.05


def prepare(model: SentenceTransformer, mode: Mode, lora_rank: int) -> None:
    """Change `model` so that it can be trained in that mode. Its vectors do not change.

    Raises BadData if the model does not allow the mode.
    """
    match mode:
        case "full":
            return
        case "query-adapter":
            _add_adapter(model)
        case "lora":
            _add_lora(model, lora_rank)


def finish(model: Model) -> None:
    """Undo what training alone needed: multiply LoRA matrices into the weights, and let all weights learn again."""
    transformer = model[0]
    inner = getattr(transformer, "model", None)
    if isinstance(inner, PeftModel):
        transformer.model = inner.merge_and_unload()
    model.requires_grad_(True)


def routes(model: SentenceTransformer) -> bool:
    """Whether queries and documents go through different modules."""
    return any(isinstance(module, Router) for module in model)


def _add_adapter(model: SentenceTransformer) -> None:
    """Add a linear layer to the query side. It begins as the identity.

    LlamaIndex's linear adapter and Chroma's "Embedding Adapters" (Sanketh and Troynikov 2024) adapt queries alone, too.
    A router takes the place of the last module, so that documents go through exactly the modules of the base.
    """
    if routes(model):
        raise BadData("the base model has a router already: train it with --mode full, or use a base without one")
    model.requires_grad_(False)
    end = len(model) - 1
    last: Any = model[end]
    width = model.get_embedding_dimension()
    if not width:
        raise BadData("the base model does not say how many dimensions it has: use a base with a Pooling module")
    adapter = Dense(width, width, bias=False, activation_function=nn.Identity(), init_weight=torch.eye(width))
    query_last = copy.deepcopy(last)
    query = [adapter, query_last] if isinstance(last, Normalize) else [query_last, adapter]
    del model[end]
    model.append(Router.for_query_document(query_modules=query, document_modules=[last]))


def _add_lora(model: SentenceTransformer, rank: int) -> None:
    """Add low-rank matrices beside every linear layer of the transformer (Hu et al. 2021)."""
    transformer = model[0]
    inner = getattr(transformer, "model", None)
    if not isinstance(inner, nn.Module):
        raise BadData("--mode lora needs a model that begins with a transformer: use --mode full")
    config = LoraConfig(
        r=rank, lora_alpha=_LORA_ALPHA_PER_RANK * rank, lora_dropout=_LORA_DROPOUT, target_modules="all-linear"
    )
    transformer.model = get_peft_model(inner, config)
