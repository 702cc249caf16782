"""What a running service gets of the trainer: a package (by name where the service sees its folder, else sent as a zip)
and the reload, and the judgements by which it judges every reload."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from trainer.data.dataset import Dataset, Split
from trainer.errors import TrainerError
from trainer.ship import package

_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 120


class NotTaken(TrainerError):
    """The service did not take what it was sent; what it answered before it answers still."""


def reload(url: str, identity: str, folder: Path, *, key: str | None, quiet: bool) -> dict[str, Any]:
    """Have the service at `url` reload the checkpoint `identity` in `folder`, and return its job when it is done.

    Raises NotTaken with the service's own reason.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            asked = client.post("/admin/reload", json={"model": identity})
            if asked.status_code == httpx.codes.NOT_FOUND:
                _send(client, folder)
                asked = client.post("/admin/reload", json={"model": identity})
            return _wait(client, _accepted(asked), quiet=quiet)
    except httpx.HTTPError as error:
        raise NotTaken(f"{url} did not answer ({error}): start the service, and reload {identity} there") from error


def judge_by(
    url: str, dataset: Dataset, split: Split, *, collection: str, key: str | None, source: str
) -> dict[str, int]:
    """Have the service at `url` judge its reloads by the queries of `split`, whose documents it knows by the same ids.

    They replace those that it had for that collection. Returns the service's counts of what it has now and what has
    changed; raises NotTaken, also where the collection is not there or has none of the documents.
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
        raise NotTaken(f"{url} did not answer ({error}): start the service, and send them again") from error


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


def _accepted(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        try:
            reason = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:200]
        raise NotTaken(f"{answer.request.url} answered {answer.status_code}: {reason}")
    found: dict[str, Any] = answer.json()
    return found
