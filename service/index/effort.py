"""The effort of a search in a graph: how many vectors it looks at, which decides how many of the best it finds."""

from collections.abc import Callable


def least_effort(
    recall_at: Callable[[int], float], min_recall: float, *, first: int, highest: int
) -> tuple[int, float]:
    """Find the least effort, rising by a quarter from `first`, at which the recall is `min_recall`.

    Returns it with the recall there. It is `highest` if the recall is too low there, too.
    """
    effort = first
    while (recall := recall_at(effort)) < min_recall and effort < highest:
        effort = min(effort + effort // 4, highest)
    return effort, recall
