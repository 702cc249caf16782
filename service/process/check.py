"""`instar check`: says whether a start with these settings would succeed, and what to do if not.

It changes nothing, and may run beside a service that is at work.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from cryptography import x509

from service.access import keyring
from service.checkpoints.lookup import open_lookup
from service.checkpoints.signature import Signers
from service.corpus.base import GenerationRecord, Seqs
from service.corpus.sqlite import offline
from service.errors import InstarError, NotFound
from service.index.base import IndexFactory
from service.index.choice import open_indexes
from service.machine import resources
from service.machine.folder_lock import DataFolderInUse, locked
from service.machine.resources import Headroom
from service.observability import tracing
from service.process import address
from service.settings import Settings, is_loopback
from service.settings.names import remarks
from service.wiring.moving.unfinished import refuse_unfinished

_MIB = 1 << 20
_CERTIFICATE_DAYS = 14
# Bytes of memory that the process takes besides its model (`docs/measurements.md`).
_PROCESS = 700 * _MIB


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the check. A `wrong` one says why a start fails, or why a setting has no effect."""

    text: str
    wrong: bool = False


def findings(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """The sentences of the check, in the order in which they are printed."""
    report = [*_names(environment), *_keys(settings), *_tls(settings), *_tracing(settings)]
    return [*report, *_tried(lambda: _places(settings))]


def _places(settings: Settings) -> Iterator[Finding]:
    """The sentences on what is in the folders, and on the room for it."""
    runs = _runs(settings)
    yield from _data_folder(settings, runs=runs)
    yield from _address(settings, runs=runs)
    corpus = offline.Summary(np.empty(0, np.int64), None)
    if settings.data_folder.corpus.exists():
        corpus = offline.summary(settings.data_folder.corpus)
        yield Finding(f"the corpus is whole and has {len(corpus.live)} documents")
    finding, size = _model(settings, corpus.active)
    yield finding
    missing, indexes = 0, open_indexes(settings)
    if corpus.active is not None:
        finding, missing = _index(indexes, corpus.active, corpus.live)
        yield finding
    # A service that runs has taken its memory already.
    if not runs:
        yield from _room(settings, indexes, corpus, size, missing)


def _names(environment: Mapping[str, str]) -> Iterator[Finding]:
    for remark in remarks(environment):
        yield Finding(remark.text, remark.wrong)


def _keys(settings: Settings) -> Iterator[Finding]:
    path = settings.keys_path
    yield from _tried(lambda: _key_findings(settings, path))
    if settings.signers_file is not None:
        trusted = settings.signers_file

        def read() -> Iterator[Finding]:
            Signers.read(trusted)
            yield Finding(f"only checkpoints that a key in {trusted} has signed are loaded")

        yield from _tried(read)


def _key_findings(settings: Settings, path: Path) -> Iterator[Finding]:
    valid = [key for key in keyring.read(path) if key.revoked is None]
    # The group may read it, because Kubernetes mounts secrets so.
    if path.exists() and path.stat().st_mode & 0o007:
        yield Finding(f"everybody on this machine may read the keys in {path}: chmod o= {path}", wrong=True)
    if path.exists() and not any("admin" in key.scopes for key in valid) and settings.admin_key is None:
        yield Finding(
            f"no key in {path} has the scope admin, so nobody can reload: make one with instar key create"
            " NAME --scope admin",
            wrong=True,
        )
    if not path.exists() and settings.admin_key is None:
        yield Finding("there are no keys: everybody on this machine may do everything, and nobody else gets in")
    elif not path.exists() and settings.api_key is None:
        is_open = settings.open_data or is_loopback(settings.host)
        opens = "everybody who reaches the service may write and search" if is_open else "it opens the data as well"
        yield Finding(f"there is an admin key and no other: {opens}")
    else:
        yield Finding(f"callers need a key; {len(valid)} named keys are valid")


def _tls(settings: Settings) -> Iterator[Finding]:
    if settings.tls.key is not None and settings.tls.certificate is None:
        yield Finding("INSTAR_TLS__KEY has no effect alone: set INSTAR_TLS__CERTIFICATE, too", wrong=True)
    if settings.tls.certificate is None:
        return
    try:
        ends = x509.load_pem_x509_certificate(settings.tls.certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield Finding(f"{settings.tls.certificate} is no certificate in PEM ({error}): write one there", wrong=True)
        return
    days = (ends - datetime.now(UTC)).days
    soon = days < _CERTIFICATE_DAYS
    yield Finding(f"the certificate ends on {ends:%Y-%m-%d}" + (": renew it, then send SIGHUP" if soon else ""), soon)


def _tracing(settings: Settings) -> Iterator[Finding]:
    missing = tracing.problem() if settings.tracing else None
    if missing is not None:
        yield Finding(missing, wrong=True)


def _runs(settings: Settings) -> bool:
    """Whether a service works on the data folder."""
    if not settings.data_folder.lock.exists():
        return False
    try:
        with locked(settings.data_folder):
            return False
    except DataFolderInUse:
        return True
    except OSError:
        return False


def _data_folder(settings: Settings, *, runs: bool) -> Iterator[Finding]:
    if runs:
        yield Finding(f"a service is at work on {settings.data_dir}: GET /health and /ready say how it is")
    yield from _tried(lambda: _unfinished_move(settings))
    for folder in (settings.data_dir, settings.checkpoints_dir):
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            # The checkpoints folder may be read-only, as in a container.
            if folder == settings.data_dir or not folder.exists():
                yield Finding(
                    f"{nearest} cannot be written ({error.strerror}): let the user of the service write there",
                    wrong=True,
                )


def _unfinished_move(settings: Settings) -> tuple[Finding, ...]:
    if settings.store is None:
        refuse_unfinished(settings.data_folder)
    return ()


def _address(settings: Settings, *, runs: bool) -> Iterator[Finding]:
    if runs:
        return
    problem = address.problem(settings.host, settings.port)
    if problem is not None:
        yield Finding(problem, wrong=True)


def _model(settings: Settings, active: GenerationRecord | None) -> tuple[Finding, int]:
    """The sentence on the checkpoint that a start would load, and the bytes of its weights in fp32."""
    try:
        lookup = open_lookup(settings)
        checkpoint = lookup.verify(settings.model) if active is None else lookup.open(active.model)
        if checkpoint is not None:
            checkpoint.require_kind("dense")
    except NotFound as error:
        return Finding(error.message if active else _not_there(settings), wrong=True), 0
    except InstarError as error:
        return Finding(error.message, wrong=True), 0
    if checkpoint is None:
        return Finding(f"the first start looks for {settings.model} at Hugging Face"), 0
    return Finding(f"the checkpoint {checkpoint.id} is whole"), checkpoint.computed_size


def _not_there(settings: Settings) -> str:
    folder = settings.checkpoints_dir
    return (
        f"the checkpoint {settings.model} is not there: put it at {folder / settings.model}, or set INSTAR_MODEL to one"
        f" that is in {folder}"
    )


def _index(indexes: IndexFactory, active: GenerationRecord, live: Seqs) -> tuple[Finding, int]:
    """The sentence on the vectors of the active generation, and how many documents have none."""
    missing = len(np.setdiff1d(live, indexes.stored(active.fingerprint), assume_unique=True))
    text = "every document has its vector"
    if missing:
        text = f"{missing} documents have no vector that can be read: the start embeds them before it is ready"
    return Finding(text), missing


def _room(
    settings: Settings, indexes: IndexFactory, corpus: offline.Summary, size: int, missing: int
) -> Iterator[Finding]:
    """The sentences on memory and disk."""
    dimensions = corpus.active.dimensions if corpus.active is not None else 0
    loading = resources.loading(size, settings.engine)
    needed = indexes.needed(len(corpus.live), missing, dimensions)
    memory = _PROCESS + loading + needed.memory
    headroom = Headroom(settings.headroom.memory, settings.headroom.disk, settings.data_dir)
    yield from _tried(lambda: _enough_memory(memory, headroom))
    if settings.data_dir.exists():
        yield from _tried(lambda: _enough_disk(needed.disk, headroom))


def _enough_memory(needed: int, headroom: Headroom) -> Iterator[Finding]:
    headroom.require_memory(needed)
    free = resources.available_memory()
    yield Finding(f"{free // _MIB:,} MiB of memory are free, and some {needed // _MIB:,} are needed")


def _enough_disk(needed: int, headroom: Headroom) -> Iterator[Finding]:
    headroom.require_disk(needed)
    yield Finding(f"{shutil.disk_usage(headroom.folder).free // _MIB:,} MiB of disk are free")


def _tried(look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except InstarError as error:
        yield Finding(error.message, wrong=True)
    except OSError as error:
        yield Finding(f"{error}: run the check as the user of the service, who has to read there", wrong=True)
