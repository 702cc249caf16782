"""The word of users: thumbs on documents, thumbs on whole answers, and the documents that answers used.

Each voice has one vote for a pair. Its latest thumb on the document decides; without one, the strongest sign that the
document was of use. A thumb up on a whole answer is such a sign for the documents that the answer cites. A thumb down
on an answer is no sign: the fault may lie with the writer, so it judges nothing. A thumb that was withdrawn is none.

Only maxima are kept while events pass, so neither their order nor their repetition changes the outcome.
"""

from collections import defaultdict
from datetime import datetime

from service.learning.base import Event
from service.learning.columns import Pair
from service.learning.voices import Voice, voice_of

# Hundredths of a thumb on the document itself: whole numbers add up to the same sum in any order.
_THUMB = 100
_LIKED = 40
_USED = {"cite": 20, "copy": 30}
# Whether a thumb speaks for what it is on.
_THUMBS = {"good": True, "bad": False, "withdraw": None}


class Votes:
    """Takes events one after the other: thumbs, `cite` and `copy`; others are passed over."""

    def __init__(self) -> None:
        self._thumbs = dict[tuple[Pair, Voice], tuple[datetime, str, bool | None]]()
        self._answers = dict[tuple[Pair | str, Voice], tuple[datetime, str, bool | None]]()
        self._used = defaultdict[tuple[Pair, Voice], int](int)
        self._cited = defaultdict[Pair | str, set[Pair]](set)

    def take(self, event: Event) -> None:
        voice = voice_of(event)
        pairs = [(event.collection, event.query, document) for document in event.documents]
        if event.action in _THUMBS:
            thumb = (event.at, event.id, _THUMBS[event.action])
            for pair in pairs:
                self._thumbs[pair, voice] = max(thumb, self._thumbs.get((pair, voice), thumb))
            if not pairs:
                answer = _answer(event)
                self._answers[answer, voice] = max(thumb, self._answers.get((answer, voice), thumb))
        elif event.action in _USED:
            for pair in pairs:
                self._used[pair, voice] = max(_USED[event.action], self._used[pair, voice])
            if event.action == "cite":
                self._cited[_answer(event)].update(pairs)

    def weights(self) -> dict[Pair, float]:
        """The pairs with votes, and the weight of these: above 0 for good, below 0 for bad, and never 1 or -1.

        The weight is (good - bad) / (good + bad + 1) of the votes: one thumb gives 0.5, three against one 0.4.
        """
        used = dict(self._used)
        for (answer, voice), (_, _, liked) in self._answers.items():
            for pair in self._cited.get(answer, ()) if liked else ():
                used[pair, voice] = max(_LIKED, used.get((pair, voice), 0))
        good, bad, signs = defaultdict[Pair, int](int), defaultdict[Pair, int](int), defaultdict[Pair, int](int)
        thumbs = {key: up for key, (_, _, up) in self._thumbs.items() if up is not None}
        for (pair, _), up in thumbs.items():
            (good if up else bad)[pair] += _THUMB
        for (pair, voice), sign in used.items():
            if (pair, voice) not in thumbs:
                signs[pair] += sign
        for pair, total in signs.items():
            # A machine cites, too, and however often it does, that is no more than the word of one person.
            good[pair] += min(total, _THUMB)
        pairs = good.keys() | bad.keys()
        return {pair: (good[pair] - bad[pair]) / (good[pair] + bad[pair] + _THUMB) for pair in pairs}


def _answer(event: Event) -> Pair | str:
    """The answer that the event is about: the one of its search, or else of its query for this voice."""
    return event.search or (event.collection, event.query, repr(voice_of(event)))
