"""Fetches what a running service exports for training into a folder, from which a run can be repeated.

The folder has `documents.jsonl` and `judgements.jsonl`, as `GET /admin/export` streams them, and `fetched.json`, which
says from where they are and whether they are whole. A fetch that was stopped goes on after the last document that it
has, and then takes all judgements, which are few.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from service.machine import files
from trainer.errors import BadData, DiskFull, Interrupted

if TYPE_CHECKING:
    import httpx

DOCUMENTS = "documents.jsonl"
JUDGEMENTS = "judgements.jsonl"
_NOTE = "fetched.json"
_PART = "documents.part"
_TIMEOUT_SECONDS = 120
# Times that a stream which broke off is gone on with before the command gives up.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Request:
    """The judgements and documents that are wanted of the service at `url`.

    `collection` None is all of them, and so are no `sources`.
    """

    url: str
    collection: str | None = None
    sources: Sequence[str] = ()

    def facts(self) -> dict[str, Any]:
        """The request as the folder notes it."""
        return {"url": self.url, "collection": self.collection, "sources": list(self.sources)}


def is_url(source: Path | str) -> bool:
    """Whether `source` is the address of a service, and not a file."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def fetch(request: Request, folder: Path, *, key: str | None, quiet: bool) -> None:
    """Fetch into `folder`, going on where an earlier fetch of the same stopped. If that is whole, nothing is fetched.

    Raises BadData if the service refuses, or the folder has data of another request, Interrupted if the service does
    not answer, and DiskFull if the folder cannot be written.
    """
    try:
        _fetch(request, folder, key, quiet=quiet)
    except OSError as error:
        raise DiskFull(f"{folder} cannot be written ({error.strerror}): make room, or name another folder") from error


def incoming(folder: Path) -> Path:
    """The folder beside `folder` into which the data of a run is fetched that may still be refused."""
    return folder.with_name(f"{folder.name}.incoming")


def has(folder: Path) -> bool:
    """Whether the folder has a fetch, which may be a part of one."""
    return (folder / _NOTE).is_file()


def require_fetched(folder: Path) -> None:
    """Raise BadData if the folder holds files and no fetch: they are somebody's, and no place for one."""
    if has(folder) or not folder.exists():
        return
    if folder.is_file() or any(path != files.beginning_of(folder / _NOTE) for path in folder.iterdir()):
        raise BadData(f"{folder} holds files that were not fetched: name another folder with --work")


def forget(folder: Path) -> None:
    """Delete what was fetched into `folder`, and nothing else."""
    if not folder.is_dir():
        return
    note = folder / _NOTE
    # A kill leaves what was begun, and perhaps nothing else.
    doomed = [files.beginning_of(note)]
    if has(folder):
        judgements = folder / JUDGEMENTS
        # A folder without its note is nobody's to delete, so that goes last.
        doomed += [folder / DOCUMENTS, folder / _PART, judgements, files.beginning_of(judgements), note]
    for path in doomed:
        path.unlink(missing_ok=True)
    # A folder with other files stays.
    with suppress(OSError):
        folder.rmdir()


def settle(folder: Path) -> None:
    """Put the incoming data in the place of what was fetched into `folder` before. If it is empty, there is none then.

    Other files of `folder` stay. A crash in between leaves the incoming data whole.
    """
    arrived = incoming(folder)
    if not arrived.is_dir():
        return
    forget(folder)
    if folder.exists():
        for path in folder.iterdir():
            path.rename(arrived / path.name)
        folder.rmdir()
    if any(arrived.iterdir()):
        arrived.rename(folder)
    else:
        arrived.rmdir()


