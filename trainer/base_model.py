"""The models that training starts from and that the result is compared with."""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from transformers import PreTrainedTokenizerBase

from service.checkpoints import archive, checkpoint
from service.checkpoints.bundled import BASE
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.lookup import Lookup
from service.checkpoints.model_kind import Kind
from service.checkpoints.registry import Registry
from service.errors import CheckpointRefused, InvalidRequest, NotFound
from trainer.errors import BadData

# The most bytes that a zipped checkpoint may unpack to.
_MAX_UNPACKED = 64 << 30
Model = SentenceTransformer | CrossEncoder

_DENSE: tuple[Kind, ...] = ("dense",)


@contextmanager
def open(  # noqa: A001 (always read as base_model.open)
    name: str, *, allow_hub: bool = False, kinds: Collection[Kind] = _DENSE
) -> Iterator[Checkpoint]:
    """Open the checkpoint `name`: a folder, a zip, the bundled base model, or a Hugging Face name.

    It is verified as the service does it. Unpacked and downloaded files are deleted at the end of the block. Raises
    BadData if there is no such checkpoint, if the service would refuse it, or if it is of none of `kinds`.
    """
    with tempfile.TemporaryDirectory(prefix="instar-base-") as temporary:
        try:
            opened = _read(name, Path(temporary), allow_hub)
        except (NotFound, InvalidRequest) as error:
            raise BadData(
                f"there is no model {name}: name a folder or zip with a sentence-transformers model, {BASE}, or a"
                " Hugging Face name; --allow-hub lets it be downloaded"
            ) from error
        except CheckpointRefused as refused:
            raise BadData(f"{name} cannot be used: {refused.message}") from refused
        if opened.kind not in kinds:
            raise BadData(
                f"{name} is a cross-encoder, and an embedding model is needed here: name one, or train with --kind"
                " reranker"
            )
        yield opened


def load(source: Checkpoint, device: str | None = None) -> SentenceTransformer:
    """The model in memory, on `device` (default: the best there is)."""
    return load_folder(source.folder, device)


def load_folder(
    folder: Path, device: str | None = None, *, kind: type[SentenceTransformer] = SentenceTransformer
) -> SentenceTransformer:
    """The model in `folder`, on `device` (default: the best there is). Pickles and code never run."""
    model = kind(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    _pad(model)
    return model


def load_reranker(source: Checkpoint, device: str | None = None) -> CrossEncoder:
    """The cross-encoder in memory. An embedding model's encoder gets a new head, of random numbers.

    Raises BadData if no such head can be put on the encoder.
    """
    if source.kind == "reranker":
        return load_reranker_folder(source.folder, device)
    try:
        model = load_reranker_folder(source.folder, device, num_labels=1)
    except (ValueError, OSError, KeyError) as error:
        raise _headless(source, error) from error
    if len(model) != 1:
        raise BadData(
            f"{source.id} is more than a transformer and its pooling, so it can get no head: use another base"
        )
    try:
        # An encoder of a translator gets a head that it cannot compute.
        model.predict([("a question", "a text"), ("another question", "a longer text")], show_progress_bar=False)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise _headless(source, error) from error
    return model


def load_reranker_folder(folder: Path, device: str | None = None, *, num_labels: int | None = None) -> CrossEncoder:
    """The cross-encoder in `folder`, on `device` (default: the best there is). Pickles and code never run."""
    model: CrossEncoder = CrossEncoder(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
        num_labels=num_labels,
    )
    _pad(model)
    return model


def _headless(source: Checkpoint, error: Exception) -> BadData:
    return BadData(f"{source.id} can get no head that scores pairs ({error}): use another base")


def checkpoint_name(name: str) -> str:
    """The last part of a path or Hugging Face name, without `.zip`."""
    return Path(name).name.removesuffix(".zip").partition("@")[0] or "model"


def _pad(model: Model) -> None:
    """Give a tokenizer that has no token to pad with the one that the service takes. Padding is masked.

    A decoder's head finds the last token of a text by the configuration's padding token, so a cross-encoder pads with
    that, and its configuration names one.
    """
    for module in model.modules():
        tokenizer = getattr(module, "tokenizer", None) if isinstance(module, Transformer) else None
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            continue
        network: Any = module.model
        configuration = network.config.get_text_config()
        named = getattr(configuration, "pad_token_id", None)
        # Old Llamas name -1, which is no token.
        named = named if named is not None and 0 <= named < len(tokenizer) else None
        if tokenizer.pad_token is None or (isinstance(model, CrossEncoder) and named is not None):
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(named or 0)
        if isinstance(model, CrossEncoder):
            configuration.pad_token_id = tokenizer.pad_token_id


def _read(name: str, temporary: Path, allow_hub: bool) -> Checkpoint:
    path = Path(name)
    if path.is_dir():
        return checkpoint.read(path, checkpoint_name(name))
    if path.is_file():
        archive.unpack(path, temporary, _MAX_UNPACKED)
        return checkpoint.read(temporary, checkpoint_name(name))
    lookup = Lookup(temporary / "checkpoints", temporary / "kept", allow_hub=allow_hub, max_size=_MAX_UNPACKED)
    return Registry(lookup).install(name)
