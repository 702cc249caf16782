"""The command `reload`: replace the model, or the reranker, and see how far it is."""

import argparse
import sys
from http import HTTPStatus

from tqdm import tqdm

from instar.client import Instar, InstarError, NotReached, Refused
from instar.client.settings import PATIENCE_SECONDS
from instar.client.types import Job, ReloadRequest

DESCRIPTION = (
    "Replace the model while the service answers. It loads the checkpoint, embeds all documents again beside the"
    " running index, judges it by the judged questions, and switches in one step."
)
EXAMPLE = "instar reload handbook-v2 --wait"
_NOT_BETTER = 3
_UNKNOWN = 4
_STOPPED = 130
_PERHAPS = "the reload may have begun: see GET /admin/jobs"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the checkpoint, and what is done with it."""
    parser.add_argument("model", help="name or id of a checkpoint that the service finds")
    parser.add_argument("--reranker", action="store_true", help="it is a reranker")
    parser.add_argument("--force", action="store_true", help="activate it even if it is worse on the judged questions")
    parser.add_argument(
        "--shadow", type=float, metavar="SHARE", help="first let it answer this share of searches unseen"
    )
    parser.add_argument("--wait", action="store_true", help="show how far it is, and end when it has ended")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_SECONDS,
        metavar="SECONDS",
        help=f"with --wait: so long may the service not answer, as in a restart (default {PATIENCE_SECONDS:.0f})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Reload; returns 0, and 4 if it may have begun and nobody knows how it ends.

    With --wait it returns 3 if the model was refused, and 1 if the reload failed. Ctrl+C ends the command by 130,
    and not a reload that has begun.
    """
    request: ReloadRequest = {"reranker" if arguments.reranker else "model": arguments.model}  # type: ignore[misc]
    if arguments.force:
        request["force"] = True
    if arguments.shadow is not None:
        request["shadow"] = arguments.shadow
    with Instar(arguments.url, key=arguments.key) as client:
        try:
            job = client.reload(**request)
        except (NotReached, Refused) as error:
            if not _may_have_begun(error):
                raise
            print(f"{error}; {_PERHAPS}", file=sys.stderr)
            return _UNKNOWN
        except KeyboardInterrupt:
            print(f"stopped; {_PERHAPS}", file=sys.stderr)
            return _STOPPED
        if not arguments.wait:
            print(f"job {job['id']} has begun: the console shows it, and GET /admin/jobs/{job['id']}")
            return 0
        try:
            job = _followed(client, job, arguments.patience)
        except InstarError as error:
            print(f"{error}; the job is {job['id']}", file=sys.stderr)
            return _UNKNOWN
        except KeyboardInterrupt:
            where = f"/admin/jobs/{job['id']}"
            print(
                f"stopped waiting: the job {job['id']} goes on in the service. GET {where} says how far it is, and"
                f" DELETE {where} cancels it; so does the console",
                file=sys.stderr,
            )
            return _STOPPED
    return _ended(job)


def _may_have_begun(error: NotReached | Refused) -> bool:
    """Whether the service may have got the request, though its answer was lost on the way, here or at a proxy."""
    if isinstance(error, NotReached):
        return error.sent
    return error.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


def _followed(client: Instar, job: Job, patience: float) -> Job:
    """The job when it has ended. A bar shows its stage, and how many documents are embedded."""
    with tqdm(desc=job["stage"], unit=" documents", file=sys.stderr) as bar:

        def say(error: InstarError) -> None:
            limited = isinstance(error, Refused) and error.status == HTTPStatus.TOO_MANY_REQUESTS
            why = "less often, and the reload goes on" if limited else "again, for the reload outlives a restart"
            bar.write(f"asking {why}: {error}", file=sys.stderr)

        latest = job
        for latest in client.follow(job, patience=patience, silent=say):
            bar.set_description(latest["stage"], refresh=False)
            bar.total, bar.n = latest["total"], latest["done"]
            bar.refresh()
    return latest


def _ended(job: Job) -> int:
    """Say how the job has ended; returns the exit code."""
    for warning in job["warnings"]:
        print(warning, file=sys.stderr)
    if job["state"] == "done":
        print(_done(job))
        return 0
    print(f"the reload was {job['state']}: {job['reason']}", file=sys.stderr)
    return _NOT_BETTER if job["state"] == "refused" else 1


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