def _fetch(request: Request, folder: Path, key: str | None, *, quiet: bool) -> None:
    note = folder / _NOTE
    former = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    facts = request.facts()
    if former is not None and {name: former.get(name) for name in facts} != facts:
        raise BadData(
            f"{folder} has data of {former.get('url')}, collection {former.get('collection') or 'all'}, sources"
            f" {', '.join(former.get('sources', ())) or 'all'}: ask for the same, or leave out --resume"
        )
    if former is not None and former["complete"]:
        return
    folder.mkdir(parents=True, exist_ok=True)
    files.replace_file(note, json.dumps(facts | {"complete": False}))
    import httpx  # noqa: PLC0415 (the help of a command takes no time)

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=request.url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        if not (folder / DOCUMENTS).exists():
            _fetch_documents(client, request, folder, quiet=quiet)
        _fetch_judgements(client, request, folder, quiet=quiet)
    files.replace_file(note, json.dumps(facts | {"complete": True}))


def _fetch_documents(client: httpx.Client, request: Request, folder: Path, *, quiet: bool) -> None:
    part = folder / _PART
    for attempt in range(_ATTEMPTS):
        count, after = _gone_on_with(part)
        with _answering(client, last=attempt == _ATTEMPTS - 1):
            _stream_documents(client, _parameters(request, what="documents", after=after), part, count, quiet=quiet)
            part.replace(folder / DOCUMENTS)
            return


def _stream_documents(
    client: httpx.Client, parameters: Mapping[str, Any], part: Path, count: int, *, quiet: bool
) -> None:
    with client.stream("GET", "/admin/export", params=parameters) as reply, part.open("ab") as file:
        _require_accepted(reply)
        total = count + int(reply.headers.get("X-Instar-Total", 0))
        with tqdm(total=total, initial=count, desc="documents", unit="document", disable=quiet, file=sys.stderr) as bar:
            for piece in reply.iter_bytes():
                file.write(piece)
                bar.update(piece.count(b"\n"))


def _fetch_judgements(client: httpx.Client, request: Request, folder: Path, *, quiet: bool) -> None:
    (folder / JUDGEMENTS).unlink(missing_ok=True)
    parameters = _parameters(request, what="judgements", side="train", source=list(request.sources))
    for attempt in range(_ATTEMPTS):
        with (
            _answering(client, last=attempt == _ATTEMPTS - 1),
            files.replacing_file(folder / JUDGEMENTS) as incoming,
            client.stream("GET", "/admin/export", params=parameters) as reply,
            incoming.open("wb") as file,
            tqdm(desc="judgements of the side train", unit="judgement", disable=quiet, file=sys.stderr) as bar,
        ):
            _require_accepted(reply)
            for piece in reply.iter_bytes():
                file.write(piece)
                bar.update(piece.count(b"\n"))
        if (folder / JUDGEMENTS).exists():
            return


def _parameters(request: Request, **more: Any) -> dict[str, Any]:
    return more if request.collection is None else {**more, "collection": request.collection}


def _gone_on_with(part: Path) -> tuple[int, int]:
    """How many whole lines `part` has, and the cursor of the last one. Half a line at its end is cut off."""
    count, size, last = 0, 0, b""
    if part.exists():
        with part.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    count, size, last = count + 1, size + len(line), line
        with part.open("r+b") as file:
            file.truncate(size)
    return count, json.loads(last)["cursor"] if last else 0


@contextmanager
def _answering(client: httpx.Client, *, last: bool) -> Iterator[None]:
    """Within the block, a connection that breaks off ends it. Raises Interrupted if it was the `last` attempt."""
    import httpx  # noqa: PLC0415

    try:
        yield
    except httpx.HTTPError as error:
        if last:
            raise Interrupted(
                f"{client.base_url} did not answer ({error}): start the service, and repeat the command, a run with"
                " --resume"
            ) from error


def _require_accepted(reply: httpx.Response) -> None:
    """Raise BadData with the service's reason if it refuses."""
    if not reply.is_error:
        return
    reply.read()
    try:
        reason = reply.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        reason = reply.text[:200] or reply.reason_phrase
    advice = "; name the environment variable with its admin key by --key-env" if reply.status_code == 401 else ""
    raise BadData(f"{reply.request.url} answered {reply.status_code}: {reason}{advice}")
