"""The refusals of a reload."""

from service.errors import CheckpointRefused, Conflict, NotFound, NotReady

TRAIN_FURTHER = "train it further, or activate it with force"


def job_running(job: str, model: str) -> Conflict:
    """The reload `job` of `model` is under way, and there can be only one."""
    return Conflict(
        f"the reload {job} of {model} is running: wait for it, or cancel it with DELETE /admin/jobs/{job}", job=job
    )


def reload_needs(job: str, model: str) -> Conflict:
    """The reload `job` of `model` is under way, and needs the checkpoint that is to be deleted."""
    return Conflict(f"the reload {job} of {model} is running: wait for it, or cancel it first", "name")


def no_job(identity: str) -> NotFound:
    """No reload has that id."""
    return NotFound(f"there is no job {identity[:80]!r}: ids come from POST /admin/reload", "id")


def nothing_in_shadow() -> Conflict:
    """No generation waits in the shadow to be activated."""
    return Conflict(
        "no generation is in the shadow: POST /admin/reload with shadow builds one, and its job says when it is there"
    )


def not_obeyed(job: str) -> NotReady:
    """The replica that runs the reload has not done in time what it was told to."""
    return NotReady(
        f"the replica that runs the reload {job} has not done this in time: see GET /admin/jobs/{job}, then try again"
    )


def is_worse(building: str, active: str, queries: int, ndcg: tuple[float, float], shortcoming: str) -> str:
    """The objection to the checkpoint `building`; `ndcg` are the nDCG@10 of it and of `active`."""
    return (
        f"{building} is worse than {active} on the {queries} judged queries: nDCG@10 {ndcg[0]:.3f} after"
        f" {ndcg[1]:.3f}, {shortcoming}"
    )


def reranks_worse(building: str, other: str, queries: int, ndcg: tuple[float, float], shortcoming: str) -> str:
    """The objection to the reranker `building`; `ndcg` are the nDCG@10 of the searches with it and with `other`."""
    return (
        f"{building} orders results worse than {other} on {queries} judged queries: nDCG@10 {ndcg[0]:.3f} after"
        f" {ndcg[1]:.3f}, {shortcoming}"
    )


def allowed(loss: float, detectable: float | None) -> str:
    """The shortcoming of what loses more than it may."""
    return f"and it may lose {loss:g} (INSTAR_GATE__MAX_LOSS){_could_show(detectable)}"


def no_chance(interval: tuple[float, float], detectable: float | None) -> str:
    """The shortcoming of what loses little, and beyond doubt; the 95% interval is that of the difference."""
    low, high = interval
    return f"which is no chance (95% interval {low:+.4f} to {high:+.4f}){_could_show(detectable)}"


def worse_than(
    building: str, active: str, queries: int, ndcg: tuple[float, float], shortcoming: str
) -> CheckpointRefused:
    """The refusal of the checkpoint `building`, because it is worse; the arguments are those of `is_worse`."""
    return CheckpointRefused(f"{is_worse(building, active, queries, ndcg, shortcoming)}; {TRAIN_FURTHER}")


def _could_show(detectable: float | None) -> str:
    return "" if detectable is None else f"; these queries can show a difference of {detectable:.3f}"
