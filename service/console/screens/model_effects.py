"""Sentences that say in figures what a change of the model will do. All arguments are answers of the API."""

from collections.abc import Mapping, Sequence
from typing import Any

Answer = Mapping[str, Any]
_MEGABYTE = 1_000_000
# Digits of nDCG that are shown.
_DIGITS = 3
_ALL_THE_SAME = "The active generation goes on answering, and nothing that was written is lost."
_JUDGED = "The judged queries do not stop it."


def counted(count: int, word: str) -> str:
    """Return a number with its word: `1 document`, `2,000 documents`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a duration in words: `under a second`, `42 seconds`, `3 minutes`, `2.5 hours`."""
    if seconds < 1:
        return "under a second"
    if seconds < 100:
        return counted(round(seconds), "second")
    return counted(round(seconds / 60), "minute") if seconds < 6000 else f"{seconds / 3600:.1f} hours"


def size(count: int) -> str:
    """Return a number of bytes in words: `92 MB`."""
    if count < _MEGABYTE:
        return f"{count / 1000:,.0f} kB"
    return f"{count / _MEGABYTE:,.0f} MB" if count < 1000 * _MEGABYTE else f"{count / _MEGABYTE / 1000:,.1f} GB"


def of_reload(checkpoint: Answer, info: Answer, generations: Sequence[Answer], jobs: Sequence[Answer]) -> list[str]:
    """Say what a reload of an embedding model will do."""
    model = checkpoint["model"]
    if model == info["model"]:
        return [f"{model} answers already, as generation {info['generation']}: a reload would change nothing."]
    return [
        f"{model} ({size(checkpoint['size'])}) is verified, loaded and tried while generation {info['generation']}"
        f" ({info['model']}) goes on answering.",
        _embedding(checkpoint, info["documents"], generations, jobs),
        f"It is compared with generation {info['generation']} on the judged queries. If it is worse there, the reload"
        " is refused, and nothing changes.",
        f"No request fails, and generation {info['generation']} can be returned to.",
    ]


def of_reranker(checkpoint: Answer, reranker: Answer | None) -> list[str]:
    """Say what a reload of a cross-encoder will do. `reranker` is the active one."""
    instead = f"in place of {reranker['model']}" if reranker else "and until now nothing does"
    return [
        f"{checkpoint['model']} ({size(checkpoint['size'])}) reranks what searches have found, {instead}.",
        "No document is embedded.",
        "It is compared with what answers now on the judged queries. If it is worse there, the reload is refused.",
    ]


def of_rollback(plan: Answer, info: Answer) -> list[str]:
    """Say what a rollback by the plan of `GET /admin/rollback` will do."""
    number, model = plan["generation"], plan["model"]
    if plan["state"] == "active":
        return [f"Generation {number} ({model}) answers already: nothing would change."]
    if plan["reload"]:
        numbered = "a new number" if plan["state"] == "released" else "its number"
        return [
            f"Generation {number} is not loaded. A reload of {model} builds it again, under {numbered}.",
            f"To be embedded: {counted(plan['embed'], 'document')}. Vectors that are still on the disk are used.",
            f"Until then generation {info['generation']} ({info['model']}) goes on answering.",
            _JUDGED,
        ]
    first = (
        f"To be embedded first, because it was written since: {counted(plan['embed'], 'document')}."
        if plan["embed"]
        else f"It takes {duration(0)}: no document has to be embedded."
    )
    return [
        f"Generation {number} ({model}) answers in place of generation {info['generation']} ({info['model']}).",
        first,
        f"No request fails, and generation {info['generation']} can be returned to.",
        _JUDGED,
    ]


def of_activation(job: Answer, info: Answer, number: int) -> list[str]:
    """Say what it means to put the generation in the shadow live, which has the number."""
    active = f"generation {info['generation']} ({info['model']})"
    return [
        f"Generation {number} ({job['checkpoint']}) answers in place of {active}.",
        *shadow_findings(job.get("shadowed")),
        *judge_findings(job.get("judged")),
        "It is judged once more, with the documents and judgements of now. If it is worse, it stays in the shadow.",
        f"No request fails, and generation {info['generation']} can be returned to.",
    ]


