"""Which of the texts that wait share a batch.

Where all are padded to the longest, those of nearly one length; where nothing is padded, those that came first.
"""

from collections.abc import Sequence

# More padding than this share of a batch, and than a batch takes besides its tokens, costs more than another batch.
_PADDING_SHARE = 0.15


def by_length(lengths: Sequence[int], anchor: int, budget: int, overhead: int) -> slice:
    """The places of a batch that holds the text at `anchor`, out of texts with ascending `lengths` in tokens.

    It grows towards the side that takes less padding, as long as that costs less than another batch would, which takes
    the time of `overhead` tokens besides its own, and the batch with its padding holds at most `budget` tokens. A text
    that is longer is alone.
    """
    first, end = anchor, anchor + 1
    tokens = lengths[anchor]
    while first > 0 or end < len(lengths):
        width = lengths[end - 1]
        if end == len(lengths) or (first > 0 and width - lengths[first - 1] <= (lengths[end] - width) * (end - first)):
            grown, added = (first - 1, end), lengths[first - 1]
        else:
            grown, added, width = (first, end + 1), lengths[end], lengths[end]
        padded = width * (grown[1] - grown[0])
        if padded > budget or padded - tokens - added > overhead + _PADDING_SHARE * tokens:
            break
        first, end = grown
        tokens += added
    return slice(first, end)


def in_order(lengths: Sequence[int], budget: int) -> list[int]:
    """The places of a batch out of texts of `lengths` in tokens, in the order in which they came.

    The first text is always there; each other one that `budget` still has room for.
    """
    chosen, room = [0], budget - lengths[0]
    for place in range(1, len(lengths)):
        if lengths[place] <= room:
            chosen.append(place)
            room -= lengths[place]
    return chosen
