"""The choice of the waiting texts that share a batch.

A batch holds texts of nearly one length where they are padded to the longest, and those that came first where none is
padded.
"""

from collections.abc import Sequence

# Padding beyond the fixed cost of a batch, and beyond this share of its tokens, costs more than another batch.
_PADDING_SHARE = 0.15


def by_length(lengths: Sequence[int], anchor: int, budget: int, overhead: int) -> slice:
    """The slice of the batch that holds the text at `anchor`, out of texts with ascending `lengths` in tokens.

    The batch grows towards the side that needs less padding, as long as that padding costs less than another batch,
    whose fixed cost is that of `overhead` tokens. It holds at most `budget` tokens, padding included; a longer text is
    alone.
    """
    start, end = anchor, anchor + 1
    tokens = lengths[anchor]
    while start > 0 or end < len(lengths):
        width = lengths[end - 1]
        if end == len(lengths) or (start > 0 and width - lengths[start - 1] <= (lengths[end] - width) * (end - start)):
            grown, added = (start - 1, end), lengths[start - 1]
        else:
            grown, added, width = (start, end + 1), lengths[end], lengths[end]
        padded = width * (grown[1] - grown[0])
        if padded > budget or padded - tokens - added > overhead + _PADDING_SHARE * tokens:
            break
        start, end = grown
        tokens += added
    return slice(start, end)


def in_order(lengths: Sequence[int], budget: int) -> list[int]:
    """The indices of a batch out of texts of `lengths` in tokens, in their order of arrival.

    The batch holds the first text, and each later one that `budget` still has room for.
    """
    indices, room = [0], budget - lengths[0]
    for index in range(1, len(lengths)):
        if lengths[index] <= room:
            indices.append(index)
            room -= lengths[index]
    return indices
