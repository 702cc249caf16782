"""The command `reload`: replace the model, or the reranker, and see how far it is."""

import argparse
import sys

from tqdm import tqdm

from instar.client import Instar
from instar.client.types import Job, ReloadRequest

DESCRIPTION = (
    "Replace the model while the service answers. It loads the checkpoint, embeds all documents again beside the"
    " running index, judges it by the judged questions, and switches in one step."
)
EXAMPLE = "instar reload handbook-v2 --wait"
_NOT_BETTER = 3


def add(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint, and what is done with it."""
    parser.add_argument("model", help="name or id of a checkpoint that the service finds")
    parser.add_argument("--reranker", action="store_true", help="it is a reranker")
    parser.add_argument("--force", action="store_true", help="activate it even if it is worse on the judged questions")
    parser.add_argument(
        "--shadow", type=float, metavar="SHARE", help="first let it answer this share of searches unseen"
    )
    parser.add_argument("--wait", action="store_true", help="show how far it is, and end when it has ended")


def run(arguments: argparse.Namespace) -> int:
    """Reload; returns 0, with --wait 3 if the model was refused and 1 if the reload failed."""
    request: ReloadRequest = {"reranker" if arguments.reranker else "model": arguments.model}  # type: ignore[misc]
    if arguments.force:
        request["force"] = True
    if arguments.shadow is not None:
        request["shadow"] = arguments.shadow
    with Instar(arguments.url, key=arguments.key) as client:
        job = client.reload(**request)
        if not arguments.wait:
            print(f"job {job['id']} has begun: the console shows it, and GET /admin/jobs/{job['id']}")
            return 0
        job = _followed(client, job)
    for warning in job["warnings"]:
        print(warning, file=sys.stderr)
    if job["state"] == "done":
        print(_done(job))
        return 0
    print(f"the reload was {job['state']}: {job['reason']}", file=sys.stderr)
    return _NOT_BETTER if job["state"] == "refused" else 1


def _followed(client: Instar, job: Job) -> Job:
    """The job when it has ended. A bar shows its stage, and how many documents are embedded."""
    with tqdm(desc=job["stage"], unit=" documents", file=sys.stderr) as bar:
        latest = job
        for latest in client.follow(job):
            bar.set_description(latest["stage"], refresh=False)
            bar.total, bar.n = latest["total"], latest["done"]
            bar.refresh()
    return latest


def _done(job: Job) -> str:
    judged = job["judged"]
    verdict = (
        ""
        if judged is None
        else f"; of {judged['queries']} questions {judged['better']} are better, {judged['worse']} worse"
    )
    role = "the reranker" if job["kind"] == "reranker" else f"generation {job['generation']}"
    vectors = f"{job['done']:,} documents were embedded, {job['reused']:,} had vectors already"
    return f"{job['checkpoint']} is {role}: {vectors}{verdict}"