def of_cancellation(job: Answer) -> list[str]:
    """Say what it means to cancel a reload, or to withdraw the generation from the shadow."""
    model = job["checkpoint"] or job["model"]
    if job["stage"] == "shadow":
        return [
            f"{model} leaves the shadow and the memory.",
            *shadow_findings(job.get("shadowed")),
            "Its vectors stay on the disk for a while: a new reload of it goes on with them.",
            _ALL_THE_SAME,
        ]
    progress = f"Embedded: {job['done']:,} of {counted(job['total'], 'document')}." if job["total"] else ""
    return [
        f"The reload of {model} ends. {progress}".rstrip(),
        *(["Their vectors stay on the disk: a new reload of it goes on with them."] if job["done"] else []),
        _ALL_THE_SAME,
    ]


def of_deletion(checkpoint: Answer, users: Sequence[str]) -> list[str]:
    """Say what it means to delete a checkpoint; `users` are the generations and others that need it."""
    name = checkpoint["name"]
    if checkpoint["source"] == "bundled":
        return [f"{name} comes with the service and cannot be deleted."]
    if users:
        return [f"{name} is used by {', '.join(users)}: it can be deleted when nothing uses it."]
    places = {"folder": "the checkpoints folder", "zip": "the checkpoints folder", "kept": "the service's own copies"}
    of_bytes = f" ({size(checkpoint['size'])})" if "size" in checkpoint else ""
    return [
        f"{name}{of_bytes} is deleted from {places[checkpoint['source']]} for good. Nothing uses it.",
        *(["The service's own copy of it is deleted as well."] if checkpoint["copied"] else []),
        *(["So is the note on it."] if checkpoint["note"] else []),
    ]


def shadow_findings(shadowed: Answer | None) -> list[str]:
    """Say what the shadow has shown so far; nothing if the generation has not been there."""
    if shadowed is None:
        return []
    if not shadowed["searches"]:
        return ["No search has been compared in the shadow yet."]
    shift = shadowed["score_shift"]
    return [
        f"Searches compared in the shadow: {shadowed['searches']:,}, with"
        f" {shadowed['overlap']:.0%} of the documents and {shadowed['same_first']:.0%} of the first ones as in the"
        " active generation.",
        f"Its scores are {abs(shift):.3f} {'higher' if shift >= 0 else 'lower'} on average, so look at every min_score."
        if round(abs(shift), 3)
        else "Its scores are the same on average.",
        f"A search took {shadowed['shadow_ms']:.1f} ms in it, and {shadowed['active_ms']:.1f} ms in the active one.",
    ]


def judge_findings(judged: Answer | None) -> list[str]:
    """Say how both stand on the judged queries."""
    if judged is None:
        return ["Nobody has judged a query by which they could be compared."]
    certain = judged.get("interval")
    interval = f", with 95% certainty by {certain[0]:+.3f} to {certain[1]:+.3f}" if certain else ""
    return [
        f"On {judged['queries']:,} judged queries nDCG@10 goes from {judged['active']['ndcg']:.3f} to"
        f" {judged['building']['ndcg']:.3f}{interval}: {judged['better']:,} are better, {judged['worse']:,} worse."
    ]


def loss(judged: Answer | None) -> str | None:
    """Say by how much what was built is worse than what answers; None if it is not, or if nobody knows.

    Figures that look the same are the same.
    """
    if judged is None:
        return None
    active, built = (round(judged[side]["ndcg"], _DIGITS) for side in ("active", "building"))
    if built >= active:
        return None
    return (
        f"It is worse than what answers now: on the judged queries, nDCG@10 falls by {active - built:.{_DIGITS}f},"
        f" from {active:.{_DIGITS}f} to {built:.{_DIGITS}f}."
    )


def _embedding(checkpoint: Answer, documents: int, generations: Sequence[Answer], jobs: Sequence[Answer]) -> str:
    """Say how much has to be embedded, and how long that may take by the rate of the last reload that embedded."""
    alike = [
        generation["generation"]
        for generation in generations
        if generation["fingerprint"] == checkpoint["fingerprint"] and generation["state"] in ("active", "retained")
    ]
    if alike:
        return f"Its vectors of documents are those of generation {alike[0]}: only what was written since is embedded."
    rate = next((job["rate"] for job in jobs if job["kind"] == "dense" and job["rate"]), None)
    time = f", in {duration(documents / rate)} at {rate:,.0f} a second, as in the last reload" if rate else ""
    return f"To be embedded: at most {counted(documents, 'document')}{time}. Vectors that are on the disk are used."
