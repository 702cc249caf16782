"""Sends packages and judgements to a running service.

A package is sent as a zip where the service does not find it in its own folder of checkpoints. The service judges every
reload by the judgements.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from service.checkpoints.model_kind import Kind
from trainer.data.dataset import Dataset, Split
from trainer.errors import TrainerError
from trainer.ship import package

_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 120


class NotTaken(TrainerError):
    """The service refused a package or judgements, or it did not answer. If it runs, it answers as before."""


def order(identity: str, kind: Kind) -> dict[str, str]:
    """The body of `POST /admin/reload` for a checkpoint of that kind, by id or name."""
    return {"reranker" if kind == "reranker" else "model": identity}


def reload(
    url: str, identity: str, folder: Path, *, key: str | None, quiet: bool, kind: Kind = "dense"
) -> dict[str, Any]:
    """Have the service at `url` reload the checkpoint `identity` in `folder`, and return its job when it is done.

    Raises NotTaken with the service's reason.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = order(identity, kind)
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            reply = client.post("/admin/reload", json=body)
            if reply.status_code == httpx.codes.NOT_FOUND:
                _send(client, folder)
                reply = client.post("/admin/reload", json=body)
            return _wait(client, _accepted(reply), quiet=quiet)
    except httpx.HTTPError as error:
        raise NotTaken(f"{url} did not answer ({error}): start the service, and reload {identity} there") from error


def generations(url: str, *, key: str | None) -> dict[str, int]:
    """The newest generation that can be searched of each checkpoint, by id; none if the service does not say."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            listed = _accepted(client.get("/admin/generations"))["generations"]
    except (httpx.HTTPError, NotTaken):
        return {}
    searched = [each for each in listed if each["state"] in ("active", "retained") and each.get("loaded", True)]
    return {each["model"]: each["generation"] for each in sorted(searched, key=lambda each: int(each["generation"]))}


def judge_by(
    url: str, dataset: Dataset, split: Split, *, collection: str, key: str | None, source: str
) -> dict[str, int]:
    """Have the service at `url` judge its reloads by the queries of `split`, whose documents it knows by the same ids.

    They replace the service's judgements for that collection. Returns the service's counts of judgements, in all and
    changed. Raises NotTaken, also if the service has no such collection or none of the documents.
    """
    judgements = [
        {
            "query": dataset.queries[query],
            "document": document,
            "good": good,
            "collection": collection,
            "provenance": source,
        }
        for good, by_query in ((True, dataset.good(split)), (False, dataset.bad(split)))
        for query, documents in by_query.items()
        for document in sorted(documents)
    ]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            body = {"judgements": judgements, "collection": collection}
            return _accepted(client.put("/admin/judgements", json=body))
    except httpx.HTTPError as error:
        raise NotTaken(f"{url} did not answer ({error}): start the service, and send the judgements again") from error


def _send(client: httpx.Client, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="instar-delivery-") as temporary:
        archive = Path(temporary) / f"{folder.name}.zip"
        package.pack(folder, archive)
        with archive.open("rb") as file:
            _accepted(client.put(f"/admin/models/{folder.name}", content=file))


def _wait(client: httpx.Client, job: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    with tqdm(desc="reload", unit="document", disable=quiet, file=sys.stderr) as bar:
        while job["state"] in ("queued", "running"):
            time.sleep(_POLL_SECONDS)
            job = _accepted(client.get(f"/admin/jobs/{job['id']}"))
            bar.total, bar.n = job["total"], job["done"] or 0
            bar.refresh()
    if job["state"] != "done":
        raise NotTaken(f"the reload was {job['state']}: {job['reason']}")
    return job


def _accepted(reply: httpx.Response) -> dict[str, Any]:
    if reply.is_error:
        try:
            reason = reply.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            reason = reply.text[:200]
        raise NotTaken(f"{reply.request.url} answered {reply.status_code}: {reason}")
    content: dict[str, Any] = reply.json()
    return content
