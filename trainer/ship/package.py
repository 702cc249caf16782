"""Packages: a trained model as a checkpoint that the service takes, with a model card and a manifest.

Equal weights, recipe, data and report give equal bytes, so the checkpoint id repeats. A package therefore holds no
dates, times or paths. Texts of the data are in its report alone, which may be left out.
"""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pydantic import JsonValue
from sentence_transformers import SentenceTransformer

from service.checkpoints import checkpoint, model_kind
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.contents import FILE_KINDS, REPORT
from service.checkpoints.manifest import MANIFEST, MIN_CANARY_COSINE, Canary, Manifest, ScoredPair, Sign, write_manifest
from service.checkpoints.signature import Signer, SigningKeyError
from service.machine import files
from trainer import base_model
from trainer.base_model import Model
from trainer.errors import BadData
from trainer.prepare import reranking

# Everyday texts: real queries would show in the package what its owner's users ask.
_CANARIES = (
    "How do I reset my password?",
    "The parcel was returned to the sender after three attempts to deliver it.",
    "Überweisung nach Österreich: 12,50 € — 3 Tage",
    "Open the settings, choose a language, and save. " * 12,
)
_LIBRARIES = ("sentence-transformers", "transformers", "torch", "tokenizers", "numpy")
# The largest difference of a vector's number between a model in memory and that model loaded from its files.
_TOLERANCE = 1e-5
# The most that a reranker's score of a pair, 0 to 1, may differ where the service loads it.
_MAX_SCORE_CHANGE = 0.03
# The earliest date that a zip can name.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
# Files that describe the saved model as a whole, so that the base's files cannot stand in for them.
_DESCRIBING = (MANIFEST, "modules.json", "config_sentence_transformers.json", REPORT)


def save(model: Model, folder: Path, base: Checkpoint, *, same_documents: bool) -> Checkpoint:
    """Write the model's files into the new `folder`.

    `same_documents` says that the document side is the base's. Its files are then copied from the base, so that the
    document fingerprint is equal and the service embeds no document again. Raises BadData if it is not equal, or if
    the model saves files that no checkpoint may hold.
    """
    model.save_pretrained(str(folder), create_model_card=False)
    if same_documents:
        _restore(folder, base)
    foreign = sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix not in FILE_KINDS)
    if foreign:
        raise BadData(f"the model saves files that no checkpoint may hold ({', '.join(foreign)}): use another base")
    saved = checkpoint.read(folder, folder.name.strip("."))
    if same_documents and saved.fingerprint != base.fingerprint:
        raise BadData("the document side of the saved model differs from the base's: train it with --mode full")
    return saved


def faithful(model: Model, folder: Path, texts: Sequence[str]) -> bool:
    """Whether the model in `folder` gives `texts` the vectors of `model`, as queries and as documents.

    A reranker's texts are paired with everyday queries, and its logits are compared.
    """
    if not isinstance(model, SentenceTransformer):
        pairs = [(query, text) for query in _CANARIES[:1] for text in texts]
        reloaded = base_model.load_reranker_folder(folder, str(model.device))
        return np.allclose(reranking.predict(model, pairs), reranking.predict(reloaded, pairs), atol=_TOLERANCE)
    loaded = base_model.load_folder(folder, str(model.device))
    return all(
        np.allclose(encode(texts), encode_loaded(texts), atol=_TOLERANCE)
        for encode, encode_loaded in (
            (model.encode_query, loaded.encode_query),
            (model.encode_document, loaded.encode_document),
        )
    )


def complete(
    folder: Path,
    name: str,
    lineage: Mapping[str, JsonValue],
    card: str,
    sign: Sign = dict,
    report: str | None = None,
) -> Checkpoint:
    """Add the model card, the report, if any, and the manifest to `folder`, and read it as a checkpoint.

    `sign` signs the manifest, which names the report by its hash.
    """
    (folder / "README.md").write_text(card, encoding="utf-8")
    if report is not None:
        (folder / REPORT).write_text(report, encoding="utf-8")
    reranks = model_kind.kind_of(folder) == "reranker"
    facts, manifest = (_of_reranker if reranks else _of_dense)(folder, name)
    libraries: dict[str, JsonValue] = {library: version(library) for library in _LIBRARIES}
    complete_lineage = {**lineage, "model": facts, "libraries": libraries}
    write_manifest(folder, manifest.model_copy(update={"lineage": complete_lineage}), sign)
    return checkpoint.read(folder, name)


def _of_dense(folder: Path, name: str) -> tuple[dict[str, JsonValue], Manifest]:
    """The facts of the embedding model in `folder`, and a manifest with its canaries."""
    model = base_model.load_folder(folder, "cpu")
    canaries = [
        Canary(text=text, side=side, vector=encode(text, normalize_embeddings=True).tolist())
        for text in _CANARIES
        for side, encode in (("query", model.encode_query), ("document", model.encode_document))
    ]
    facts: dict[str, JsonValue] = {
        "prompts": dict(model.prompts),
        "pooling": _pooling(folder),
        "dimensions": model.get_embedding_dimension(),
        "max_length": model.max_seq_length,
    }
    return facts, Manifest(name=name, files={}, canaries=canaries)


def _of_reranker(folder: Path, name: str) -> tuple[dict[str, JsonValue], Manifest]:
    """The facts of the cross-encoder in `folder`, and a manifest with pairs and their logits."""
    model = base_model.load_reranker_folder(folder, "cpu")
    texts = [(query, text) for query in _CANARIES for text in _CANARIES]
    pairs = [
        ScoredPair(query=query, text=text, logit=logit)
        for (query, text), logit in zip(texts, reranking.predict(model, texts).tolist(), strict=True)
    ]
    return {"max_length": model.max_seq_length}, Manifest(name=name, files={}, kind="reranker", pairs=pairs)


def publish(folder: Path, target: Path) -> None:
    """Copy the complete `folder` to `target` and replace what is there. `target` never holds a part of it."""
    with files.folder_beside(target) as incoming:
        shutil.copytree(folder, incoming, dirs_exist_ok=True)
        files.replace_folder(target, incoming)


def pack(folder: Path, archive: Path) -> None:
    """Write the checkpoint in `folder` as a zip. Equal folders give equal zips."""
    with files.replacing_file(archive) as incoming, zipfile.ZipFile(incoming, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _NO_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o100644 << 16
                target.writestr(entry, path.read_bytes())


def signer(key: Path | None) -> Sign:
    """A function that signs with the private key in the file `key`; without a file it signs nothing.

    Raises BadData if the file holds no key.
    """
    if key is None:
        return dict
    try:
        return Signer(key)
    except SigningKeyError as error:
        raise BadData(error.message) from error


def outcome(source: Checkpoint) -> str | None:
    """The gate's verdict on a model, as its manifest has it; None if no gate has judged the model."""
    verdict = source.manifest.lineage.get("verdict") if source.manifest else None
    return str(verdict.get("outcome")) if isinstance(verdict, dict) else None


def repackage(
    source: Checkpoint, name: str, folder: Path, sign: Sign = dict, *, with_report: bool = True
) -> Checkpoint:
    """Publish any model folder as `folder`/`name` with a new manifest, which keeps the lineage of an earlier one.

    The report stays in it only `with_report`.
    """
    lineage = source.manifest.lineage if source.manifest else {}
    with tempfile.TemporaryDirectory(prefix="instar-package-") as temporary:
        copy = Path(temporary) / name
        checkpoint.copy(source.folder, copy)
        (copy / MANIFEST).unlink(missing_ok=True)
        if not with_report:
            (copy / REPORT).unlink(missing_ok=True)
        card = copy / "README.md"
        text = card.read_text(encoding="utf-8") if card.is_file() else f"# {name}\n"
        complete(copy, name, lineage, text, sign)
        publish(copy, folder / name)
    return checkpoint.read(folder / name, name)


def verify(path: str) -> Checkpoint:
    """Check the package as the service would: file hashes, file kinds, and the canaries' vectors.

    Raises BadData with the reason.
    """
    with base_model.open(path, kinds=("dense", "reranker")) as source:
        if source.manifest is None:
            raise BadData(f"{path} has no {MANIFEST} to check it by: make a package of it with the command package")
        other = _first_other(source, source.manifest)
        if other:
            raise BadData(
                f"{path} gives {other} than its manifest: use the library versions that the manifest names"
                f" ({json.dumps(source.manifest.lineage.get('libraries'))})"
            )
        return source


def _first_other(source: Checkpoint, manifest: Manifest) -> str | None:
    """The first text or pair that the model computes otherwise than its manifest says, and what differs."""
    if source.kind == "reranker":
        texts = [(pair.query, pair.text) for pair in manifest.pairs]
        logits = reranking.predict(base_model.load_reranker(source, "cpu"), texts).tolist() if texts else []
        for pair, logit in zip(manifest.pairs, logits, strict=True):
            if abs(_score(logit) - _score(pair.logit)) > _MAX_SCORE_CHANGE:
                return f"{pair.query[:40]!r} with {pair.text[:40]!r} another score"
        return None
    model = base_model.load(source, "cpu")
    for canary in manifest.canaries:
        encode = model.encode_query if canary.side == "query" else model.encode_document
        if float(encode(canary.text, normalize_embeddings=True) @ canary.vector) < MIN_CANARY_COSINE:
            return f"{canary.text[:40]!r} another vector"
    return None


def _score(logit: float) -> float:
    """The sigmoid of a logit, which is the score that the service answers."""
    return float(1 / (1 + np.exp(-np.float64(logit))))


def _restore(folder: Path, base: Checkpoint) -> None:
    """Replace the saved files of the modules that the model shares with its base by the base's files.

    The last of these modules stands in the router's document route.
    """
    last = json.loads((base.folder / "modules.json").read_text(encoding="utf-8"))[-1]["path"]
    (route,) = folder.glob("*_Router/document_0_*")
    shutil.rmtree(route)
    for path in folder.iterdir():
        if path.is_file() and path.name not in _DESCRIBING:
            path.unlink()
    for name in base.files:
        if name in _DESCRIBING or name.endswith(".md"):
            continue
        within = Path(name).is_relative_to(last) if last else False
        target = route / Path(name).relative_to(last) if within else folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base.folder / name, target)


def _pooling(folder: Path) -> JsonValue:
    """The configuration of the model's Pooling module, or None."""
    for path in sorted(folder.rglob("*Pooling*/config.json")):
        configuration: JsonValue = json.loads(path.read_text(encoding="utf-8"))
        return configuration
    return None
